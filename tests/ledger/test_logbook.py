"""What supervisors are shown of their agency's ledger: all of it or nothing, and nothing of another's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Report, views
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid, Refused, Untrusted
from sluss_client.logbook import Log
from sluss_client.syncing import witnessing
from sluss_client.testing import Exchange, Problem, Town
from sluss_schemas import checkpoint as notes
from sluss_schemas.ledger import Begin, LeavesAnswer, LeavesAsk, ShownLeaf, commitment
from sluss_schemas.merkle import Frontier
from sluss_server.app import running
from sluss_server.settings import Settings
from sluss_server.storage import ledger

from tests.faults.samples import AGENCIES, backup, burn_down, incident
from tests.secrecy.raw import asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEAVES = "/v1/ledger/leaves"
OK, FORBIDDEN = 200, 403


class Square:
    """A guard who files, a police officer who reads, and the founders of both agencies, who supervise."""

    def __init__(self, town: Town, guard: Device, officer: Device) -> None:
        self.town, self.guard, self.officer = town, guard, officer
        self.boss, self.guards_boss = town.founders["police"], town.founders["security"]

    @property
    def today(self) -> date:
        """The day in the pack's zone."""
        return views.moment(self.boss.now(), self.boss.pack).date()

    async def read(self, text: str) -> Report:
        """Let the officer read a report of the guard's, and everybody hear of what the ledgers say then."""
        report = self.guard.file(incident(self.town.clock.now(), text))
        await self.minute(self.guard, self.officer)
        assert self.officer.get(report.id).situation == text
        await self.minute(self.officer)
        await self.minute(self.boss, self.guards_boss)
        return report

    async def minute(self, *devices: Device) -> None:
        """Let a minute pass, and these devices sync."""
        self.town.clock.advance(minutes=1)
        for device in devices:
            await device.sync()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built() -> AsyncIterator[Square]:
    async with Town(agencies=AGENCIES, hostile=True) as town:
        yield Square(town, await town.device("security"), await town.device("police"))


@pytest_asyncio.fixture(loop_scope="module")
async def square(built: Square) -> AsyncIterator[Square]:
    yield built
    built.town.hostile.honest()


def said(log: Log, report: Report, action: str) -> list[tuple[str | None, str, tuple[str, ...]]]:
    found = [one for one in log.entries if one.report_id == report.id and one.action == action]
    return [(one.person, one.agency, one.parts) for one in found]


async def test_a_reader_is_named_to_their_own_supervisors_and_to_others_by_the_agency(square: Square) -> None:
    report, told = await square.read("who opened this"), list[tuple[int, int]]()

    own = await square.boss.log(square.today, lambda _, done, total: told.append((done, total)))
    theirs = await square.guards_boss.log(square.today)

    assert said(own, report, "read") == [(square.officer.alias, "police", ("situation",))]
    assert said(theirs, report, "read") == [(None, "police", ("situation",))]
    # Who filed it the report alone says.
    [(author, agency, filled)] = said(theirs, report, "collect")
    assert (author, agency) == (None, "")
    assert {"situation", "author"} <= set(filled)
    assert own.deliveries > 0
    assert [one.kind for one in own.entries if one.report_id == report.id] == ["order_incident"]
    assert told[-1][0] == told[-1][1] > 0
    assert own.since <= min(one.time for one in own.entries)
    assert max(one.time for one in own.entries) <= own.until
    # That they looked, the next one who looks sees; whoever only files does not look.
    await square.minute(square.boss)
    again = await square.boss.log(square.today)
    assert [one.person for one in again.entries if one.action == "look"] == [square.boss.alias]
    with pytest.raises(Refused) as refused:
        await square.officer.log()
    assert refused.value.code == "supervisor_only"


async def test_a_program_that_does_not_ask_whether_it_may_is_refused_and_written_down(square: Square) -> None:
    async with asking(square.officer, square.town.url) as raw:
        answer = await raw.ask("POST", LEAVES, LeavesAsk(0))
    assert answer.status == FORBIDDEN
    await square.minute(square.boss)
    await square.minute(square.boss)
    log = await square.boss.log(square.today)
    assert [one.person for one in log.entries if (one.action, one.code) == ("deny", "not_allowed")] == [
        square.officer.alias
    ]


async def test_a_day_begins_after_the_last_checkpoint_of_before_it_and_pages_may_be_short(square: Square) -> None:
    before = await square.read("the day before")
    square.town.clock.advance(days=1)
    report = await square.read("today")
    square.town.hostile.on(LEAVES, lambda one: msgspec.structs.replace(one.answer, leaves=one.answer.leaves[:3]))

    log = await square.boss.log(square.today)

    begun = square.town.hostile.answers(LEAVES, square.boss.local.keys.kid)[-1].begin
    assert log.witnessed
    assert begun is not None
    assert begun.size > 0
    assert begun.note == b""
    assert said(log, report, "read")
    assert not said(log, before, "read")
    longer = await square.boss.log()
    assert said(longer, before, "read")
    # From the first leaf on nothing can be missing before.
    assert longer.witnessed
    assert square.town.hostile.answers(LEAVES, square.boss.local.keys.kid)[-1].begin is None
    with pytest.raises(Invalid) as refused:
        await square.boss.log(square.today + timedelta(days=1))
    assert (refused.value.code, refused.value.field) == ("out_of_range", "since")


def shown_late(square: Square) -> Callable[[Exchange], Any]:
    """Begin with the newest checkpoint, as if nothing had happened since the day before."""

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
        proven, note, tree = witnessing.checkpoint_of(square.boss.local), square.boss.checkpoint, Frontier()
        assert proven is not None
        assert note is not None
        tree.extend(leaf.hash for leaf in exchange.answer.leaves[: proven.size])
        assert (tree.size, tree.root) == (proven.size, proven.root)
        return LeavesAnswer((), Begin(proven.size, note, bytes(tree)))

    return lie


def signed_late(square: Square, since: datetime) -> Callable[[Exchange], Any]:
    """Begin with the newest checkpoint, and sign that it is of the day before, as a host can who has the key."""
    assert square.town.server is not None
    key = SignKey((square.town.server.data / "receipt.key").read_bytes())

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
        proven, begin = witnessing.checkpoint_of(square.boss.local), exchange.answer.begin
        assert proven is not None
        tree = Frontier.read(begin.size, begin.peaks)
        tree.extend(leaf.hash for leaf in exchange.answer.leaves[: proven.size - begin.size])
        old = replace(proven, time=int(since.timestamp()) - 1)
        return LeavesAnswer((), Begin(proven.size, notes.sign(old, key.public, key.sign), bytes(tree)))

    return lie


async def test_a_device_that_had_the_ledger_before_the_day_takes_nobodys_word_for_where_it_begins(
    square: Square,
) -> None:
    town = square.town
    town.clock.advance(days=1)
    new = await town.device("police", "supervisors")
    await square.read("opened today")
    await square.minute(new, square.boss)
    since = datetime.combine(square.today, time(), ZoneInfo(square.boss.pack.zone))
    honest = await new.log(square.today)
    assert [one.person for one in honest.entries if one.action == "read"] == [square.officer.alias]
    town.hostile.on(LEAVES, signed_late(square, since))

    with pytest.raises(Untrusted):
        await square.boss.log(square.today)
    # One that had not had it says whose word it is.
    late = await new.log(square.today)
    assert (late.entries, late.witnessed) == ((), False)


def with_a_gap(_: Square) -> Callable[[Exchange], Any]:
    """Leave one out where a page ends."""

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
        first = 0 if exchange.answer.begin is not None else 1
        return msgspec.structs.replace(exchange.answer, leaves=exchange.answer.leaves[first : first + 3])

    return lie


def digest(leaf: ShownLeaf) -> bytes:
    return commitment(leaf.salt, leaf.content)


def with_leaves(change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Callable[[Square], Callable[[Exchange], Any]]:
    return lambda _: lambda one: msgspec.structs.replace(one.answer, leaves=change(one.answer.leaves))


def with_begin(begin: Begin | None) -> Callable[[Square], Callable[[Exchange], Any]]:
    return lambda _: lambda one: msgspec.structs.replace(one.answer, begin=begin)


LIES = {
    "one is left out": with_leaves(lambda found: (*found[:5], *found[6:])),
    "one is shown twice": with_leaves(lambda found: (*found[:5], found[4], *found[5:])),
    "another order": with_leaves(lambda found: (*found[:4], found[5], found[4], *found[6:])),
    "another act": with_leaves(
        lambda found: (*found[:5], msgspec.structs.replace(found[5], action="other"), *found[6:])
    ),
    "a content of the host's own beside the true digest": with_leaves(
        lambda found: (
            *found[:5],
            msgspec.structs.replace(found[5], content=found[6].content, digest=digest(found[5])),
            *found[6:],
        )
    ),
    "erased, and by no act": with_leaves(
        lambda found: (*found[:5], ShownLeaf(found[5].action, b"", b"", digest(found[5])), *found[6:])
    ),
    "there are no such leaves": lambda _: lambda _: Problem(422, "out_of_range", "after"),
    "another content": with_leaves(
        lambda found: (*found[:5], msgspec.structs.replace(found[5], content=found[6].content), *found[6:])
    ),
    "none": with_leaves(lambda _: ()),
    "one between two pages": with_a_gap,
    "no beginning": with_begin(None),
    "a beginning of nobody's": with_begin(Begin(2, b"a note", bytes(32))),
    "peaks of another size": with_begin(Begin(3, b"a note", bytes(32))),
    "as if nothing had happened": shown_late,
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_server_that_lies_about_one_act_shows_none(square: Square, lie: str) -> None:
    await square.minute(square.boss)
    boss, founded = square.boss, square.today - timedelta(days=20)
    honest = await boss.log(founded)
    square.town.hostile.on(LEAVES, LIES[lie](square))

    with pytest.raises(Untrusted) as refused:
        await boss.log(founded)

    assert refused.value.code == "ledger_unproven"
    assert "ledger_unproven" in {code for _, code in boss.local.alarms()}
    square.town.hostile.honest()
    after = await boss.log(founded)
    assert after.entries == honest.entries
    assert boss.local.alarms() == []


async def test_who_asks_for_leaves_without_beginning_a_look_is_written_down_too(square: Square) -> None:
    async with asking(square.guards_boss, square.town.url) as raw:
        for _ in range(2):
            assert (await raw.ask("POST", LEAVES, LeavesAsk(None, 0))).status == OK
    await square.minute(square.guards_boss)
    log = await square.guards_boss.log(square.today)
    # Once, for both: it goes on with what it has begun.
    assert [one.person for one in log.entries if one.action == "look"] == [square.guards_boss.alias]


async def test_a_clock_that_is_slow_hides_nothing_of_the_first_minutes_of_a_day(square: Square) -> None:
    town, boss, zone = square.town, square.boss, ZoneInfo(square.boss.pack.zone)
    midnight = datetime.combine(square.today + timedelta(days=1), time(), zone)
    town.clock.advance(seconds=int((midnight - town.clock.now()).total_seconds()) + 20)
    report = square.guard.file(incident(town.clock.now(), "after midnight"))
    for device in (square.guard, square.officer):
        await device.sync()
    assert square.officer.get(report.id).situation == "after midnight"
    await square.officer.sync()
    town.clock.advance(minutes=2)
    boss._connection.offset = -240
    await boss.sync()
    boss._connection.offset = 0
    town.clock.advance(hours=7)
    log, longer = await boss.log(square.today), await boss.log(square.today - timedelta(days=2))
    assert [one for one in longer.entries if one.time >= log.since and one.action != "look"] == [
        one for one in log.entries if one.action != "look"
    ]
    assert said(log, report, "read")


async def test_what_was_proven_before_midnight_is_kept_after_it(square: Square) -> None:
    zone = ZoneInfo(square.boss.pack.zone)
    midnight = datetime.combine(square.today + timedelta(days=1), time(), zone)
    square.town.clock.advance(seconds=int((midnight - square.town.clock.now()).total_seconds()) - 300)
    await square.boss.sync()
    evening = witnessing.seen_before(square.boss.local, int(midnight.timestamp()))
    assert evening is not None
    square.town.clock.advance(minutes=10)
    await square.boss.sync()
    assert witnessing.seen_before(square.boss.local, int(midnight.timestamp())) == evening


async def test_a_server_that_calls_itself_another_for_a_while_makes_nobody_forget(square: Square) -> None:
    boss, now = square.boss, int(square.town.clock.now().timestamp())
    before = witnessing.seen_before(boss.local, now)
    assert before is not None
    square.town.hostile.on("/v1/directory/pull", lambda one: msgspec.structs.replace(one.answer, instance=bytes(16)))
    await square.minute(boss)
    assert witnessing.seen_before(boss.local, now) == before
    square.town.hostile.honest()
    await square.minute(boss)
    assert witnessing.seen_before(boss.local, now) == before


async def test_from_an_empty_ledger_on_and_after_a_restore_an_honest_server_is_believed() -> None:
    async with Town(agencies=AGENCIES) as town:
        guard, officer, boss = await town.device("security"), await town.device("police"), town.founders["police"]
        square = Square(town, guard, officer)
        await square.minute(boss)
        seen = witnessing.checkpoint_of(boss.local)
        assert seen is not None
        assert seen.size == 0
        town.clock.advance(days=1)
        first = await square.read("one")
        log = await boss.log(square.today)
        assert (log.witnessed, len(said(log, first, "read"))) == (True, 1)

        file = backup(town)
        lost = await square.read("two")
        await boss.log(square.today)
        burn_down(town, file)
        await boss.sync()
        await boss.registrar.restored()
        await square.minute(boss)
        await square.minute(boss)
        after = await boss.log(square.today)
        assert (len(said(after, first, "read")), len(said(after, lost, "read"))) == (1, 0)


async def test_of_what_was_erased_it_is_proven_that_it_was(square: Square) -> None:
    boss, town = square.boss, square.town
    assert town.server is not None
    founded = square.today - timedelta(days=20)
    before = await boss.log(founded)
    settings = Settings.read({"SLUSS_DATA_DIR": str(town.server.data)})
    async with running(settings, lambda: int(town.clock.now().timestamp())) as services:
        core = services._core
        view = await core.directories.refresh(boss.local.config.partnership)
        whose = view.partnership, bytes(boss.local.trust.own_id)
        await core.writer.submit(
            lambda one: ledger.forget(one, *whose, [(2, 4)], code="retention", now=boss.now(), random=core.random)
        )
    await square.minute(boss)
    await square.minute(boss)
    after = await boss.log(founded)
    assert after.erased == 3
    assert "forget" in {one.action for one in after.entries}
    assert len(after.entries) + after.deliveries + 3 > len(before.entries) + before.deliveries
