"""A server that leaves out, moves, swaps, repeats or makes up what a feed delivers: named, kept out, and not lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sluss_client import crypto
from sluss_client.testing import Exchange
from sluss_schemas import disclosure, manifest
from sluss_schemas import sync as wire
from sluss_schemas.agency import EpochKeys
from sluss_schemas.ids import NO_GRANT, Kid

from tests.hostile.scene import Scene, codes, reads

pytestmark = pytest.mark.asyncio(loop_scope="session")

replace = msgspec.structs.replace
Lie = Callable[[Exchange], Any]


def each_page(change: Callable[[wire.FeedPage], wire.FeedPage]) -> Lie:
    """Change every page that brings something new."""

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        pages = tuple(change(page) if page.entries else page for page in exchange.answer.pages)
        return replace(exchange.answer, pages=pages)

    return lie


def each_put(change: Callable[[wire.Put], wire.Put]) -> Lie:
    """Change the body of every delivery."""

    def entry(one: wire.Entry) -> wire.Entry:
        return one if one.put is None else replace(one, put=change(one.put))

    return each_page(lambda page: replace(page, entries=tuple(map(entry, page.entries))))


def shifted(page: wire.FeedPage, by: int) -> wire.FeedPage:
    """Number a page's entries and its end otherwise."""
    entries = tuple(replace(one, seq=one.seq + by) for one in page.entries)
    return replace(page, position=replace(page.position, seq=page.position.seq + by), entries=entries)


def exchanged(page: wire.FeedPage, *fields: str) -> wire.FeedPage:
    """Give each delivery of a page these fields of the one before it."""
    puts = [one.put for one in page.entries]
    others = [puts[-1], *puts[:-1]]
    moved = tuple(
        replace(one, put=replace(one.put, **{name: getattr(other, name) for name in fields}))
        for one, other in zip(page.entries, others, strict=True)
        if one.put is not None
    )
    return replace(page, entries=moved)


def renumbered(page: wire.FeedPage) -> wire.FeedPage:
    """Turn the order of a page around, and number it as if it were right."""
    numbers = [one.seq for one in page.entries]
    entries = tuple(replace(one, seq=seq) for one, seq in zip(page.entries[::-1], numbers, strict=True))
    return replace(page, entries=entries)


def begun_anew(page: wire.FeedPage) -> wire.FeedPage:
    """Begin the feed anew with what is new alone, read downwards as any new feed is."""
    past = tuple(replace(one, seq=number) for number, one in enumerate(page.entries, 1))[::-1]
    position = replace(page.position, generation=page.position.generation + 1, seq=len(past), below=0)
    return wire.FeedPage(position, (), more=False, past=past)


def twice(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
    return replace(exchange.answer, pages=exchange.answer.pages * 2)


def elsewhere(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
    """Say that what is new is of a feed that nobody knows."""
    pages = tuple(
        replace(page, position=replace(page.position, feed=bytes([number]) * 16))
        for number, page in enumerate(exchange.answer.pages)
    )
    return replace(exchange.answer, pages=pages)


REFUSED: dict[str, tuple[Lie, str]] = {
    "the first is left out": (each_page(lambda page: replace(page, entries=page.entries[1:])), "feed_gap"),
    "the last is left out": (each_page(lambda page: replace(page, entries=page.entries[:-1])), "feed_gap"),
    "all are left out": (each_page(lambda page: replace(page, entries=())), "feed_gap"),
    "in another order": (each_page(lambda page: replace(page, entries=page.entries[::-1])), "feed_gap"),
    "numbered further on": (each_page(lambda page: shifted(page, 7)), "feed_gap"),
    "numbered like old ones": (each_page(lambda page: shifted(page, -1)), "feed_rewound"),
    "a generation before": (
        each_page(lambda page: replace(page, position=replace(page.position, generation=0))),
        "feed_rewound",
    ),
    "a generation that nobody announced": (
        each_page(lambda page: replace(page, position=replace(page.position, generation=2))),
        "feed_rewound",
    ),
    "a feed that begins anew": (each_page(begun_anew), "feed_rewound"),
    "twice in one answer": (twice, "feed_gap"),
    "as another feed's": (elsewhere, "feed_foreign"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_page_that_does_not_follow_is_refused_whole_and_comes_once_the_server_is_honest(
    scene: Scene, name: str
) -> None:
    lie, code = REFUSED[name]
    await scene.police.sync()
    reports = [scene.file() for _ in range(3)]
    await scene.guard.sync()
    before = scene.police.local.cursor()

    with scene.lying("/v1/pull", lie, scene.police):
        result = await scene.police.sync()

    assert code in codes(scene.police)
    assert (result.received, result.alarms > 0) == (0, True)
    # At most a feed is read anew from its head.
    assert set(scene.police.local.cursor()) <= set(before)
    assert (await scene.police.sync()).received == 3
    assert all(reads(scene.police, report) for report in reports)
    assert codes(scene.police) - {"feed_foreign"} == set()


def flip(data: bytes | None) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else b"\x01"


def each_section(change: Callable[[wire.Section], wire.Section]) -> Callable[[wire.Put], wire.Put]:
    return lambda put: replace(put, sections=tuple(map(change, put.sections)))


def each_wrap(change: Callable[[disclosure.Wrap], disclosure.Wrap]) -> Callable[[wire.Put], wire.Put]:
    return lambda put: replace(put, wraps=tuple(map(change, put.wraps)))


def moved_sections(put: wire.Put) -> wire.Put:
    first, second, *rest = put.sections
    swapped = (replace(first, section=second.section), replace(second, section=first.section))
    return replace(put, sections=(*swapped, *rest))


def moved_wraps(put: wire.Put) -> wire.Put:
    first, second, *rest = put.wraps
    return replace(put, wraps=(replace(first, wrap=second.wrap), replace(second, wrap=first.wrap), *rest))


def digests_exchanged(page: wire.FeedPage) -> wire.FeedPage:
    digests = [one.digest for one in page.entries]
    others = [digests[-1], *digests[:-1]]
    entries = tuple(replace(one, digest=digest) for one, digest in zip(page.entries, others, strict=True))
    return replace(page, entries=entries)


KEPT_OUT: dict[str, tuple[Lie, set[str]]] = {
    "a section changed": (
        each_put(each_section(lambda one: replace(one, section=flip(one.section)))),
        {"section_differs"},
    ),
    "a section cut": (
        each_put(each_section(lambda one: replace(one, section=one.section[:-1]))),
        {"section_differs"},
    ),
    "a section left out": (each_put(lambda put: replace(put, sections=put.sections[1:])), {"withheld"}),
    "sections left out": (each_put(lambda put: replace(put, sections=())), {"withheld"}),
    "sections moved to another slot": (each_put(moved_sections), {"section_differs"}),
    "sections of another report": (each_page(lambda page: exchanged(page, "sections")), {"section_differs"}),
    "a wrap changed": (each_put(each_wrap(lambda one: replace(one, wrap=flip(one.wrap)))), {"cannot_open"}),
    "a wrap left out": (each_put(lambda put: replace(put, wraps=put.wraps[1:])), {"withheld"}),
    "wraps moved to another slot": (each_put(moved_wraps), {"cannot_open"}),
    "wraps of another report": (each_page(lambda page: exchanged(page, "wraps")), {"cannot_open"}),
    "the seal of another report": (each_page(lambda page: exchanged(page, "seal")), {"cannot_open"}),
    "the seal changed": (each_put(lambda put: replace(put, seal=flip(put.seal))), {"cannot_open"}),
    "said to be held back": (each_put(lambda put: replace(put, seal=None, wraps=(), sections=())), {"withheld"}),
    "the manifest of another report": (
        each_page(lambda page: exchanged(page, "manifest", "signature")),
        {"cannot_open", "section_differs", "facts_differ", "entry_differs"},
    ),
    "the signature of another report": (each_page(lambda page: exchanged(page, "signature")), {"bad_signature"}),
    "the whole of another report": (
        each_page(lambda page: exchanged(page, *wire.Put.__struct_fields__)),
        {"entry_differs"},
    ),
    "the scene of another place": (
        each_put(lambda put: replace(put, tiers=(wire.Tier(bytes(32), b"\x91\x02"), put.tiers[1]))),
        {"facts_differ"},
    ),
    "the name of another report": (each_page(digests_exchanged), {"entry_differs"}),
    "a grant that nobody gave": (
        each_put(lambda put: replace(put, grant=wire.GrantProof(b"\x90", bytes(64)))),
        {"malformed"},
    ),
    "numbers moved": (each_page(renumbered), set()),
}


async def test_a_seal_of_its_own_that_promises_less_is_named(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()
    keys = {kid: keys for kid, keys in scene.police.local.trust.own.by_kem_kid.items() if isinstance(keys, EpochKeys)}

    def sealed(put: wire.Put) -> wire.Put:
        kid = next(one.kid for one in manifest.read_manifest(put.manifest).recipients if one.kid in keys)
        info = manifest.seal_info(manifest.digest_of(put.manifest), Kid(kid), NO_GRANT)
        # Anybody can seal to a public key; nobody else can make it the seal that was signed for.
        return replace(put, seal=crypto.seal(keys[Kid(kid)].kem_key, info, bytes(34)), wraps=(), sections=())

    with scene.lying("/v1/pull", each_put(sealed), scene.police):
        await scene.police.sync()

    assert codes(scene.police) == {"commitment_differs"}
    await scene.police.sync()
    assert reads(scene.police, report)
    assert codes(scene.police) == set()


@pytest.mark.parametrize("name", KEPT_OUT)
async def test_a_delivery_that_was_changed_is_kept_out_and_comes_once_the_server_is_honest(
    scene: Scene, name: str
) -> None:
    lie, expected = KEPT_OUT[name]
    await scene.police.sync()
    reports = [scene.file() for _ in range(2)]
    await scene.guard.sync()

    with scene.lying("/v1/pull", lie, scene.police):
        result = await scene.police.sync()

    assert codes(scene.police) <= expected
    assert (result.alarms > 0) == bool(expected)
    assert expected == set() or not any(reads(scene.police, report) for report in reports)
    # Whatever stood at a number, it is asked for once more.
    await scene.police.sync()
    assert all(reads(scene.police, report) for report in reports)
    assert codes(scene.police) == set()


async def test_one_delivery_that_cannot_be_read_at_all_costs_itself_alone(scene: Scene) -> None:
    reports = [scene.file() for _ in range(3)]
    await scene.guard.sync()

    def malformed(exchange: Exchange) -> bytes:
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(exchange.answer))
        for page in plain[0]:
            for entry in page[1][1:2]:
                # The wraps of one put are no wraps.
                entry[3][4] = ["none", 7]
        return msgspec.msgpack.encode(plain)

    with scene.lying("/v1/pull", malformed, scene.police):
        result = await scene.police.sync()

    assert codes(scene.police) == {"malformed_put"}
    assert (result.received, result.alarms) == (2, 1)
    await scene.police.sync()
    assert all(reads(scene.police, report) for report in reports)
    assert codes(scene.police) == set()


async def test_the_directories_that_a_report_was_sealed_with_left_out_is_named(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()

    with scene.lying("/v1/pull", lambda exchange: replace(exchange.answer, used=()), scene.police):
        await scene.police.sync()

    assert codes(scene.police) == {"heads_missing"}
    assert not reads(scene.police, report)
    await scene.police.sync()
    assert reads(scene.police, report)
    assert codes(scene.police) == set()


async def test_a_feed_that_is_said_to_be_closed_stays(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    cursor = scene.police.local.cursor()
    closed = tuple(position.feed for position in cursor)

    with scene.lying("/v1/pull", lambda exchange: replace(exchange.answer, closed=closed), scene.police):
        result = await scene.police.sync()

    assert (result.dropped, result.alarms) == (0, len(closed))
    assert codes(scene.police) == {"feed_closed"}
    assert reads(scene.police, report)
    assert scene.police.local.cursor() == cursor


def skipped(page: wire.FeedPage) -> wire.FeedPage:
    """Say of everything that this device may not have it."""
    entries = tuple(wire.Entry(one.seq, wire.Op.SKIP, bytes(32)) for one in page.entries)
    return replace(page, entries=entries)


ECHOES: dict[str, Lie] = {
    "said to be nobody's": each_page(skipped),
    "and no page at all": lambda exchange: replace(exchange.answer, pages=()),
}


@pytest.mark.parametrize("name", ECHOES)
async def test_an_own_report_that_does_not_come_back_is_named(scene: Scene, name: str) -> None:
    report = scene.file()

    with scene.lying("/v1/pull", ECHOES[name], scene.guard):
        result = await scene.guard.sync()

    assert (result.sent, result.alarms) == (1, 1)
    assert codes(scene.guard) == {"withheld"}
    # It is the author's in any case, and was said to be stored.
    assert scene.guard.get(report.id).situation
    await scene.police.sync()
    assert reads(scene.police, report)
    for digest, _ in scene.guard.local.alarms():
        scene.guard.local.store.delete("echo", digest)


async def test_entries_of_another_agencys_device_are_not_taken_in(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()
    theirs = scene.town.hostile.answers("/v1/pull", scene.guard.local.keys.kid)[-1]

    with scene.lying("/v1/pull", lambda exchange: replace(theirs, heads=exchange.answer.heads), scene.police):
        await scene.police.sync()

    assert codes(scene.police) == {"feed_foreign"}
    assert not reads(scene.police, report)
    await scene.police.sync()
    assert reads(scene.police, report)


async def test_an_old_report_in_the_place_of_a_new_one_is_named_and_the_new_one_comes(scene: Scene) -> None:
    old = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    answers = scene.town.hostile.answers("/v1/pull", scene.police.local.keys.kid)
    (before,) = (one for answer in answers[-1:] for page in answer.pages for one in page.entries)
    report = scene.file()
    await scene.guard.sync()

    def again(page: wire.FeedPage) -> wire.FeedPage:
        return replace(page, entries=tuple(replace(before, seq=one.seq) for one in page.entries))

    with scene.lying("/v1/pull", each_page(again), scene.police):
        result = await scene.police.sync()

    assert codes(scene.police) == {"entry_repeated"}
    assert (result.received, reads(scene.police, old), reads(scene.police, report)) == (0, True, False)
    await scene.police.sync()
    assert reads(scene.police, report)
    assert codes(scene.police) == set()


async def test_a_feed_that_went_back_is_named_and_nothing_that_follows_is_missed(scene: Scene) -> None:
    first, second = scene.file(), scene.file()
    await scene.guard.sync()
    await scene.police.sync()

    def back(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        positions = (replace(one, seq=one.seq - 2) for one in exchange.asked.cursor)
        pages = tuple(wire.FeedPage(position, (), more=False) for position in positions if position.seq > 0)
        return replace(exchange.answer, pages=pages)

    with scene.lying("/v1/pull", back, scene.police):
        result = await scene.police.sync()

    assert codes(scene.police) == {"feed_rewound"}
    assert result.alarms > 0
    assert reads(scene.police, first)
    assert reads(scene.police, second)
    third = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    assert reads(scene.police, third)
    assert codes(scene.police) == set()


async def test_made_up_entries_do_not_hide_what_comes_after_them(scene: Scene) -> None:
    report = scene.file()
    await scene.guard.sync()

    def longer(page: wire.FeedPage) -> wire.FeedPage:
        seq = page.position.seq + 1
        made_up = wire.Entry(seq, wire.Op.SKIP, bytes(32))
        return replace(page, position=replace(page.position, seq=seq), entries=(*page.entries, made_up))

    with scene.lying("/v1/pull", each_page(longer), scene.police):
        await scene.police.sync()
    result = await scene.police.sync()

    assert result.alarms == 1
    assert codes(scene.police) == {"feed_rewound"}
    following = scene.file()
    await scene.guard.sync()
    await scene.police.sync()
    assert reads(scene.police, report)
    assert reads(scene.police, following)
    assert codes(scene.police) == set()
