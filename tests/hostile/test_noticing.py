"""What a page of a feed must keep to: an honest server's pages always pass, however they are cut; others are named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluss_client.reading import Alarm, Opened
from sluss_client.syncing.noticing import AHEAD, Feeds, Histories, check_when, page_fault, twice
from sluss_schemas import sync as wire
from sluss_schemas.agency import EpochKeys
from sluss_schemas.disclosure import Grant
from sluss_schemas.ids import Digest, ReportId
from sluss_schemas.manifest import Head, directories_digest

from tests.device.chain import Agency

FEED = b"f" * 16


def entries(*numbers: int) -> tuple[wire.Entry, ...]:
    return tuple(wire.Entry(number, wire.Op.SKIP, bytes(32)) for number in numbers)


def position(seq: int, below: int = 0, generation: int = 1) -> wire.Position:
    return wire.Position(FEED, generation, seq, below)


def page(
    at: wire.Position, upwards: tuple[int, ...] = (), downwards: tuple[int, ...] = (), *, more: bool = False
) -> wire.FeedPage:
    return wire.FeedPage(at, entries(*upwards), more, entries(*downwards))


NEW, KNOWN, PARTLY = None, position(5), position(5, 3)
GOOD = {
    "nothing new": (KNOWN, page(position(5))),
    "the next": (KNOWN, page(position(7), (6, 7))),
    "the next, and more": (KNOWN, page(position(6), (6,), more=True)),
    "a new feed": (NEW, page(position(3), (), (3, 2, 1))),
    "the beginning of a new feed": (NEW, page(position(3, 3), (), (3,), more=True)),
    "a new feed for which there was no room": (NEW, page(position(3, 4), more=True)),
    "the rest of the past": (PARTLY, page(position(5), (), (2, 1))),
    "part of the past": (PARTLY, page(position(5, 2), (), (2,), more=True)),
    "both ways": (PARTLY, page(position(6), (6,), (2, 1))),
}
BAD = {
    "one left out": (KNOWN, page(position(7), (7,)), "feed_gap"),
    "one left out in the middle": (KNOWN, page(position(8), (6, 8)), "feed_gap"),
    "the last left out": (KNOWN, page(position(7), (6,)), "feed_gap"),
    "all left out": (KNOWN, page(position(7)), "feed_gap"),
    "more than it says": (KNOWN, page(position(6), (6, 7)), "feed_gap"),
    "in another order": (KNOWN, page(position(7), (7, 6)), "feed_gap"),
    "one twice": (KNOWN, page(position(7), (6, 6)), "feed_gap"),
    "an old one again": (KNOWN, page(position(6), (5, 6)), "feed_rewound"),
    "back": (KNOWN, page(position(4)), "feed_rewound"),
    "back with entries": (KNOWN, page(position(4), (4,)), "feed_rewound"),
    "a past that was read": (KNOWN, page(position(5), (), (4,)), "feed_gap"),
    "one of the past left out": (PARTLY, page(position(5), (), (1,)), "feed_gap"),
    "the first left out": (PARTLY, page(position(5, 2), (), (2,)), "feed_gap"),
    "the past said to be read": (PARTLY, page(position(5)), "feed_gap"),
    "a past before the first": (PARTLY, page(position(5), (), (2, 1, 0)), "feed_gap"),
    "a new feed without its past": (NEW, page(position(3)), "feed_gap"),
    "a new feed read upwards": (NEW, page(position(3), (1, 2, 3)), "feed_rewound"),
    "an older generation": (position(5, 0, 2), page(position(9, 0, 1), (6, 7, 8, 9)), "feed_rewound"),
    "a newer generation": (KNOWN, page(position(3, 0, 2), (), (3, 2, 1)), "feed_rewound"),
    "a number before all numbers": (KNOWN, page(position(-1)), "feed_gap"),
    "a number beyond all numbers": (KNOWN, page(position(2**63)), "feed_gap"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_page_that_follows_passes(name: str) -> None:
    before, given = GOOD[name]

    assert page_fault(given, before, renewed=False) is None


@pytest.mark.parametrize("name", BAD)
def test_a_page_that_does_not_follow_is_named(name: str) -> None:
    before, given, code = BAD[name]

    assert page_fault(given, before, renewed=False) == code


def test_a_feed_begins_anew_only_after_a_restore_and_only_upwards() -> None:
    given = page(position(3, 0, 2), (), (3, 2, 1))

    assert page_fault(given, position(5), renewed=True) is None
    assert page_fault(given, position(5, 0, 3), renewed=True) == "feed_rewound"


def honest(dice: random.Random, head: int, before: wire.Position | None) -> wire.FeedPage:
    """Return a page as a server makes it, cut anywhere."""
    start = before or position(head, head + 1)
    upwards = tuple(range(start.seq + 1, min(head, start.seq + dice.randrange(4)) + 1))
    seq = start.seq + len(upwards)
    room = dice.randrange(4) if seq == head else 0
    past = tuple(range(start.below - 1, max(start.below - 1 - room, 0), -1)) if start.below > 1 else ()
    below = start.below - len(past)
    at = position(seq, below if below > 1 else 0)
    return page(at, upwards, past, more=at.seq < head or at.below > 0)


def lives(dice: random.Random) -> Iterator[tuple[wire.Position | None, wire.FeedPage]]:
    head, at = dice.randint(1, 9), None
    for _ in range(30):
        given = honest(dice, head, at)
        yield at, given
        at = given.position
        head += dice.choice((0, 0, 1, 3))


def test_an_honest_servers_pages_always_pass_and_any_other_number_does_not() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        for before, given in lives(dice):
            assert page_fault(given, before, renewed=False) is None
            for run in (given.entries, given.past):
                if len(run) > 1:
                    left_out = dice.randrange(len(run))
                    less = tuple(one for at, one in enumerate(run) if at != left_out)
                    shorter = wire.FeedPage(
                        given.position,
                        less if run is given.entries else given.entries,
                        given.more,
                        less if run is given.past else given.past,
                    )
                    assert page_fault(shorter, before, renewed=False) is not None


def test_a_feed_that_comes_twice_in_one_answer_is_named() -> None:
    other = wire.FeedPage(wire.Position(b"o" * 16, 1, 1), (), more=False)

    assert twice((page(position(1)), other, page(position(1)))) == {FEED}


def test_a_device_has_its_own_feed_and_its_audiences_at_its_scenes() -> None:
    field, all_over, office = b"a" * 16, b"b" * 16, b"c" * 16
    feeds = Feeds(b"d" + b"k" * 16, {field: frozenset({2}), all_over: None, office: frozenset()})

    ours = [b"d" + b"k" * 16, field, field + b"\x00\x02", all_over + b"\x01\x01", all_over, office]
    others = [b"d" + b"x" * 16, field + b"\x00\x03", office + b"\x00\x02", b"x" * 16, b"", field + b"\x02", b"a" * 8]

    assert [feed for feed in ours if not feeds.has(feed)] == []
    assert [feed for feed in others if feeds.has(feed)] == []


# when a version was made


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Agency]:
    """An agency whose field audience has had two epochs."""
    agency = Agency(tmp_path)
    member = agency.device("field")
    agency.rotate("field", member)
    agency.now += 100
    agency.rotate("field", member)
    yield agency
    agency.close()


def head(agency: Agency, seq: int) -> Head:
    directory = agency.directory
    return Head(directory.agency, seq, directory.hashes[seq])


MADE: dict[str, tuple[int, int, bool, int, str | None]] = {
    # signer's epoch, recipient's epoch, by a grant, entries before the last, what is wrong
    "in the epoch in force": (2, 2, False, 0, None),
    "long ago, in the epoch of then": (1, 1, False, 1, None),
    "now, signed with a key of then": (1, 2, False, 0, "epoch_not_current"),
    "now, sealed to a key of then": (2, 1, False, 0, "epoch_not_current"),
    "long ago, signed with a key of now": (2, 1, False, 1, "epoch_not_current"),
    "long ago, sealed to a key of now": (1, 2, False, 1, "epoch_not_current"),
    "long ago, and given to whom there is now": (1, 2, True, 1, None),
    "now, and given to whom there was then": (2, 1, True, 0, None),
}


@pytest.mark.parametrize("name", MADE)
def test_a_version_is_made_by_keys_that_were_in_force_in_its_directories(chain: Agency, name: str) -> None:
    signer, recipient, granted, back, code = MADE[name]
    epochs = chain.audience("field").epochs
    heads = (head(chain, chain.directory.seq - back),)
    version = opened(chain, heads, epochs[signer - 1], epochs[recipient - 1], granter=epochs[1] if granted else None)
    histories = Histories(chain.locals[0].trust, (heads,), chain.now, restored=False)

    assert fault(version, histories, None) == code


@pytest.mark.parametrize("which", ["signer", "recipient", "granter"])
def test_what_arrives_as_new_was_made_with_no_key_that_was_out_of_force_before(chain: Agency, which: str) -> None:
    old, new = chain.audience("field").epochs
    assert old.closed_at is not None
    heads = (head(chain, chain.directory.seq - (1 if which != "granter" else 0)),)
    given = {"signer": old, "recipient": old, "granter": None}
    if which == "granter":
        given = {"signer": new, "recipient": new, "granter": old}
    version = opened(chain, heads, given["signer"], given["recipient"], granter=given["granter"])
    histories = Histories(chain.locals[0].trust, (heads,), chain.now, restored=False)

    assert fault(version, histories, None) is None
    assert fault(version, histories, old.closed_at) is None
    assert fault(version, histories, old.closed_at + 1) == "old_epoch"


def test_heads_of_another_or_a_longer_history_are_told_apart(chain: Agency) -> None:
    trust, now, last = chain.locals[0].trust, chain.now, chain.directory.seq
    agency = chain.directory.agency
    other = (Head(agency, last, bytes(32)),)
    longer = (Head(agency, last + 1, bytes(32)),)
    twice_named = (head(chain, last), head(chain, last - 1))

    def code(heads: tuple[Head, ...], *, restored: bool = False) -> str | None:
        histories = Histories(trust, (heads,), now, restored=restored)
        return histories.contradiction(directories_digest(heads))

    assert code((head(chain, last),)) is None
    assert code(other) == "directory_fork"
    assert code(longer) == "directory_withheld"
    assert code(longer, restored=True) == AHEAD
    assert code(other, restored=True) == "directory_fork"
    with pytest.raises(Alarm, match="heads_missing"):
        Histories(trust, (twice_named,), now, restored=False).heads(directories_digest(twice_named))


def opened(
    chain: Agency,
    heads: tuple[Head, ...],
    signer: EpochKeys | None,
    recipient: EpochKeys | None,
    *,
    granter: EpochKeys | None,
) -> Opened:
    grant = None
    if granter is not None:
        grant = Grant(1, bytes(16), bytes(32), (0,), (bytes(16),), "L14", bytes(32), (), bytes(32), 0, None, bytes(32))
    return Opened(
        chain.directory.agency,
        ReportId(bytes(16)),
        Digest(bytes(32)),
        version=1,
        manifest=b"",
        kind=1,
        scene=1,
        grant=grant,
        directories=directories_digest(heads),
        signer=signer,
        recipient=recipient,
        granter=granter,
    )


def fault(version: Opened, histories: Histories, closed_before: int | None) -> str | None:
    try:
        check_when(version, histories, version.agency, closed_before)
    except Alarm as alarm:
        return alarm.code
    return None
