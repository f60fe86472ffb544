"""Names, ids and local times as they stand in tables."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sluss_client.mappings.values import id_of, local_time, microdegrees, slug_of
from sluss_schemas.problems import Invalid

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-01-15T21:40", "2025-01-15T20:40"),
        ("2025-07-15T21:40", "2025-07-15T19:40"),
        ("2025-07-15T7:05", "2025-07-15T05:05"),
        ("2025-7-5 7:05:09", "2025-07-05T05:05:09"),
        ("2025-07-15 07.05", "2025-07-15T05:05"),
        ("2025-07-15T24:00", "2025-07-15T22:00"),
        ("2024-12-31T24:00", "2024-12-31T23:00"),
        ("2025-07-15T21:40:10.5", "2025-07-15T19:40:10"),
        ("2025-07-15T21:40+05:00", "2025-07-15T16:40"),
        ("2025-07-15T21:40:00-0500", "2025-07-16T02:40"),
        ("2025-07-15T21:40Z", "2025-07-15T21:40"),
        # The clocks go back at three: of the two hours from two the first one, in summer time.
        ("2024-10-27T02:23", "2024-10-27T00:23"),
        ("2024-10-27T01:59", "2024-10-26T23:59"),
        ("2024-10-27T03:00", "2024-10-27T02:00"),
        # They go forward at two: half past two is what a clock says that nobody has put forward.
        ("2025-03-30T02:30", "2025-03-30T01:30"),
        ("2025-03-30T03:30", "2025-03-30T01:30"),
    ],
)
def test_a_local_time_is_one_moment(text: str, utc: str) -> None:
    assert local_time(text, STOCKHOLM).astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_zone_is_the_mappings_own() -> None:
    moment = local_time("2015-06-16T23:06:35", ZoneInfo("America/New_York"))

    assert moment.astimezone(UTC) == datetime(2015, 6, 17, 3, 6, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing_field"),
        # An hour would have to be made up.
        ("2025-07-15", "wrong_type"),
        ("yesterday", "wrong_type"),
        ("2025-02-30T10:00", "wrong_type"),
        ("2025-07-15T24:01", "wrong_type"),
        ("2025-07-15T25:00", "wrong_type"),
        ("2025-07-15T10:60", "wrong_type"),
        ("07/15/2025 10:00", "wrong_type"),
        ("9999-12-31T24:00", "wrong_type"),
        ("٢٠٢٥-07-15T10:00", "wrong_type"),
    ],
)
def test_what_is_no_time_is_refused(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        local_time(text, STOCKHOLM)

    assert (refused.value.code, refused.value.field) == (code, "observed_at")
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Stockholm", "stockholm"),
        ("Västra Götalands län", "vastra-gotalands-lan"),
        ("Upplands-Bro", "upplands-bro"),
        ("ENSKEDE GÅRD", "enskede-gard"),
        ("South Boston / South Boston Waterfront", "south-boston-south-boston-waterfront"),
        ("  Café  é ", "cafe-e"),
        ("Sønder Æbeltoft", "sonder-aebeltoft"),
        ("Ma\N{COMBINING RING ABOVE}la", "mala"),
        ("central-square", "central-square"),
        ("park_2", "park_2"),
    ],
)
def test_a_name_has_one_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug
    assert slug_of(slug) == slug


def test_two_municipalities_stay_two_scenes() -> None:
    assert {slug_of("Habo"), slug_of("Håbo"), slug_of("HÅBO")} == {"habo", "haabo"}


@pytest.mark.parametrize(("name", "code"), [("???", "wrong_type"), ("", "wrong_type"), ("a" * 65, "too_long")])
def test_what_makes_no_slug_is_refused(name: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        slug_of(name)

    assert (refused.value.code, refused.value.field) == (code, "scene")


@pytest.mark.parametrize(
    ("text", "same"), [("1,001", "1001"), ("1001", "1001"), ("12,345,678", "12345678"), ("1,0", "1,0"), ("a,1", "a,1")]
)
def test_thousands_are_not_part_of_an_id(text: str, same: str) -> None:
    assert id_of(text) == same


@pytest.mark.parametrize(("text", "micro"), [("42.355", 42355000), ("-71.064", -71064000), ("59.3293241", 59329324)])
def test_degrees_keep_every_digit_that_they_had(text: str, micro: int) -> None:
    assert microdegrees(text, "place.lat") == micro


@pytest.mark.parametrize("text", ["north", "NaN", "Infinity", "1e999999", "361", "59,33"])
def test_what_is_no_degree_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        microdegrees(text, "place.lat")

    assert (refused.value.code, refused.value.field) == ("wrong_type", "place.lat")
