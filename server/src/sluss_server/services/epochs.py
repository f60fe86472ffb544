"""Epochs' wraps: with the entry that opens an epoch, for newcomers later, and in proposals that a registrar signs.

Everything here is sealed to devices; the server sees for whom, and holds the directory against it.
Source: docs/protocol.md section 1.

> INVARIANT: a whole epoch is wrapped for members of its audience only, and its signing key alone for the own agency's
> supervisors, of the field audience only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Audience, Directory
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.storage import keys
from sluss_server.storage.keys import ProposalRow, WrapRow


def wrap_rows(
    partnership: bytes,
    agency: bytes,
    after: Directory,
    bodies: Sequence[d.Body],
    sets: Sequence[sync.EpochSet],
) -> list[WrapRow]:
    """Return the wraps of the epochs that these entries open; `after` is the directory with the entries in it.

    Raises:
        Invalid: `directory_refused`, when a set is missing, is too much, or is not the one that its entry names.

    """
    given = {(one.audience, one.epoch): one.wraps for one in sets}
    opened = {(body.audience, body.epoch): body for body in bodies if isinstance(body, d.Epoch)}
    if given.keys() != opened.keys() or len(given) != len(sets):
        raise Invalid("directory_refused", "wraps", "Send exactly the wraps of the epochs that the entries open.")
    rows = list[WrapRow]()
    for (audience, epoch), wraps in given.items():
        body = opened[audience, epoch]
        if d.wraps_digest(wraps) != body.wraps or not _for_whom(after, after.audiences[AudienceId(audience)], wraps):
            raise Invalid("directory_refused", "wraps", "The wraps are not those that the entry was signed over.")
        if tuple(sorted(one.device for one in wraps if one.whole)) != body.devices:
            raise Invalid("directory_refused", "wraps", "Wrap the epoch for exactly the devices that the entry names.")
        rows += [WrapRow(partnership, agency, one.device, audience, epoch, one.whole, one.wrap) for one in wraps]
    return rows


def _for_whom(directory: Directory, audience: Audience, wraps: Sequence[d.EpochWrap]) -> bool:
    """Tell whether every wrap is for a device that may have it, and for none twice."""
    supervisors = directory.audience_for("supervisors")
    alone = supervisors.members if supervisors is not None and audience.function == "field" else {}
    return len({(one.device, one.whole) for one in wraps}) == len(wraps) and all(
        Kid(one.device) in (audience.members if one.whole else alone) for one in wraps
    )


class Epochs:
    """The use cases around keys."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def keys(self, caller: Caller) -> sync.KeysAnswer:
        """Return the device's wraps, who holds the epochs of its audiences, and what waits for a registrar.

        Raises:
            Invalid: what `Caller.must_be_active` raises.

        """
        view, caller = await self._core.enter(caller)
        directory = view.directories[caller.agency]
        kid = Kid(caller.device)
        mine = [one.audience for one in directory.audiences.values() if kid in one.members]
        async with self._core.engine.read() as connection:
            wraps = await keys.wraps_for(connection, caller.partnership, caller.agency, caller.device)
            holders = await keys.holders_of(connection, caller.partnership, caller.agency, mine)
            waiting = await keys.proposals_of(connection, caller.partnership, caller.agency)
        held: dict[tuple[bytes, int], tuple[list[bytes], list[bytes]]] = {}
        for one in holders:
            held.setdefault((one.audience, one.epoch), ([], []))[0 if one.whole else 1].append(one.device)
        proposals = [decode(sync.EpochProposal, one, "proposal") for one in waiting]
        return sync.KeysAnswer(
            tuple(sync.OwnWrap(one.audience, one.epoch, d.EpochWrap(one.device, one.whole, one.wrap)) for one in wraps),
            tuple(
                sync.Holders(audience, epoch, tuple(whole), tuple(alone))
                for (audience, epoch), (whole, alone) in held.items()
            ),
            tuple(one for one in proposals if one.epoch == _next_epoch(directory, one.audience)),
        )

    async def offer(self, caller: Caller, offer: sync.KeysOffer) -> None:
        """Store wraps for newcomers and proposals of new epochs; a wrap that is there already stays.

        Raises:
            Invalid: `not_allowed`, with what is wrong as the field, or what `Caller.must_be_active` raises.

        """
        view, caller = await self._core.enter(caller)
        directory = view.directories[caller.agency]
        rows = [row for one in offer.wraps for row in _offered(directory, caller, one)]
        proposals = [_proposed(directory, caller, one) for one in offer.proposals]

        async def job(connection: AsyncConnection) -> None:
            held = await keys.holders_of(
                connection, caller.partnership, caller.agency, sorted({row.audience for row in rows})
            )
            known = {(one.audience, one.epoch, one.device, one.whole) for one in held}
            if any((row.audience, row.epoch, caller.device, True) not in known for row in rows):
                raise Invalid("not_allowed", "wraps.holder")
            fresh = {(row.audience, row.epoch, row.device, row.whole): row for row in rows}
            await keys.insert_wraps(connection, [row for key, row in fresh.items() if key not in known])
            for row in proposals:
                await keys.replace_proposal(connection, row)

        if rows or proposals:
            await self._core.writer.submit(job)


def _offered(directory: Directory, caller: Caller, given: sync.EpochSet) -> list[WrapRow]:
    """Return the rows of wraps for newcomers, if this device may offer them."""
    audience = directory.audiences.get(AudienceId(given.audience))
    if audience is None or Kid(caller.device) not in audience.members:
        raise Invalid("not_allowed", "wraps.audience")
    if not 1 <= given.epoch <= len(audience.epochs):
        raise Invalid("not_allowed", "wraps.epoch")
    if not _for_whom(directory, audience, given.wraps):
        raise Invalid("not_allowed", "wraps.device")
    return [
        WrapRow(caller.partnership, caller.agency, one.device, given.audience, given.epoch, one.whole, one.wrap)
        for one in given.wraps
        # A member gets no epoch from before the one that the directory lets it begin with.
        if not one.whole or audience.members[Kid(one.device)] <= given.epoch
    ]


def _proposed(directory: Directory, caller: Caller, given: sync.EpochProposal) -> ProposalRow:
    """Return the row of a proposal, if this device may make it; the registrar's device verifies its signature."""
    audience = directory.audiences.get(AudienceId(given.audience))
    if audience is None or given.maker != caller.device or Kid(caller.device) not in audience.members:
        raise Invalid("not_allowed", "proposals.maker")
    if given.epoch != len(audience.epochs) + 1:
        raise Invalid("directory_conflict", "proposals.epoch")
    whole = sorted(one.device for one in given.wraps if one.whole)
    if whole != sorted(audience.members) or not _for_whom(directory, audience, given.wraps):
        raise Invalid("not_allowed", "proposals.wraps")
    return ProposalRow(caller.partnership, caller.agency, given.audience, given.epoch, encode(given))


def _next_epoch(directory: Directory, audience: bytes) -> int:
    found = directory.audiences.get(AudienceId(audience))
    return 0 if found is None else len(found.epochs) + 1
