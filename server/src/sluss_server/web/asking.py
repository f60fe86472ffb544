"""What a page of the overview is asked for: language, colours, week and scene.

Language and colours are the browser's: given once as `?lang=` or `?theme=`, they are kept in a cookie.
Without a week a page opens with that of the day before: on a Monday, when the agencies meet, with the one that ended
on Sunday, and on every other day with the running one.
Refuses a week, a scene, a language or colours that are none: each is a page that does not exist.

> INVARIANT: an address that a page links to says all that is shown there, so that a colleague who is sent it sees the
> same week and scene; only the bare address goes with the days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qsl, urlencode

from litestar.types import HTTPScope

from sluss_schemas.problems import Invalid
from sluss_server.aggregates.cells import day_of, week_name, week_named, week_of
from sluss_server.http import bodies
from sluss_server.services.sessions import Viewer
from sluss_server.web import guard

Language = Literal["sv", "en"]
Theme = Literal["auto", "light", "dark"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
OFFERED_WEEKS: Final = 60
_MOST_QUERY: Final = 2048
_MOST_FIELDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How the browser's person wants pages; `given` is what this very request says and a cookie is to keep."""

    lang: Language
    theme: Theme
    given: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one page is asked for.

    Attributes:
        path: the page's address without its query.
        week: ISO week, counted from that of 1970-01-01.
        this_week: the week that it is now, where the partnership is.
        scene: its number; 0 for all scenes.
        scene_slug: its slug; empty for all.
        query: every parameter, for a panel that has one of its own.

    """

    path: str
    week: int
    this_week: int
    scene: int
    scene_slug: str
    query: Mapping[str, str]

    @property
    def week_name(self) -> str:
        """The week as addresses have it, `2026-W06`."""
        return week_name(self.week)

    def name_of(self, week: int) -> str:
        """Return a week as addresses have it."""
        return week_name(week)

    @property
    def is_open(self) -> bool:
        """Whether the week is still running."""
        return self.week == self.this_week

    @property
    def weeks(self) -> list[int]:
        """The weeks that are offered, the newest first."""
        offered = [self.this_week - before for before in range(OFFERED_WEEKS)]
        return offered if self.week in offered else [*offered, self.week]

    def link(self, path: str | None = None, *, week: int | None = None, scene: str | None = None) -> str:
        """Return the address of a page for the same week and scene, or for others."""
        chosen = self.week if week is None else week
        place = self.scene_slug if scene is None else scene
        asked = {"week": week_name(chosen), "scene": place}
        query = urlencode({name: value for name, value in asked.items() if value})
        where = self.path if path is None else path
        return f"{where}?{query}"


def query_of(scope: HTTPScope) -> dict[str, str]:
    """Return a request's parameters; of one that is given twice the last.

    Raises:
        Invalid: `invalid_request` for a query that is far too long.

    """
    sent = scope["query_string"]
    if len(sent) > _MOST_QUERY:
        raise Invalid("invalid_request", "query")
    try:
        return dict(parse_qsl(sent.decode("latin-1"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Invalid("invalid_request", "query") from None


def wishes(scope: HTTPScope, query: Mapping[str, str]) -> Wishes:
    """Return language and colours: as the address says, else as the cookie, else as the browser prefers.

    Raises:
        Invalid: `not_found` for a language or colours that there are none of.

    """
    kept = guard.cookies(scope["headers"])
    lang = _said(query, "lang", LANGUAGES)
    theme = _said(query, "theme", THEMES)
    given = {guard.LANGUAGE: lang, guard.THEME: theme}
    return Wishes(
        lang=cast("Language", lang or _kept(kept, guard.LANGUAGE, LANGUAGES) or _preferred(scope)),
        theme=cast("Theme", theme or _kept(kept, guard.THEME, THEMES) or "auto"),
        given={name: value for name, value in given.items() if value},
    )


def ask(path: str, query: Mapping[str, str], viewer: Viewer) -> Ask:
    """Return what a page is asked for.

    Raises:
        Invalid: `not_found` for a week or a scene that is none.

    """
    today = day_of(viewer.now, viewer.pack.zone)
    this_week = week_of(today)
    said = query.get("week", "")
    week = _week(said, this_week) if said else week_of(today - 1)
    slug = query.get("scene", "")
    scene = next((number for number, one in viewer.scenes.items() if one.slug == slug), 0) if slug else 0
    if slug and not scene:
        raise Invalid("not_found", "scene")
    return Ask(path=path, week=week, this_week=this_week, scene=scene, scene_slug=slug, query=query)


def _week(said: str, this_week: int) -> int:
    try:
        week = week_named(said)
    except (ValueError, OverflowError):
        raise Invalid("not_found", "week") from None
    # `2026-W6` names a week as well, and one page has one address; what is to come has no page.
    if week_name(week) != said or not 0 <= week <= this_week:
        raise Invalid("not_found", "week")
    return week


def _said(query: Mapping[str, str], name: str, known: Iterable[str]) -> str:
    said = query.get(name, "")
    if said and said not in known:
        raise Invalid("not_found", name)
    return said


def _kept(kept: Mapping[str, str], name: str, known: Iterable[str]) -> str:
    found = kept.get(name, "")
    return found if found in known else ""


def _preferred(scope: HTTPScope) -> Language:
    """Return the first of our languages that the browser names, Swedish if it names none."""
    for part in bodies.header(scope["headers"], b"accept-language").split(","):
        name = part.partition(";")[0].strip().lower().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "sv"
