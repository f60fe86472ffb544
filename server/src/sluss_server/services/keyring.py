"""Keys that pass through the server: what a device is given, and what it offers to others.

Wraps of epochs, custodians' shares, what waits for a registrar, and the roster; all of it is sealed to devices.
Refuses to replace what somebody else gave a device.
Source: docs/protocol.md section 1.

> INVARIANT: a device is given only what is sealed to it, its own agency's roster, and of its audiences, or as a
> registrar of its agency, what waits to be signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid
from sluss_schemas.problems import Invalid
from sluss_server.services import custody, epochs
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.storage import custody as stored
from sluss_server.storage import keys
from sluss_server.storage.custody import ShareRow, SplitRow
from sluss_server.storage.keys import Holding, WrapRow

_ENOUGH_SHARES: Final = 2


class Keyring:
    """The use cases around keys."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._unopened: Final = epochs.Unopened()

    async def pull(self, caller: Caller, pull: membership.KeysPull) -> membership.KeysAnswer:
        """Return what is there for a device and what it does not have, who lacks an epoch, and what waits.

        Raises:
            Invalid: what `Caller.must_be_active` raises.

        """
        view, caller = await self._core.enter(caller)
        directory, kid = view.directories[caller.agency], Kid(caller.device)
        registrar = kid in directory.registrars
        mine = [one.audience for one in directory.audiences.values() if kid in one.members]
        at = caller.partnership, caller.agency
        async with self._core.engine.read() as connection:
            wraps = await keys.wraps_for(connection, *at, caller.device)
            makers = await keys.makers_of(connection, *at, mine)
            waiting = await keys.proposals_of(connection, *at)
            splits = await stored.splits_of(connection, *at) if registrar or mine else []
            shares = await stored.shares_for(connection, *at, caller.device)
            roster = None if pull.roster == directory.roster else await stored.roster_of(connection, *at)
        wanted = list(_wanted(wraps, pull.held))
        self._unopened.sent(caller.device, frozenset(map(_holding, wanted)))
        proposals = [decode(membership.EpochProposal, one, "proposal") for one in waiting]
        split = [decode(membership.ShareProposal, one, "split") for one in splits]
        return membership.KeysAnswer(
            tuple(
                membership.OwnWrap(one.audience, one.epoch, d.EpochWrap(one.device, one.whole, one.wrap))
                for one in wanted
            ),
            tuple(epochs.lacking(directory, kid, makers, self._unopened, _recovered(shares))),
            tuple(one for one in proposals if epochs.still_waits(directory, one, kid)),
            tuple(one for one in split if (registrar or one.audience in mine) and custody.still_waits(directory, one)),
            tuple(custody.sealed(one) for one in shares if one.share not in pull.shares),
            roster.roster if roster is not None and roster.digest == directory.roster else None,
        )

    async def offer(self, caller: Caller, offer: membership.KeysOffer) -> None:
        """Store wraps for newcomers, proposals of epochs and splits, and a custodian's shares: all of it, or nothing.

        A wrap that is there already stays; one of another maker stands beside it.

        Raises:
            Invalid: `not_allowed` or `directory_conflict`, with what is wrong as the field, or what
                `Caller.must_be_active` raises.

        """
        view, caller = await self._core.enter(caller)
        directory = view.directories[caller.agency]
        rows = [row for one in offer.wraps for row in epochs.offered(directory, caller, one)]
        proposals = [epochs.proposed(directory, caller, one) for one in offer.proposals]
        splits = [custody.proposed(directory, caller, one) for one in offer.splits]
        shares = [custody.given_share(directory, caller, one) for one in offer.shares]
        at = caller.partnership, caller.agency

        async def job(connection: AsyncConnection) -> None:
            makers = await keys.makers_of(connection, *at, sorted({row.audience for row in rows}))
            recovered = _recovered(await stored.shares_for(connection, *at, caller.device))
            for one in {(row.audience, row.epoch) for row in rows}:
                if not epochs.holds(directory, Kid(caller.device), one, makers, recovered):
                    raise Invalid("not_allowed", "wraps.holder")
            fresh = {_holding(row): row for row in rows if epochs.takes(makers, _holding(row), row.maker)}
            await keys.insert_wraps(connection, list(fresh.values()))
            for proposal in proposals:
                await keys.replace_proposal(connection, proposal)
            for split in splits:
                if isinstance(split, SplitRow):
                    await stored.put_split(connection, split)
                else:
                    await stored.add_shares(connection, split)
            await stored.put_shares(connection, shares)

        if rows or proposals or splits or shares:
            await self._core.writer.submit(job)


def _wanted(wraps: Iterable[WrapRow], held: Iterable[membership.HeldKey]) -> Iterable[WrapRow]:
    """Yield the wraps of what a device does not hold; who holds an epoch whole has its signing key too."""
    known = {(one.audience, one.epoch, one.whole) for one in held}
    for one in wraps:
        if not known & {(one.audience, one.epoch, True), (one.audience, one.epoch, bool(one.whole))}:
            yield one


def _holding(row: WrapRow) -> Holding:
    return Holding(row.audience, row.epoch, row.device, bool(row.whole))


def _recovered(shares: Iterable[ShareRow]) -> set[tuple[bytes, int]]:
    """Return the epochs of which a device was given shares enough to have them."""
    count = Counter((one.audience, one.epoch) for one in shares)
    return {epoch for epoch, number in count.items() if number >= _ENOUGH_SHARES}
