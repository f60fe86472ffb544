"""A push: report versions, grants and records, each with its own outcome.

The checks are made first and outside the writer, against the directories as they are known; the writer says when they
have moved, and then the checks are made again.
Source: docs/protocol.md section 6.

> INVARIANT: one bad item never sinks its neighbours, and every device is answered after the commit.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Raw, msgpack
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import disclosure, sync
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid, bitmap_of
from sluss_schemas.manifest import read_manifest
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case
from sluss_server.services import consents
from sluss_server.services.applying import LIVE, Applying, Prepared
from sluss_server.services.caller import Caller
from sluss_server.services.checking import Checked, Unusable, check_item, unusable
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.gateways import Basis, Decider
from sluss_server.services.grants import CheckedGrant, check_grant, may_know
from sluss_server.services.opening import CheckedRecord, check_record, record_digest
from sluss_server.services.rationing import Ration
from sluss_server.services.receipts import Former
from sluss_server.services.recipients import Target, filled_slots, scene_of
from sluss_server.storage import culling, reports
from sluss_server.storage import disclosure as disclosures
from sluss_server.storage.reports import Stored

_ROUNDS: Final = 5
_BREATH: Final = 8
"""Items checked before others get a turn: about a millisecond of signatures."""
# These bytes were canonical when they came in.
_sections: Final = msgpack.Decoder(tuple[disclosure.Section, ...])


class Pushing:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._applying: Final[dict[bytes, Applying]] = {}
        self._ration: Final = Ration()

    async def push(self, caller: Caller, push: sync.Push) -> sync.PushAnswer:
        """Apply a push.

        A device or person without rights may push too; what it sends is kept in quarantine, and of a revoked device
        no more than its ration is taken.
        What an earlier instance of this server gave a receipt for comes back as it was.

        Raises:
            Invalid: `body_too_large`, `unknown_device`, `overloaded`, `pack_missing`.

        """
        count = len(push.items) + len(push.grants) + len(push.records)
        if count > sync.MAX_PUSH_ITEMS:
            raise Invalid("body_too_large", "items")
        if len(push.past) > sync.MAX_PUSH_ITEMS:
            raise Invalid("body_too_large", "past")
        now = self._core.clock()
        revoked = self._core.directories.again(caller, now).revoked
        if revoked and not self._ration.take(caller.device, max(count, 1), now):
            raise Invalid("overloaded", "device")
        formers = self._core.receipts.formers(push.past)
        applying = self._applying.setdefault(caller.partnership, Applying(self._core, caller.partnership))
        view = self._core.directories.known(caller.partnership)
        for _ in range(_ROUNDS):
            self._core.must_decide(view, [caller.agency], self._core.clock())
            prepared = await self._prepare(view, caller, push, formers)
            answer = await self._core.writer.merge(
                applying.run, prepared, key=("push", caller.partnership), weight=max(count, 1)
            )
            if answer is not None:
                self._learn(caller.partnership, prepared, answer)
                self._tell(caller.partnership, prepared)
                return answer
            view = await self._core.directories.refresh(caller.partnership)
        raise Invalid("overloaded")

    async def _prepare(self, view: View, caller: Caller, push: sync.Push, formers: Mapping[bytes, Former]) -> Prepared:
        """Check everything; what changes while others have their turn is seen by the writer in `seen`."""
        now, seen = self._core.clock(), view.state
        caller = self._core.directories.again(caller, now)
        active = caller.active and not caller.revoked
        items = list[Checked | Unusable]()
        for number, raw in enumerate(push.items, 1):
            items.append(check_item(self._core, view, caller.agency, raw, now=now, active=active, formers=formers))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        grants = await self._grants(view, caller, push.grants, items, now=now, formers=formers) if push.grants else []
        records = await self._records(view, caller, push.records, now=now, formers=formers)
        return Prepared(seen=seen, items=items, grants=grants, records=records, now=now)

    async def _grants(
        self,
        view: View,
        caller: Caller,
        raws: Sequence[Raw],
        items: Sequence[Checked | Unusable],
        *,
        now: int,
        formers: Mapping[bytes, Former],
    ) -> list[CheckedGrant | Unusable]:
        """Check the grants for versions that are stored, or come in this push."""
        read = [_read_grant(raw) for raw in raws]
        told = [grant for _, grant in read if isinstance(grant, disclosure.Grant)]
        wanted = sorted({grant.digest for grant in told})
        async with self._core.engine.read() as connection:
            known = await reports.stored(connection, caller.partnership, wanted)
            own = [one for one in known.values() if one.agency == caller.agency]
            kept = await reports.sections_of(connection, caller.partnership, [one.digest for one in own])
            by = await self._decider(connection, view, caller, told)
            stubs = await culling.stubs(connection, caller.partnership, wanted)
        over = {one.digest for one in stubs if one.agency == caller.agency}
        targets = {one.digest: _target(one, kept.get(one.digest, b"")) for one in own if one.quarantine is None}
        for one in items:
            if isinstance(one, Checked) and one.quarantine is None:
                targets[one.digest] = Target(one.digest, one.manifest, one.scene, filled_slots(one.item))
        found = list[CheckedGrant | Unusable]()
        for raw, (item, grant) in zip(raws, read, strict=True):
            if isinstance(grant, Invalid) or item is None:
                found.append(unusable(hashlib.sha256(bytes(raw)).digest(), caller.agency, _refusal(grant)))
                continue
            if grant.digest in over:
                name = disclosure.grant_digest(item.grant)
                found.append(unusable(name, caller.agency, Invalid("culled", "grant.digest")))
                continue
            former = formers.get(disclosure.grant_digest(item.grant))
            found.append(self._grant(view, caller, item, targets.get(grant.digest), by, now=now, former=former))
        return found

    async def _decider(
        self, connection: AsyncConnection, view: View, caller: Caller, grants: Sequence[disclosure.Grant]
    ) -> Decider:
        """Return who decides what this push discloses, with the recorded consents that it rests on."""
        directory, agency, bases = view.directories[caller.agency], caller.agency, dict[bytes, Basis]()
        named = sorted({one.basis for one in grants if one.basis is not None})
        for row in await disclosures.records_named(connection, caller.partnership, [agency], named):
            consent = await consents.read(connection, caller.partnership, agency, row.record_id)
            about = {} if consent is None else await reports.names_of(connection, caller.partnership, [consent.digest])
            bases[row.record_id] = Basis(
                consent=consent, report_id=b"" if consent is None else about.get(consent.digest, (agency, b""))[1]
            )
        person = directory.persons[directory.devices[Kid(caller.device)].person]
        return Decider(person=person.person, functions=frozenset(person.functions), bases=bases)

    def _grant(
        self,
        view: View,
        caller: Caller,
        item: disclosure.GrantItem,
        target: Target | None,
        by: Decider,
        *,
        now: int,
        former: Former | None,
    ) -> CheckedGrant | Unusable:
        """Check one grant; who may not know of the version is answered as if it were not there."""
        digest = disclosure.grant_digest(item.grant)
        if former is None and (not caller.active or caller.revoked):
            return unusable(digest, caller.agency, Invalid("not_allowed", "device"))
        if target is None or (former is None and not may_know(view, caller, target.manifest)):
            return Unusable(digest, sync.OutcomeCode.RETRY, "not_found", "grant.digest", caller.agency)
        strangers = any(view.receiver(one.kid) is None for one in item.recipients)
        if former is not None and former.outcome is sync.OutcomeCode.CREATED and strangers:
            # They were known; their directory has yet to come back.
            return Unusable(digest, sync.OutcomeCode.RETRY, "stale_directory", "grant", caller.agency)
        try:
            return check_grant(
                self._core.rules,
                view,
                view.directories[caller.agency],
                target,
                item,
                now=now if former is None else former.time,
                past=former is not None,
                by=by if former is None else None,
            )
        except Invalid as refusal:
            if refusal.code == "not_found":
                return Unusable(digest, sync.OutcomeCode.RETRY, refusal.code, refusal.field, caller.agency)
            return unusable(digest, caller.agency, refusal)

    async def _records(
        self, view: View, caller: Caller, raws: Sequence[Raw], *, now: int, formers: Mapping[bytes, Former]
    ) -> list[CheckedRecord | Unusable]:
        """Check the records in their order: one may follow another of the same push."""
        found, coming = list[CheckedRecord | Unusable](), dict[bytes, Case]()
        for raw in raws:
            try:
                async with self._core.engine.read() as connection:
                    one = await check_record(
                        self._core, connection, view, caller, raw, now=now, formers=formers, coming=coming
                    )
            except Invalid as refusal:
                one = unusable(record_digest(raw), caller.agency, refusal)
            if isinstance(one, CheckedRecord) and isinstance(one.record, Case):
                coming.setdefault(one.record.record, one.record)
            found.append(one)
        return found

    def _learn(self, partnership: bytes, prepared: Prepared, answer: sync.PushAnswer) -> None:
        """Remember which lists of heads are stored now, so that the next push need not ask."""
        stored = {
            one.manifest.directories: one.item.heads
            for one, outcome in zip(prepared.items, answer.items, strict=True)
            if isinstance(one, Checked) and outcome.outcome in LIVE
        }
        self._core.head_sets.learn(partnership, stored)

    def _tell(self, partnership: bytes, prepared: Prepared) -> None:
        """Wake those who wait; a hint, so that a duplicate wakes nobody for long."""
        feeds = [
            entry.feed
            for one in (*prepared.items, *prepared.grants)
            if isinstance(one, Checked | CheckedGrant)
            for entry in one.entries
        ]
        feeds += [entry.feed for one in prepared.records if isinstance(one, CheckedRecord) for entry in one.fed]
        self._core.wake.tell(partnership, feeds)


def _read_grant(raw: Raw) -> tuple[disclosure.GrantItem | None, disclosure.Grant | Invalid]:
    try:
        item = decode(disclosure.GrantItem, bytes(raw), "grant")
        return item, disclosure.read_grant(item.grant)
    except Invalid as refusal:
        return None, refusal


def _refusal(grant: disclosure.Grant | Invalid) -> Invalid:
    return grant if isinstance(grant, Invalid) else Invalid("malformed", "grant")


def _target(stored: Stored, sections: bytes) -> Target:
    """Return a stored version as what a grant is for."""
    filled = bitmap_of(one.slot for one in _sections.decode(sections)) if sections else 0
    return Target(stored.digest, read_manifest(stored.manifest), scene_of(stored.tiers), filled)
