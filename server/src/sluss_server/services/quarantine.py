"""Quarantine: what the own agency's supervisors find there, and what takes a version out of it.

Refuses anybody else, and what a second look still finds wrong: a countersignature stands in for rights and for time,
never for form, kind or pack.
Source: docs/protocol.md sections 4 and 6.

> INVARIANT: a version leaves quarantine by a supervisor's signed record, in that record's transaction, or not at all.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Raw
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.checking import Checked, Unusable, check_item
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.receipts import Former
from sluss_server.services.recording import Recording
from sluss_server.storage import reports
from sluss_server.storage.ledger import Leaf

_LISTED: Final = 500
_ENTRY_BYTES: Final = 64


class Quarantine:
    """The use case of looking into it."""

    def __init__(self, core: Core, recording: Recording) -> None:
        """Stand on these parts; what is shown is recorded by `recording`."""
        self._core: Final = core
        self._recording: Final = recording

    async def waiting(self, caller: Caller) -> sync.QuarantineAnswer:
        """Return what waits for a supervisor of the own agency, oldest first, as far as one answer goes.

        Raises:
            Invalid: `revoked_device`, `unknown_device`, or `not_allowed` for anybody but a supervisor's device.

        """
        view, caller = await self._core.enter(caller)
        must_supervise(view, caller, "device")
        async with self._core.engine.read() as connection:
            listed = await reports.waiting(connection, caller.partnership, caller.agency, _LISTED + 1)
            fitting = _fitting(listed[:_LISTED])
            found = await reports.held(connection, caller.partnership, caller.agency, fitting)
        if found:
            digest = hashlib.sha256(encode([one.digest for one in found])).digest()
            content = encode(("deliver", digest, caller.device, self._core.clock()))
            await self._recording.record(caller.partnership, Leaf(caller.agency, "deliver", content))
        waiting = tuple(sync.Quarantined(one.item, one.quarantine, one.received_at) for one in found)
        return sync.QuarantineAnswer(waiting, more=len(fitting) < len(listed))


def must_supervise(view: View, caller: Caller, field: str) -> None:
    """Return quietly for an active device that is a member of its own agency's supervisors.

    Raises:
        Invalid: `not_allowed`.

    """
    supervisors = view.directories[caller.agency].audience_for("supervisors")
    if not caller.active or supervisors is None or Kid(caller.device) not in supervisors.members:
        raise Invalid("not_allowed", field)


async def released(
    core: Core, connection: AsyncConnection, view: View, caller: Caller, digest: bytes, *, now: int
) -> Checked | Unusable:
    """Return a version of the own agency that is in quarantine, checked again as what it is.

    Raises:
        Invalid: `not_found` where the own agency has no such version in quarantine.

    """
    held = await reports.held(connection, caller.partnership, caller.agency, [digest])
    if not held:
        raise Invalid("not_found", "record.digest")
    # As good as stored before: neither staleness nor rights are asked about.
    formers = {digest: Former(sync.OutcomeCode.CREATED, held[0].received_at)}
    found = check_item(core, view, caller.agency, Raw(held[0].item), now=now, active=True, formers=formers)
    if isinstance(found, Checked) and found.quarantine is not None:
        return Unusable(digest, sync.OutcomeCode.REFUSED, *found.quarantine, caller.agency)
    return found


def _fitting(listed: list[tuple[bytes, int]]) -> list[bytes]:
    """Return as many of the first as one answer holds, and at least one."""
    found, room = list[bytes](), sync.MAX_PAGE_BYTES
    for digest, size in listed:
        room -= size + _ENTRY_BYTES
        if found and room < 0:
            break
        found.append(digest)
    return found
