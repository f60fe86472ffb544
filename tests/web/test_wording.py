"""Whatever a page says it says in Swedish and in English."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po
from jinja2 import UndefinedError

from sluss_server.web import pages, wording
from sluss_server.web.wording import words

WEB: Final = Path(pages.__file__).parent
CATALOGUE: Final = WEB / "locale" / "sv.po"


def written() -> Iterator[tuple[str, ...]]:
    """Yield every text of templates and code, in English; one with a plural as two."""
    for path in sorted(WEB.rglob("*.html")):
        for _, found, _, _ in extract_from_file("jinja2.ext:babel_extract", path, options={"trimmed": "true"}):
            yield (found,) if isinstance(found, str) else tuple(one for one in found if one)
    for path in sorted(WEB.rglob("*.py")):
        for _, found, _, _ in extract_from_file("python", path, keywords={"mark": None, "text": None}):
            yield (found,) if isinstance(found, str) else tuple(found)


def swedish() -> dict[tuple[str, ...], tuple[str, ...]]:
    with CATALOGUE.open("rb") as file:
        read = [message for message in read_po(file, locale="sv", abort_invalid=True) if message.id]
    return {
        (message.id,) if isinstance(message.id, str) else tuple(message.id): (message.string,)
        if isinstance(message.string, str)
        else tuple(message.string or ())
        for message in read
    }


def test_every_text_has_its_swedish() -> None:
    known = swedish()
    missing = sorted({text for text in written() if not all(known.get(text, ("",)))})

    # As lines that can be put into the catalogue.
    assert missing == [], "\n" + "\n".join(f'msgid "{text[0]}"\nmsgstr ""\n' for text in missing)


def test_nothing_is_translated_that_is_nowhere_said() -> None:
    assert sorted(set(swedish()) - set(written())) == []


def test_nothing_is_translated_twice() -> None:
    text = CATALOGUE.read_text(encoding="utf-8")
    counted = Counter(re.findall(r'^msgid "(.+)"$', text, flags=re.MULTILINE))

    assert [one for one, times in counted.items() if times > 1] == []


def test_a_translation_has_the_places_of_its_original_and_no_others() -> None:
    for original, translated in swedish().items():
        for text in translated:
            places = [sorted(re.findall(r"%\(\w+\)s|\{\w+\}", one)) for one in (original[-1], text)]
            assert places[0] == places[1], original


def test_no_template_says_anything_that_is_not_marked() -> None:
    for path in sorted(WEB.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        for markup in (r"{%-? *trans.*?endtrans *-?%}", r"{%.*?%}", r"{{.*?}}", r"{#.*?#}", r"<[^>]*>"):
            text = re.sub(markup, " ", text, flags=re.DOTALL)
        assert re.findall(r"[A-Za-zÅÄÖåäö]{2,}", html.unescape(text).replace("Sluss", "")) == [], path.name


def test_a_template_that_asks_for_what_it_was_not_given_is_a_fault() -> None:
    template = pages.environment_of("sv").from_string("{{ nothing }}")

    with pytest.raises(UndefinedError, match="nothing"):
        template.render()


def test_what_a_template_says_is_escaped_also_in_a_translated_text() -> None:
    template = pages.environment_of("sv").from_string('{{ name }} {{ _("Status %(status)s", status=name) }}')

    assert "<b>" not in template.render(name="<b>")


def test_numbers_and_weeks_are_each_languages() -> None:
    assert words("sv").number(1234567.5) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,5"
    assert words("en").number(1234567.5) == "1,234,567.5"
    assert words("sv").percent(0.12) == "12\N{NO-BREAK SPACE}%"
    assert words("sv").date(20_488) == "4 februari 2026"
    assert words("en").date(20_488) == "4 February 2026"
    assert words("sv").week(2927) == "vecka 6, från 2 feb. 2026"
    assert words("en").week(2927) == "week 6, from 2 Feb 2026"
    assert words("sv").time(1_770_206_400, "Europe/Stockholm").startswith("4 feb. 2026 13:00")
    assert wording.words("en") is words("en")
