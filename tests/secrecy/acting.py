"""The ground that every act of a flow stands on: a town's people, twins of reports, and the model beside them.

Each report is filed twice by one person at one time: the twins say the same, but for some hidden parts, in which every
text is another one of the same length. Whatever is done is done to both.
Every text of every part of every version carries a canary, and so does every reason that somebody writes down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

from sluss_client.device import Device
from sluss_client.errors import SlussError
from sluss_schemas.forms.base import Form
from sluss_schemas.ids import Digest, ReportId

from tests.secrecy import model
from tests.secrecy.expected import SECTORS
from tests.secrecy.marks import mark, slot_of
from tests.secrecy.model import TEMPORARY as TEMP
from tests.secrecy.model import Agreed, Filed, Ground, Model, Slot, Version, Who
from tests.secrecy.populated import Populated

T = TypeVar("T")
SCENE: Final = "central-square"
APPROVERS: Final = (("POL", "approver"), ("MUN", "approver"))
TEMPORARY: Final = (("POL", TEMP), ("SOC", TEMP))
"""Field staff who write and decide nothing, and who leave."""
Decided = tuple[Ground, tuple[bytes, bytes], "Twins"]


@dataclass(eq=False)
class Twins:
    """Two reports that differ in what is hidden, beside what the model knows of them; `numbers` has one a version.

    The first one may be of the event of another report's first one; the second one never is.
    """

    filed: Filed
    hidden: frozenset[str]
    ids: tuple[ReportId, ReportId]
    form: Form
    numbers: list[int] = field(default_factory=list)
    event: Twins | None = None

    def latest(self) -> Version:
        """Return the latest version."""
        return self.filed.versions[-1]


@dataclass(frozen=True)
class Stored:
    """One version of one twin, as its author's device sealed it."""

    twins: Twins
    twin: int
    version: Version
    number: int
    digest: Digest
    keys: dict[Slot, bytes]


@dataclass(frozen=True)
class Gone:
    """A device whose person has left, or that was stolen, and what it might have by then, by number and twin."""

    who: Who
    device: Device
    had: dict[tuple[int, int], frozenset[Slot]]


@dataclass
class Cast:
    """Everybody in the town, how many things were written so far, and how often what happened in all flows."""

    square: Populated
    devices: dict[Who, Device]
    count: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    agreements: list[tuple[str, Agreed]] = field(default_factory=list)
    """What the heads of agencies have agreed on, under its id: one flow's agreements stand in the next."""
    dump: Callable[[], bytes] | None = None
    """What returns everything that the server's database holds, where that is none of its own files."""

    def number(self) -> int:
        """Return the next number."""
        self.count += 1
        return self.count


def cast_of(square: Populated) -> Cast:
    """Return everybody of a town, with a second supervisor where two decide."""
    devices: dict[Who, Device] = {(sector, role): device for (sector, role), device in square.devices.items()}
    for who in APPROVERS:
        devices[who] = square.run(square.town.device(SECTORS[who[0]], "supervisors"))
    for who in TEMPORARY:
        devices[who] = square.run(square.town.device(SECTORS[who[0]]))
    return Cast(square, devices)


@dataclass
class Acting:
    """What happens, beside the model of it.

    Attributes:
        had: what each device may have had when it last met the server, by the number of a version.
        notes: whoever may have a text that was written for a decision.
        decided: what somebody decided and could take back.
        gone: devices that are nobody's any more.

    """

    cast: Cast
    model: Model = field(default_factory=Model)
    reports: list[Twins] = field(default_factory=list)
    had: dict[Who, dict[int, frozenset[Slot]]] = field(default_factory=dict)
    notes: dict[int, frozenset[Who]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    consents: list[tuple[bytes, bytes]] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    _sealed: dict[tuple[int, int], Stored] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know what stands from before."""
        self.model.agreements = [agreed for _, agreed in self.cast.agreements]

    # what everybody can do

    def device(self, who: Who) -> Device:
        """Return somebody's device."""
        return self.cast.devices[who]

    async def act(self, name: str, number: int) -> None:
        """Do something; the number decides who does it, to what, and how."""
        self.done.append(f"{name}({number})")
        await getattr(self, name)(Random(number))  # nothing here is secret

    async def sync(self, *people: Who) -> None:
        """Let people meet the server, and remember what they may have had then."""
        for who in people:
            await self.device(who).sync()
            for twins in self.reports:
                if twins.latest().by == who and twins.latest().came is None:
                    twins.latest().came = self.cast.square.town.clock.now()
            self._met(who)

    def _met(self, who: Who) -> None:
        now = self.cast.square.town.clock.now()
        self.had[who] = {
            # What is suspended may be resumed: nothing of it is delivered or shown, and devices keep what they had.
            number: self.model.may(twins.filed, version, who, now, ("resumed", "suspended"))
            for twins in self.reports
            for number, version in zip(twins.numbers, twins.filed.versions, strict=True)
        }

    async def everybody_syncs(self) -> None:
        """Let everybody meet the server twice: first what waits is pushed, then all of it is pulled."""
        for _ in range(2):
            await self.sync(*self.cast.devices)

    async def _both(self, twins: Twins, do: Callable[[ReportId, int], Awaitable[T]]) -> tuple[T, T] | None:
        """Do something to both twins; what is refused for one is refused for the other."""
        found, refused = list[T](), list[str]()
        for twin, report_id in enumerate(twins.ids):
            try:
                found.append(await do(report_id, twin))
            except SlussError as problem:
                refused.append(f"{problem.code} {problem.field}")
        assert len(set(refused)) <= 1, (self.done, refused)
        assert not found or not refused, (self.done, refused)
        if refused:
            self.done[-1] += f" {refused[0]}"
            return None
        return found[0], found[1]

    def _any(self, dice: Random) -> Twins | None:
        return dice.choice(self.reports) if self.reports else None

    async def _ready(self, twins: Twins, by: Who) -> None:
        """Let the report reach whoever decides, who opens the row if they supervise."""
        await self.sync(twins.latest().by, by)
        if by[1] == "supervisors":
            await self._open(twins, by)

    async def _open(self, twins: Twins, boss: Who) -> None:
        number = self.cast.number()
        self.notes[number] = supervisors_of(boss)

        async def inspect(report_id: ReportId, twin: int) -> None:
            await self.device(boss).inspect(report_id, reason=mark(number, "RSN", twin))

        if await self._both(twins, inspect) is not None:
            twins.latest().opened.add(boss)
        await self.sync(boss)

    # what there is

    def may_have(self, who: Who) -> dict[tuple[int, int], frozenset[Slot]]:
        """Return what somebody may have now, by number and twin."""
        now = self.cast.square.town.clock.now()
        return {
            (number, twin): self.model.may(twins.filed, version, who, now)
            for twins in self.reports
            for number, version in zip(twins.numbers, twins.filed.versions, strict=True)
            for twin in range(2)
        }

    def stored(self) -> Iterator[Stored]:
        """Yield every version of every twin that has been sealed, with its keys as its author's device had them."""
        for twins in self.reports:
            for at, (number, version) in enumerate(zip(twins.numbers, twins.filed.versions, strict=True), 1):
                for twin, report_id in enumerate(twins.ids):
                    row = self.device(version.by).local.outbox.get(report_id, at)
                    if row is not None and row.digest is not None:
                        keys = {slot_of(slot): key for slot, key in row.section_keys}
                        self._sealed[number, twin] = Stored(twins, twin, version, number, Digest(row.digest), keys)
        # An author's device forgets what is over before others have: it is looked for all the same.
        yield from self._sealed.values()


def supervisors_of(who: Who) -> frozenset[Who]:
    return model.everybody(("supervisors", "approver"), who[0])
