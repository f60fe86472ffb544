"""An agency's ledger shown to its own supervisors: every leaf since a time, so that the look is theirs.

They begin where the asking device had proven the ledger before that time, or after the last checkpoint of before it,
which is shown as it was signed; with the tree's peaks there and every leaf after them the device comes to the root of a
checkpoint that it has proven.
Refuses everybody who is not a supervisor; another agency's ledger is not there to be asked for.
Source: docs/protocol.md section 7; docs/secrecy-rules.md B8.

> INVARIANT: who looks stands in the ledger that they look at before they are shown a leaf.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import LOOK, MAX_LEAVES, Act, Begin, LeavesAnswer, LeavesAsk, ShownLeaf
from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.quarantine import must_supervise
from sluss_server.services.recording import Recording
from sluss_server.storage import checkpoints, ledger
from sluss_server.storage.ledger import Leaf, StoredLeaf

_PAGE_BYTES: Final = 1024 * 1024
_GOES_ON_S: Final = 3_600
"""For so long a device that has begun a look goes on with it."""


class Showing:
    """The use case."""

    def __init__(self, core: Core, recording: Recording) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._recording: Final = recording
        self._looked: Final[dict[bytes, int]] = {}

    async def leaves(self, caller: Caller, ask: LeavesAsk) -> LeavesAnswer:
        """Return the next leaves of the caller's agency.

        Raises:
            Invalid: `not_allowed` for whoever supervises nobody; `out_of_range` for a size that the tree has not had.

        """
        view, caller = await self._core.enter(caller)
        must_supervise(view, caller, "device")
        await self._record(view, caller, ask)
        whose = caller.partnership, caller.agency
        async with self._core.engine.read() as connection:
            begin = None if ask.since is None else await _begin(connection, caller, ask.since, ask.after)
            found = await ledger.leaves_after(connection, *whose, begin.size if begin else ask.after or 0, MAX_LEAVES)
        return LeavesAnswer(_page(found), begin)

    async def _record(self, view: View, caller: Caller, ask: LeavesAsk) -> None:
        """Write down that somebody looks: each look, and whoever goes on with one that this process has not seen."""
        now = self._core.clock()
        if ask.since is None and 0 <= now - self._looked.get(caller.device, -_GOES_ON_S) < _GOES_ON_S:
            return
        person = view.directories[caller.agency].devices[Kid(caller.device)].person
        act = Act(LOOK, b"", person, now, about=encode(ask.since))
        await self._recording.record(caller.partnership, Leaf(caller.agency, LOOK, encode(act)))
        self._looked[caller.device] = now


async def _begin(connection: AsyncConnection, caller: Caller, since: int, proven: int | None) -> Begin:
    """Return where a look begins: at a size that the device had proven, else after the last checkpoint of before."""
    whose, size, note = (caller.partnership, caller.agency), proven or 0, b""
    if proven is None:
        earlier = [one for one in await checkpoints.every(connection, *whose) if one.made_at < since]
        size, note = (earlier[-1].size, earlier[-1].note) if earlier else (0, b"")
    try:
        tree = await ledger.tree_of(connection, *whose, size)
    except ValueError:
        raise Invalid("out_of_range", "after", "The ledger has not been so long.") from None
    return Begin(size, note, bytes(tree))


def _page(found: list[StoredLeaf]) -> tuple[ShownLeaf, ...]:
    """Return as many leaves as an answer holds, and one at least."""
    shown, size = list[ShownLeaf](), 0
    for one in found:
        size += len(one.content)
        if shown and size > _PAGE_BYTES:
            break
        erased = not one.content
        shown.append(ShownLeaf(one.action, one.salt, one.content, one.leaf if erased else b""))
    return tuple(shown)
