"""Duties: what the own agency has to do by law or decision, and what is overdue.

Of a task the server knows its code and its clock; what it is about is sealed.
Tasks about reports whose existence is secret are in none of these numbers; the own devices alone have them.
Source: docs/secrecy-rules.md B4, B6 step 5; docs/protocol.md section 4.

> INVARIANT: of the own agency alone, as it is now, and never by who has to do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sluss_schemas.policy.model import Gateway
from sluss_server.services import Services
from sluss_server.services.sessions import Viewer
from sluss_server.services.tasks import TaskCount
from sluss_server.web.asking import Ask
from sluss_server.web.panels.base import Panel, mark

RAISED: Final[Mapping[str, str]] = {
    "bulk_open": mark("Look at who opened many rows at once"),
    "bulk_read": mark("Look at who read many reports at once"),
    "log_review": mark("Look through who opened and read what"),
}
"""The tasks that a server raises itself, marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """The tasks of one code; `gateway` is the ground that they rest on, None where no pack here has it."""

    code: str
    gateway: Gateway | None = None
    overdue: int = 0
    soon: int = 0
    later: int = 0
    done: int = 0

    @property
    def said(self) -> str:
        """What it is where it rests on no ground, marked; empty where nobody has words for it."""
        return RAISED.get(self.code, "" if self.code else mark("Other tasks"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """Every code of which there is a task, what is overdue first, and their sum."""

    rows: tuple[Duty, ...]
    total: Duty


def duties_of(counts: list[TaskCount], gateways: Mapping[str, Gateway]) -> Duties:
    """Return what is to be done, by code."""
    rows, total = dict[str, Duty](), Duty(code="")
    for one in counts:
        if one.state not in {"overdue", "soon", "later", "done"}:
            continue
        row = rows.get(one.code) or Duty(code=one.code, gateway=gateways.get(one.code))
        rows[one.code] = replace(row, **{one.state: getattr(row, one.state) + one.number})
        total = replace(total, **{one.state: getattr(total, one.state) + one.number})
    return Duties(
        rows=tuple(sorted(rows.values(), key=lambda row: (-row.overdue, -row.soon, row.code))),
        total=total,
    )


async def load(services: Services, viewer: Viewer, _ask: Ask) -> Duties:
    """Count the own agency's tasks as they are now; they have no week and no scene."""
    return duties_of(await services.tasks.due(viewer), viewer.pack.gateways)


PANEL: Final = Panel(name="duties", title=mark("Duties"), load=load)
