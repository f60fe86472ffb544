"""A report that quotes what was opened for a time, when that time is over: locked, also for its author.

Source: docs/secrecy-rules.md B7 24.

> INVARIANT: the device's later clock decides; nobody has to be asked.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client.local import Local
from sluss_client.replica import Received, Version
from sluss_client.report import Reason
from sluss_client.sections import read_author
from sluss_schemas import forms
from sluss_schemas.ids import Compartment, slot
from sluss_schemas.quoting import NOTHING, Quoted, read_quoted

OVER: Final = "The time is over for which what it quotes was opened."
"""What somebody is told who reads such a copy afterwards."""


def quoted(local: Local, received: Received, head: Version) -> Quoted:
    """Return what a copy quotes that is on its author's devices alone; no other ends by itself."""
    data = dict(head.sections).get(slot("AUT"))
    if received.agency != local.trust.own_id or data is None or not all(hold.named for hold in head.holds):
        return NOTHING
    return read_quoted(forms.quoted_in(msgspec.msgpack.decode(read_author(data).extra)))


def closed(_part: Compartment) -> Reason:
    """Say why everything in such a copy is closed."""
    return Reason("", OVER, code="lease_ended")
