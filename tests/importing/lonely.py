"""A device that founded its agency and never had contact again: all that filing needs, and no server.

Its store is a real one; only the posting to a server is left out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluss_client import clock
from sluss_client.agency.chain import Chain
from sluss_client.agency.founding import Founded, found
from sluss_client.crypto import SignKey
from sluss_client.device import Device
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.local import Config, Local
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import AGENCY_SECTORS
from sluss_schemas.invitation import Code

PASSPHRASE: Final = "a lonely device's passphrase"


def lonely_device(path: Path, scenes: Sequence[str], agency: str = "police") -> Device:
    """Return an approved device of `agency` that knows these scenes."""
    seeds = DeviceSeeds.new()
    keys = DeviceKeys.of(seeds)
    partnership, checkpoint = os.urandom(16), SignKey(os.urandom(32)).public
    founding = (agency, AGENCY_SECTORS[agency], True, checkpoint)
    code = Code("http://127.0.0.1:9", partnership, os.urandom(16), os.urandom(16), None, None, founding)
    founded = found(code, keys, ["field", "supervisors"], clock.now())
    now = clock.now()
    config = Config(code.server, partnership, founded.agency, founded.root, confirmed_at=now, confirmed_own=now)
    local = Local.create(path, PASSPHRASE, seeds, config)
    local.extend(membership.Chain(founded.agency, 0, founded.entries))
    register(local, founded, scenes)
    return Device(local)


def register(local: Local, founded: Founded, scenes: Sequence[str]) -> None:
    """Add scenes to the own chain, as the registrar's device signs them."""
    chain = Chain(local.trust.own.copy())
    for number, slug in enumerate(scenes, 1):
        chain.add(d.Scene(number, slug, slug, slug, None, "confirmed"), local.keys.sign, clock.now())
    local.extend(membership.Chain(founded.agency, local.trust.own.seq + 1, tuple(chain.entries)))
