"""What whoever decides is held to before anything leaves: ages to the day, and stores that were made before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client import reading
from sluss_client.crypto import SignKey
from sluss_client.disclosing import ages, excerpts
from sluss_client.disclosing.ages import Judged
from sluss_client.disclosing.material import Material
from sluss_client.replica import Hold, Received, Version
from sluss_schemas import disclosure
from sluss_schemas.agency import Device
from sluss_schemas.forms import OrderIncident, Person
from sluss_schemas.forms.base import coded_fields
from sluss_schemas.ids import Kid, PersonId, ReportId, kid_of
from sluss_schemas.policy.pack import builtin

PACK: Final = builtin()[-1]
UNDER_21, YOUNG = PACK.gateways["L03"], PACK.gateways["L04"]
ZONE: Final = ZoneInfo("Europe/Stockholm")


def at(day: date, hour: int = 12, minute: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp())


NOTED: Final = at(date(2026, 3, 1))


def judged(*persons: Person, now: int = NOTED, gateway: object = UNDER_21) -> Judged:
    return ages.judge(persons, gateway, PACK, noted=NOTED, now=now)  # type: ignore[arg-type]  # a ground of the pack


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person(age_max=20), ""),
        (Person(age_max=21), "over_age"),
        (Person(age_band="18-20"), ""),
        (Person(age_band="21-24"), "over_age"),
        (Person(age_min=16), "age_unknown"),
        (Person(name="no age"), "age_unknown"),
        (Person(age_min=16, age_max=24), "over_age"),
        # Somebody's own word about their age is no ground for a ground that permits (S23).
        (Person(age_min=16, age_max=16, age_basis="stated"), "age_unknown"),
        (Person(age_min=16, age_max=16, age_basis="estimated"), ""),
        (Person(personal_number="20050302-0000"), ""),
        (Person(personal_number="20050301-0000"), "over_age"),
        # A coordination number has sixty added to the day.
        (Person(personal_number="20050362-0000"), ""),
        (Person(personal_number="20051399-0000"), "age_unknown"),
        # The number says it, whatever the band does.
        (Person(personal_number="20100101-0000", age_basis="stated"), ""),
    ],
)
def test_a_ground_that_permits_needs_the_oldest_plausible_age_below_its_limit(person: Person, reason: str) -> None:
    assert judged(person).reason == reason


def test_one_person_who_may_be_too_old_closes_it_for_all_and_nobody_is_no_ground() -> None:
    assert judged(Person(age_max=15), Person(age_max=40)).reason == "over_age"
    assert judged().reason == "age_unknown"


def test_a_ground_that_protects_needs_only_that_somebody_may_be_young() -> None:
    assert judged(Person(name="no age"), gateway=YOUNG) == Judged()
    assert judged(Person(age_min=17, age_max=30), gateway=YOUNG) == Judged()
    assert judged(Person(age_min=18), Person(age_min=40), gateway=YOUNG).reason == "over_age"
    assert judged(Person(age_min=40), Person(age_min=12), gateway=YOUNG) == Judged()


def test_an_age_grows_by_a_year_for_every_whole_one_since_it_was_noted() -> None:
    nineteen = Person(age_max=19)
    assert judged(nineteen, now=at(date(2027, 2, 28))).reason == ""
    assert judged(nineteen, now=at(date(2027, 3, 1))).reason == ""
    assert judged(nineteen, now=at(date(2028, 3, 1))).reason == "over_age"


@given(st.dates(date(2000, 1, 1), date(2012, 12, 31)))
def test_midnight_before_the_birthday_is_the_last_second_and_each_side_of_it_agrees(born: date) -> None:
    person = Person(personal_number=f"{born:%Y%m%d}-0000")
    later = judged(person, now=at(born.replace(day=1)))
    assert later.until is not None
    end = datetime.fromtimestamp(later.until, UTC).astimezone(ZONE)
    assert (end.hour, end.minute) == (0, 0)
    assert end.year - born.year == 21
    assert judged(person, now=later.until - 1).reason == ""
    assert judged(person, now=later.until).reason == "over_age"
    assert ages.over([person], UNDER_21, PACK, noted=NOTED, now=later.until)
    assert not ages.over([person], UNDER_21, PACK, noted=NOTED, now=later.until - 1)


def test_what_an_excerpt_leaves_out_is_not_held_against_it_by_the_reader() -> None:
    assert not ages.over([Person(name="only a name")], UNDER_21, PACK, noted=NOTED, now=NOTED)
    assert ages.over([Person(age_max=21)], UNDER_21, PACK, noted=NOTED, now=NOTED)


def test_an_excerpt_of_a_situation_has_no_mark_of_the_event() -> None:
    situation = [1, NOTED, "Two men.", [3, 1, None, [], []], bytes(range(16))]
    material = Material(ReportId(bytes(16)), 1, b"", 1, b"", {}, {"SIT": situation}, {}, "", (), NOTED, NOTED, None)
    everything = ["observed_at", "situation", *(field.name for field in coded_fields(OrderIncident, "SIT"))]
    [section] = excerpts.cut(material, {"SIT": everything}).values()
    assert msgspec.msgpack.decode(section) == situation[:4]


def grant(**changes: object) -> disclosure.Grant:
    tests = tuple(disclosure.Test(one.code, met=True) for one in UNDER_21.tests)
    made = disclosure.Grant(
        1, bytes(16), bytes(32), (4,), (bytes(16),), "L03", PACK.digest, tests, bytes(32), 100, 200, bytes(32)
    )
    return msgspec.structs.replace(made, **changes)


L07: Final = tuple(disclosure.Test(one.code, met=True) for one in PACK.gateways["L07"].tests)
LIGHT: Final = disclosure.Test("offence:narcotics_own_use", met=True)
UNMET: Final = (*grant().tests[:-1], disclosure.Test(grant().tests[-1].code, met=False))


@pytest.mark.parametrize(
    ("changes", "to", "code"),
    [
        ({"tests": ()}, "person", "grant_not_allowed"),
        ({"tests": grant().tests[:-1]}, "person", "grant_not_allowed"),
        ({"tests": UNMET}, "person", "grant_not_allowed"),
        ({"gateway": "L99"}, "person", "grant_not_allowed"),
        ({"tests": (*grant().tests, LIGHT)}, "person", "grant_not_allowed"),
        ({"gateway": "L07", "tests": L07}, "person", "grant_not_allowed"),
        ({"gateway": "L07", "tests": (*L07, LIGHT)}, "person", "grant_not_allowed"),
        ({"not_after": 100}, "person", "grant_not_allowed"),
        ({}, "audience", "grant_not_allowed"),
        ({"gateway": "BASE", "tests": ()}, "person", "grant_not_allowed"),
        ({"gateway": "BASE"}, "audience", "grant_not_allowed"),
        ({"not_before": 1_000, "not_after": None}, "person", "grant_too_early"),
    ],
)
def test_a_reader_takes_no_permission_that_rests_on_nothing(
    changes: dict[str, object],
    to: str,
    code: str,
) -> None:
    with pytest.raises(reading.Alarm) as alarm:
        reading.check_grant(grant(**changes), PACK, named=to == "person", now=150)
    assert alarm.value.code == code


def test_a_reader_takes_what_was_decided_as_its_ground_asks() -> None:
    reading.check_grant(grant(), PACK, named=True, now=150)
    reading.check_grant(grant(gateway="BASE", tests=(), not_after=None), PACK, named=False, now=150)


def test_a_reader_takes_what_two_people_decide_only_with_an_approval_of_this_very_grant() -> None:
    key, general = SignKey(bytes(range(32))), grant(gateway="L09")
    device = Device(kid_of(key.public), PersonId(bytes(16)), key.public, b"", Kid(bytes(16)))
    known = {device.kid: device}
    signature = key.sign(disclosure.approval_message(general))
    approved = msgspec.structs.replace(general, approvals=(disclosure.Approval(device.kid, signature),))
    reading.check_approvals(approved, PACK, known)
    reading.check_approvals(grant(), PACK, {})

    for bad, devices in (
        (general, known),
        (approved, {}),
        (msgspec.structs.replace(approved, slots=(4, 6)), known),
        (msgspec.structs.replace(general, approvals=(disclosure.Approval(device.kid, bytes(64)),)), known),
    ):
        with pytest.raises(reading.Alarm) as alarm:
            reading.check_approvals(bad, PACK, devices)
        assert alarm.value.code == "grant_not_allowed"


class OldHold(msgspec.Struct, frozen=True, array_like=True):
    """A hold as it was written before excerpts."""

    feed: bytes
    function: str
    named: bool
    slots: int
    held: bool = False
    grant: bytes = b""
    gateway: str = ""
    not_after: int | None = None


def test_a_store_from_before_keys_and_excerpts_is_read_as_it_was() -> None:
    hold = OldHold(b"f", "field", named=False, slots=5)
    version = (b"d" * 32, 1, b"m", 2, ((0, b"zero"), (2, b"two")), (hold,), 1, 7)
    data = msgspec.msgpack.encode((b"r" * 16, b"a" * 16, (version,)))

    (read,) = msgspec.msgpack.decode(data, type=Received).versions
    assert read == Version(
        b"d" * 32, 1, b"m", 2, ((0, b"zero"), (2, b"two")), (Hold(b"f", "field", named=False, slots=5),), 1, 7
    )
    assert (read.keys, read.holds[0].excerpts, read.holds[0].whole) == ((), (), 5)
