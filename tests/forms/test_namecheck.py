"""What looks like a person in a free text is found before it leaves; what only looks like it is left alone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas.forms import OrderIncident, Person, Place, PlaceDefect
from sluss_schemas.forms.namecheck import findings, has_text, look

from tests.forms.samples import KINDS_AND_OWNERS, NOW, canary_form

FOUND = [
    # personal numbers: with and without century, sign, and co-ordination numbers
    ("Id 19850412-1234 uppgavs.", "personal_number", "19850412-1234"),
    ("850412-1234", "personal_number", "850412-1234"),
    ("född 850412 - 1234", "personal_number", "850412 - 1234"),
    ("100412+1234 på listan", "personal_number", "100412+1234"),
    ("850472-1239 enligt kortet", "personal_number", "850472-1239"),
    ("8112189876 sa han", "personal_number", "8112189876"),
    ("198112189876", "personal_number", "198112189876"),
    # telephone numbers
    ("Ring 070-123 45 67.", "phone", "070-123 45 67"),
    ("nås på 0701234567", "phone", "0701234567"),
    ("08-123 456 78 är kontoret", "phone", "08-123 456 78"),
    ("+46 (0)70 123 45 67", "phone", "+46 (0)70 123 45 67"),
    ("call +44 20 7946 0958", "phone", "+44 20 7946 0958"),
    # e-mail and plates
    ("write to k.svensson@example.se please", "email", "k.svensson@example.se"),
    ("en grå skåpbil, ABC 123", "plate", "ABC 123"),
    ("car MLB84A drove off", "plate", "MLB84A"),
    # addresses
    ("bor på Storgatan 5 B", "address", "Storgatan 5 B"),
    ("utanför Ringvägen 112", "address", "Ringvägen 112"),
    ("lives at 12 Baker Street", "address", "12 Baker Street"),
    # names
    ("Han sålde till Petter Bergdahl i går.", "name", "Petter Bergdahl"),
    ("Kalle Svensson sålde.", "name", "Kalle Svensson"),
    ("En vän till anna svensson", "name", "anna svensson"),
    ("He met Ali Hassan there.", "name", "Ali Hassan"),
    ("Mannen heter Jocke.", "name", "Jocke"),
    ("a man called Micke, twice", "name", "Micke"),
    ("brodern Tolle var med", "name", "Tolle"),
    ("hämtade Emmas väska", "name", "Emmas"),
    ("A. Svensson kom förbi", "name", "A. Svensson"),
]
NOT_FOUND = [
    "Två män hotade ett butiksbiträde vid kiosken.",
    "Two men threatened a shop assistant at the kiosk.",
    "Vid Centrala Torget kl 21:40-22:10, ca 15-20 personer.",
    "Bråk på Nils Holgerssons väg och vid Gustav Adolfs torg.",
    "The Central Square was calm on Monday Evening",
    "Gruppen stod på Storgatan 3 personer från entrén.",
    "Olycka på länsväg 500 och riksväg 13.",
    "Ärende 0201-K12345-26, OSL 101.",
    "2026-01-15 21:40, tre timmar",
    "20 st tabletter 10 mg, 0,5 g, pris 200-300 kr",
    "9912319999 är ett ordernummer",
    "kl 07-12 varje dag",
    "Polisen och Socialtjänsten var på plats. Väktare kallades.",
    "Röda Korset delade ut kaffe i Stora Parken.",
    "",
]


@pytest.mark.parametrize(("text", "kind", "stretch"), FOUND)
def test_what_looks_like_a_person_is_found_where_it_stands(text: str, kind: str, stretch: str) -> None:
    assert [(found, text[start:end]) for found, start, end in look(text)] == [(kind, stretch)]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_ordinary_words_and_numbers_are_left_alone(text: str) -> None:
    assert list(look(text)) == []


def test_names_that_stand_among_the_persons_are_found_in_any_case_and_in_the_place() -> None:
    form = OrderIncident(
        observed_at=NOW,
        sub_kind="threat",
        situation="then TORBEN's dog barked, and svantes friend",
        place=Place(name="Torbens port", sub_place="Lars Forsells gata"),
        subject=[Person(name="Torben Ek", alias="Svante", personal_number="850412-1234")],
    )

    found = [(one.field, one.kind) for one in findings(form)]
    assert found == [("situation", "name"), ("situation", "name"), ("place.name", "name")]
    assert findings(form, parts={"SUB", "AUT"}) == ()


def test_a_place_may_be_called_by_a_street_or_by_a_person_but_by_no_number() -> None:
    form = PlaceDefect(observed_at=NOW, place=Place(name="Storgatan 5", sub_place="ring 070-123 45 67"))

    assert [(one.field, one.kind) for one in findings(form)] == [("place.sub_place", "phone")]


def test_colleagues_are_known_by_the_names_that_are_given() -> None:
    form = PlaceDefect(observed_at=NOW, situation="Anmält till Yngvild på kontoret.")

    assert findings(form) == ()
    assert [one.field for one in findings(form, names=["Yngvild Asp"])] == ["situation"]


@pytest.mark.parametrize(("kind", "owner"), KINDS_AND_OWNERS)
def test_a_finding_never_repeats_what_was_written(kind: int, owner: str) -> None:
    del owner
    form = canary_form(kind, situation="Petter Bergdahl, 850412-1234")
    found = findings(form, parts={"SIT"})

    assert {one.kind for one in found} == {"name", "personal_number"}
    assert "Petter" not in repr(found)
    assert has_text(form, {"SIT"})
    assert not has_text(form, {"SAF"})


@given(
    month=st.integers(1, 12),
    day=st.integers(1, 28),
    year=st.integers(0, 99),
    serial=st.integers(0, 999),
    coordination=st.booleans(),
)
def test_every_valid_number_of_ten_digits_is_found_and_one_with_a_wrong_check_digit_is_not(
    *, month: int, day: int, year: int, serial: int, coordination: bool
) -> None:
    nine = f"{year:02}{month:02}{day + 60 * coordination:02}{serial:03}"
    check = -sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(nine)) % 10
    kinds = [kind for kind, _, _ in look(f"x {nine}{check} y")]
    assert kinds == ["personal_number"]
    assert "personal_number" not in [kind for kind, _, _ in look(f"x {nine}{(check + 1) % 10} y")]
    assert [kind for kind, _, _ in look(f"{nine[:6]}-{nine[6:]}{(check + 1) % 10}")] == ["personal_number"]


@given(st.text(max_size=200))
def test_any_text_is_read_and_the_findings_lie_in_it_apart(text: str) -> None:
    found = list(look(text))
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    assert all(one[2] <= two[1] for one, two in itertools.pairwise(found))
