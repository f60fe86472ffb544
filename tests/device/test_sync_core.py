"""The pure steps of a sync against a plain model: what is held is what some delivery still gives, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client.outbox import Row, State
from sluss_client.reading import Opened
from sluss_client.replica import Received
from sluss_client.syncing import sync_core
from sluss_schemas import sync as wire
from sluss_schemas.disclosure import Grant
from sluss_schemas.ids import AgencyId, Digest, ReportId
from sluss_schemas.sync import OutcomeCode

REPORT, AGENCY = ReportId(b"r" * 16), AgencyId(b"a" * 16)
FEEDS = (b"f1", b"f2", b"f3")
DIGESTS = (Digest(b"1" * 32), Digest(b"2" * 32))
NOW = 1_000


@dataclass(frozen=True)
class Delivery:
    """A delivery, as far as it matters here: which version, through what, under which grant, and what it opens.

    Of what a grant opens, `less` are the slots in which it gives an excerpt.
    """

    digest: Digest
    feed: bytes
    grant: int | None
    slots: int
    less: int = 0

    @property
    def ends(self) -> int | None:
        """When the grant ends."""
        return None if self.grant is None else NOW + 10 * self.grant

    def opened(self) -> Opened:
        """Return it as `reading` would."""
        grant = None
        if self.grant is not None:
            one = (bytes([self.grant]) * 16, bytes(self.digest), (0,), (), "L03", b"", (), b"", 0, self.ends, b"")
            grant = Grant(1, *one)
        whole = {at: self.digest[:1] + bytes([at]) for at in range(16) if self.whole >> at & 1}
        return Opened(
            AGENCY, REPORT, self.digest, 1 + DIGESTS.index(self.digest), b"m", 2, 1, grant,
            slots=self.slots, sections=whole, keys={at: b"k" + data for at, data in whole.items()},
            excerpts=self.excerpts,
        )  # fmt: skip

    @property
    def whole(self) -> int:
        """The slots that it gives whole."""
        return self.slots & ~self.less if self.grant is not None else self.slots

    @property
    def excerpts(self) -> dict[int, bytes]:
        """What it gives of the others, which no other grant gives just so."""
        return {at: bytes([self.grant or 0, at]) for at in range(16) if self.slots & ~self.whole & 1 << at}


slots = st.integers(0, 2**16 - 1)
grants = st.sampled_from([None, 1, 2])
deliveries = st.builds(Delivery, st.sampled_from(DIGESTS), st.sampled_from(FEEDS), grants, slots, slots)


def merged(found: list[Delivery], before: Received | None = None) -> Received:
    for one in found:
        before = sync_core.merge(before, one.opened(), one.feed, NOW)
    return before or Received(REPORT, AGENCY, ())


def plain(received: Received) -> list[object]:
    """Return a report's versions with their holds in one order: no order of deliveries means anything."""
    return [msgspec.structs.replace(one, holds=tuple(sorted(one.holds, key=repr))) for one in received.versions]


def one_per_way(found: list[Delivery]) -> list[Delivery]:
    """Keep one delivery for each version, feed and grant: a seal does not change."""
    return list({(one.digest, one.feed, one.grant): one for one in found}.values())


@given(st.lists(deliveries, max_size=8).map(one_per_way), st.randoms(use_true_random=False))
def test_deliveries_in_any_order_and_any_number_give_the_same(found: list[Delivery], dice: object) -> None:
    once = merged(found)
    again = [*found, *found]
    dice.shuffle(again)  # type: ignore[attr-defined]  # a random.Random

    assert plain(merged(again)) == plain(once)
    assert plain(merged(found, once)) == plain(once)


def test_three_deliveries_give_the_same_in_each_of_their_orders() -> None:
    three = [Delivery(DIGESTS[0], b"f1", None, 1), Delivery(DIGESTS[0], b"f1", 1, 6), Delivery(DIGESTS[1], b"f2", 2, 3)]

    assert all(plain(merged(list(order))) == plain(merged(three)) for order in permutations(three))


Model = dict[tuple[Digest, bytes, int | None], Delivery]
drops = st.tuples(st.just("drop"), st.sampled_from(FEEDS), st.sampled_from(DIGESTS), grants)
recalls = st.tuples(st.just("recall"), st.sampled_from([1, 2]))
closes = st.tuples(st.just("close"), st.sampled_from(FEEDS))
erases = st.tuples(st.just("erase"), st.sampled_from(DIGESTS))
expiries = st.tuples(st.just("expire"), st.sampled_from([NOW, NOW + 10, NOW + 19, NOW + 20]))
narrowings = st.tuples(st.just("narrow"), slots, slots)
steps = st.lists(st.one_of(deliveries, deliveries, drops, recalls, closes, erases, expiries, narrowings), max_size=20)


def left_by(step: tuple[object, ...], one: Delivery) -> Delivery | None:
    """Return what a step leaves of a delivery."""
    match step:
        case ("narrow", int() as first, int() as second) if one.grant is None:
            # What is open differs from version to version.
            left = one.slots & (first, second)[DIGESTS.index(one.digest)]
            return replace(one, slots=left) if left else None
        case _:
            return one if stays(step, one) else None


def stays(step: tuple[object, ...], one: Delivery) -> bool:
    match step:
        case ("narrow", _, _):
            return True
        case ("drop", feed, digest, grant):
            return (one.feed, one.digest, one.grant) != (feed, digest, grant)
        case ("recall", grant):
            return one.grant != grant
        case ("close", feed):
            return one.feed != feed
        case ("erase", digest):
            return one.digest != digest
        case (_, int() as now):
            return one.ends is None or now < one.ends
    raise AssertionError(step)


def after(step: tuple[object, ...], received: Received) -> Received:
    match step:
        case ("drop", bytes() as feed, bytes() as digest, None):
            return sync_core.drop(received, feed, digest)
        case ("drop", bytes() as feed, bytes() as digest, int() as grant):
            return sync_core.drop(received, feed, digest + bytes([grant]) * 16)
        case ("recall", int() as grant):
            return sync_core.recall(received, bytes([grant]) * 16)
        case ("close", bytes() as feed):
            return sync_core.drop(received, feed)
        case ("erase", bytes() as digest):
            return sync_core.erase(received, digest)
        case ("expire", int() as now):
            return sync_core.expire(received, now)
        case ("narrow", int() as first, int() as second):
            return sync_core.narrow(
                received,
                lambda version, hold: (
                    hold.slots if hold.grant else (first, second)[DIGESTS.index(Digest(version.digest))]
                ),
            )
    raise AssertionError(step)


@given(steps)
def test_a_version_is_held_as_long_as_something_holds_it_and_shows_what_that_opens(
    drawn: list[Delivery | tuple[object, ...]],
) -> None:
    received, model = Received(REPORT, AGENCY, ()), Model()
    for step in drawn:
        if isinstance(step, Delivery):
            received = merged([step], received)
            model[step.digest, step.feed, step.grant] = step
        else:
            received = after(step, received)
            model = {key: left for key, one in model.items() if (left := left_by(step, one)) is not None}

    expected = {
        digest: (
            sorted((one.feed, one.grant or 0) for one in model.values() if one.digest == digest),
            sorted({at for one in model.values() if one.digest == digest for at in one.opened().sections}),
            sorted(part for one in model.values() if one.digest == digest for part in one.excerpts.items()),
        )
        for digest in {one.digest for one in model.values()}
    }
    assert {
        version.digest: (
            sorted((hold.feed, hold.grant[0] if hold.grant else 0) for hold in version.holds),
            [number for number, _ in version.sections],
            sorted(part for hold in version.holds for part in hold.excerpts),
        )
        for version in received.versions
    } == expected
    # Whoever has the key of a part has the part: nothing can be disclosed later that cannot be read now.
    assert all([at for at, _ in one.keys] == [at for at, _ in one.sections] for one in received.versions)
    assert all(
        data == version.digest[:1] + bytes([at]) for version in received.versions for at, data in version.sections
    )


@given(st.lists(deliveries, min_size=1, max_size=8))
def test_versions_stand_in_their_order_and_removals_repeat_without_effect(found: list[Delivery]) -> None:
    received = merged(found)

    assert [one.version for one in received.versions] == sorted({1 + DIGESTS.index(one.digest) for one in found})
    for step in (
        ("drop", FEEDS[0], DIGESTS[0], None),
        ("drop", FEEDS[0], DIGESTS[0], 1),
        ("close", FEEDS[1]),
        ("erase", DIGESTS[1]),
        ("expire", NOW + 10),
        ("narrow", 6, 9),
    ):
        once = after(step, received)
        assert after(step, once) == once


ROW = Row(
    report_id=b"r" * 16, version=1, number=7, kind=2, values=b"v", filed_at=5, shown=(), state=State.SEALED,
    digest=b"d" * 32, section_keys=((0, b"k" * 32),), sealed_at=6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        (OutcomeCode.CREATED, State.SENT, None),
        (OutcomeCode.DUPLICATE, State.SENT, None),
        (OutcomeCode.FORKED, State.SENT, None),
        (OutcomeCode.TRIMMED, State.SENT, None),
        (OutcomeCode.GONE, State.SENT, None),
        (OutcomeCode.QUARANTINED, State.QUARANTINED, None),
        (OutcomeCode.ID_CONFLICT, State.REFUSED, "id_conflict"),
        (OutcomeCode.BAD_SIGNATURE, State.REFUSED, "bad_signature"),
        (OutcomeCode.REFUSED, State.REFUSED, "refused"),
    ],
)
def test_an_answer_leaves_the_row_with_its_outcome_and_all_that_was_written(
    code: OutcomeCode, state: State, reason: str | None
) -> None:
    row = sync_core.answered(ROW, wire.Outcome(b"d" * 32, code, None, "item", b"receipt", b"signature"), 9)

    assert (row.state, row.reason, row.outcome, row.field, row.answered_at) == (state, reason, code, "item", 9)
    assert (row.receipt, row.receipt_signature) == (b"receipt", b"signature")
    assert (row.values, row.digest, row.section_keys, row.number) == (b"v", ROW.digest, ROW.section_keys, 7)


def test_the_servers_reason_is_kept_where_it_gives_one() -> None:
    row = sync_core.answered(ROW, wire.Outcome(b"d" * 32, OutcomeCode.QUARANTINED, "not_allowed", "device"), 9)

    assert (row.state, row.reason, row.field) == (State.QUARANTINED, "not_allowed", "device")


def test_retry_changes_nothing_and_a_stale_directory_gives_the_row_back_for_sealing() -> None:
    assert sync_core.answered(ROW, wire.Outcome(b"d" * 32, OutcomeCode.RETRY), 9) is ROW

    row = sync_core.answered(ROW, wire.Outcome(b"d" * 32, OutcomeCode.STALE_DIRECTORY), 9)
    assert (row.state, row.digest, row.section_keys) == (State.FILED, None, ())
    assert (row.values, row.number, row.filed_at) == (b"v", 7, 5)


def test_every_outcome_has_been_thought_of() -> None:
    for code in OutcomeCode:
        row = sync_core.answered(ROW, wire.Outcome(b"d" * 32, code), 9)
        assert row.values == ROW.values
        assert row.state in set(State)


def test_free_text_of_a_servers_is_kept_nowhere() -> None:
    said = wire.Outcome(b"d" * 32, OutcomeCode.REFUSED, "\x1b[2JCall this number", "call\nme")

    row = sync_core.answered(ROW, said, 9)

    assert (row.state, row.reason, row.field) == (State.REFUSED, "refused", None)
