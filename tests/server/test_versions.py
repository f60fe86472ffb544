"""Versions of a report: amendments, forks, what resolves them, and what an amendment takes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sluss_schemas import sync
from sluss_schemas.codec import encode

from tests.server.sealer import make_grant, with_grants
from tests.server.town import NOW, Town, amended, bits

SECURITY = "security"
SECRET_DUTY = "L11"
"""What health staff must tell social services of, also where the report's kind is secret."""


async def ops(town: Town, slug: str) -> list[tuple[str, bytes]]:
    return [(str(one.op), one.digest) for one in await town.entries(town.field(slug))]


async def kinds(town: Town, agency: str) -> list[str]:
    return [op for op, _ in await ops(town, agency)]


async def test_a_parent_may_stand_earlier_in_the_same_push(town: Town) -> None:
    first = town.report(SECURITY)
    second = amended(town, first)
    third = amended(town, second)

    outcomes = await town.outcomes(town.field(SECURITY), first, second, third)

    assert [one[0] for one in outcomes] == ["created"] * 3


async def test_a_parent_that_comes_later_is_waited_for(town: Town) -> None:
    first = town.report(SECURITY)
    second = amended(town, first)

    early = await town.outcomes(town.field(SECURITY), second, first)
    again = await town.outcomes(town.field(SECURITY), second)

    assert [one[0] for one in (*early, *again)] == ["retry", "created", "created"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"version": 3}, ("refused", "malformed", "manifest.version")),
        ({"kind": 12}, ("refused", "malformed", "manifest.kind")),
        ({"report_id": bytes(16)}, ("retry", None, "manifest.parents")),
        ({"parents": ()}, ("refused", "malformed", "manifest.parents")),
    ],
    ids=["a number too far", "another kind", "another report", "no parent"],
)
async def test_an_amendment_must_follow(
    town: Town, more: dict[str, Any], expected: tuple[str, str | None, str | None]
) -> None:
    first = town.report(SECURITY)
    await town.outcomes(town.field(SECURITY), first)

    assert await town.outcomes(town.field(SECURITY), amended(town, first, **more)) == [expected]


async def test_two_amendments_of_one_version_are_both_kept(town: Town) -> None:
    first = town.report(SECURITY)
    rivals = [amended(town, first), amended(town, first)]

    outcomes = await town.outcomes(town.field(SECURITY), first, *rivals)

    assert [one[0] for one in outcomes] == ["created", "created", "forked"]
    assert {one.digest for one in rivals} <= set(await town.puts(town.field("police")))


async def test_of_rivals_at_once_one_is_created_and_the_others_fork(town: Town) -> None:
    first = town.report(SECURITY)
    await town.outcomes(town.field(SECURITY), first)
    rivals = [amended(town, first) for _ in range(8)]

    answers = await asyncio.gather(*(town.outcomes(town.field(SECURITY), one) for one in rivals))

    assert sorted(one[0][0] for one in answers) == ["created"] + ["forked"] * 7


async def test_a_version_with_two_parents_resolves_a_fork(town: Town) -> None:
    first = town.report(SECURITY)
    left, right = amended(town, first), amended(town, first)
    await town.outcomes(town.field(SECURITY), first, left, right)
    both = amended(town, left, right)

    resolved = await town.outcomes(town.field(SECURITY), both)
    after = await town.outcomes(town.field(SECURITY), amended(town, both), amended(town, left))

    assert [one[0] for one in (*resolved, *after)] == ["created", "created", "forked"]


async def test_an_outdated_parent_forks_also_long_after(town: Town) -> None:
    first = town.report(SECURITY)
    second = amended(town, first)
    await town.outcomes(town.field(SECURITY), first, second)
    await town.close()
    await town.open()

    assert [one[0] for one in await town.outcomes(town.field(SECURITY), amended(town, first))] == ["forked"]


async def test_a_changed_scene_is_a_drop_and_a_put(town: Town) -> None:
    first = town.report(SECURITY, scene=1)
    second = amended(town, first, scene=2)
    await town.outcomes(town.field(SECURITY), first, second)

    # Whoever comes later is not given what was taken back before.
    assert await kinds(town, "police") == ["skip", "drop", "put"]
    assert (await ops(town, "police"))[1:] == [("drop", first.digest), ("put", second.digest)]
    assert set(await town.puts(town.field("police"))) == {second.digest}


async def test_a_reader_who_loses_the_report_gets_a_drop_and_the_others_none(town: Town) -> None:
    own = town.agencies[SECURITY].key()
    first = town.report(SECURITY)
    second = amended(town, first, readers={own: bits("SIT", "PLC")})
    await town.outcomes(town.field(SECURITY), first, second)

    assert await kinds(town, "police") == ["skip", "drop"]
    assert (await ops(town, "police"))[1:] == [("drop", first.digest)]
    assert await ops(town, SECURITY) == [("put", first.digest), ("put", second.digest)]


async def test_what_is_taken_back_is_every_earlier_version(town: Town) -> None:
    first = town.report(SECURITY)
    second = amended(town, first)
    third = amended(town, second, readers={town.agencies[SECURITY].key(): bits("SIT")})
    await town.outcomes(town.field(SECURITY), first, second)
    await town.outcomes(town.field(SECURITY), third)

    assert (await ops(town, "police"))[2:] == [("drop", first.digest), ("drop", second.digest)]


async def test_what_was_taken_back_once_is_not_taken_back_again(town: Town) -> None:
    readers = {town.agencies[SECURITY].key(): bits("SIT")}
    first = town.report(SECURITY)
    second = amended(town, first, readers=readers)
    third = amended(town, second, readers=readers)
    for one in (first, second, third):
        await town.outcomes(town.field(SECURITY), one)

    assert await kinds(town, "police") == ["skip", "drop"]
    assert (await ops(town, "police"))[1:] == [("drop", first.digest)]


async def test_a_reader_who_is_added_gets_the_new_version_alone(town: Town) -> None:
    first = town.report(SECURITY, readers={town.agencies[SECURITY].key(): bits("SIT")})
    second = amended(town, first)
    await town.outcomes(town.field(SECURITY), first, second)

    assert await ops(town, "police") == [(str(sync.Op.PUT), second.digest)]


class TestAnothersId:
    """A report id is 128 random bits: only a reader knows another agency's, and only a reader is told of it."""

    @pytest.mark.parametrize("amend", [False, True])
    async def test_is_refused_to_an_agency_that_was_given_the_report(self, town: Town, amend: bool) -> None:  # noqa: FBT001  # a case
        first = town.report(SECURITY)
        await town.outcomes(town.field(SECURITY), first)
        if amend:
            own = {town.agencies[SECURITY].key(): bits("SIT", "PLC")}
            await town.outcomes(town.field(SECURITY), amended(town, first, readers=own))
        rival = town.report("police", report_id=first.manifest.report_id)

        assert await town.outcomes(town.field("police"), rival) == [
            ("id_conflict", "id_conflict", "manifest.report_id")
        ]
        assert rival.digest not in await town.puts(town.field("health"))

    async def test_also_to_one_that_a_grant_gave_it(self, town: Town) -> None:
        report = town.report(SECURITY, readers={town.agencies[SECURITY].key(): bits("SIT", "PLC", "SUB")})
        grant = make_grant(report, {town.agencies["police"].key(): bits("SIT", "PLC", "SUB")}, "L14", NOW)
        rival = town.report("police", report_id=report.manifest.report_id)
        await town.outcomes(town.field(SECURITY), report)
        assert [str(one.outcome) for one in (await town.push(town.field(SECURITY), grants=[encode(grant)])).grants] == [
            "created"
        ]

        assert (await town.outcomes(town.field("police"), rival))[0][0] == "id_conflict"

    async def test_is_no_matter_to_an_agency_that_was_never_given_it(self, town: Town) -> None:
        first = town.report(SECURITY, readers={town.agencies[SECURITY].key(): bits("SIT", "PLC")})
        await town.outcomes(town.field(SECURITY), first)
        rival = town.report("police", report_id=first.manifest.report_id)

        assert await town.outcomes(town.field("police"), rival) == [("created", None, None)]
        # And each goes on with its own.
        assert await town.outcomes(town.field(SECURITY), amended(town, first)) == [("created", None, None)]

    async def test_tells_nothing_of_a_kind_that_is_secret(self, town: Town) -> None:
        to = town.agencies["social_services"]
        secret = town.report("health", kind=0)
        grant = make_grant(secret, {to.key("supervisors"): bits("SIT", "SUB")}, SECRET_DUTY, NOW)
        answer = await town.push(town.field("health"), with_grants(secret, grant))
        assert [str(one.outcome) for one in answer.items] == ["created"]
        assert secret.digest in await town.puts(town.supervisor("social_services"))
        rival = town.report("social_services", report_id=secret.manifest.report_id)

        assert await town.outcomes(town.field("social_services"), rival) == [("created", None, None)]

    async def test_is_refused_in_one_transaction_too(self, town: Town) -> None:
        first = town.report(SECURITY)
        rival = town.report("police", report_id=first.manifest.report_id)

        answers = await asyncio.gather(
            town.outcomes(town.field(SECURITY), first), town.outcomes(town.field("police"), rival)
        )

        assert [one[0][0] for one in answers] == ["created", "id_conflict"]
