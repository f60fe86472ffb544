"""The directories' chains: pulled by everybody, appended to by the own agency.

An entry carries its own right in its signature; the server checks it as a device would, and keeps the order.
Source: docs/protocol.md section 2.

> INVARIANT: entries and the new head are one transaction, of two that append at one number one is told so, and no two
> agencies of a partnership have a key or an audience's id in common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import membership, sync
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid, kid_of
from sluss_schemas.manifest import Head
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory, canonical
from sluss_schemas.signing import verify
from sluss_server.services import agreements, custody
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.epochs import wrap_rows
from sluss_server.services.recording import rotations
from sluss_server.storage import custody as stored
from sluss_server.storage import directory as chains
from sluss_server.storage import enrolment, keys, ledger
from sluss_server.storage.custody import RosterRow, ShareRow
from sluss_server.storage.directory import ChainHead, StoredLink

_ANSWER_ENTRIES: Final = 500
_APPEND_ENTRIES: Final = 500
_ROUNDS: Final = 64
"""When agencies append at once, one of them passes in each round; a report names the heads of at most as many."""


class Chains:
    """The two use cases."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def pull(self, caller: Caller, pull: membership.DirectoryPull) -> membership.DirectoryAnswer:
        """Return what follows in every chain of the partnership, as far as one answer goes.

        A revoked device gets its own agency's chain up to the entry that revoked it, which proves that it was, and no
        more: it may not learn who else comes and goes.

        Raises:
            Invalid: `not_allowed` or `unknown_device`.

        """
        core = self._core
        view = await core.directories.refresh(caller.partnership)
        caller = core.directories.again(caller, core.clock())
        state = view.state
        if caller.revoked:
            own = view.directories[caller.agency]
            last = own.revocations[Kid(caller.device)]
            state = (ChainHead(caller.agency, last, own.hashes[last]),)
        else:
            caller.must_be_active()
        known = {one.agency: one.seq for one in pull.known}
        room, space, more = _ANSWER_ENTRIES, sync.MAX_PAGE_BYTES, False
        found = list[membership.Chain]()
        async with core.engine.read() as connection:
            for agency, seq, _ in state:
                first = max(known.get(agency, -1), -1) + 1
                if first > seq:
                    continue
                if room <= 0 or space <= 0:
                    more = True
                    break
                links = await chains.entries(connection, caller.partnership, agency, first, min(room, seq + 1 - first))
                taken = list[d.SignedEntry]()
                for link in links:
                    if space <= 0:
                        break
                    taken.append(decode(d.SignedEntry, link.entry, "directory"))
                    space -= len(link.entry)
                room -= len(taken)
                more = more or first + len(taken) <= seq
                found.append(membership.Chain(agency, first, tuple(taken)))
        heads = () if caller.revoked else view.heads
        return membership.DirectoryAnswer(tuple(found), more, core.clock(), core.receipts.instance, heads)

    async def append(self, caller: Caller, append: membership.DirectoryAppend) -> membership.Appended:
        """Append to the own agency's chain; the same entries sent again are answered as the first time.

        Raises:
            Invalid: `directory_conflict` when somebody else was first, `directory_refused`, `bad_signature`,
                `malformed`, `not_canonical`, `out_of_range`, `restoring`, `below_floor`, `unknown_pack`,
                `pack_missing`, or what `Caller.must_be_active` raises.

        """
        view, caller = await self._core.enter(caller)
        if not 1 <= len(append.entries) <= _APPEND_ENTRIES:
            raise Invalid("out_of_range", "entries")
        before = view.directories[caller.agency]
        first = decode(d.Entry, append.entries[0].entry, "entries.0").seq
        if first <= before.seq:
            return await self._again(caller, append.entries, first)
        _check_signer(before, append.entries[0])
        after = before.copy()
        bodies = [after.append(entry) for entry in append.entries]
        await self._core.restoring.check(caller.partnership, before, append.entries, bodies)
        await agreements.check(self._core, view, caller, append.entries, bodies)
        _check_packs(self._core, bodies)
        at = caller.partnership, before.agency
        new = Appending(
            caller.partnership,
            append.entries,
            after,
            wraps=wrap_rows(*at, after, bodies, append.wraps),
            split=list(custody.split_in(bodies)),
            shares=custody.share_rows(*at, bodies, append.shares),
            roster=custody.roster_row(*at, bodies, append.roster),
            invites=[body.invite for body in bodies if isinstance(body, d.DeviceAdd)],
        )
        await commit(self._core, new)
        return membership.Appended(after.head)

    async def _again(self, caller: Caller, entries: Sequence[d.SignedEntry], first: int) -> membership.Appended:
        async with self._core.engine.read() as connection:
            links = await chains.entries(connection, caller.partnership, caller.agency, first, len(entries))
        if [link.entry for link in links] != [canonical(entry) for entry in entries]:
            raise Invalid("directory_conflict", "entries")
        return membership.Appended(Head(caller.agency, links[-1].seq, d.entry_hash(entries[-1].entry)))


def _check_packs(core: Core, bodies: Iterable[d.Body]) -> None:
    """Refuse to adopt a pack that is not here, by which nobody could be served, and one on another day than its own."""
    for body in bodies:
        if isinstance(body, d.PackInForce):
            known = core.rules.pack(body.digest)
            if known is None or body.begins != day_number(known.valid_from):
                raise Invalid("unknown_pack", "entries", "Update the server first: it has no such pack.")


def _check_signer(directory: Directory, first: d.SignedEntry) -> None:
    """Refuse a stranger's entry before a large directory is copied for it."""
    entry = decode(d.Entry, first.entry, "entries.0")
    if entry.kind == d.EntryKind.ROOT_ROTATE:
        # The new root signs for itself; that it was committed to is as cheap to see.
        new = decode(d.RootRotate, bytes(entry.body), "entries.0").root
        roots = {kid_of(new): new} if hashlib.sha256(new).digest() == directory.next_root else {}
    else:
        roots = {kid_of(directory.root): directory.root}
    key = {**directory.registrars, **roots}.get(Kid(first.signer))
    if key is None:
        raise Invalid("directory_refused", "entries.0", "The signer has no right to make this entry.")
    verify(key, first.signature, d.entry_message(first.entry), "entries.0")


@dataclass(frozen=True, slots=True)
class Appending:
    """Checked entries that lead to the directory `after`, with what is written beside them.

    Attributes:
        wraps: of the epochs that the entries open.
        split: the epochs that they split, by audience and number.
        shares: those of these splits.
        roster: the one that they name last.
        invites: the invitations that they use up.
        code: the founding code that they use up.

    """

    partnership: bytes
    entries: Sequence[d.SignedEntry]
    after: Directory
    wraps: Sequence[keys.WrapRow] = ()
    split: Sequence[tuple[bytes, int]] = ()
    shares: Sequence[ShareRow] = ()
    roster: RosterRow | None = None
    invites: Sequence[bytes] = ()
    code: bytes | None = None


async def commit(core: Core, new: Appending) -> None:
    """Write checked entries, unless what they bring is another agency's already.

    Raises:
        Invalid: `directory_refused` for another agency's key or audience, `directory_conflict`, `invite_used`, or
            `overloaded`.

    """
    now, partnership, after = core.clock(), new.partnership, new.after
    first = after.seq + 1 - len(new.entries)
    links = [StoredLink(first + number, canonical(entry)) for number, entry in enumerate(new.entries)]

    async def job(connection: AsyncConnection, others: Sequence[ChainHead]) -> bool:
        await chains.lock(connection, partnership)
        heads = await chains.heads(connection, partnership)
        if next((head.seq for head in heads if head.agency == after.agency), -1) != first - 1:
            raise Invalid("directory_conflict", "entries")
        if _others(heads, after.agency) != others:
            return False
        if new.code is not None and not await enrolment.use_code(connection, partnership, new.code, now):
            raise Invalid("invite_used", "invite")
        await chains.append(connection, partnership, ChainHead(after.agency, after.seq, after.hash), links)
        await keys.insert_wraps(connection, new.wraps)
        await stored.settle(connection, partnership, after.agency, new.split)
        await stored.put_shares(connection, new.shares)
        if new.roster is not None:
            await stored.put_roster(connection, new.roster)
        if new.invites:
            await enrolment.use_invitations(connection, partnership, after.agency, new.invites, now)
        await ledger.append(connection, partnership, rotations(after, new.entries, now), core.random)
        return True

    for _ in range(_ROUNDS):
        view = await core.directories.refresh(partnership)
        if view.clashes(after):
            raise Invalid("directory_refused", "entries", "Another agency has this key or audience.")
        try:
            if await core.writer.submit(partial(job, others=_others(view.state, after.agency))):
                break
        except IntegrityError:
            # Another process wrote the same number between the look and the commit.
            raise Invalid("directory_conflict", "entries") from None
    else:
        raise Invalid("overloaded")
    await core.directories.refresh(partnership)
    core.wake.tell(partnership, after.audiences)


def _others(heads: Sequence[ChainHead], agency: bytes) -> list[ChainHead]:
    """Return the other agencies' heads; as long as they stand, so does what was compared with their directories."""
    return [head for head in heads if head.agency != agency]
