"""What in a free text looks like a person: found on the author's device, before the text leaves the agency.

For: asking the author to move it to `subject`, or to confirm that nobody is named.
Refuses: to promise. It reads patterns, not meaning; it finds what is likely, and what it does not find the author still
answers for. What it finds it names by field and position alone and never repeats.

> INVARIANT: pure: the same form and names give the same findings, in the order of the text.

What is looked for: personal numbers (with and without century, co-ordination numbers), telephone numbers, e-mail,
number plates, street addresses outside the place, and names: of the form's own persons, of people that are given,
pairs of capitalised words, common given names, and what follows a word such as "heter" or "called".
Source: docs/secrecy-rules.md ("Free text") and B7, 25.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Literal

import msgspec

from sluss_schemas.forms import namewords
from sluss_schemas.forms.base import Declared, Form, fields, persons_of, place_of
from sluss_schemas.ids import Compartment

FindingKind = Literal["personal_number", "phone", "email", "plate", "address", "name"]

CHECKED: Final[frozenset[Compartment]] = frozenset({"SIT", "PLC", "CAR", "ENF"})
"""Parts with free text that is to hold no person data; a person belongs to `subject`, which is not checked."""
_LEAST_NAME: Final = 3


class Finding(msgspec.Struct, frozen=True):
    """Something in a text that looks like a person: where it is and what it looks like, never what it says.

    Attributes:
        field: `situation`, or `place.name`.
        compartment: the part that the field lies in.
        kind: what it looks like.
        start: where it begins in the text.
        end: where it ends.

    """

    field: str
    compartment: Compartment
    kind: FindingKind
    start: int
    end: int


def findings(
    form: Form, *, names: Collection[str] = (), parts: Collection[Compartment] | None = None
) -> tuple[Finding, ...]:
    """Return what looks like a person in a form's free texts.

    Args:
        form: what was written.
        names: names of people that are known by name, for instance colleagues.
        parts: the compartments to look at; without them all that hold free text about no person.

    """
    wanted = CHECKED if parts is None else CHECKED & frozenset(parts)
    known = frozenset(_words_of_names([*names, *_names_in(form)]))
    found: list[Finding] = []
    for field, compartment, text in texts(form):
        if compartment in wanted:
            found += [Finding(field, compartment, *one) for one in look(text, known, place=compartment == "PLC")]
    return tuple(found)


def has_text(form: Form, parts: Collection[Compartment]) -> bool:
    """Tell whether a form has free text in one of these compartments."""
    return any(compartment in parts for _, compartment, _ in texts(form))


def look(
    text: str, known: Collection[str] = frozenset(), *, place: bool = False
) -> Iterator[tuple[FindingKind, int, int]]:
    """Yield what looks like a person in one text, in its order and each stretch once; `known` are words in lower case.

    A place is named by words that look like names and addresses, so of a place's text only what cannot be a place is
    found.
    """
    taken: list[tuple[int, int]] = []
    found: list[tuple[FindingKind, int, int]] = []
    for kind, start, end in _all(text, known, place=place):
        if all(end <= other_start or start >= other_end for other_start, other_end in taken):
            taken.append((start, end))
            found.append((kind, start, end))
    yield from sorted(found, key=lambda one: one[1])


def _all(text: str, known: Collection[str], *, place: bool) -> Iterator[tuple[FindingKind, int, int]]:
    yield from _spans("email", _EMAIL, text)
    for match in _PERSONAL.finditer(text):
        if _is_personal(match):
            yield "personal_number", match.start(), match.end()
    for match in _PHONE.finditer(text):
        if _is_phone(match.group()):
            yield "phone", match.start(), match.end()
    for match in _PLATE.finditer(text):
        if match.group(1) not in namewords.NO_PLATE:
            yield "plate", match.start(), match.end()
    if not place:
        yield from _spans("address", _STREET, text)
        yield from _spans("address", _ENGLISH_STREET, text)
    yield from _names(text, known, place=place)


def _spans(kind: FindingKind, pattern: re.Pattern[str], text: str) -> Iterator[tuple[FindingKind, int, int]]:
    yield from ((kind, match.start(), match.end()) for match in pattern.finditer(text))


# numbers

_PERSONAL: Final = re.compile(
    r"(?<![\w.,])(?:(?P<century>18|19|20) ?)?(?P<yy>\d\d)(?P<mm>\d\d)(?P<dd>\d\d)"
    r"(?P<sign> ?[-+–] ?| )?(?P<last>\d{4})(?!\w)",
    re.ASCII,
)
_PHONE: Final = re.compile(
    r"(?<![\w.,:/-])(?<!\d )(?:(?:\+|00)\d{1,3}[ -]?(?:\(0\)[ -]?)?\d{1,3}|\(?0\d{1,3}\)?)"
    r"(?: ?[-/–] ?|  ?)?\d{2,3}(?:[ -]?\d{2,3}){1,3}(?!\w|[-:]\d)"
)
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}(?!\w)")
_PLATE: Final = re.compile(r"(?<!\w)([A-HJ-PR-UW-Z]{3}) ?\d\d[A-HJ-NPR-UW-Z\d](?!\w)")
_COORDINATION: Final = 60
"""Added to the day in a co-ordination number."""
_MOBILE_DIGITS: Final = 10


def _is_personal(match: re.Match[str]) -> bool:
    month, day = int(match["mm"]), int(match["dd"])
    day -= _COORDINATION if day > _COORDINATION else 0
    if not 1 <= month <= 12 or not 1 <= day <= 31:  # noqa: PLR2004 - a calendar
        return False
    # Ten digits in a row may be any number: then the check digit decides. Whoever writes a sign or the century means a
    # person, also where a digit is wrong.
    written = match["century"] is not None or (match["sign"] or "").strip() != ""
    return written or _luhn("".join(match.group("yy", "mm", "dd", "last")))


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(digits))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def _is_phone(text: str) -> bool:
    digits = "".join(one for one in text if one.isdecimal())
    if text.startswith("+") or digits.startswith("00"):
        return 9 <= len(digits) <= 16  # noqa: PLR2004 - country and number
    if digits.startswith("07"):
        return len(digits) == _MOBILE_DIGITS
    return 8 <= len(digits) <= _MOBILE_DIGITS  # noqa: PLR2004 - an area code and at least five digits


# addresses

_UPPER: Final = "A-ZÅÄÖÉÜØÆČŠŽĆĐŁ"
_LOWER: Final = "a-zåäöéüøæèáíóúñçčšžćđłğş"
_ROAD: Final = rf"(?!(?i:{'|'.join(namewords.ROADS)})\b)"
_STREET: Final = re.compile(
    rf"(?<!\w){_ROAD}[{_UPPER}{_LOWER}]{{2,30}}(?:gatan|vägen|gränd|stigen|allén|backen|gata|väg)"
    rf"\s+\d{{1,4}}(?: ?[A-Ha-h])?(?!\w)(?!\s+(?:{'|'.join(namewords.PLURALS)})\b)"
)
_ENGLISH_STREET: Final = re.compile(
    rf"(?<!\w)\d{{1,4}}[A-H]? [{_UPPER}][{_LOWER}]{{2,30}} (?:Street|Road|Avenue|Lane|Drive)(?!\w)"
)

# names

_WORD: Final = re.compile(rf"[{_UPPER}{_LOWER}]+(?:[-'’][{_UPPER}{_LOWER}]+)*")
_CAPITALISED: Final = re.compile(rf"[{_UPPER}][{_LOWER}]+(?:[-'’][{_UPPER}]?[{_LOWER}]+)*")
_CUE: Final = re.compile(
    rf"(?<!\w)(?i:{'|'.join(sorted(map(re.escape, namewords.CUES), key=len, reverse=True))})\.?[ ]+"
    rf"[\"”“'«]?(?P<name>[{_UPPER}][{_LOWER}]+)"
)
_INITIAL: Final = re.compile(rf"(?<!\w)[{_UPPER}]\. ?(?P<name>[{_UPPER}][{_LOWER}]{{2,}})(?!\w)")
_STREET_AFTER: Final = re.compile(rf"(?: [{_UPPER}]?[{_LOWER}]+)? (?i:{'|'.join(namewords.STREETS)})(?!\w)")


def _names(text: str, known: Collection[str], *, place: bool) -> Iterator[tuple[FindingKind, int, int]]:
    words = list(_WORD.finditer(text))
    after = [(words[index], words[index + 1]) for index in range(len(words) - 1)]
    for one, two in after:
        if _adjacent(text, one, two) and _is_pair(text, one, two, place=place) and not _names_a_street(text, two.end()):
            yield "name", one.start(), two.end()
    for word in words:
        given = not place and _is_given(word.group()) and not _names_a_street(text, word.end())
        if given or _is_known(word.group(), known):
            yield "name", word.start(), word.end()
    if place:
        return
    for match in _CUE.finditer(text):
        if _may_be_name(match["name"]):
            yield "name", match.start("name"), match.end("name")
    for match in _INITIAL.finditer(text):
        if _may_be_name(match["name"]):
            yield "name", match.start(), match.end()


def _adjacent(text: str, one: re.Match[str], two: re.Match[str]) -> bool:
    return text[one.end() : two.start()] == " "


def _names_a_street(text: str, end: int) -> bool:
    """Tell whether a street or a square is called by the name that ends here."""
    return _STREET_AFTER.match(text, end) is not None


def _is_pair(text: str, one: re.Match[str], two: re.Match[str], *, place: bool) -> bool:
    first, second = one.group(), two.group()
    if _plain(first) in namewords.GIVEN and (_is_surname(second) or _CAPITALISED.fullmatch(second)):
        # Also in small letters, if what follows is unmistakable; a place may be named after somebody.
        follows_place = place and text[two.end() :].lstrip(" ")[:1].isalpha()
        return (_is_surname(second) or _may_be_name(second)) and not follows_place
    if place or not (_CAPITALISED.fullmatch(first) and _CAPITALISED.fullmatch(second)):
        return False
    return _may_be_name(first) and _may_be_name(second)


def _is_known(word: str, known: Collection[str]) -> bool:
    # "Kalles" is Kalle's; nobody writes the apostrophe in Swedish.
    plain = word.casefold()
    return plain in known or _plain(word) in known


def _is_given(word: str) -> bool:
    return word[:1].isupper() and _plain(word) in namewords.GIVEN


def _plain(word: str) -> str:
    plain = word.casefold()
    short = plain.removesuffix("s").removesuffix("'").removesuffix("’")
    return plain if plain in namewords.GIVEN or len(short) < _LEAST_NAME else short


def _is_surname(word: str) -> bool:
    plain = word.casefold()
    plain = plain if plain.endswith(namewords.SURNAME_ENDINGS) else plain.removesuffix("s")
    return word[:1].isalpha() and len(plain) > 4 and plain.endswith(namewords.SURNAME_ENDINGS)  # noqa: PLR2004 - "Olson"


def _may_be_name(word: str) -> bool:
    plain = word.casefold().rstrip(".")
    return plain not in namewords.NO_NAME and not plain.endswith(namewords.PLACE_ENDINGS) and len(plain) > 1


def _names_in(form: Form) -> Iterator[str]:
    for person in persons_of(form):
        yield from (text for text in (person.name, person.alias) if text)


def _words_of_names(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from (
            word.group().casefold()
            for word in _WORD.finditer(name)
            if len(word.group()) >= _LEAST_NAME and word.group().casefold() not in namewords.NO_NAME
        )


def texts(form: Form) -> Iterator[tuple[str, Compartment, str]]:
    """Yield every free text with its field and compartment; persons are no free text."""
    for field in fields(type(form)):
        value = getattr(form, field.name)
        if field.kind_of_value == "text" and isinstance(value, str):
            yield field.name, field.compartment, value
    place: Declared | None = place_of(form)
    if place is not None:
        for field in fields(type(place)):
            value = getattr(place, field.name)
            if field.kind_of_value == "text" and isinstance(value, str):
                yield f"place.{field.name}", field.compartment, value
