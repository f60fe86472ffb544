"""A town in which every kind has been filed by every owner, for the tests of who may see what.

Per agency there are an author, a colleague, a member of the case staff and a supervisor, and social
services' reception; each has a device of their own, with real keys and a real store, and everybody has synced.
Nothing is mocked and nothing is filed later, so tests may read in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
import pytest

from sluss_client.device import Device
from sluss_client.errors import NotFound
from sluss_client.testing import Town
from sluss_schemas import forms
from sluss_schemas.forms.base import fields
from sluss_schemas.ids import ReportId

from tests.secrecy import expected
from tests.secrecy.canaries import form_with_canaries
from tests.secrecy.expected import PARTS, SECTORS, Role

T = TypeVar("T")
Pair = tuple[int, str]
Who = tuple[str, Role]
"""A sector and a role, in which a device reads."""

ROLES: Final[tuple[Role, ...]] = ("author", "field", "case_staff", "supervisors")
READERS: Final[tuple[Who, ...]] = (*((sector, role) for sector in SECTORS for role in ROLES), ("SOC", "reception"))
every_pair: Final = pytest.mark.parametrize(
    "pair", expected.pairs(), ids=[f"K{kind:02d}-{owner}" for kind, owner in expected.pairs()]
)
_ROLE_IN_ANOTHER: Final[dict[Role, Role]] = {"author": "field", "case_staff": "field"}


@dataclass
class Twin:
    """Two reports of one time and author that differ only in parts closed to some readers."""

    filled: ReportId
    hollow: ReportId
    closed: frozenset[str]
    readers: tuple[Who, ...]


@dataclass
class Populated:
    """The town, its devices, and what was filed.

    Attributes:
        whole: what each owner filed of each kind, every field filled and every duty answered "send".
        before: what a supervisor's device said of each report before the row was opened.

    """

    town: Town
    devices: dict[Who, Device]
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    whole: dict[Pair, ReportId] = field(default_factory=dict)
    filed: dict[Pair, forms.Form] = field(default_factory=dict)
    sent: dict[Pair, tuple[str, ...]] = field(default_factory=dict)
    twins: dict[Pair, list[Twin]] = field(default_factory=dict)
    before: dict[Pair, str] = field(default_factory=dict)

    def device(self, sector: str, role: Role) -> Device:
        """Return somebody's device."""
        return self.devices[sector, role]

    def seen(self, pair: Pair, who: Who, *, twin: bool = False) -> expected.Seen:
        """Return what somebody is to see of a report, by the table alone; a twin was filed without any duty."""
        kind, owner = pair
        sector, role = who
        if sector != owner:
            return expected.seen(kind, owner, sector, _ROLE_IN_ANOTHER.get(role, role), () if twin else self.sent[pair])
        if role == "case_staff" and kind not in expected.CASE_STAFF:
            role = "field"
        return expected.seen(kind, owner, sector, role)


@contextmanager
def populated(*, filled: bool = True, database_url: str | None = None) -> Iterator[Populated]:
    """Build the town, and take it down afterwards; without `filled` nobody has filed anything yet."""
    with asyncio.Runner() as runner:
        town = runner.run(Town(database_url=database_url).__aenter__())
        try:
            square = Populated(town, runner.run(_people(town)), runner.run)
            if filled:
                runner.run(_fill(square))
            yield square
        finally:
            runner.run(town.close())


async def _people(town: Town) -> dict[Who, Device]:
    devices: dict[Who, Device] = {}
    for sector, role in READERS:
        function = role if role in {"supervisors", "reception"} else "field"
        devices[sector, role] = await town.device(SECTORS[sector], function)
    await _all_sync(devices)
    return devices


async def _all_sync(devices: Mapping[Who, Device]) -> None:
    for device in devices.values():
        await device.sync()


async def _fill(square: Populated) -> None:
    now = square.town.clock.now()
    for pair in expected.pairs():
        kind, owner = pair
        author, staff = square.device(owner, "author"), square.device(owner, "case_staff").person_id
        changes: dict[str, object] = {"observed_at": now}
        if "case_staff" in forms.FORMS[kind].__struct_fields__:
            changes["case_staff"] = [staff]
        if kind == 7 and owner in {"POL", "SEC"}:
            changes["place"] = _without_point(form_with_canaries(kind, owner))
        if "planned" in forms.FORMS[kind].__struct_fields__:
            # What is planned is kept back by itself; tests of filing are about that.
            changes["planned"] = False
        form = form_with_canaries(kind, owner, **changes)
        form = msgspec.structs.replace(form, **_uncollected(form, owner))
        square.filed[pair] = form
        square.sent[pair] = tuple(sorted(expected.offered(kind, owner)))
        duties = dict.fromkeys(square.sent[pair], "send")
        square.whole[pair] = author.file(form, duties=duties, confirm_text=True).id
        square.twins[pair] = list(_twins(square, pair, author))
    await _all_sync(square.devices)
    await _all_sync(square.devices)
    for sector in SECTORS:
        await _open_rows(square, sector)


def _without_point(form: forms.Form) -> forms.Place | None:
    place = form.place
    return msgspec.structs.replace(place, lat=None, lon=None) if isinstance(place, forms.Place) else None


def _uncollected(form: forms.Form, owner: str) -> dict[str, object]:
    """Return nothing for every field of a part that the owner's form does not collect."""
    closed = {part for part in PARTS if expected.table()[form.KIND, owner, part, owner].letter == "N"}
    return emptied(form, closed)


def emptied(form: forms.Form, parts: set[str] | frozenset[str]) -> dict[str, object]:
    """Return the changes that empty these parts of a form, as far as it may go without them."""
    return {
        each.name: [] if isinstance(getattr(form, each.name), list) else None
        for each in fields(type(form))
        if each.compartment in parts and not each.required and (each.optional or each.kind_of_value in _LISTS)
    }


_LISTS: Final = frozenset({"codes", "persons", "staff"})


def _twins(square: Populated, pair: Pair, author: Device) -> Iterator[Twin]:
    """File, for every set of parts that is closed to somebody, the report with those parts filled and without."""
    owner, form = pair[1], square.filed[pair]
    by_closed: dict[frozenset[str], list[Who]] = {}
    for who in READERS:
        if who == (owner, "author"):
            continue
        closed = frozenset(PARTS).difference(square.seen(pair, who, twin=True))
        if who == (owner, "supervisors"):
            # Before the row is opened nothing of it is open.
            closed = frozenset(PARTS)
        by_closed.setdefault(closed, []).append(who)
    filled = author.file(form, confirm_text=True).id
    for closed, readers in by_closed.items():
        # The scene and the situation's obligatory fields stay; they are part of every report.
        gone = emptied(form, closed - {"AUT"})
        gone.pop("scene", None)
        hollow = author.file(msgspec.structs.replace(form, **gone), confirm_text=True).id
        yield Twin(filled, hollow, closed, tuple(readers))


async def _open_rows(square: Populated, sector: str) -> None:
    boss = square.device(sector, "supervisors")
    listed = {row.report_id for row in boss.held()}
    for pair, report_id in square.whole.items():
        if pair[1] != sector:
            continue
        try:
            boss.get(report_id)
        except NotFound:
            square.before[pair] = "held" if report_id in listed else "unknown"
        else:
            square.before[pair] = "open"
        await boss.inspect(report_id, reason="follow-up")
    await boss.sync()
