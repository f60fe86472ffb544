"""The words of pages: English where they are written, Swedish from the catalogue, numbers and dates by Babel.

What has no Swedish is said in English; a test sees to it that nothing has none.
The catalogue is text in the repository and read when the first page is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final, Protocol

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, get_timezone
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from typing_extensions import override

from sluss_server.aggregates.cells import date_of, days_of
from sluss_server.web.asking import Language

CATALOGUES: Final = Path(__file__).parent / "locale"
# Dates are written as each country writes them, also in English.
_LOCALES: Final[dict[Language, str]] = {"sv": "sv_SE", "en": "en_GB"}


class Labelled(Protocol):
    """What a pack gives a name in both languages."""

    @property
    def en(self) -> str:
        """In English."""

    @property
    def sv(self) -> str:
        """In Swedish."""


class Registered(Protocol):
    """What a directory gives a name in both languages."""

    @property
    def label_en(self) -> str:
        """In English."""

    @property
    def label_sv(self) -> str:
        """In Swedish."""


class Catalogue(NullTranslations):
    """One language's texts, by the English ones."""

    def __init__(self, texts: dict[str, tuple[str, ...]], plural: Callable[[int], int]) -> None:
        """Take the texts; one with a plural has several."""
        super().__init__()
        self._texts = texts
        self._plural = plural

    @override
    def gettext(self, message: str) -> str:
        """Return a text."""
        return self._texts.get(message, (message,))[0]

    @override
    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the text for a number."""
        found = self._texts.get(msgid1)
        return found[self._plural(n)] if found else super().ngettext(msgid1, msgid2, n)


class Words:
    """What says things in one language."""

    def __init__(self, lang: Language) -> None:
        """Read the language's catalogue."""
        self.lang: Final = lang
        self._locale: Final = Locale.parse(_LOCALES[lang])
        self.catalogue: Final = _catalogue(lang)

    def text(self, message: str) -> str:
        """Return a text that was marked where it stands in the code."""
        return self.catalogue.gettext(message)

    def label(self, thing: Labelled | Registered) -> str:
        """Return what a pack or a directory calls something."""
        name = self.lang if hasattr(thing, self.lang) else f"label_{self.lang}"
        return str(getattr(thing, name))

    def number(self, value: float) -> str:
        """Return `1 234,5` or `1,234.5`."""
        return format_decimal(value, locale=self._locale)

    def percent(self, share: float) -> str:
        """Return a share of one as `12 %` or `12%`."""
        return format_percent(share, locale=self._locale)

    def date(self, day: date | int, form: str = "long") -> str:
        """Return a date, given as such or counted from 1970-01-01."""
        return format_date(date_of(day) if isinstance(day, int) else day, form, locale=self._locale)

    def time(self, at: int, zone: str) -> str:
        """Return a Unix time as date and time in a zone."""
        return format_datetime(datetime.fromtimestamp(at, UTC), "medium", get_timezone(zone), locale=self._locale)

    def week(self, week: int) -> str:
        """Return `vecka 47, från 16 nov. 2026` or `week 47, from 16 Nov 2026`: the number and the Monday."""
        monday = date_of(days_of(week)[0])
        named = self.text("week {number}, from {monday}")
        return named.format(number=monday.isocalendar().week, monday=format_date(monday, "medium", locale=self._locale))

    def monday(self, week: int) -> str:
        """Return `v. 47, 16 nov.` or `week 47, 16 Nov`, for a line of a table."""
        day = date_of(days_of(week)[0])
        said = format_skeleton("dMMM", day, locale=self._locale)
        return self.text("week {number}, {monday}").format(number=day.isocalendar().week, monday=said)


@cache
def words(lang: Language) -> Words:
    """Return what says things in a language."""
    return Words(lang)


def _catalogue(lang: Language) -> Catalogue:
    path = CATALOGUES / f"{lang}.po"
    if not path.exists():
        # The texts' own language.
        return Catalogue({}, lambda _number: 0)
    with path.open("rb") as file:
        read = read_po(file, locale=_LOCALES[lang])
    texts = dict[str, tuple[str, ...]]()
    for message in read:
        if message.id and message.string:
            key = message.id if isinstance(message.id, str) else message.id[0]
            texts[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return Catalogue(texts, lambda number: int(number != 1))
