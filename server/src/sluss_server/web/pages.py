"""Pages as bytes: what was loaded, said by templates.

Imported when the first page is asked for: a server that nobody looks at carries neither templates nor languages.
Refuses a template that asks for what it was not given.

> INVARIANT: everything that a template says is escaped, and nothing is marked as safe that came from a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from sluss_server.services.sessions import Viewer
from sluss_server.web import static
from sluss_server.web.asking import LANGUAGES, THEMES, Ask, Language, Wishes
from sluss_server.web.faults import Fault
from sluss_server.web.guard import ROOT
from sluss_server.web.panels import SHEETS, Panel, Sheet
from sluss_server.web.wording import words

TEMPLATES: Final = Path(__file__).parent / "templates"


def panel(wishes: Wishes, viewer: Viewer, ask: Ask, sheet: Sheet, *, panel: Panel, data: object) -> TemplateModule:
    """Return what a panel says of what it loaded."""
    template = environment_of(wishes.lang).get_template(f"panels/{panel.name}.html")
    return template.make_module({"wishes": wishes, "viewer": viewer, "ask": ask, "sheet": sheet, "data": data})


def overview(
    wishes: Wishes,
    viewer: Viewer,
    ask: Ask,
    sheet: Sheet,
    *,
    made: Sequence[tuple[Panel, TemplateModule | None]],
    number: str,
) -> bytes:
    """Return a page with what its panels say, None for one at fault; the log knows more by the request's number."""
    return _render("overview.html", wishes, viewer=viewer, ask=ask, sheet=sheet, made=made, request_id=number)


def enter(wishes: Wishes, token: str) -> bytes:
    """Return the page whose button signs the browser in."""
    return _render("enter.html", wishes, token=token)


def left(wishes: Wishes) -> bytes:
    """Return the page that says that the session is over because its person wanted that."""
    return _render("left.html", wishes)


def fault(wishes: Wishes, fault: Fault, status: int, request_id: str) -> bytes:
    """Return the page that says what is wrong, without anything from inside."""
    return _render("fault.html", wishes, fault=fault, status=status, request_id=request_id)


def _render(name: str, wishes: Wishes, **given: object) -> bytes:
    environment = environment_of(wishes.lang)
    return environment.get_template(name).render(wishes=wishes, **given).encode()


@cache
def environment_of(lang: Language) -> Environment:
    """Return what makes pages of templates in a language."""
    said = words(lang)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # The extension adds this to the environment.
    environment.install_gettext_translations(said.catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"root": ROOT, "sheets": SHEETS, "languages": LANGUAGES, "themes": THEMES, "viewer": None}
    environment.globals |= {"static": static.address, "label": said.label, "text": said.text}
    environment.filters |= {
        "number": said.number,
        "percent": said.percent,
        "date": said.date,
        "time": said.time,
        "week": said.week,
        "monday": said.monday,
    }
    return environment
