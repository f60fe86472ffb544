"""Duties that an author answers when filing: a grant in the same push, or later for a version that is stored."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from sluss_schemas import disclosure, sync
from sluss_schemas.codec import encode
from sluss_schemas.policy.pack import builtin

from tests.server.sealer import SealedReport, SignKey, make_grant, with_grants
from tests.server.town import NOW, Town, amended, bits, slots

POLICE_MAY = bits("SIT", "PLC", "SUB", "ENF", "SAF", "AUT.brief")
TO_POLICE = bits("SIT", "PLC", "SUB")


L14_TESTS = [test.code for test in builtin()[-1].gateways["L14"].tests]


def told(town: Town, opened: int = TO_POLICE, *, gateway: str = "L14", to: str = "police", **more: Any) -> SealedReport:  # noqa: ANN401  # any argument of a grant
    """A guard's report with the duty to tell the police answered."""
    report = town.report("security")
    key = town.agencies[to].key("field" if to == "police" else "supervisors")
    return with_grants(report, make_grant(report, {key: opened}, gateway, NOW, **more))


async def test_a_duty_opens_the_person_for_the_police_and_for_nobody_else(town: Town) -> None:
    report = told(town)

    assert await town.outcomes(town.field("security"), report) == [("created", None, None)]

    entries = [one.put for one in await town.entries(town.field("police")) if one.put]
    assert [slots(one) for one in entries] == [{0, 2, 10, 13}, {0, 2, 4}]
    proof = report.item.grants[0]
    assert [one.grant for one in entries] == [None, sync.GrantProof(proof.grant, proof.signature)]
    assert all(4 not in slots(one) for one in (await town.puts(town.field("social_services"))).values())


async def test_what_the_duty_does_not_give_is_trimmed(town: Town) -> None:
    report = told(town, TO_POLICE | bits("CAR"))

    assert await town.outcomes(town.field("security"), report) == [("trimmed", "not_allowed", "recipients")]

    [_, granted] = [one.put for one in await town.entries(town.field("police")) if one.put]
    assert slots(granted) == {0, 2, 4}


async def test_a_concern_goes_to_those_who_take_concerns(town: Town) -> None:
    report = told(town, bits("SIT", "PLC", "SUB", "CAR"), gateway="L11", to="social_services")

    assert await town.outcomes(town.field("security"), report) == [("created", None, None)]

    [put] = (await town.puts(town.supervisor("social_services"))).values()
    assert slots(put) == {0, 2, 4, 6}
    assert put.tiers[0] is not None
    assert put.tiers[1] is None


@pytest.mark.parametrize("together", [True, False])
async def test_a_grant_stays_when_the_report_is_amended_without_it(town: Town, together: bool) -> None:  # noqa: FBT001  # a case
    first = told(town, bits("SIT", "PLC", "SUB"), gateway="L11", to="social_services")
    second = amended(town, first)
    for pushed in [(first, second)] if together else [(first,), (second,)]:
        await town.outcomes(town.field("security"), *pushed)

    assert set(await town.puts(town.supervisor("social_services"))) == {first.digest}


def _other_pack(t: Town) -> SealedReport:
    return told(t, pack=bytes(32))


def _changed(t: Town, **fields: Any) -> SealedReport:  # noqa: ANN401  # any field of a grant's item
    report = told(t)
    return with_grants(report, structs.replace(report.item.grants[0], **fields))


def _for_another(t: Town) -> SealedReport:
    return with_grants(t.report("security"), told(t).item.grants[0])


def _unnamed_slot(t: Town) -> SealedReport:
    """A grant whose seals wrap more than its document says, signed as a whole."""
    report = told(t)
    item = report.item.grants[0]
    grant = structs.replace(disclosure.read_grant(item.grant), slots=(0,))
    data = encode(grant)
    signature = report.draft.group.sign(disclosure.signature_message(data))
    return with_grants(report, structs.replace(item, grant=data, signature=signature))


def _other_seals(t: Town) -> SealedReport:
    other = make_grant(t.report("security"), {t.agencies["police"].key(): 1}, "L14", NOW)
    return _changed(t, recipients=other.recipients)


def _tests(*tests: tuple[str, bool]) -> Callable[[Town], SealedReport]:
    return lambda t: told(t, tests=[disclosure.Test(code, met=met) for code, met in tests])


REFUSED: list[tuple[str, Callable[[Town], SealedReport], tuple[str, str, str]]] = [
    ("a decided gateway", lambda t: told(t, gateway="L17"), ("refused", "not_allowed", "grant.L17")),
    ("a gateway that is none", lambda t: told(t, gateway="L99"), ("refused", "not_allowed", "grant.L99")),
    ("no test affirmed", _tests(), ("refused", "not_allowed", "grant.L14.tests")),
    ("a test denied", _tests(*((code, False) for code in L14_TESTS)), ("refused", "not_allowed", "grant.L14.tests")),
    ("a test of another gateway", _tests(("child", True)), ("refused", "not_allowed", "grant.L14.tests")),
    ("another pack", _other_pack, ("refused", "unknown_pack", "grant.pack")),
    ("another version", _for_another, ("refused", "malformed", "grant.digest")),
    (
        "a forged signature",
        lambda t: _changed(t, signature=SignKey().sign(b"")),
        ("bad_signature", "bad_signature", "grant"),
    ),
    ("other seals than the signed ones", _other_seals, ("refused", "malformed", "grant.sealed")),
    ("a wrap that it does not name", _unnamed_slot, ("refused", "malformed", "grant.slots")),
    (
        "an end before its beginning",
        lambda t: told(t, not_after=NOW - 1),
        ("refused", "out_of_range", "grant.not_before"),
    ),
    (
        "a receiver that the duty does not name",
        lambda t: told(t, to="social_services", gateway="L14"),
        ("refused", "not_allowed", "grant.L14.receivers"),
    ),
    ("nothing left", lambda t: told(t, bits("CAR")), ("refused", "not_allowed", "grant.L14.receivers")),
]


@pytest.mark.parametrize(("build", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_grant_with(town: Town, build: Callable[[Town], SealedReport], expected: tuple[str, str, str]) -> None:
    assert await town.outcomes(town.field("security"), build(town)) == [expected]
    assert all(4 not in slots(one) for one in (await town.puts(town.field("police"))).values())


async def test_a_grants_id_is_used_once(town: Town) -> None:
    name = os.urandom(16)
    first, second = told(town, grant_id=name), told(town, grant_id=name)

    outcomes = await town.outcomes(town.field("security"), first, second)

    assert outcomes == [("created", None, None), ("id_conflict", "id_conflict", "grants")]


async def test_a_grant_ends_when_it_says_so(town: Town) -> None:
    await town.outcomes(town.field("security"), told(town, not_after=NOW + 3600))
    town.clock.now += 3600

    entries = await town.entries(town.field("police"))

    assert [str(one.op) for one in entries] == ["put", "skip"]
    assert len(entries[1].digest) == 32
    assert entries[1].digest != entries[0].digest


class TestLater:
    """Grants for versions that are stored already."""

    async def test_it_is_created_once(self, town: Town) -> None:
        report = town.report("security")
        await town.outcomes(town.field("security"), report)
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        answers = [await town.push(town.field("security"), grants=[grant]) for _ in range(2)]

        assert [str(one.grants[0].outcome) for one in answers] == ["created", "duplicate"]
        assert [slots(one.put) for one in await town.entries(town.field("police")) if one.put] == [
            {0, 2, 10, 13},
            {0, 2, 4},
        ]

    async def test_it_may_come_with_its_report(self, town: Town) -> None:
        report = town.report("security")
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        answer = await town.push(town.field("security"), report, grants=[grant])

        assert [str(one.outcome) for one in (*answer.items, *answer.grants)] == ["created", "created"]

    async def test_it_waits_for_a_report_that_is_not_there(self, town: Town) -> None:
        report = town.report("security")
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        [outcome] = (await town.push(town.field("security"), grants=[grant])).grants

        assert outcome.outcome == "retry"

    async def test_it_waits_for_one_that_was_not_stored_after_all(self, town: Town) -> None:
        first = town.report("security")
        rival = town.report("security", report_id=first.manifest.report_id)
        await town.outcomes(town.field("security"), first)
        grant = encode(make_grant(rival, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        answer = await town.push(town.field("security"), rival, grants=[grant])

        assert [str(one.outcome) for one in (*answer.items, *answer.grants)] == ["id_conflict", "retry"]

    async def test_another_agency_cannot_grant(self, town: Town) -> None:
        report = town.report("security")
        await town.outcomes(town.field("security"), report)
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        [outcome] = (await town.push(town.field("police"), grants=[grant])).grants

        assert outcome.outcome == "retry"
        assert len(await town.entries(town.field("police"))) == 1

    async def test_one_of_which_nothing_is_left_is_refused_and_not_stored(self, town: Town) -> None:
        report = town.report("security")
        await town.outcomes(town.field("security"), report)
        key, name = town.agencies["police"].key(), os.urandom(16)
        empty, full = (make_grant(report, {key: one}, "L14", NOW, grant_id=name) for one in (bits("CAR"), TO_POLICE))

        answer = await town.push(town.field("security"), grants=[encode(empty), encode(empty), encode(full)])

        assert [(str(one.outcome), one.field, one.receipt is None) for one in answer.grants] == [
            ("refused", "grant.L14.receivers", True),
            ("refused", "grant.L14.receivers", True),
            ("created", None, False),
        ]

    async def test_a_broken_one_is_refused_alone(self, town: Town) -> None:
        report = town.report("security")
        await town.outcomes(town.field("security"), report)
        grant = encode(make_grant(report, {town.agencies["police"].key(): TO_POLICE}, "L14", NOW))

        answer = await town.push(town.field("security"), grants=[encode(("no", "grant")), grant])

        assert [str(one.outcome) for one in answer.grants] == ["refused", "created"]
