"""Case records: who files which kind, to whom it goes, what it may follow, and that it reaches nobody else."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from msgspec import Raw, structs
from sqlalchemy import select

from sluss_schemas import directory as d
from sluss_schemas import sync
from sluss_schemas.codec import decode, encode
from sluss_schemas.disclosure import Grant, ended, read_grant
from sluss_schemas.ledger import Act
from sluss_schemas.records import RULES, Case, CaseKind, SignedRecord, read_record
from sluss_server.storage import disclosure, tables

from tests.server.cases import (
    CREATED,
    DAY,
    HOUR,
    Answer,
    case,
    consent,
    digest,
    feeds,
    gained,
    note,
    said,
    send,
    shift,
    signed,
)
from tests.server.sealer import KemKey, SealedReport, SignKey, make_grant, with_grants
from tests.server.statements import scene_terms
from tests.server.test_delivering import newcomer
from tests.server.town import NOW, Device, Town, amended, bits

UNKNOWN: Final = os.urandom(32)
WAITS: Final[Answer] = ("retry", "not_found", "record.digest")
ORPHAN: Final[Answer] = ("retry", "not_found", "record.follows")
TO_POLICE: Final = bits("SIT", "PLC", "SUB")


@dataclass
class Book:
    """A town in which the guards have filed a report, told the police of it, and keep records."""

    town: Town
    report: SealedReport
    grant: Grant

    @property
    def guard(self) -> Device:
        return self.town.field("security")

    @property
    def supervisor(self) -> Device:
        return self.town.supervisor("security")

    def key(self, slug: str, function: Any = "supervisors") -> bytes:  # noqa: ANN401  # a function
        return self.town.agencies[slug].key(function)

    def task(self, **more: Any) -> Case:  # noqa: ANN401  # any field
        given = {"digest": self.report.digest, "until": NOW + DAY, "code": "L11", "to": [self.key("security")]}
        return case(self.guard, CaseKind.TASK, NOW, **{**given, **more})

    def request(self, **more: Any) -> Case:  # noqa: ANN401  # any field
        by = self.town.field("police")
        return case(by, CaseKind.REQUEST, NOW, **{"to": [self.key("security", "field")], **more})

    def recall(self, **more: Any) -> Case:  # noqa: ANN401  # any field
        given = {"follows": self.grant.grant_id, "code": "recalled", "to": [self.key("police", "field")]}
        return case(self.guard, CaseKind.RECALL, NOW, **{**given, **more})

    def consent(self, **more: Any) -> Case:  # noqa: ANN401  # any field
        given: dict[str, Any] = {"digest": self.report.digest, "code": "given", "until": NOW + DAY}
        given |= {"terms": consent([self.town.agencies["police"].id]), "to": [self.key("security")]}
        return case(self.guard, CaseKind.CONSENT, NOW, **{**given, **more})

    async def sent(self, by: Device, *records: Case) -> Case:
        """Send records that are accepted, and return the last."""
        assert await send(self.town, by, *records) == [CREATED] * len(records)
        return records[-1]


@pytest.fixture
async def book(town: Town) -> Book:
    report = town.report("security")
    told = make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW, not_after=NOW + HOUR)
    await town.outcomes(town.field("security"), with_grants(report, told))
    return Book(town, report, read_grant(told.grant))


Made = tuple[Device, Case, list[Device]]
"""Who files a record, the record, and who gets it."""


def _own_supervisors(book: Book, by: Device, kind: CaseKind, **more: Any) -> Made:  # noqa: ANN401  # any field
    return by, case(by, kind, NOW, [book.key("security")], **more), [book.supervisor]


async def _task(book: Book) -> Made:
    return book.guard, book.task(), [book.supervisor]


async def _done(book: Book) -> Made:
    task = await book.sent(book.guard, book.task())
    return _own_supervisors(book, book.guard, CaseKind.DONE, follows=task.record, code="sent")


async def _request(book: Book) -> Made:
    return book.town.field("police"), book.request(), book.town.agencies["security"].devices[:2]


async def _answer(book: Book) -> Made:
    by = book.town.field("police")
    asked = await book.sent(by, book.request())
    made = case(book.guard, CaseKind.ANSWER, NOW, [by.kem.public], follows=asked.record, code="granted")
    return book.guard, made, [by]


async def _consent(book: Book) -> Made:
    return book.guard, book.consent(), [book.supervisor]


async def _oral(book: Book) -> Made:
    return _own_supervisors(book, book.guard, CaseKind.ORAL, digest=book.report.digest, code="L17")


async def _feedback(book: Book) -> Made:
    by = book.town.supervisor("social_services")
    return by, case(by, CaseKind.FEEDBACK, NOW, [book.guard.kem.public], code="opened"), [book.guard]


async def _proposal(book: Book) -> Made:
    return _own_supervisors(book, book.guard, CaseKind.PROPOSAL, digest=book.report.digest, code="L14")


async def _approval(book: Book) -> Made:
    _, proposed, _ = await _proposal(book)
    await book.sent(book.guard, proposed)
    by = book.supervisor
    made = case(by, CaseKind.APPROVAL, NOW, [book.guard.kem.public], follows=proposed.record, code="approved")
    return by, made, [book.guard]


async def _review(book: Book) -> Made:
    by = book.supervisor
    made = case(by, CaseKind.REVIEW, NOW, [book.guard.kem.public], follows=book.grant.grant_id, code="upheld")
    return by, made, [book.guard]


async def _recall(book: Book) -> Made:
    return book.guard, book.recall(), book.town.agencies["police"].devices[:2]


async def _confirm(book: Book) -> Made:
    recall = await book.sent(book.guard, book.recall())
    by = book.town.field("police")
    return by, case(by, CaseKind.CONFIRM, NOW, [book.guard.kem.public], follows=recall.record), [book.guard]


async def _dispute(book: Book) -> Made:
    by = book.town.field("police")
    to = [book.key("security"), book.key("police")]
    made = case(by, CaseKind.DISPUTE, NOW, to, follows=book.grant.grant_id, code="disputed")
    return by, made, [book.supervisor, book.town.supervisor("police")]


async def _note(book: Book) -> Made:
    lamp = book.town.report("security", 9)
    await book.town.outcomes(book.guard, lamp)
    more = {"digest": lamp.digest, "until": NOW + DAY, "terms": note()}
    return _own_supervisors(book, book.supervisor, CaseKind.NOTE, **more)


async def _reclassify(book: Book) -> Made:
    more = {"digest": book.report.digest, "code": "protected"}
    return _own_supervisors(book, book.guard, CaseKind.RECLASSIFY, **more)


async def _shift(book: Book) -> Made:
    return _own_supervisors(book, book.guard, CaseKind.SHIFT, until=NOW + 8 * HOUR, terms=shift())


async def _places(book: Book) -> Made:
    by = book.town.supervisor("health")
    to = [book.key("municipality", "field"), book.key("social_services", "field")]
    got = [*book.town.agencies["municipality"].devices[:2], *book.town.agencies["social_services"].devices[:2]]
    return by, case(by, CaseKind.PLACES, NOW, to, code="protected"), got


async def _hold(book: Book) -> Made:
    return _own_supervisors(book, book.supervisor, CaseKind.HOLD, digest=book.report.digest, code="placed")


async def _statement(book: Book) -> Made:
    by = book.supervisor
    return by, case(by, CaseKind.STATEMENT, NOW, code="scene", terms=encode(scene_terms())), []


KINDS: Final[dict[CaseKind, Callable[[Book], Awaitable[Made]]]] = {
    CaseKind.TASK: _task,
    CaseKind.DONE: _done,
    CaseKind.REQUEST: _request,
    CaseKind.ANSWER: _answer,
    CaseKind.CONSENT: _consent,
    CaseKind.ORAL: _oral,
    CaseKind.FEEDBACK: _feedback,
    CaseKind.PROPOSAL: _proposal,
    CaseKind.APPROVAL: _approval,
    CaseKind.REVIEW: _review,
    CaseKind.RECALL: _recall,
    CaseKind.CONFIRM: _confirm,
    CaseKind.DISPUTE: _dispute,
    CaseKind.NOTE: _note,
    CaseKind.RECLASSIFY: _reclassify,
    CaseKind.SHIFT: _shift,
    CaseKind.PLACES: _places,
    CaseKind.HOLD: _hold,
    CaseKind.STATEMENT: _statement,
}


async def rows(town: Town, *columns: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  # any columns
    async with town.engine.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


class TestEveryKind:
    def test_is_tried(self) -> None:
        assert KINDS.keys() == set(CaseKind) == RULES.keys()

    @pytest.mark.parametrize("kind", list(CaseKind), ids=str)
    async def test_reaches_exactly_its_addressees(self, book: Book, kind: CaseKind) -> None:
        by, made, readers = await KINDS[kind](book)
        before = await feeds(book.town)

        assert await send(book.town, by, made) == [CREATED]

        new = await gained(book.town, before)
        cases = {kid: [one for one in found if one[0] == "case"] for kid, found in new.items()}
        assert {kid: found for kid, found in cases.items() if found} == {
            one.kid: [("case", digest(made))] for one in readers
        }
        # A recall takes away besides what it says, and so does a place that became protected; nothing else does.
        if kind not in {CaseKind.RECALL, CaseKind.RECLASSIFY}:
            assert cases == new

    @pytest.mark.parametrize("kind", list(CaseKind), ids=str)
    async def test_is_stored_once_with_one_leaf_and_delivered_as_it_was_signed(
        self, book: Book, kind: CaseKind
    ) -> None:
        by, made, readers = await KINDS[kind](book)
        data, leaf = signed(by, made), tables.ledger_leaves.c

        first = await book.town.push(by, records=[data])
        again = await book.town.push(by, records=[data, data])

        assert [said(one.records) for one in (first, again)] == [[CREATED], [("duplicate", None, None)] * 2]
        assert again.records[0].receipt == first.records[0].receipt
        # A recall leaves another, about the grant that it ends.
        acts = [decode(Act, row[0]) for row in await rows(book.town, leaf.content, leaf.agency, leaf.action)]
        assert [one.action for one in acts if one.about == made.record] == [str(kind)]
        for reader in readers:
            [entry] = [one for one in await book.town.entries(reader) if one.digest == digest(made)]
            assert entry.op is sync.Op.RECORD
            assert entry.record == data
            assert read_record(decode(SignedRecord, entry.record).record) == made

    async def test_needs_a_signature_of_the_device_that_it_names(self, book: Book) -> None:
        task = book.task()
        data = encode(task)
        forged = encode(SignedRecord(data, SignKey().sign(data)))
        by = book.town.field("police")

        answers = [await book.town.push(book.guard, records=[forged]), await book.town.push(by, records=[forged])]

        assert [said(one.records) for one in answers] == [
            [("bad_signature", "bad_signature", "record")],
            [("refused", "malformed", "record.device")],
        ]

    async def test_of_another_content_cannot_take_an_id(self, book: Book) -> None:
        task = await book.sent(book.guard, book.task())

        other = structs.replace(book.task(), record=task.record)

        assert await send(book.town, book.guard, other) == [("id_conflict", "id_conflict", "record.record")]
        # Another agency's ids are its own.
        asked = book.request(record=task.record)
        assert await send(book.town, book.town.field("police"), asked) == [CREATED]


Break = Callable[[Book], Awaitable[tuple[Device, Case]]]


def _with(kind: CaseKind, **more: Any) -> Break:  # noqa: ANN401  # any field
    """The accepted record of a kind, with fields replaced."""

    async def make(book: Book) -> tuple[Device, Case]:
        by, made, _ = await KINDS[kind](book)
        return by, structs.replace(made, **more)

    return make


def _by(kind: CaseKind, slug: str, who: str = "field") -> Break:
    """The record of a kind, filed by somebody who may not."""

    async def make(book: Book) -> tuple[Device, Case]:
        _, made, _ = await KINDS[kind](book)
        by = book.town.field(slug) if who == "field" else book.town.supervisor(slug)
        return by, structs.replace(made, device=by.kid)

    return make


def _to(kind: CaseKind, *to: tuple[str, str]) -> Break:
    """The record of a kind, sealed to these audiences instead."""

    async def make(book: Book) -> tuple[Device, Case]:
        by, made, _ = await KINDS[kind](book)
        keys = [book.key(*one) for one in to]
        fields = {name: getattr(made, name) for name in ("digest", "follows", "code", "until", "terms")}
        return by, case(by, kind, NOW, keys, **fields)

    return make


def _after(kind: CaseKind, other: CaseKind) -> Break:
    """The record of a kind, following a stored record that it may not follow."""

    async def make(book: Book) -> tuple[Device, Case]:
        by, made, _ = await KINDS[kind](book)
        author, followed, _ = await KINDS[other](book)
        await book.sent(author, followed)
        return by, structs.replace(made, follows=followed.record)

    return make


async def _sealed_to_a_stranger(book: Book) -> tuple[Device, Case]:
    return book.guard, book.task(to=[KemKey().public])


async def _sealed_to_a_closed_epoch(book: Book) -> tuple[Device, Case]:
    old = book.key("security")
    await book.town.open_epochs(book.town.agencies["security"])
    return book.guard, book.task(to=[old])


async def _sealed_to_a_revoked_device(book: Book) -> tuple[Device, Case]:
    agency, lost = book.town.agencies["security"], book.town.field("security", 1)
    await book.town.append(agency, [agency.entry(d.DeviceRevoke(lost.kid, "lost"), NOW)])
    return book.guard, book.task(to=[lost.kem.public])


async def _by_a_suspended_person(book: Book) -> tuple[Device, Case]:
    agency = book.town.agencies["security"]
    await book.town.append(agency, [agency.entry(d.PersonSuspend(book.guard.person), NOW)])
    return book.guard, book.task()


async def _about_one_in_quarantine(book: Book) -> tuple[Device, Case]:
    held = book.town.report("security", pack=bytes(32))
    assert [one[0] for one in await book.town.outcomes(book.guard, held)] == ["quarantined"]
    return book.guard, book.task(digest=held.digest)


async def _about_anothers(book: Book) -> tuple[Device, Case]:
    by = book.town.field("police")
    return by, structs.replace(book.task(to=[book.key("police")]), device=by.kid)


async def _after_anothers(book: Book) -> tuple[Device, Case]:
    """A request that went to the guards, answered by somebody whom it was not sealed to."""
    asked = await book.sent(book.town.field("police"), book.request())
    by = book.town.field("health")
    return by, case(by, CaseKind.ANSWER, NOW, follows=asked.record, code="granted")


async def _recall_of_anothers(book: Book) -> tuple[Device, Case]:
    by = book.town.field("police")
    return by, structs.replace(book.recall(), device=by.kid)


async def _dispute_by_a_third(book: Book) -> tuple[Device, Case]:
    by = book.town.field("health")
    return by, case(by, CaseKind.DISPUTE, NOW, follows=book.grant.grant_id, code="disputed")


async def _confirm_by_its_author(book: Book) -> tuple[Device, Case]:
    recall = await book.sent(book.guard, book.recall())
    return book.guard, case(book.guard, CaseKind.CONFIRM, NOW, follows=recall.record)


def _noted(kind: int, owner: str = "security", **terms: Any) -> Break:  # noqa: ANN401  # any field of the terms
    """A note that draws on a report of this kind."""

    async def make(book: Book) -> tuple[Device, Case]:
        report = book.town.report(owner, kind)
        assert (await book.town.outcomes(book.town.field(owner), report))[0][0] == "created"
        by = book.town.supervisor(owner)
        return by, case(by, CaseKind.NOTE, NOW, digest=report.digest, until=NOW + DAY, terms=note(**terms))

    return make


async def _note_on_a_protected_report(book: Book) -> tuple[Device, Case]:
    by, made, _ = await _note(book)
    assert made.digest is not None
    closed = case(book.guard, CaseKind.RECLASSIFY, NOW, digest=made.digest, code="protected")
    await book.sent(book.guard, closed)
    return by, made


K: Final = CaseKind
REFUSED: list[tuple[str, Break, Answer]] = [
    # who files
    ("a note by field staff", _by(K.NOTE, "security"), ("refused", "not_allowed", "record.device")),
    ("a review by field staff", _by(K.REVIEW, "security"), ("refused", "not_allowed", "record.device")),
    ("feedback by field staff", _by(K.FEEDBACK, "social_services"), ("refused", "not_allowed", "record.device")),
    ("a suspended person's", _by_a_suspended_person, ("refused", "not_allowed", "record.device")),
    (
        "places by an agency that protects none",
        _by(K.PLACES, "police", "supervisors"),
        ("refused", "not_allowed", "record.device"),
    ),
    # to whom
    ("a task for another agency", _to(K.TASK, ("police", "field")), ("refused", "not_allowed", "record.seals")),
    ("an account for field staff", _to(K.ORAL, ("security", "field")), ("refused", "not_allowed", "record.seals")),
    ("a note for another agency", _to(K.NOTE, ("police", "supervisors")), ("refused", "not_allowed", "record.seals")),
    ("places for the police", _to(K.PLACES, ("police", "field")), ("refused", "not_allowed", "record.seals")),
    ("places of another sort", _with(K.PLACES, code=""), ("refused", "unknown_code", "record.code")),
    ("places for guards", _to(K.PLACES, ("security", "supervisors")), ("refused", "not_allowed", "record.seals")),
    ("a stranger's key", _sealed_to_a_stranger, ("refused", "not_allowed", "record.seals")),
    ("a closed epoch", _sealed_to_a_closed_epoch, ("stale_directory", "stale_directory", "record.seals")),
    ("a revoked device", _sealed_to_a_revoked_device, ("stale_directory", "stale_directory", "record.seals")),
    # what it is about
    ("a task about nothing", _with(K.TASK, digest=None), ("refused", "missing_field", "record.digest")),
    ("a shift about a report", _with(K.SHIFT, digest=UNKNOWN), ("refused", "malformed", "record.digest")),
    ("an unknown report", _with(K.TASK, digest=UNKNOWN), WAITS),
    ("another agency's report", _about_anothers, WAITS),
    ("a report in quarantine", _about_one_in_quarantine, WAITS),
    # what it follows
    ("done with nothing", _with(K.DONE, follows=None), ("refused", "missing_field", "record.follows")),
    ("a task that follows", _with(K.TASK, follows=os.urandom(16)), ("refused", "malformed", "record.follows")),
    ("done with a consent", _after(K.DONE, K.CONSENT), ("refused", "malformed", "record.follows")),
    ("an unknown task", _with(K.DONE, follows=os.urandom(16)), ORPHAN),
    ("an unknown grant", _with(K.RECALL, follows=os.urandom(16)), ORPHAN),
    ("a request to somebody else", _after_anothers, ORPHAN),
    ("a recall of another's grant", _recall_of_anothers, ORPHAN),
    ("a dispute by a third", _dispute_by_a_third, ORPHAN),
    ("a confirmation of the own recall", _confirm_by_its_author, ORPHAN),
    # codes
    ("a code that is none", _with(K.DONE, code="perhaps"), ("refused", "unknown_code", "record.code")),
    ("a code that is a sentence", _with(K.TASK, code="Kim saw it"), ("refused", "unknown_code", "record.code")),
    # clocks
    ("a task without a clock", _with(K.TASK, until=None), ("refused", "missing_field", "record.until")),
    ("a shift without an end", _with(K.SHIFT, until=None), ("refused", "missing_field", "record.until")),
    ("a shift of two days", _with(K.SHIFT, until=NOW + 2 * DAY), ("refused", "out_of_range", "record.until")),
    ("a consent for years", _with(K.CONSENT, until=NOW + 400 * DAY), ("refused", "out_of_range", "record.until")),
    ("a consent without an end", _with(K.CONSENT, until=None), ("refused", "missing_field", "record.until")),
    ("a note for years", _with(K.NOTE, until=NOW + 400 * DAY), ("refused", "out_of_range", "record.until")),
    ("a task that is late", _with(K.TASK, until=NOW - 1), ("refused", "out_of_range", "record.until")),
    ("tomorrow's record", _with(K.TASK, time=NOW + HOUR), ("retry", "future_time", "record.time")),
    # terms
    ("terms where none belong", _with(K.TASK, terms=b"\xc0"), ("refused", "malformed", "record.terms")),
    ("no terms of a consent", _with(K.CONSENT, terms=b""), ("refused", "malformed", "record.terms")),
    (
        "a consent for a stranger",
        _with(K.CONSENT, terms=consent([os.urandom(16)])),
        ("refused", "malformed", "record.terms.agencies"),
    ),
    (
        "a consent that begins after its end",
        _with(K.CONSENT, terms=consent([UNKNOWN[:16]], not_before=NOW + DAY)),
        ("refused", "malformed", "record.terms.agencies"),
    ),
    ("a shift nowhere", _with(K.SHIFT, terms=shift(99)), ("refused", "unknown_scene", "record.terms.scene")),
    ("a withdrawal of nothing", _with(K.NOTE, code="withdrawn"), ("refused", "malformed", "record.follows")),
    ("an invalid consent of nothing", _with(K.CONSENT, code="invalid"), ("refused", "malformed", "record.follows")),
    # notes
    ("a note with the whole situation", _noted(9, slots=(0,)), ("refused", "not_allowed", "note.0")),
    ("a note with a person", _noted(1, slots=(1, 4)), ("refused", "not_allowed", "note.1")),
    ("a note about a secret", _noted(0, "social_services"), ("refused", "not_allowed", "note.kind")),
    ("a note for a partner without a name", _noted(9, column="EXT"), ("refused", "missing_field", "note.partner")),
    ("a note for everybody and a partner", _noted(9, partner="AB"), ("refused", "malformed", "note.partner")),
    ("a note for supervisors", _noted(9, column="SUPX"), ("refused", "not_allowed", "note.1")),
    ("a note about a protected place", _note_on_a_protected_report, ("refused", "not_allowed", "note.1")),
]


@pytest.mark.parametrize(("build", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_nothing_is_stored_of(book: Book, build: Break, expected: Answer) -> None:
    by, made = await build(book)
    stored, before = await rows(book.town, tables.records.c.record_digest), await feeds(book.town)

    assert await send(book.town, by, made) == [expected]

    assert await rows(book.town, tables.records.c.record_digest) == stored
    assert await feeds(book.town) == before


async def test_a_supervisor_files_what_field_staff_file_and_a_shift_needs_an_assignment(book: Book) -> None:
    agency = book.town.agencies["security"]
    await book.town.append(agency, book.town.device_entries(agency, "C", ("field",), scenes=(2,)))
    elsewhere = agency.devices[-1]

    def on_shift(by: Device, scene: int) -> Case:
        return case(by, CaseKind.SHIFT, NOW, until=NOW + HOUR, terms=shift(scene))

    assert await send(book.town, book.supervisor, on_shift(book.supervisor, 2)) == [CREATED]
    assert await send(book.town, elsewhere, on_shift(elsewhere, 2), on_shift(elsewhere, 1)) == [
        CREATED,
        ("refused", "not_allowed", "record.terms.scene"),
    ]


class TestFollowing:
    async def test_in_one_push_goes_by_their_order(self, book: Book) -> None:
        task = book.task()
        done = case(book.guard, CaseKind.DONE, NOW, follows=task.record, code="no")

        assert await send(book.town, book.guard, done, task) == [ORPHAN, CREATED]
        assert await send(book.town, book.guard, done) == [CREATED]

        other = book.task()
        after = case(book.guard, CaseKind.DONE, NOW, follows=other.record, code="no")
        assert await send(book.town, book.guard, other, after) == [CREATED, CREATED]

    async def test_what_was_refused_in_the_same_push_waits(self, book: Book) -> None:
        taken = await book.sent(book.guard, book.task())
        clash = book.task(record=taken.record, until=NOW + HOUR)
        bad = book.task(code="nonsense")
        done = case(book.guard, CaseKind.DONE, NOW, follows=bad.record, code="no")

        assert await send(book.town, book.guard, bad, clash, done) == [
            ("refused", "unknown_code", "record.code"),
            ("id_conflict", "id_conflict", "record.record"),
            ORPHAN,
        ]

    async def test_another_agencys_task_looks_like_none(self, book: Book) -> None:
        task = await book.sent(book.guard, book.task())
        by = book.town.field("police")
        made = [case(by, CaseKind.DONE, NOW, follows=one, code="no") for one in (task.record, os.urandom(16))]

        assert await send(book.town, by, *made) == [ORPHAN, ORPHAN]


class TestHistory:
    async def test_of_a_newcomer_holds_no_older_record(self, book: Book) -> None:
        old = await book.sent(book.guard, book.task())
        device = await newcomer(book.town, "security", "supervisors")
        new = await book.sent(book.guard, book.task())

        entries = await book.town.entries(device)

        assert [str(one.op) for one in entries] == ["skip", "skip", "case"]
        assert entries[-1].digest == digest(new)
        assert all(digest(old) not in encode(one) and one.record is None for one in entries[:-1])
        # Nor does its holder follow what the history does not hold.
        by = book.town.field("police")
        asked = book.request(to=[book.key("security")])
        await book.sent(by, asked)
        assert [str(one.op) for one in await book.town.entries(device)][-1] == "case"
        recall = await book.sent(book.guard, book.recall(to=[book.key("police", "field")]))
        late = await newcomer(book.town, "police", "field")
        made = case(late, CaseKind.CONFIRM, NOW, follows=recall.record)
        assert await send(book.town, late, made) == [ORPHAN]

    async def test_downwards_from_the_head_brings_them_too(self, book: Book) -> None:
        made = [book.task() for _ in range(3)]
        await book.sent(book.guard, *made)

        caller, pull = await book.town.caller(book.supervisor), sync.Pull(limit=2)
        pages = [one for one in (await book.town.services.pull(caller, pull)).pages if one.past]

        assert [one.digest for one in pages[0].past] == [digest(made[2]), digest(made[1])]
        assert all(one.record is not None for one in pages[0].past)


async def test_overdue_are_tasks_whose_time_is_up_and_that_nobody_has_done(book: Book) -> None:
    done, late, later = book.task(), book.task(), book.task(until=NOW + 2 * DAY)
    await book.sent(book.guard, done, late, later)
    await book.sent(book.guard, case(book.guard, CaseKind.DONE, NOW, follows=done.record, code="sent"))

    async with book.town.engine.read() as connection:
        found = [await disclosure.overdue(connection, NOW + days * DAY + 1) for days in (0, 1, 2)]

    assert found == [0, 1, 2]


class TestRecall:
    async def test_ends_the_grant_where_it_was_given_and_nowhere_else(self, book: Book) -> None:
        before = await feeds(book.town)

        recall = await book.sent(book.guard, book.recall())

        lost = ("drop", ended(book.report.digest, book.grant.grant_id))
        police = book.town.agencies["police"].devices[:2]
        after = await gained(book.town, before)
        assert {kid: [one for one in new if one[0] == "drop"] for kid, new in after.items()} == {
            one.kid: [lost] for one in police
        }
        assert all(("case", digest(recall)) in after[one.kid] for one in police)
        # The report itself stays, and what the grant gave is given to nobody any more.
        for one in await book.town.entries(police[0]):
            assert one.put is None or one.put.grant is None
        assert book.report.digest in await book.town.puts(police[0])
        assert await rows(book.town, tables.grants.c.ended_at) == [(NOW,)]

    async def test_is_written_once(self, book: Book) -> None:
        await book.sent(book.guard, book.recall(), book.recall())

        drops = [one for one in await book.town.entries(book.town.field("police")) if one.op is sync.Op.DROP]

        assert len(drops) == 1


class TestConsent:
    async def resting(self, book: Book, **more: Any) -> Case:  # noqa: ANN401  # any field of a record
        """A consent on which the grant rests."""
        made = await book.sent(book.guard, book.consent(**more))

        async def rest(connection: Any) -> None:  # noqa: ANN401  # a connection
            await connection.execute(tables.grants.update().values(basis=made.record))

        await book.town.writer.submit(rest)
        return made

    def follows(self, book: Book, given: Case, code: str, **more: Any) -> Case:  # noqa: ANN401  # any field
        fields: dict[str, Any] = {"digest": book.report.digest, "follows": given.record, "code": code}
        return case(book.guard, CaseKind.CONSENT, NOW, **{**fields, **more})

    async def ended(self, book: Book) -> bool:
        gone = ("drop", ended(book.report.digest, book.grant.grant_id))
        [row] = await rows(book.town, tables.grants.c.ended_at)
        got = (await feeds(book.town))[book.town.field("police").kid]
        assert (row[0] is not None) == (gone in got.values())
        return row[0] is not None

    @pytest.mark.parametrize("code", ["withdrawn", "invalid"])
    async def test_taken_back_ends_what_rests_on_it(self, book: Book, code: str) -> None:
        given = await self.resting(book)
        assert not await self.ended(book)

        await book.sent(book.guard, self.follows(book, given, code))

        assert await self.ended(book)

    @pytest.mark.parametrize(
        ("to", "slots", "until", "stays"),
        [
            ("police", (4,), NOW + DAY, True),
            ("police", (5, 6), NOW + HOUR, True),
            ("police", (6,), NOW + DAY, False),
            ("health", (4,), NOW + DAY, False),
            ("police", (4,), NOW + HOUR - 1, False),
        ],
    )
    async def test_limited_ends_what_it_does_not_cover_any_more(
        self, book: Book, to: str, slots: tuple[int, ...], until: int, *, stays: bool
    ) -> None:
        given = await self.resting(book)
        terms = consent([book.town.agencies[to].id], slots)

        await book.sent(book.guard, self.follows(book, given, "limited", terms=terms, until=until))

        assert await self.ended(book) is not stays

    async def test_a_chain_only_narrows(self, book: Book) -> None:
        given = await self.resting(book)
        terms = consent([book.town.agencies["police"].id, book.town.agencies["health"].id], (4, 6))
        first = self.follows(book, given, "limited", terms=terms, until=NOW + DAY)
        await book.sent(book.guard, first)

        again = self.follows(book, given, "given", terms=terms, until=NOW + DAY)
        assert await send(book.town, book.guard, again) == [("refused", "malformed", "record.follows")]
        await book.sent(book.guard, self.follows(book, first, "withdrawn"))

        assert await self.ended(book)

    async def test_of_another_grant_ends_nothing(self, book: Book) -> None:
        await self.resting(book)
        other = await book.sent(book.guard, book.consent())

        await book.sent(book.guard, self.follows(book, other, "withdrawn"))

        assert not await self.ended(book)


class TestReclassified:
    def protected(self, book: Book, **more: Any) -> Case:  # noqa: ANN401  # any field
        given = {"digest": book.report.digest, "code": "protected"}
        return case(book.guard, CaseKind.RECLASSIFY, NOW, **{**given, **more})

    async def held(self, book: Book) -> set[str]:
        """The agencies whose field staff hold the report."""
        return {
            slug for slug in book.town.agencies if book.report.digest in await book.town.puts(book.town.field(slug))
        }

    async def test_is_lost_to_others_by_ordinary_drops_and_kept_by_its_owner(self, book: Book) -> None:
        second = amended(book.town, book.report)
        await book.town.outcomes(book.guard, second)
        before = await feeds(book.town)

        await book.sent(book.guard, self.protected(book))

        after = await gained(book.town, before)
        owners = {one.kid for one in book.town.agencies["security"].devices}
        assert not owners & after.keys()
        assert {one for new in after.values() for one in new} <= {
            ("drop", book.report.digest),
            ("drop", second.digest),
            ("drop", ended(book.report.digest, book.grant.grant_id)),
        }
        for slug in ("police", "social_services", "municipality", "health"):
            assert await book.town.puts(book.town.field(slug)) == {}
            assert await book.town.puts(book.town.supervisor(slug)) == {}
        assert second.digest in await book.town.puts(book.guard)
        assert await rows(book.town, tables.facts.c.digest) == []

    async def test_leaves_what_a_duty_gives_of_such_a_place(self, book: Book) -> None:
        report, to = book.town.report("security"), book.key("social_services")
        concern, wider = (make_grant(report, {to: bits(*parts)}, "L11", NOW) for parts in (("SUB",), ("SIT", "SUB")))
        await book.town.outcomes(book.guard, with_grants(report, concern, wider))

        await book.sent(book.guard, self.protected(book, digest=report.digest))

        kept = [one.put.grant for one in await book.town.entries(book.town.supervisor("social_services")) if one.put]
        assert kept == [sync.GrantProof(concern.grant, concern.signature)]

    async def test_gives_others_no_later_version_and_no_grant(self, book: Book) -> None:
        await book.sent(book.guard, self.protected(book))
        before = await feeds(book.town)

        second = amended(book.town, book.report)
        told = make_grant(book.report, {book.key("police", "field"): TO_POLICE}, "L14", NOW)
        answer = await book.town.push(book.guard, second, grants=[encode(told)])

        assert said(answer.items) == [("trimmed", "not_allowed", "recipients")]
        assert said(answer.grants) == [("refused", "not_allowed", "grant.L14.receivers")]
        owners = {one.kid for one in book.town.agencies["security"].devices}
        assert (await gained(book.town, before)).keys() == owners
        assert await rows(book.town, tables.facts.c.digest) == []

    async def test_travels_with_no_grant_either(self, book: Book) -> None:
        await book.sent(book.guard, self.protected(book))
        before = await feeds(book.town)
        second = amended(book.town, book.report)
        told = make_grant(second, {book.key("police", "field"): TO_POLICE}, "L14", NOW)

        await book.town.outcomes(book.guard, with_grants(second, told))

        owners = {one.kid for one in book.town.agencies["security"].devices}
        assert (await gained(book.town, before)).keys() == owners

    async def test_comes_out_by_two_persons_of_two_agencies_alone(self, book: Book) -> None:
        by, keeper = book.supervisor, book.town.supervisor("health")
        await book.sent(book.guard, self.protected(book))
        book.town.clock.now += 1
        opened = self.protected(book, code="unprotected")
        assert await send(book.town, book.guard, opened) == [("refused", "not_allowed", "record.device")]

        first = case(
            by,
            CaseKind.RECLASSIFY,
            NOW,
            [book.key("health"), book.key("police")],
            digest=book.report.digest,
            code="unprotected",
        )
        await book.sent(by, first)
        second = amended(book.town, book.report)
        await book.town.outcomes(book.guard, second)
        assert second.digest not in await book.town.puts(book.town.field("police"))
        own, police = book.supervisor, book.town.supervisor("police")
        for one in (own, police):
            tried = case(one, CaseKind.RECLASSIFY, NOW, follows=first.record, code="unprotected")
            assert await send(book.town, one, tried) == [("refused", "not_allowed", "record.device")]
        field = book.town.field("health")
        tried = case(field, CaseKind.RECLASSIFY, NOW, follows=first.record, code="unprotected")
        assert await send(book.town, field, tried) == [ORPHAN]

        await book.sent(keeper, case(keeper, CaseKind.RECLASSIFY, NOW, follows=first.record, code="unprotected"))

        third = amended(book.town, second)
        await book.town.outcomes(book.guard, third)
        assert set(await book.town.puts(book.town.field("police"))) == {third.digest}
        # What was lost is not put back by itself.
        assert await self.held(book) == {"security"}


class TestRestored:
    async def test_records_come_back_by_their_receipts_with_what_they_brought_about(self, book: Book) -> None:
        task, recall = book.task(), book.recall()
        pushed = [signed(book.guard, one) for one in (task, recall)]
        done = (await book.town.push(book.guard, records=pushed)).records
        past = tuple(sync.PastReceipt(one.receipt or b"", one.receipt_signature or b"") for one in done)
        agency = book.town.agencies["security"]

        async def forget(connection: Any) -> None:  # noqa: ANN401  # a connection
            names = [digest(task), digest(recall)]
            for table, column in (
                (tables.records, tables.records.c.record_digest),
                (tables.outcomes, tables.outcomes.c.digest),
            ):
                await connection.execute(table.delete().where(column.in_(names)))
            await connection.execute(tables.grants.update().values(ended_at=None))
            grant = tables.feed_entries.c.grant_id == book.grant.grant_id
            await connection.execute(tables.feed_entries.update().where(grant).values(ended=False))

        await book.town.writer.submit(forget)
        # The supervisors' epoch has closed since, and their author has left.
        await book.town.open_epochs(agency, ("supervisors",))
        await book.town.append(agency, [agency.entry(d.PersonSuspend(book.guard.person), NOW)])
        book.town.instance = b"j" * 16
        services, book.town.clock.now = book.town.new_services(), NOW + DAY

        caller = await services.identify(book.guard.kid)
        assert caller is not None
        given = tuple(Raw(one) for one in pushed)
        refused = await services.push(caller, sync.Push((), (), given))
        assert said(refused.records) == [("refused", "not_allowed", "record.device")] * 2
        answer = await services.push(caller, sync.Push((), (), given, past))

        assert said(answer.records) == [CREATED, CREATED]
        assert await rows(book.town, tables.records.c.received_at) == [(NOW,), (NOW,)]
        assert await rows(book.town, tables.grants.c.ended_at) == [(NOW,)]
        assert digest(task) in [one.digest for one in await book.town.entries(book.supervisor)]
