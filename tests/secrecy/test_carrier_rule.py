"""The carrier rule on the wire: what police, guards and municipality get does not move when others file.

Two copies of one server get the same sealed items of police and guards, byte for byte.
One of them also gets a hundred outreach contacts, and concerns for absent persons and contacts at a protected service,
before, between and after those items.
Whatever a device of police, guards or municipality asks, both answer the same, but for the time that it is.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import httpx2
import msgspec
import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.testing import Server, Town
from sluss_schemas import sync as wire

from tests.secrecy.raw import Answer, Raw, asking, entries

HIDDEN: Final = (100, 20, 20)
"""Outreach contacts, concerns for absent persons, and contacts at a protected service."""
ROUNDS: Final = 4
WATCHERS: Final = ("police/field", "police/supervisors", "security/field", "security/supervisors", "municipality/field")
SCENE: Final = "central-square"
PAGES: Final = ("/health/live", "/health/ready", "/openapi.json")


@dataclass
class Seen:
    """What the watchers were answered by one of the servers, in the order of asking."""

    pages: dict[str, list[Answer]] = field(default_factory=dict)
    last: dict[str, list[Answer]] = field(default_factory=dict)
    small: dict[str, list[Answer]] = field(default_factory=dict)


@dataclass
class Copies:
    """Two servers that began as one, and what they answered.

    `quiet` got the items of police and guards alone; `busy` got everything.
    `to_social_services` says how many reports a social worker's device gets from the one and from the other.
    """

    quiet: Seen
    busy: Seen
    hidden: tuple[int, ...]
    shared: int = 0
    extra: int = 0
    to_social_services: tuple[int, int] = (0, 0)
    unsigned: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)


@contextmanager
def copies(times: int) -> Iterator[Copies]:
    """Build a town, copy its server, file on both, on one of them `HIDDEN` so many times over, and ask both."""
    with asyncio.Runner() as runner:
        town = runner.run(Town().__aenter__())
        second: Server | None = None
        try:
            watchers, filers = runner.run(_people(town))
            first = town.server
            assert first is not None
            # Copied while it stands still: the same instance, the same keys, the same feeds.
            first.stop()
            second = Server(town.folder / "copy", town.folder / "clock", None)
            shutil.copytree(first.data, second.data)
            first.start()
            second.start()
            found = Copies(Seen(), Seen(), tuple(count * times for count in HIDDEN))
            runner.run(_compare(town, second, found, watchers, filers))
            yield found
        finally:
            if second is not None:
                second.stop()
            runner.run(town.close())


async def _people(town: Town) -> tuple[dict[str, Device], dict[str, Device]]:
    watchers = {}
    for name in WATCHERS:
        agency, function = name.split("/")
        watchers[name] = await town.device(agency, function)  # type: ignore[arg-type]  # a function
    filers = {agency: await town.device(agency) for agency in ("police", "security", "social_services", "health")}
    for device in (*town.founders.values(), *watchers.values(), *filers.values()):
        await device.sync()
    return watchers, filers


async def _compare(
    town: Town, second: Server, found: Copies, watchers: dict[str, Device], filers: dict[str, Device]
) -> None:
    for agency in ("social_services", "health"):
        filers[agency] = await _moved(town, filers[agency], second.url)
    police, guard = filers["police"], filers["security"]
    at: dict[str, tuple[wire.Position, ...]] = {}
    copied: set[bytes] = set()
    for number in range(ROUNDS):
        found.extra += await _file_hidden(town, filers, found.hidden, number)
        items = await _file_shared(town, [police, guard], number)
        found.shared += len(items)
        for device, item in items:
            async with asking(device, second.url) as raw:
                answer = await raw.push([item])
                assert [one.outcome for one in answer.items] == [wire.OutcomeCode.CREATED]
        for device in (police, guard):
            given = [record for record in _records(device) if record not in copied]
            copied.update(given)
            async with asking(device, second.url) as raw:
                answer = await raw.push([], given)
                assert {one.outcome for one in answer.records} <= {wire.OutcomeCode.CREATED}
        # Incremental, as a device that syncs now and then asks; both servers are given the same cursor.
        await _ask(town.url, watchers, found.quiet.pages, at)
        await _ask(second.url, watchers, found.busy.pages, at)
        at = {name: _cursor(answers) for name, answers in found.quiet.pages.items()}
    found.extra += await _file_hidden(town, filers, found.hidden, ROUNDS)
    for url, seen in ((town.url, found.quiet), (second.url, found.busy)):
        for name, device in watchers.items():
            async with asking(device, url) as raw:
                seen.last[name] = await raw.everything()
                seen.small[name] = [*await raw.pull(limit=1), *await _asked_amiss(raw)]
    worker = filers["social_services"]
    counts = []
    for url in (town.url, second.url):
        async with asking(worker, url) as raw:
            counts.append(sum(entry.put is not None for entry in entries(await raw.everything())))
    found.to_social_services = (counts[0], counts[1])
    async with httpx2.AsyncClient() as client:
        for page in PAGES:
            one, other = [(await client.get(url + page)).content for url in (town.url, second.url)]
            found.unsigned[page] = (one, other)


async def _moved(town: Town, device: Device, server: str) -> Device:
    """Return a device that belongs to the copied server from now on."""
    config = msgspec.structs.replace(device.local.config, server=server)
    device.local.store.put("device", b"config", msgspec.msgpack.encode(config))
    return await town.reopen(device)


async def _file_hidden(town: Town, filers: dict[str, Device], hidden: tuple[int, ...], number: int) -> int:
    """File a share of what nobody else may know of, on the copy alone; return how many."""
    worker, nurse, now = filers["social_services"], filers["health"], town.clock.now()
    shares = [range(number, total, ROUNDS + 1) for total in hidden]
    for index in shares[0]:
        worker.file(
            forms.OutreachContact(
                scene=SCENE, observed_at=now - timedelta(minutes=index), situation="talked", care="wants a bed"
            )
        )
    for _ in shares[1]:
        worker.file(forms.AbsentPersonConcern(scene=SCENE, observed_at=now, subject=[forms.Person(name="Nils")]))
    for _ in shares[2]:
        nurse.file(forms.ProtectedServiceContact(observed_at=now, service=None, issued=10, safety=["dog"]))
    for device in (worker, nurse):
        result = await device.sync()
        assert (result.waiting, result.quarantined) == (0, 0)
    return sum(len(share) for share in shares)


async def _file_shared(town: Town, devices: Sequence[Device], number: int) -> list[tuple[Device, bytes]]:
    """File as police and guards on the first server, and return the sealed items that were pushed."""
    found = []
    for device in devices:
        filed = [
            device.file(
                forms.OrderIncident(
                    scene=SCENE,
                    observed_at=town.clock.now(),
                    sub_kind="threat",
                    situation=f"round {number}",
                    subject=[forms.Person(description="red jacket")],
                ),
                duties={"L14": "send"} if device.sector == "SEC" else {},
            ),
            device.file(forms.SafetyAlert(scene=SCENE, observed_at=town.clock.now(), safety=["armed_knife"])),
        ]
        await device.sync()
        assert device.waiting() == []
        rows = [device.local.outbox.head(report.id) for report in filed]
        found += [(device, device.local.outbox.item(row)) for row in rows if row is not None]
    return found


def _records(device: Device) -> list[bytes]:
    """Return the case records that a device has sent, as it signed them and in their order: tasks that wait."""
    sent = [msgspec.msgpack.decode(data, type=list[object]) for _, data in device.local.store.items("sent")]
    ordered = sorted((one[4], one[1]) for one in sent if one[0] == "records")
    return [data for _, data in ordered if isinstance(data, bytes)]


async def _ask(
    url: str, watchers: dict[str, Device], seen: dict[str, list[Answer]], at: dict[str, tuple[wire.Position, ...]]
) -> None:
    for name, device in watchers.items():
        async with asking(device, url) as raw:
            seen.setdefault(name, []).extend(await raw.pull(cursor=at.get(name, ())))


def _cursor(answers: list[Answer]) -> tuple[wire.Position, ...]:
    at = {
        page.position.feed: page.position
        for answer in answers
        for page in msgspec.msgpack.decode(answer.body, type=wire.PullAnswer).pages
    }
    return tuple(at[feed] for feed in sorted(at))


async def _asked_amiss(raw: Raw) -> list[Answer]:
    """Return the answers to questions that a curious device might put: feeds by guess, and addresses that are none."""
    guesses = tuple(wire.Position(bytes([number]) * 18, 1, 0) for number in range(3))
    return [
        await raw.ask("POST", "/v1/pull", wire.Pull(guesses)),
        await raw.ask("GET", "/v1/reports"),
        await raw.ask("GET", "/v1/reports/" + "00" * 16),
    ]


@pytest.fixture(
    scope="module", params=[pytest.param(1, id="hundred"), pytest.param(20, id="thousands", marks=pytest.mark.soak)]
)
def both(request: pytest.FixtureRequest) -> Iterator[Copies]:
    """The two servers' answers."""
    with copies(request.param) as found:
        yield found


watched = pytest.mark.parametrize("who", WATCHERS)


@watched
def test_what_a_device_pulls_is_the_same_byte_for_byte(both: Copies, who: str) -> None:
    for quiet, busy in (
        (both.quiet.pages[who], both.busy.pages[who]),
        (both.quiet.last[who], both.busy.last[who]),
        (both.quiet.small[who], both.busy.small[who]),
    ):
        assert [answer.masked() for answer in quiet] == [answer.masked() for answer in busy]


@watched
def test_the_comparison_is_about_answers_with_reports_in_them(both: Copies, who: str) -> None:
    puts = sum(entry.op is wire.Op.PUT for entry in entries(both.quiet.last[who]))
    # Supervisors have the rows of their own agency alone, everybody else those of both.
    own = ROUNDS * 2
    assert puts >= own if who.endswith("supervisors") else puts > own
    assert len(both.quiet.pages[who]) >= ROUNDS
    paths = {answer.asked for answer in both.quiet.last[who]}
    assert paths == {"/v1/pull", "/v1/directory/pull", "/v1/keys/pull"}


def test_the_two_servers_really_differ(both: Copies) -> None:
    assert both.shared == ROUNDS * 4
    assert both.extra == sum(both.hidden) >= 100
    quiet, busy = both.to_social_services
    # The worker has each outreach contact through the audience, and each concern through the author's own device.
    assert busy - quiet == both.hidden[0] + both.hidden[1]
    assert quiet == both.shared


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_anybody_may_open_says_nothing_of_what_was_filed(both: Copies, page: str) -> None:
    quiet, busy = both.unsigned[page]
    assert quiet == busy != b""


def test_the_mask_hides_the_time_alone() -> None:
    def answer(seq: int, time: int) -> Answer:
        page = wire.FeedPage(wire.Position(bytes(16), 1, seq), (), more=False)
        body = msgspec.msgpack.encode(wire.PullAnswer((page,), (), (), time))
        return Answer("/v1/pull", 200, (), body)

    assert answer(1, 1_800_000_000).masked() == answer(1, 1_800_000_099).masked()
    assert answer(1, 1_800_000_000).masked() != answer(2, 1_800_000_000).masked()
