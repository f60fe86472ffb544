"""What becomes of one pushed report version: every outcome, every reason, and what is left behind by it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from sluss_schemas import directory as d
from sluss_schemas import manifest, sync
from sluss_schemas.codec import decode, encode
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import RECEIPT_LABEL, verify
from sluss_server.storage import tables

from tests.server.sealer import Draft, KemKey, SealedReport, SignKey, seal_report
from tests.server.town import INSTANCE, NOW, Town, bits, changed, slots

Answer = tuple[str, str | None, str | None]
Build = Callable[[Town], SealedReport | bytes]


def _swapped(report: SealedReport) -> bytes:
    """A report in which two sections changed places."""
    first, second, *rest = report.item.sections
    return changed(
        report,
        sections=(sync.Section(first.slot, second.section), sync.Section(second.slot, first.section), *rest),
    )


def _twice(report: SealedReport) -> bytes:
    return changed(report, recipients=(*report.item.recipients, report.item.recipients[0]))


def _resigned(town: Town, key: SignKey) -> SealedReport:
    draft = town.draft("security")
    draft.group = key
    return seal_report(draft)


OUTCOMES: Final[list[tuple[str, Build, Answer]]] = [
    ("a report as the pack has it", lambda t: t.report("security"), ("created", None, None)),
    (
        "nothing but the own agency",
        lambda t: t.report("security", readers={t.agencies["security"].key(): 1}),
        ("created", None, None),
    ),
    ("a report that nobody gets", lambda t: t.report("security", readers={}), ("created", None, None)),
    ("no structure at all", lambda _: encode("text"), ("refused", "malformed", "item")),
    ("a map", lambda _: encode({"manifest": b""}), ("refused", "malformed", "item")),
    ("cut off", lambda t: encode(t.report("security").raw[:-9]), ("refused", "malformed", "item")),
    ("another encoding", lambda t: _longer(t.report("security")), ("refused", "not_canonical", "item")),
    (
        "a manifest that is none",
        lambda t: changed(t.report("security"), manifest=encode((1, 2))),
        ("refused", "malformed", "manifest"),
    ),
    ("another agency's report", lambda t: t.report("police"), ("refused", "not_allowed", "manifest.agency")),
    (
        "a signature of nobody's",
        lambda t: changed(t.report("security"), signature=os.urandom(64)),
        ("bad_signature", "bad_signature", "signature"),
    ),
    (
        "a key that no directory names",
        lambda t: _resigned(t, SignKey()),
        ("bad_signature", "bad_signature", "manifest.signer_kid"),
    ),
    (
        "another agency's group key",
        lambda t: _resigned(t, t.agencies["police"].group()),
        ("bad_signature", "bad_signature", "manifest.signer_kid"),
    ),
    ("sections that changed places", lambda t: _swapped(t.report("security")), ("refused", "malformed", "sections.0")),
    (
        "a section twice",
        lambda t: changed(r := t.report("security"), sections=(r.item.sections[0],) * 2),
        ("refused", "malformed", "sections.0"),
    ),
    ("a recipient twice", lambda t: _twice(t.report("security")), ("refused", "malformed", "recipients")),
    (
        "facts that are not the signed ones",
        lambda t: changed(t.report("security"), tiers=(sync.Tier(bytes(32), encode((1,))), None)),
        ("refused", "malformed", "tiers.0"),
    ),
    ("heads of another moment", lambda t: t.report("security", heads=t.heads()[:-1]), ("created", None, None)),
    (
        "heads that are not those of the manifest",
        lambda t: changed(t.report("security"), heads=t.heads()[:-1]),
        ("stale_directory", "stale_directory", "heads"),
    ),
    (
        "a head that never was",
        lambda t: t.report("security", heads=(manifest.Head(t.agencies["police"].id, 3, bytes(32)),)),
        ("stale_directory", "stale_directory", "heads"),
    ),
    (
        "a head of nobody's",
        lambda t: t.report("security", heads=(manifest.Head(bytes(16), 0, bytes(32)),)),
        ("stale_directory", "stale_directory", "heads"),
    ),
    (
        "an unknown pack",
        lambda t: t.report("security", pack=bytes(32)),
        ("quarantined", "unknown_pack", "manifest.pack"),
    ),
    ("a newer schema", lambda t: t.report("security", schema=99), ("quarantined", "unknown_pack", "manifest.schema")),
    (
        "a kind of another sector",
        lambda t: t.report("security", kind=5),
        ("quarantined", "not_an_owner", "manifest.kind"),
    ),
    (
        "a secret kind in clear",
        lambda t: t.report("security", kind=6),
        ("quarantined", "unknown_kind", "manifest.kind"),
    ),
    (
        "a secret kind of a sector that has none",
        lambda t: t.report("security", kind=0),
        ("quarantined", "not_an_owner", "manifest.kind"),
    ),
    (
        "a part that the form does not have",
        lambda t: t.report("security", kind=9, filled=(0, 2, 6)),
        ("quarantined", "not_collected", "K09.care"),
    ),
    (
        "facts where the kind has none",
        lambda t: t.report("security", kind=17, values=(1, 2, 3)),
        ("quarantined", "not_collected", "K17.facts"),
    ),
    (
        "a scene that the registry lacks",
        lambda t: t.report("security", scene=99),
        ("quarantined", "unknown_scene", "tiers.0"),
    ),
    (
        "two days ahead",
        lambda t: t.report("security", time=NOW + 2 * 86_400),
        ("quarantined", "future_time", "manifest.time"),
    ),
    ("an hour ahead", lambda t: t.report("security", time=NOW + 3600), ("created", None, None)),
    (
        "a second version of nothing",
        lambda t: t.report("security", version=2, parents=(bytes(32),)),
        ("retry", None, "manifest.parents"),
    ),
    (
        "more than the pack gives to the police",
        lambda t: t.report("security", readers={t.agencies["police"].key(): bits("SIT", "SUB")}),
        ("trimmed", "not_allowed", "recipients"),
    ),
    (
        "a recipient that nobody knows",
        lambda t: t.report("security", readers={KemKey().public: bits("SIT")}),
        ("trimmed", "not_allowed", "recipients"),
    ),
    (
        "a seal that the manifest does not name",
        lambda t: t.report("security", forged={t.agencies["police"].key(): 1}, readers={}),
        ("trimmed", "not_allowed", "recipients"),
    ),
    (
        "fewer seals than the manifest names",
        lambda t: t.report("security", unsealed=(t.agencies["police"].key(),), readers={}),
        ("created", None, None),
    ),
    (
        "a wrap without its section",
        lambda t: seal_report(_without(t.draft("security"), 12)),
        ("trimmed", "not_allowed", "recipients"),
    ),
]


def _longer(report: SealedReport) -> bytes:
    data = report.raw
    assert data[1] == 0xC5  # the manifest, in the shortest form that its length allows
    return data[:1] + b"\xc6\x00\x00" + data[2:]


def _without(draft: Draft, slot: int) -> Draft:
    draft.filled = tuple(one for one in draft.filled if one != slot)
    return draft


async def _count(town: Town, table: str) -> int:
    async with town.engine.read() as connection:
        found = await connection.execute(select(func.count()).select_from(tables.metadata.tables[table]))
        return int(found.scalar_one())


async def _leaves(town: Town) -> list[str]:
    async with town.engine.read() as connection:
        found = await connection.execute(select(tables.ledger_leaves.c.action).order_by(tables.ledger_leaves.c.seq))
        return [str(row.action) for row in found]


@pytest.mark.parametrize(("build", "expected"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES])
async def test_a_pushed_report_gets(town: Town, build: Build, expected: Answer) -> None:
    assert await town.outcomes(town.field("security"), build(town)) == [expected]


async def test_a_bad_item_does_not_sink_its_neighbours(town: Town) -> None:
    first, last = town.report("security"), town.report("security")
    bad = [build(town) for _, build, expected in OUTCOMES if expected[0] in {"refused", "bad_signature", "retry"}]

    outcomes = await town.outcomes(town.field("security"), first, *bad, last)

    assert [one[0] for one in outcomes] == [
        "created",
        *(row[2][0] for row in OUTCOMES if row[2][0] in {"refused", "bad_signature", "retry"}),
        "created",
    ]
    assert set(await town.puts(town.field("police"))) == {first.digest, last.digest}


@pytest.mark.parametrize("number", [51, 200])
async def test_more_than_fifty_items_are_refused_together(town: Town, number: int) -> None:
    report = town.report("security")

    with pytest.raises(Invalid, match="body_too_large"):
        await town.push(town.field("security"), *[report] * number)

    assert await _count(town, "reports") == 0


async def test_a_stored_outcome_carries_a_receipt_that_the_genesis_key_verifies(town: Town) -> None:
    report = town.report("security")

    [outcome] = (await town.push(town.field("security"), report)).items

    genesis = town.agencies["security"].directory.genesis
    assert genesis is not None
    assert outcome.receipt is not None
    assert outcome.receipt_signature is not None
    verify(genesis.checkpoint, outcome.receipt_signature, RECEIPT_LABEL + outcome.receipt)
    assert decode(sync.Receipt, outcome.receipt) == sync.Receipt(1, report.digest, "created", INSTANCE, NOW)


@pytest.mark.parametrize("expected", ["refused", "bad_signature", "stale_directory", "retry"])
async def test_nothing_is_stored_of(town: Town, expected: str) -> None:
    wrong = [build(town) for _, build, outcome in OUTCOMES if outcome[0] == expected]

    outcomes = (await town.push(town.field("security"), *wrong)).items

    assert {str(one.outcome) for one in outcomes} == {expected}
    assert {one.receipt for one in outcomes} == {None}
    assert [await _count(town, name) for name in ("reports", "outcomes", "feed_entries", "facts", "grants")] == [0] * 5


async def test_a_forged_signature_leaves_a_denial_in_the_ledger_and_nothing_else(town: Town) -> None:
    await town.outcomes(town.field("security"), changed(town.report("security"), signature=bytes(64)))

    assert await _leaves(town) == ["deny"]


class TestDuplicates:
    async def test_the_same_item_again_gets_the_first_receipt(self, town: Town) -> None:
        report = town.report("security")
        [first] = (await town.push(town.field("security"), report)).items
        town.clock.now += 40 * 86_400

        [again] = (await town.push(town.field("security"), report)).items

        assert again == sync.Outcome(
            report.digest, sync.OutcomeCode.DUPLICATE, None, None, first.receipt, first.receipt_signature
        )

    async def test_it_is_a_duplicate_although_its_epoch_has_closed_since(self, town: Town) -> None:
        report = town.report("security")
        await town.push(town.field("security"), report)
        await town.open_epochs(town.agencies["security"], ("field",))

        assert await town.outcomes(town.field("security"), report) == [("duplicate", None, None)]

    async def test_twice_in_one_push(self, town: Town) -> None:
        report = town.report("security")

        outcomes = await town.outcomes(town.field("security"), report, report)

        assert [one[0] for one in outcomes] == ["created", "duplicate"]

    async def test_of_sixteen_at_once_one_is_created(self, town: Town) -> None:
        report = town.report("security")
        device = town.field("security")

        answers = await asyncio.gather(*(town.outcomes(device, report) for _ in range(16)))

        assert sorted(one[0][0] for one in answers) == ["created"] + ["duplicate"] * 15
        assert len(await town.entries(town.field("police"))) == 1

    async def test_also_after_the_server_was_started_again(self, town: Town) -> None:
        report, bad = town.report("security"), town.report("security", pack=bytes(32))
        [first, held] = (await town.push(town.field("security"), report, bad)).items
        await town.close()
        await town.open()

        [again, kept] = (await town.push(town.field("security"), report, bad)).items

        assert (again.outcome, again.receipt) == ("duplicate", first.receipt)
        assert kept == held

    async def test_another_agencys_device_is_not_told_that_it_is_stored(self, town: Town) -> None:
        report = town.report("security")
        await town.push(town.field("security"), report)

        assert await town.outcomes(town.field("police"), report) == [("refused", "not_allowed", "manifest.agency")]

    async def test_two_agencies_that_do_not_read_each_other_may_draw_one_report_id(self, town: Town) -> None:
        name, own = os.urandom(16), {town.agencies["security"].key(): bits("SIT", "PLC")}

        mine = await town.outcomes(town.field("security"), town.report("security", report_id=name, readers=own))
        theirs = await town.outcomes(town.field("police"), town.report("police", report_id=name))

        assert (mine, theirs) == ([("created", None, None)], [("created", None, None)])


class TestIdConflict:
    async def test_another_first_version_of_a_known_report(self, town: Town) -> None:
        name = os.urandom(16)
        device = town.field("security")
        await town.outcomes(device, town.report("security", report_id=name))

        again = await town.outcomes(device, town.report("security", report_id=name))

        assert again == [("id_conflict", "id_conflict", "manifest.report_id")]

    async def test_of_two_at_once_one_is_kept(self, town: Town) -> None:
        name = os.urandom(16)
        rivals = [town.report("security", report_id=name) for _ in range(8)]
        device = town.field("security")

        answers = await asyncio.gather(*(town.outcomes(device, one) for one in rivals))

        assert sorted(one[0][0] for one in answers) == ["created"] + ["id_conflict"] * 7


class TestQuarantine:
    async def test_is_in_no_feed_and_no_count(self, town: Town) -> None:
        report = town.report("security", pack=bytes(32))

        await town.outcomes(town.field("security"), report)

        assert [await _count(town, name) for name in ("reports", "outcomes")] == [1, 1]
        assert [await _count(town, name) for name in ("feed_entries", "facts", "grants")] == [0, 0, 0]
        assert await _leaves(town) == ["quarantine"]
        assert await town.entries(town.supervisor("security")) == []

    async def test_keeps_the_whole_item(self, town: Town) -> None:
        report = town.report("security", pack=bytes(32))
        await town.outcomes(town.field("security"), report)

        async with town.engine.read() as connection:
            [row] = (await connection.execute(select(tables.reports.c.item, tables.reports.c.quarantine))).all()

        assert tuple(row) == (report.raw, "unknown_pack")

    async def test_a_revoked_devices_report_is_kept_there_whatever_else_is_stale(self, town: Town) -> None:
        agency, device = town.agencies["security"], town.field("security", 1)
        report = town.report("security")
        await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "lost"), NOW)])
        await town.open_epochs(agency, ("field",))

        assert await town.outcomes(device, report) == [("quarantined", "not_allowed", "device")]

    async def test_so_is_a_suspended_persons(self, town: Town) -> None:
        agency, device = town.agencies["security"], town.field("security", 1)
        await town.append(agency, [agency.entry(d.PersonSuspend(device.person), NOW)])

        assert await town.outcomes(device, town.report("security")) == [("quarantined", "not_allowed", "device")]

    async def test_its_successor_joins_it_and_takes_no_head(self, town: Town) -> None:
        device = town.field("security")
        first = town.report("security", pack=bytes(32))
        await town.outcomes(device, first)
        second = town.report("security", report_id=first.manifest.report_id, version=2, parents=(first.digest,))

        assert await town.outcomes(device, second) == [("quarantined", "unknown_pack", "manifest.parents")]

    async def test_a_quarantined_amendment_forks_nobody(self, town: Town) -> None:
        device = town.field("security")
        first = town.report("security")
        more: dict[str, Any] = {"report_id": first.manifest.report_id, "version": 2, "parents": (first.digest,)}
        await town.outcomes(device, first, town.report("security", pack=bytes(32), **more))

        assert await town.outcomes(device, town.report("security", **more)) == [("created", None, None)]


class TestClosedEpochs:
    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            (0, ("stale_directory", "stale_directory", "manifest.signer_kid")),
            (14, ("stale_directory", "stale_directory", "manifest.signer_kid")),
            (15, ("quarantined", "stale_directory", "manifest.signer_kid")),
        ],
    )
    async def test_of_the_signer(self, town: Town, days: int, expected: Answer) -> None:
        report = town.report("security")
        await town.open_epochs(town.agencies["security"], ("field",))
        town.clock.now += days * 86_400

        assert await town.outcomes(town.field("security"), report) == [expected]

    async def test_of_a_recipient(self, town: Town) -> None:
        report = town.report("security")
        await town.open_epochs(town.agencies["police"], ("field",))

        assert await town.outcomes(town.field("security"), report) == [
            ("stale_directory", "stale_directory", "recipients")
        ]

    async def test_sealed_again_it_is_accepted(self, town: Town) -> None:
        await town.open_epochs(town.agencies["police"], ("field",))

        assert await town.outcomes(town.field("security"), town.report("security")) == [("created", None, None)]

    async def test_an_epoch_opened_by_another_process_is_seen(self, town: Town) -> None:
        report = town.report("security")
        await town.caller(town.field("security"))  # this process has read the directories
        other = await (Town(town.path)).open()
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        other.services = other.new_services()
        await other.open_epochs(town.agencies["police"], ("field",))
        await other.close()

        assert await town.outcomes(town.field("security"), report) == [
            ("stale_directory", "stale_directory", "recipients")
        ]


class TestTrimming:
    async def test_what_exceeds_the_pack_is_not_delivered_and_the_rest_is(self, town: Town) -> None:
        report = town.report("security", readers={town.agencies["police"].key(): bits("SIT", "PLC", "SUB", "ENF")})

        await town.outcomes(town.field("security"), report)

        assert slots((await town.puts(town.field("police")))[report.digest]) == {0, 2}

    async def test_a_named_device_of_the_own_agency_may_be_a_recipient(self, town: Town) -> None:
        colleague = town.field("social_services", 1)
        report = town.report(
            "social_services",
            kind=0,
            scene=None,
            values=None,
            readers={colleague.kem.public: bits("SIT", "SUB")},
            filled=(0, 4),
        )

        assert await town.outcomes(town.field("social_services"), report) == [("created", None, None)]
        assert slots((await town.puts(colleague))[report.digest]) == {0, 4}
        assert await town.puts(town.field("social_services")) == {}

    @pytest.mark.parametrize("whose", ["police", "revoked"])
    async def test_no_other_device_may(self, town: Town, whose: str) -> None:
        device = town.field("security", 1) if whose == "revoked" else town.field("police")
        if whose == "revoked":
            agency = town.agencies["security"]
            await town.append(agency, [agency.entry(d.DeviceRevoke(device.kid, "lost"), NOW)])
        report = town.report("security", readers={device.kem.public: bits("SIT")})

        assert await town.outcomes(town.field("security"), report) == [("trimmed", "not_allowed", "recipients")]


async def test_facts_are_stored_coded_and_beside_the_feeds(town: Town) -> None:
    report = town.report("security", scene=3, values=(4, 2))
    await town.outcomes(town.field("security"), report)

    async with town.engine.read() as connection:
        [row] = (await connection.execute(select(tables.facts))).all()

    assert (row.digest, row.kind, row.scene, decode(tuple[int, ...], row.coded)) == (report.digest, 1, 3, (4, 2))


async def test_a_field_feed_tells_the_scene_only_where_the_place_is_open(town: Town) -> None:
    report = town.report("security", scene=2)
    await town.outcomes(town.field("security"), report)

    async with town.engine.read() as connection:
        feeds = {bytes(row.feed) for row in await connection.execute(select(tables.feed_heads.c.feed))}

    field = {one.audience("field") + b"\x00\x02" for one in town.agencies.values()}
    assert feeds == field | {town.agencies["security"].audience("supervisors")}


async def test_where_the_place_is_closed_the_feed_and_the_facts_tell_no_scene(town: Town) -> None:
    # Of a threat against staff, the whole field gets what happened and the caution, and not where.
    report = town.report("security", kind=12, scene=2, readers={town.agencies["security"].key(): bits("SIT", "SAF")})
    assert await town.outcomes(town.field("security"), report) == [("created", None, None)]

    [page] = (await town.pull(town.field("security"))).pages

    assert page.position.feed == town.agencies["security"].audience("field")
    assert [entry.put.tiers[0] for entry in page.entries if entry.put] == [None]


class TestTwoProcesses:
    """Two servers on one database file, as a second one during an upgrade."""

    @pytest.fixture
    async def other(self, town: Town) -> AsyncIterator[Town]:
        other = await Town(town.path).open()
        other.partnership, other.agencies, other.receipt_key = town.partnership, town.agencies, town.receipt_key
        other.services = other.new_services()
        yield other
        await other.close()

    async def test_one_creates_and_the_other_answers_with_its_receipt(self, town: Town, other: Town) -> None:
        reports = [town.report("security") for _ in range(10)]
        device = town.field("security")

        answers = await asyncio.gather(*(one.push(device, report) for report in reports for one in (town, other)))

        pairs = [(answers[at].items[0], answers[at + 1].items[0]) for at in range(0, 20, 2)]
        assert all({str(a.outcome), str(b.outcome)} == {"created", "duplicate"} for a, b in pairs)
        assert all(a.receipt == b.receipt and a.receipt_signature == b.receipt_signature for a, b in pairs)

    async def test_their_feeds_have_one_numbering(self, town: Town, other: Town) -> None:
        reports = [town.report("security") for _ in range(20)]
        device = town.field("security")

        await asyncio.gather(*((town, other)[number % 2].push(device, report) for number, report in enumerate(reports)))

        assert [one.seq for one in await town.entries(town.field("police"))] == list(range(1, 21))
        assert set(await other.puts(town.field("police"))) == {one.digest for one in reports}


class TestBrokenTransaction:
    """The last statement of a push fails: nothing of the push is there, and later it is accepted as new."""

    async def test_leaves_nothing(self, town: Town) -> None:
        report = town.report("security")
        row = {"partnership_id": town.partnership, "agency": town.agencies["security"].id, "seq": 1}
        content = {"action": "x", "salt": b"", "content": b"", "leaf": b""}
        await town.writer.submit(lambda c: c.execute(insert(tables.ledger_leaves).values(**row, **content)))

        with pytest.raises(IntegrityError):
            await town.push(town.field("security"), report)
        left = [await _count(town, name) for name in ("reports", "outcomes", "feed_entries", "feed_heads", "facts")]
        await town.writer.submit(lambda c: c.execute(delete(tables.ledger_leaves)))

        assert left == [0] * 5
        assert await town.outcomes(town.field("security"), report) == [("created", None, None)]

    async def test_takes_no_other_push_along(self, town: Town) -> None:
        row = {"partnership_id": town.partnership, "agency": town.agencies["security"].id, "seq": 1}
        content = {"action": "x", "salt": b"", "content": b"", "leaf": b""}
        await town.writer.submit(lambda c: c.execute(insert(tables.ledger_leaves).values(**row, **content)))

        answers = await asyncio.gather(
            town.outcomes(town.field("police"), town.report("police")),
            town.outcomes(town.field("security"), town.report("security")),
            town.outcomes(town.field("health"), town.report("health", kind=4)),
            return_exceptions=True,
        )

        assert [one if isinstance(one, list) else type(one) for one in answers] == [
            [("created", None, None)],
            IntegrityError,
            [("created", None, None)],
        ]
