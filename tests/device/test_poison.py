"""What a member of a trusted group seals wrongly, or a server says wrongly, costs that one report and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from sluss_client import Device, filing, forms
from sluss_client.reading import Opened
from sluss_client.replica import Hold, Received, Version
from sluss_client.syncing import sync_core
from sluss_client.testing import Town
from sluss_schemas.ids import AgencyId, Digest, ReportId, slot

SQUARE = "central-square"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def people(runner: asyncio.Runner) -> Iterator[tuple[Town, Device, Device]]:
    """A town with a guard's and a police officer's device."""
    town = Town()

    async def build() -> tuple[Device, Device]:
        await town.__aenter__()
        return await town.device("security"), await town.device("police")

    guard, police = runner.run(build())
    yield town, guard, police
    runner.run(town.close())


def incident(town: Town, situation: str) -> forms.OrderIncident:
    observed = town.clock.now() - timedelta(minutes=1)
    return forms.OrderIncident(scene=SQUARE, observed_at=observed, sub_kind="threat", situation=situation)


POISON: list[tuple[str, Callable[[list[Any]], bytes]]] = [
    ("text that is none", lambda _: b"\x92\x01\xa1\xff"),
    ("nested without end", lambda _: b"\x91" * 1500 + b"\xc0"),
    ("too short", lambda _: msgspec.msgpack.encode([1])),
    ("no list", lambda _: msgspec.msgpack.encode(1)),
    ("a time that is none", lambda array: msgspec.msgpack.encode([array[0], "now", *array[2:]])),
    ("a time beyond all years", lambda array: msgspec.msgpack.encode([array[0], 2**62, *array[2:]])),
    ("another kind", lambda array: msgspec.msgpack.encode([99, *array[1:]])),
    ("a code that is none", lambda array: msgspec.msgpack.encode([*array[:3], [60_000, *array[3][1:]]])),
]


@pytest.mark.parametrize("poison", [row[1] for row in POISON], ids=[row[0] for row in POISON])
def test_a_poisoned_situation_is_an_alarm_and_the_reports_around_it_are_read(
    people: tuple[Town, Device, Device],
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    poison: Callable[[list[Any]], bytes],
) -> None:
    town, guard, police = people
    before = guard.file(incident(town, "before"))
    runner.run(guard.sync())
    plain = filing._plain_sections

    def poisoned(*arguments: Any, **named: Any) -> dict[int, bytes]:  # noqa: ANN401  # whatever the real one takes
        cut = plain(*arguments, **named)
        cut[slot("SIT")] = poison(msgspec.msgpack.decode(cut[slot("SIT")]))
        return cut

    monkeypatch.setattr(filing, "_plain_sections", poisoned)
    bad = guard.file(incident(town, "bad"))
    runner.run(guard.sync())
    monkeypatch.undo()
    after = guard.file(incident(town, "after"))
    runner.run(guard.sync())

    result = runner.run(police.sync())

    assert result.alarms >= 1
    assert [police.get(one.id).situation for one in (before, after)] == ["before", "after"]
    assert bad.id not in {report.id for report in police.reports()}
    assert guard.get(bad.id).situation == "bad"


def test_two_syncs_at_once_are_one_after_the_other(people: tuple[Town, Device, Device], runner: asyncio.Runner) -> None:
    town, guard, _ = people
    guard.file(incident(town, "twice"))

    async def both() -> list[int]:
        return [one.sent for one in await asyncio.gather(guard.sync(), guard.sync())]

    assert runner.run(both()) == [1, 0]


def test_what_was_refused_is_written_anew_in_its_place(
    people: tuple[Town, Device, Device], runner: asyncio.Runner
) -> None:
    town, guard, police = people
    report = guard.file(incident(town, "first"))
    outbox = guard.local.outbox
    row = outbox.head(report.id)
    assert row is not None
    # As after a server that refused it, with a second version already written on top.
    runner.run(guard.amend(report.id, situation="second"))
    outbox.save(msgspec.structs.replace(row, state="refused", reason="malformed"))

    again = runner.run(guard.amend(report.id, situation="third"))
    rewritten = outbox.head(report.id)
    assert rewritten is not None
    assert rewritten.version == 1
    runner.run(guard.sync())
    runner.run(police.sync())

    assert again.version == 1
    assert [one.report_id for one in guard.waiting()] == []
    assert police.get(report.id).situation == "third"


def test_a_row_that_was_opened_is_not_closed_by_being_held_back() -> None:
    opened = Hold(b"feed", "supervisors", named=False, slots=1)
    version = Version(b"d" * 32, 1, b"", 1, ((0, b"x"),), (opened,), 1, 0)
    received = Received(b"r" * 16, b"a" * 16, (version,))
    told = Opened(
        AgencyId(b"a" * 16), ReportId(b"r" * 16), Digest(b"d" * 32), version=1, manifest=b"", kind=1, scene=1, held=True
    )

    assert sync_core.merge(received, told, b"feed", 1) == received


def test_two_agencies_reports_of_one_id_stay_two(people: tuple[Town, Device, Device]) -> None:
    _, guard, _ = people
    replica = guard.local.replica
    version = Version(b"d" * 32, 1, b"", 1, (), (), 1, 0)
    own = Received(b"r" * 16, guard.local.trust.own_id, (version,))
    other = Received(b"r" * 16, b"o" * 16, (version,))

    replica.save([own, other])

    assert replica.get(own.agency, own.report_id) == own
    assert replica.get(other.agency, other.report_id) == other
    replica.save([Received(one.report_id, one.agency, ()) for one in (own, other)])


def test_nothing_of_a_row_is_shown_where_it_is_printed(people: tuple[Town, Device, Device]) -> None:
    town, guard, _ = people
    report = guard.file(incident(town, "canary"))
    row = guard.local.outbox.head(report.id)
    assert "canary" not in repr(row)
    assert "canary" not in repr(report)
