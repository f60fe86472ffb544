"""Read records: what people opened, as their devices say it, into the ledger of the agency that owns it.

A read of another agency's report stands in that agency's ledger with the name of the reader's agency and nothing else
of the reader; who it was stands in the reader's own agency's ledger, under the same record's id.
A version that was never delivered to the reader's agency becomes a denial in the reader's own agency's ledger instead.
The answer is the same in every case.
Source: docs/protocol.md section 7.

> INVARIANT: an agency's ledger names no person and no device of another agency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import DENY, READ, Act, Read, Reading, Reads, SignedRead, check_read
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.storage import ledger, readings
from sluss_server.storage.ledger import Leaf
from sluss_server.storage.readings import Taken


@dataclass(frozen=True, slots=True)
class _Told:
    """One device's records, and who reads on it."""

    agency: bytes
    person: bytes
    reads: tuple[tuple[SignedRead, Read], ...]
    now: int


class Readings:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def take(self, caller: Caller, reads: Reads) -> None:
        """Take read records, each once; what was opened is recorded also where the right to more has ended since.

        Raises:
            Invalid: `unknown_device`, `bad_signature`, `malformed` or `not_canonical`; then none is taken.

        """
        view = await self._core.directories.refresh(caller.partnership)
        now = self._core.clock()
        caller = self._core.directories.again(caller, now)
        checked = tuple((one, check_read(one, caller.device, caller.sign_key)) for one in reads.reads)
        if not checked:
            return
        person = view.directories[caller.agency].devices[Kid(caller.device)].person

        async def run(connection: AsyncConnection, told: Sequence[_Told]) -> list[None]:
            await self._write(connection, view, told)
            return [None] * len(told)

        told = _Told(caller.agency, person, checked, now)
        await self._core.writer.merge(run, told, key=("reads", caller.partnership), weight=len(checked))

    async def _write(self, connection: AsyncConnection, view: View, told: Sequence[_Told]) -> None:
        every = [read for one in told for _, read in one.reads]
        taken = await readings.taken(
            connection,
            view.partnership,
            sorted({one.agency for one in told}),
            sorted({read.record for read in every}),
        )
        owners, feeds = dict[bytes, bytes](), defaultdict[bytes, list[bytes]](list)
        for placed in await readings.placed(connection, view.partnership, sorted({read.digest for read in every})):
            owners[placed.digest] = placed.owner
            feeds[placed.digest].append(placed.feed)
        rows, leaves = list[Taken](), list[Leaf]()
        for one in told:
            for signed, read in one.reads:
                if (one.agency, read.record) in taken:
                    continue
                taken.add((one.agency, read.record))
                rows.append(Taken(view.partnership, one.agency, read.record, one.now))
                had = any(view.has_feed(one.agency, feed) for feed in feeds[read.digest])
                leaves += _read(one, signed, read, owners[read.digest]) if had else [_denied(one, read)]
        await readings.take(connection, rows)
        await ledger.append(connection, view.partnership, leaves, self._core.random)


def _read(told: _Told, signed: SignedRead, read: Read, owner: bytes) -> list[Leaf]:
    """Return the leaf of the owner's ledger and, where that is another agency's, of the reader's own."""
    at = min(read.time, told.now)
    own = Reading(READ, read.digest, read.slots, at, told.agency, read.record, told.person, told.now, encode(signed))
    leaves = [Leaf(told.agency, READ, encode(own))]
    if owner != told.agency:
        shown = Reading(READ, read.digest, read.slots, at, told.agency, read.record, b"", told.now, b"")
        leaves.append(Leaf(owner, READ, encode(shown)))
    return leaves


def _denied(told: _Told, read: Read) -> Leaf:
    act = Act(DENY, read.digest, told.person, told.now, "not_delivered", b"", read.record, read.slots)
    return Leaf(told.agency, DENY, encode(act))
