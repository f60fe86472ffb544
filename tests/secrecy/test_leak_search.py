"""The leak search: whatever people do in whatever order, nobody has what the model forbids, in no form of it.

A flow is a list of acts on one town; the model (`model.py`) knows people, parts and times. After each flow the server's
answers are opened with every key of every device, every store is read with its own key, and the twins are compared.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluss_client import filing, forms, quoting
from sluss_client.disclosing import offering, sealing
from sluss_client.filing import Sealable
from sluss_client.local import Local
from sluss_client.sealers import Moment, Target
from sluss_client.syncing import sync_core
from sluss_client.testing import server as testing
from sluss_schemas.ids import bit

from tests.secrecy.acting import Cast, cast_of
from tests.secrecy.canaries import form_with_canaries
from tests.secrecy.flows import ACTS, Flow
from tests.secrecy.populated import _uncollected, populated
from tests.secrecy.searching import Search
from tests.secrecy.taking import Opening
from tests.server.postgres import Databases

Choices = list[tuple[str, int]]
_ACT: Final = st.tuples(st.sampled_from(ACTS), st.integers(0, 9999))
_FILED: Final = st.lists(st.tuples(st.just("file"), st.integers(0, 9999)), min_size=3, max_size=3)
_OFTEN: Final = st.tuples(
    *(st.tuples(st.just(name), st.integers(0, 9999)) for name in ("disclose", "disclose", "amend", "recall", "protect"))
)
_REST: Final = st.tuples(_OFTEN, st.lists(_ACT, min_size=6, max_size=9)).flatmap(
    lambda both: st.permutations([*both[0], *both[1]])
)
FLOWS: Final = st.builds(list.__add__, _FILED, _REST)
"""Short ones, in which in some order what is decided ends."""
LONG: Final = st.builds(list.__add__, _FILED, st.lists(_ACT, min_size=40, max_size=80))
_LOOKS: Final = 20
_ENDS: Final = frozenset({"withdraw", "recall", "wait", "protect", "disagree", "limit", "review", "end_shift"})
SETTINGS: Final = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # The town goes on from one flow to the next: what is found is told as it was found.
    phases=(Phase.explicit, Phase.generate),
)


@pytest.fixture(scope="module")
def cast() -> Iterator[Cast]:
    """A town with everybody in it, and nothing filed."""
    with populated(filled=False) as square:
        yield cast_of(square)


async def live(cast: Cast, choices: Choices, opening: Opening) -> Search:
    """Let all this happen, and search afterwards and after each end."""
    flow = Flow(cast)
    search = Search(flow, opening)
    people = sorted(cast.devices)
    await flow.everybody_syncs()
    for name, number in choices:
        await flow.act(name, number)
        if name in _ENDS:
            some = [people[(number + step) % len(people)] for step in range(0, len(people), 5)]
            none(flow, await search.pulled(*some), search.stores(some))
    await flow.everybody_syncs()
    none(flow, await search.pulled(*people), search.stores(people), await search.twins(people), search.host())
    none(flow, await search.gone(), search.copies())
    grounds = [ground for ground, _, _ in flow.decided]
    cast.tally += Counter(
        opened=search.opened,
        decided=len(grounds),
        ended=sum(ground.ended is not None for ground in grounds),
        protected=sum(twins.filed.protected for twins in flow.reports),
        amended=sum(len(twins.numbers) > 1 for twins in flow.reports),
        compared=search.compared,
        quoted=sum(bool(twins.filed.limits) for twins in flow.reports),
        timed=sum(twins.filed.until is not None for twins in flow.reports),
        gone=len(flow.gone),
    )
    return search


class Leak(AssertionError):
    """Somebody has what the model forbids."""


def none(flow: Flow, *found: Iterable[str]) -> None:
    """Fail with what was found, and after what."""
    leaks = [leak for some in found for leak in some]
    if leaks:
        raise Leak("\n".join([f"{len(leaks)} leaks", *leaks[:20], "after", *flow.done]))


OPENING: Final = Opening()


@settings(SETTINGS, max_examples=5)
@given(choices=FLOWS)
def test_whatever_happens_nobody_has_what_the_model_forbids(cast: Cast, choices: Choices) -> None:
    cast.square.run(live(cast, choices, OPENING))


def test_enough_happened_for_the_search_to_mean_something(cast: Cast) -> None:
    least = {"opened": 500, "compared": 50, "decided": 3, "ended": 1, "protected": 1, "amended": 1}
    assert all(cast.tally[what] >= number for what, number in least.items()), cast.tally


@pytest.mark.soak
@settings(SETTINGS, max_examples=40)
@given(choices=LONG)
def test_long_flows(cast: Cast, choices: Choices) -> None:
    cast.square.run(live(cast, choices, OPENING))


@pytest.mark.soak
def test_long_flows_on_postgres(databases: Databases) -> None:
    url = databases.new()

    def dump() -> bytes:
        where = url.replace("postgresql+asyncpg", "postgresql")
        return subprocess.run([databases.cluster.binaries / "pg_dump", where], check=True, capture_output=True).stdout

    with populated(filled=False, database_url=url) as square:
        cast = cast_of(square)
        cast.dump = dump

        @settings(SETTINGS, max_examples=20)
        @given(choices=LONG)
        def search(choices: Choices) -> None:
            square.run(live(cast, choices, OPENING))

        search()


@pytest.mark.soak
def test_when_its_time_is_over_nobody_has_a_report_any_more(cast: Cast) -> None:
    cast.square.run(outlive(cast))


async def outlive(cast: Cast) -> None:
    """Let years pass after a flow: what was kept longest of it, everywhere, is what the model says."""
    flow, people = Flow(cast), sorted(cast.devices)
    search = Search(flow, Opening())
    acts = ["file"] * 10 + ["agree", "disclose", "disclose", "disclose", "amend", "preserve", "preserve"]
    for number, name in enumerate(acts):
        await flow.act(name, number * 101)
    await flow.everybody_syncs()
    for twins in flow.reports:
        twins.filed.received = cast.square.town.clock.now()
    for days in (93, 272, 731, 730):
        cast.square.town.clock.advance(days=days, minutes=5)
        await flow.everybody_syncs()
        for _ in range(_LOOKS):
            # The server looks for what is over every second.
            if not await search.pulled(*people):
                break
            await asyncio.sleep(1)
        await flow.everybody_syncs()
        none(flow, await search.pulled(*people), search.stores(people))
        assert any(twins.filed.over(cast.square.town.clock.now()) for twins in flow.reports)
    assert search.opened


# that it finds what there is to find


def finds(cast: Cast, acts: str) -> str:
    """Let these acts happen with one choice after another, and return what is found first."""
    opening = Opening()
    for choice in range(20):
        flow = [(name, choice * 97 + step * 13) for step, name in enumerate(acts.split())]
        try:
            cast.square.run(live(cast, flow, opening))
        except Leak as leak:
            return str(leak)
    return "nothing"


@contextmanager
def serving(cast: Cast, fault: str) -> Iterator[None]:
    """Let a faulty server serve."""
    server = cast.square.town.server
    assert server is not None
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(testing, "_SLUSS", (sys.executable, str(Path(__file__).with_name("faulty.py")), fault))
            server.stop()
            server.start()
        yield
    finally:
        server.stop()
        server.start()


@pytest.mark.parametrize(
    ("fault", "acts", "told"),
    [
        ("grants never end", "file file disclose disclose disclose disclose recall recall", "opens of"),
        ("rows are open", "file file", "supervisors'\\) opens of"),
        pytest.param("protected reports stay", "file file protect protect", "opens of", marks=pytest.mark.soak),
        pytest.param("agreements never end", "agree agree wait wait wait", "opens of", marks=pytest.mark.soak),
        pytest.param("who has left is answered", "file leave lose", "gone, is answered", marks=pytest.mark.soak),
    ],
)
def test_a_faulty_server_is_found(cast: Cast, fault: str, acts: str, told: str) -> None:
    with serving(cast, fault):
        assert re.search(told, finds(cast, acts))


@pytest.mark.soak
def test_a_part_that_clients_seal_to_everybody_is_found_where_the_server_has_no_policy(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = filing._base_targets

    def wider(work: Sealable, moment: Moment, filled: int) -> list[Target]:
        return [
            dataclasses.replace(one, bitmap=one.bitmap | filled & bit("SUB")) for one in honest(work, moment, filled)
        ]

    monkeypatch.setattr(filing, "_base_targets", wider)
    with serving(cast, "no policy"):
        assert re.search("opens of .*SUB", finds(cast, "file file file"))


@pytest.mark.parametrize(
    "fault", ["given whole", "kept", *(pytest.param(one, marks=pytest.mark.soak) for one in ("copied", "at large"))]
)
def test_a_faulty_client_is_found(cast: Cast, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    if fault == "given whole":
        # Whoever decides gives all that the ground can give, and not what was chosen.
        monkeypatch.setattr(sealing, "_given", _all_of_the_ground)
        assert "opens of" in finds(cast, "file file disclose disclose disclose disclose")
    elif fault == "copied":
        # Whoever quotes what was opened for a time forgets until when.
        monkeypatch.setattr(quoting, "_end", lambda _report: None)
        assert "opens of" in finds(cast, "file file disclose disclose disclose disclose quote quote quote")
    elif fault == "at large":
        # Whoever quotes a report forgets that others may not read it.
        monkeypatch.setattr(quoting, "narrowed", lambda _local, _limits, shown, *_: shown)
        assert "opens of" in finds(cast, "file file file quote quote quote quote")
    else:
        # What has ended stays where it is.
        monkeypatch.setattr(sync_core, "_without", lambda received, *_: received)
        assert "keeps the" in finds(cast, "file file disclose disclose disclose disclose recall recall wait")


def _all_of_the_ground(local: Local, *about: Any) -> int:  # noqa: ANN401  # as they came
    _, gateway, found, chain, pack, now = about
    got = offering.slots_for(local, pack, found.kind, chain, gateway, now)
    given = got.gateways if offering.is_named(gateway) else got.duties
    return given.get(gateway.code, 0) & int(found.within)


# what it found once


def test_who_wrote_it_is_told_without_the_place_of_what_is_kept_back(cast: Cast) -> None:
    """A whole place lies beside the author then; whoever names a guard tells the point, as ever, and nothing else."""
    guard, boss, officer = (cast.devices[who] for who in (("SEC", "author"), ("SEC", "supervisors"), ("POL", "field")))
    run, now = cast.square.run, cast.square.town.clock.now()
    place = forms.Place(name="behind the third bench", lat=59_332_581, lon=18_064_901)
    form = forms.OrderIncident(scene="central-square", observed_at=now, sub_kind="threat", severity=2, place=place)
    for hold in (None, "embargo"):
        report = guard.file(form, hold=hold, confirm_text=True)
        run(guard.sync())
        run(boss.sync())
        run(boss.inspect(report.id, reason="The police need a witness."))
        run(boss.sync())
        tests = {test.code: True for test in boss.pack.gateways["L14"].tests}
        made = run(boss.disclose(report.id, "L14", to=[officer.person_id], compartments=["author"], tests=tests))
        run(boss.sync())
        run(officer.sync())
        assert [one.state for one in boss.disclosures() if one.id == made.id] == ["released"]
        read = officer.get(report.id)
        author = read.author
        assert author is not None
        assert (author.alias, author.person) == (guard.alias, guard.person_id)
        assert read.author_extra() == [59_332_581, 18_064_901]
        [row] = [one for one in officer.local.replica.reports() if one.report_id == report.id]
        kept: bytes = msgspec.msgpack.encode(row)
        assert (b"third bench" in kept) == (hold is None)


def test_a_secret_kind_is_named_without_what_was_not_chosen(cast: Cast) -> None:
    """Who is told of a person in a referral learns that it is one, and nothing of what is written about the visit."""
    nurse, boss, worker = (cast.devices[who] for who in (("HLT", "author"), ("HLT", "supervisors"), ("SOC", "field")))
    run = cast.square.run
    form = form_with_canaries(19, "HLT", observed_at=cast.square.town.clock.now(), case_staff=[nurse.person_id])
    form = msgspec.structs.replace(form, **_uncollected(form, "HLT"))
    report = nurse.file(form, confirm_text=True)
    run(nurse.sync())
    run(boss.sync())
    run(boss.inspect(report.id, reason="A plan of care."))
    run(boss.sync())
    ground = boss.pack.gateways["L15"]
    run(
        boss.disclose(
            report.id,
            "L15",
            to=[worker.person_id],
            compartments=["subject"],
            tests={test.code: True for test in ground.tests},
            reasons={test.code: "They need it." for test in ground.tests if test.written},
        )
    )
    run(boss.sync())
    run(worker.sync())
    read = worker.get(report.id)
    assert (read.kind_number, read.form_of("SUB")) == (19, "full")
    assert read.situation is None
    assert read.observed_at == read.time
