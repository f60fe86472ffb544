"""What happens to people: who comes, changes, leaves or loses a telephone, as entries and on real devices.

The rules are held against a directory that replays every entry; then a town shows that they take effect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Invalid, Refused, forms
from sluss_client.agency import lifecycle
from sluss_client.agency.lifecycle import Change
from sluss_client.local import Local
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas import directory as d
from sluss_schemas.agency import Person
from sluss_schemas.ids import Function
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.pack import builtin

from tests.device.chain import START, Agency

FULL = builtin()[-1]
DAY = 86_400


def newcomers(history: Literal["full", "from_join"]) -> Pack:
    """Return the pack with this rule for what a newcomer to an audience gets."""
    rule: dict[Function, Literal["full", "from_join"]] = dict.fromkeys(FULL.parameters.history, history)
    return msgspec.structs.replace(FULL, parameters=msgspec.structs.replace(FULL.parameters, history=rule))


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    """An agency with one registrar, who is in no audience."""
    built = Agency(tmp_path)
    built.device(registrar=True)
    yield built
    built.close()


def person(agency: Agency, local: Local) -> Person:
    """Return the person of a device as the directory has them now."""
    return agency.directory.persons[local.person.person]


def member(agency: Agency, local: Local) -> set[Function]:
    """Return the functions whose audiences a device is in."""
    return {one.function for one in agency.directory.audiences.values() if local.keys.kid in one.members}


# the rules


def test_who_leaves_loses_every_device_and_every_audience_at_once(agency: Agency) -> None:
    first = agency.device("field", "supervisors")
    second = agency.device("field", person=first.person.person)
    colleague = agency.device("field")

    agency.append(*lifecycle.leave(agency.directory, first.person.alias, agency.now))

    devices = agency.directory.devices
    assert [devices[one.keys.kid].revoked_at is None for one in (first, second, colleague)] == [False, False, True]
    assert person(agency, first).suspended
    assert [member(agency, one) for one in (first, second, colleague)] == [set(), set(), {"field"}]
    field = agency.audience("field")
    assert field.left == {first.keys.kid, second.keys.kid}
    assert person(agency, first).person not in field.history


@pytest.mark.parametrize(("history", "first"), [("full", 1), ("from_join", 3)])
def test_a_newcomer_gets_what_the_pack_says_and_a_second_device_what_its_person_has(
    agency: Agency, history: Literal["full", "from_join"], first: int
) -> None:
    anna = agency.device("field")
    agency.rotate("field", anna)
    from_the_second_on = agency.device("field", from_epoch=2)
    agency.rotate("field", anna)
    new, again = agency.device(), agency.device(person=from_the_second_on.person.person)

    for device in (new, again):
        whom = device.person.person
        bodies = lifecycle.joins(agency.directory, device.keys.kid, whom, ["field"], newcomers(history))
        assert bodies == [
            d.MemberAdd(agency.audience("field").audience, device.keys.kid, first if device is new else 2)
        ]


def test_in_an_audience_without_an_epoch_history_begins_with_the_first(agency: Agency) -> None:
    anna = agency.device()
    (body,) = lifecycle.joins(agency.directory, anna.keys.kid, anna.person.person, ["field"], newcomers("from_join"))
    assert isinstance(body, d.MemberAdd)
    assert body.from_epoch == 1


def test_audiences_follow_the_functions(agency: Agency) -> None:
    anna = agency.device("field")
    alias = anna.person.alias

    def becomes(*functions: Function) -> set[Function]:
        to = Change(functions=functions)
        agency.append(*lifecycle.change(agency.directory, alias, to, FULL, agency.now))
        assert person(agency, anna).functions == tuple(sorted(functions))
        return member(agency, anna)

    assert becomes("supervisors", "field") == {"field", "supervisors"}
    assert becomes("supervisors") == {"supervisors"}
    assert becomes() == set()
    assert becomes("field") == {"field"}
    # This agency receives no reports of concern.
    with pytest.raises(Invalid, match="unknown_code"):
        becomes("reception")


def test_what_is_not_said_stays_as_it_was(agency: Agency) -> None:
    anna = agency.device("field")
    alias, end = anna.person.alias, agency.now + DAY

    def after(to: Change) -> tuple[object, ...]:
        agency.append(*lifecycle.change(agency.directory, alias, to, FULL, agency.now))
        found = person(agency, anna)
        return found.functions, found.scenes, found.valid_until, member(agency, anna)

    assert after(Change(scenes=(2, 3))) == (("field",), {2, 3}, None, {"field"})
    assert after(Change(valid_until=end)) == (("field",), {2, 3}, end, {"field"})
    assert after(Change(functions=("supervisors",))) == (("supervisors",), {2, 3}, end, {"supervisors"})
    assert after(Change(all_scenes=True)) == (("supervisors",), None, end, {"supervisors"})


@pytest.mark.parametrize(
    "to",
    [
        Change(scenes=(1,)),
        Change(all_scenes=True),
        Change(functions=("supervisors",)),
        Change(valid_until=START + 99 * DAY),
    ],
)
def test_a_change_gives_a_suspended_person_no_right_back_and_resume_gives_the_changed_ones(
    agency: Agency, to: Change
) -> None:
    anna = agency.device("field")
    alias = anna.person.alias
    agency.append(*lifecycle.suspend(agency.directory, alias, agency.now))

    agency.append(*lifecycle.change(agency.directory, alias, to, FULL, agency.now))

    assert person(agency, anna).suspended
    assert member(agency, anna) == set()
    agency.append(*lifecycle.resume(agency.directory, alias, FULL, agency.now))
    assert not person(agency, anna).suspended
    assert member(agency, anna) == set(to.functions or ("field",))


def test_after_the_last_day_a_person_is_in_no_audience_and_a_later_last_day_brings_them_back(agency: Agency) -> None:
    anna, colleague = agency.device("field", "supervisors"), agency.device("field")
    alias, end = anna.person.alias, agency.now + DAY
    agency.append(*lifecycle.change(agency.directory, alias, Change(valid_until=end), FULL, agency.now))
    assert lifecycle.expired(agency.directory, end - 1) == []

    agency.append(*lifecycle.expired(agency.directory, end))

    assert (member(agency, anna), member(agency, colleague)) == (set(), {"field"})
    assert lifecycle.expired(agency.directory, end) == []
    # Neither a new function nor `resume` makes a member of somebody whose time is over.
    with_functions = lifecycle.change(agency.directory, alias, Change(functions=("field",)), FULL, end)
    assert [type(body) for body in with_functions] == [d.PersonAdd]
    with pytest.raises(Invalid) as problem:
        lifecycle.resume(agency.directory, alias, FULL, end)
    assert (problem.value.code, problem.value.field) == ("out_of_range", "until")
    agency.append(*lifecycle.change(agency.directory, alias, Change(valid_until=end + DAY), FULL, end))
    assert member(agency, anna) == {"field", "supervisors"}


def test_one_device_is_named_by_its_persons_alias_or_by_the_beginning_of_its_id(agency: Agency) -> None:
    anna, other = agency.device("field"), agency.device("field")
    alias, kid = anna.person.alias, anna.keys.kid
    assert lifecycle.device_of(agency.directory, alias).kid == kid
    again = agency.device("field", person=anna.person.person)
    for whom, code in (
        (alias, "out_of_range"),
        ("", "unknown_alias"),
        (kid.hex()[:5], "unknown_alias"),
        ("S-99", "unknown_alias"),
        ("00" * 16, "unknown_alias"),
    ):
        with pytest.raises(Invalid) as problem:
            lifecycle.device_of(agency.directory, whom)
        assert problem.value.code == code, whom
    assert lifecycle.device_of(agency.directory, kid.hex()[:12].upper()).kid == kid

    agency.append(*lifecycle.revoke(agency.directory, kid.hex(), "lost", agency.now))

    # What is revoked is not meant any more.
    assert lifecycle.device_of(agency.directory, alias).kid == again.keys.kid
    with pytest.raises(Invalid, match="unknown_alias"):
        lifecycle.revoke(agency.directory, kid.hex(), "lost", agency.now)
    agency.append(*lifecycle.leave(agency.directory, other.person.alias, agency.now))
    with pytest.raises(Invalid, match="Every device of this person was revoked"):
        lifecycle.device_of(agency.directory, other.person.alias)


ENDS: dict[str, Callable[[Agency, str], list[d.Body]]] = {
    "leave": lambda agency, alias: lifecycle.leave(agency.directory, alias, agency.now),
    "suspend": lambda agency, alias: lifecycle.suspend(agency.directory, alias, agency.now),
    "revoke": lambda agency, alias: lifecycle.revoke(agency.directory, alias, "stolen", agency.now),
    "a last day": lambda agency, alias: lifecycle.change(
        agency.directory, alias, Change(valid_until=agency.now + 9 * DAY), FULL, agency.now
    ),
    "a last day that has passed": lambda agency, alias: lifecycle.change(
        agency.directory, alias, Change(valid_until=agency.now - DAY), FULL, agency.now
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_last_registrar_who_may_act_cannot_go_before_another_one_is_named(agency: Agency, how: str) -> None:
    only, anna = agency.locals[0].person.alias, agency.device("field")

    def refused() -> bool:
        try:
            ENDS[how](agency, only)
        except Invalid as problem:
            assert problem.code == "last_registrar"  # noqa: PT017  # nothing else may be said
            return True
        return False

    assert refused()
    assert ENDS[how](agency, anna.person.alias)
    agency.append(d.RegistrarAdd(anna.keys.sign.public))
    assert not refused()
    # Somebody whose own last day comes first will not be there to act.
    end = agency.now + DAY
    agency.append(*lifecycle.change(agency.directory, anna.person.alias, Change(valid_until=end), FULL, agency.now))
    agency.now = end
    assert refused()
    agency.device(registrar=True)
    assert not refused()


def test_custodians_are_three_devices_of_three_persons(agency: Agency) -> None:
    first, second, third = (agency.device() for _ in range(3))
    again = agency.device(person=third.person.person)
    aliases = [one.person.alias for one in (first, second)]

    agency.append(*lifecycle.custodians(agency.directory, [*aliases, third.keys.kid.hex()[:8]]))

    assert agency.directory.custodians == tuple(one.keys.kid for one in (first, second, third))
    for whom, code in (
        (aliases, "out_of_range"),
        ([*aliases, third.person.alias], "out_of_range"),
        ([*aliases, "S-99"], "unknown_alias"),
    ):
        with pytest.raises(Invalid) as problem:
            lifecycle.custodians(agency.directory, whom)
        assert problem.value.code == code
    same = lifecycle.custodians(agency.directory, [aliases[0], third.keys.kid.hex()[:8], again.keys.kid.hex()[:8]])
    with pytest.raises(Invalid, match="directory_refused"):
        agency.append(*same)


# on real devices


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Guards on a real server."""
    async with Town(agencies=("security",)) as built:
        yield built


async def synced(*devices: Device) -> None:
    for device in devices:
        await device.sync()


def epochs(device: Device) -> int:
    audience = device.local.trust.own.audience_for("field")
    assert audience is not None
    return len(audience.epochs)


def situations(device: Device) -> set[str]:
    return {str(report.situation) for report in device.reports()}


def file(town: Town, device: Device, situation: str) -> None:
    seen = town.clock.now() - timedelta(minutes=5)
    device.file(
        forms.OrderIncident(
            scene="central-square", observed_at=seen, sub_kind="threat", severity=2, situation=situation
        )
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_the_group_has_a_new_key_at_once_when_somebody_leaves(town: Town) -> None:
    founder, anna = town.founders["security"], await town.device("security")
    before, alias = epochs(founder), anna.alias

    await founder.registrar.leave(alias)
    await founder.sync()

    assert epochs(founder) == before + 1
    file(town, founder, "after she left")
    await founder.sync()
    with pytest.raises(Refused) as refused:
        await anna.sync()
    assert refused.value.code == "wiped"
    # Said again, for the answer may have been lost, it is still true and nothing breaks.
    await founder.registrar.leave(alias)
    with pytest.raises(Invalid, match="not_allowed"):
        await founder.registrar.invite_again(alias)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_registrars_sync_ends_what_is_over_and_a_later_last_day_brings_it_all_back(town: Town) -> None:
    founder, anna = town.founders["security"], await town.device("security")
    await founder.registrar.change(anna.alias, valid_until=int(town.clock.now().timestamp()) + DAY)
    await synced(founder, anna)
    before = epochs(founder)
    town.clock.advance(days=2)

    await founder.sync()

    assert epochs(founder) == before + 1
    with pytest.raises(Refused) as refused:
        await anna.sync()
    assert refused.value.code == "not_allowed"
    with pytest.raises(Invalid, match="not_allowed"):
        await founder.registrar.invite_again(anna.alias)
    file(town, founder, "while she was away")
    await founder.sync()

    await founder.registrar.change(anna.alias, valid_until=int(town.clock.now().timestamp()) + DAY)
    await synced(founder, anna, founder, anna)

    assert "while she was away" in situations(anna)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_suspended_person_is_refused_until_they_are_resumed_whatever_else_is_changed(town: Town) -> None:
    founder, anna = town.founders["security"], await town.device("security")

    await founder.registrar.suspend(anna.alias)
    await founder.registrar.change(anna.alias, scenes=["central-square"])
    await founder.sync()

    with pytest.raises(Refused) as refused:
        await anna.sync()
    assert refused.value.code == "not_allowed"
    file(town, founder, "while she was suspended")
    await founder.sync()
    await founder.registrar.resume(anna.alias)
    await synced(founder, anna, founder, anna)
    assert "while she was suspended" in situations(anna)
    assert anna.local.person.scenes is not None


@pytest.mark.asyncio(loop_scope="module")
async def test_another_device_has_its_persons_id_functions_scenes_and_history(town: Town) -> None:
    founder, lost = town.founders["security"], await town.device("security", "field", ["central-square"])
    file(town, lost, "before it was lost")
    await synced(lost, founder)
    await founder.registrar.revoke(lost.alias, "lost")

    new = await town.replace(lost)

    assert new.local.person == lost.local.person
    assert (new.alias, new.functions) == (lost.alias, ("field",))
    field = founder.local.trust.own.audience_for("field")
    assert field is not None
    assert field.members[new.local.keys.kid] == field.history[lost.person_id]
    assert "before it was lost" in situations(new)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_code_that_was_given_before_does_not_let_in_who_has_been_suspended_since(town: Town) -> None:
    founder, anna = town.founders["security"], await town.device("security")
    code = await founder.registrar.invite_again(anna.alias)
    await founder.registrar.suspend(anna.alias)

    async with await Device.enrol(town.folder / "late.sluss", code, PASSPHRASE) as late:
        await founder.sync()

        assert late.local.keys.kid not in founder.local.trust.own.devices
        assert "not_allowed" in {alarm for _, alarm in founder.local.alarms()}
