"""The own agency's coded facts as JSON Lines: a report on each line, by the names of the codebook.

Source: docs/secrecy-rules.md B8.

> INVARIANT: the own agency's alone; nothing in a line leads to a report or to a person.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from sluss_server.aggregates.cells import date_of
from sluss_server.services.sessions import Viewer
from sluss_server.web.weekly.naming import Names

if TYPE_CHECKING:
    from sluss_server.services.coded import CodedFact


async def lines(viewer: Viewer, pages: AsyncIterator[list[CodedFact]]) -> AsyncIterator[bytes]:
    """Yield pages as text."""
    names = Names(viewer.pack, viewer.scenes)
    async for page in pages:
        if page:
            yield b"".join(msgspec.json.encode(_line(viewer, names, one), order="sorted") + b"\n" for one in page)


def _line(viewer: Viewer, names: Names, one: CodedFact) -> dict[str, object]:
    scene = viewer.scenes.get(one.scene)
    facts = dict[str, object]()
    for name, value in one.values.items():
        if isinstance(value, tuple):
            facts[name] = [names.value(one.kind, name, each) for each in value]
        else:
            facts[name] = None if value is None else names.value(one.kind, name, value)
    return {
        "kind": viewer.pack.kinds[one.kind].name,
        "scene": (one.scene or None) if scene is None else scene.slug,
        "day": date_of(one.day).isoformat(),
        "facts": facts,
    }
