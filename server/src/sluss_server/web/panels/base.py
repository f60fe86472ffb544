"""What a panel and a sheet of the overview are.

> INVARIANT: a panel gets what it shows from the services, as the viewer, and from nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask


def mark(text: str) -> str:
    """Return a text as it is, and have it stand in the catalogue: it is said in the viewer's language later."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question that the overview answers.

    Attributes:
        name: of its module and of its template `panels/NAME.html`; also the anchor on its sheet.
        title: its heading, marked.
        load: returns what the template knows as `data`.

    """

    name: str
    title: str
    load: Callable[[Services, Viewer, Ask], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page: panels that are looked at together.

    Attributes:
        path: its address after `/overview`; empty for the first, else it begins with a slash.
        title: its heading and its place in the menu, marked.
        panels: in the order in which they stand.
        scripts: files of `static/` that it loads besides htmx.
        styles: likewise style sheets.

    """

    path: str
    title: str
    panels: tuple[Panel, ...]
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
