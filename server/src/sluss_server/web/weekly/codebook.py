"""What the columns, kinds, dimensions and codes of the CSV mean, in both languages, from the pack that is in force.

> INVARIANT: every name that `tables.py` and `months.py` can write stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.catalogue import dimensions
from sluss_server.services.sessions import Viewer
from sluss_server.web.panels.counts import kinds_offered
from sluss_server.web.weekly import months
from sluss_server.web.weekly.naming import ALL, FACTS, VALUES, Names
from sluss_server.web.weekly.tables import COLUMNS
from sluss_server.web.wording import words

NAMES: Final = ("part", "of", "name", "en", "sv")
Row = tuple[str, ...]


def rows(viewer: Viewer) -> Iterator[Row]:
    """Yield the codebook: the names of its columns, then what each name means."""
    pack = viewer.pack
    yield NAMES
    for name, meaning in COLUMNS.items():
        yield ("column", "", name, *both(meaning))
    for name, meaning in months.COLUMNS.items():
        yield ("column", months.OF, name, *both(meaning))
    for kind in kinds_offered(pack):
        yield ("kind", "", kind.name, kind.en, kind.sv)
    yield from _dimensions(pack)
    for name, meaning in VALUES.items():
        yield ("value", "", name, *both(meaning))
    for number, scene in viewer.scenes.items():
        named = Names(pack, viewer.scenes).cell(0, ("scene", number))
        yield ("value", "scene", named.value, scene.label_en, scene.label_sv)
    yield from _codes(pack)


def both(marked: str) -> tuple[str, str]:
    """Return a marked text in English and in Swedish."""
    return words("en").text(marked), words("sv").text(marked)


def _dimensions(pack: Pack) -> Iterator[Row]:
    yield ("dimension", "", ALL, *both(FACTS[ALL]))
    for kind in kinds_offered(pack):
        if "scene" in kind.facts:
            yield ("dimension", kind.name, "scene", *both(FACTS["scene"]))
        for one in dimensions(pack, kind.number):
            yield ("dimension", kind.name, one.name, *both(FACTS.get(one.name, one.name)))


def _codes(pack: Pack) -> Iterator[Row]:
    lists = {
        (one.name, one.codes): one.values
        for kind in kinds_offered(pack)
        for one in dimensions(pack, kind.number)
        if one.codes
    }
    for name, codes in sorted(lists):
        for code, found in sorted(pack.codes.get(codes, {}).items(), key=lambda item: item[1].n):
            yield ("value", name, code, found.en, found.sv)
