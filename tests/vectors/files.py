"""The vector files as the product's own types, for the tests: what a device in the town of the vectors has and gets."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from sluss_client import keys
from sluss_client.crypto import KemKey
from sluss_client.trust import Trust
from sluss_schemas import directory as d
from sluss_schemas import sync as wire
from sluss_schemas.disclosure import Wrap
from sluss_schemas.ids import AgencyId, Kid, kid_of
from sluss_schemas.policy.pack import builtin

FOLDER: Final = Path(__file__).resolve().parent
Json = dict[str, Any]


@cache
def load(name: str) -> Json:
    """Return the content of a vector file."""
    content: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))
    return content


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def signed(entry: Json) -> d.SignedEntry:
    return d.SignedEntry(unhex(entry["entry"]), unhex(entry["signer"]), unhex(entry["signature"]))


def agency_of(reader: str) -> str:
    devices = load("world")["devices"]
    return str(devices[reader]["agency"]) if reader in devices else reader.split("/", maxsplit=1)[0]


@cache
def trust(slug: str) -> Trust:
    """Return what a device of this agency believes; the pack is the built-in one under the vectors' name."""
    world = load("world")
    own = world["agencies"][slug]
    found = Trust(unhex(world["partnership"]), AgencyId(unhex(own["agency"])), unhex(own["root_fingerprint"]))
    found._packs = (msgspec.structs.replace(builtin()[-1], digest=unhex(world["pack"])),)
    for chain in (own, *(one for other, one in world["agencies"].items() if other != slug)):
        found.extend(AgencyId(unhex(chain["agency"])), 0, [signed(entry) for entry in chain["entries"]])
    return found


def epoch(name: str) -> keys.HeldEpoch:
    secret = unhex(load("world")["epoch_secrets"][name])
    return keys.HeldEpoch(bytes(16), 1, secret, whole=True)


def device(name: str) -> keys.DeviceKeys:
    one = load("world")["devices"][name]
    return keys.DeviceKeys.of(keys.DeviceSeeds(unhex(one["sign_seed"]), unhex(one["kem_seed"])))


@cache
def ring(reader: str) -> dict[Kid, KemKey]:
    """Return the one key of an audience or a device."""
    key = device(reader).kem if reader in load("world")["devices"] else KemKey(epoch(reader).kem_seed())
    return {kid_of(key.public): key}


def whole(base: Json, changed: Json) -> Json:
    """Return a delivery from the one that it is based on and what is different in it."""
    found = {**base, **changed}
    for part in ("sections", "wraps"):
        slots = {**base[part], **changed.get(part, {})}
        found[part] = {slot: data for slot, data in slots.items() if data is not None}
    return found


def put(delivery: Json) -> wire.Put:
    """Return a delivery as the product gets it; nothing is checked here, as its bounds are part of what is tested."""
    first, second = (tier and wire.Tier(unhex(tier[0]), unhex(tier[1])) for tier in delivery["tiers"])
    grant = delivery["grant"]
    return wire.Put(
        unhex(delivery["manifest"]),
        unhex(delivery["signature"]),
        tuple(wire.Section(int(slot), unhex(data)) for slot, data in delivery["sections"].items()),
        None if delivery["seal"] is None else unhex(delivery["seal"]),
        tuple(Wrap(int(slot), unhex(data)) for slot, data in delivery["wraps"].items()),
        (first, second),
        None if grant is None else wire.GrantProof(unhex(grant[0]), unhex(grant[1])),
    )
