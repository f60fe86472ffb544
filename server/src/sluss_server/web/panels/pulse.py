"""Pulse: what the own agency filed in a week, by kind, exactly.

Source: docs/secrecy-rules.md B8: a supervisor sees the own agency's counts as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_schemas.policy.model import Kind
from sluss_server.aggregates.catalogue import is_counted
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.web.asking import Ask
from sluss_server.web.panels.base import Panel, mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The week's counts, of every kind that the agency files, and their sum."""

    rows: tuple[tuple[Kind, int], ...]
    total: int


async def load(services: Services, viewer: Viewer, ask: Ask) -> Pulse:
    """Count the week's reports of the own agency, at one scene or at all."""
    pack, sector = viewer.pack, viewer.own.sector
    kinds = [
        number for number in sorted(pack.kinds) if is_counted(pack, number) and sector in pack.kinds[number].owners
    ]
    weeks = (ask.week, ask.week + 1)
    counts = dict.fromkeys(kinds, 0)
    for one in await services.cube.own_weeks(viewer.partnership, viewer.agency, pack, kinds, weeks):
        if not one.dim and ask.scene in {0, one.scene}:
            counts[one.kind] += one.number
    return Pulse(rows=tuple((pack.kinds[kind], counts[kind]) for kind in kinds), total=sum(counts.values()))


PANEL: Final = Panel(name="pulse", title=mark("Reports of the week"), load=load)
