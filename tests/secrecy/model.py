"""Who may have what of a report, by what people did: a model that knows people, parts and times, and not one key.

It stands on `expected.py`, which reads its own copy of the table, and shares no code with the product's decision.
It says the most that somebody may have and forbids everything else: what people do opens at once here, though it has
yet to reach the server, and what they take back ends when it has reached it.

Source: docs/secrecy-rules.md, "How the pack meets the keys", B4 and B6; docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args

from tests.secrecy import expected
from tests.secrecy.expected import ABOUT_A_PERSON, CASE_STAFF, PARTS, Codes, Form, Role

Part = str
Who = tuple[str, str]
"""A sector and what somebody does there; an approver is the agency's second supervisor."""
Place = Literal["full", "scene", "none"]
End = Literal["recalled", "withdrawn", "corrected"]


class Slot(NamedTuple):
    """A part in one of its forms; one that was cut has its text in part, and never the section's own key."""

    part: Part
    form: Form | Literal["cut"]


class Gateway(NamedTuple):
    """What B4 says of a ground: who decides, its longest hours, what place follows, and whether a second one agrees."""

    decides: Literal["field", "supervisors"]
    hours: int | None
    place: Place
    agreed: bool = False


GATEWAYS: Final = {
    "L01": Gateway("field", 8760, "none"),
    "L02": Gateway("supervisors", 72, "scene"),
    "L03": Gateway("supervisors", 720, "none"),
    "L04": Gateway("field", 24, "full"),
    "L05": Gateway("supervisors", 720, "full"),
    "L06": Gateway("supervisors", 720, "scene"),
    "L07": Gateway("supervisors", 720, "scene"),
    "L08": Gateway("supervisors", 720, "full"),
    "L09": Gateway("supervisors", 720, "scene", agreed=True),
    "L10": Gateway("supervisors", 720, "scene"),
    "L12": Gateway("supervisors", None, "full"),
    "L13": Gateway("field", None, "scene", agreed=True),
    "L14": Gateway("supervisors", None, "full"),
    "L15": Gateway("supervisors", 2160, "scene"),
    "L16": Gateway("supervisors", 720, "scene"),
    "L17": Gateway("field", 12, "full"),
}
TO_AN_AUDIENCE: Final = {"L12": "POL", "L13": "SOC"}
"""Duties that somebody decides on later: they tell the field of that sector."""
ON_SHIFT: Final = "L02"
UNDER: Final = {"L03": 21, "L04": 18, "L11": 18}
"""The ages under which a ground holds: for L03 the oldest plausible one has to be, for the others the youngest."""
A_DUTY_ITSELF: Final = frozenset({(7, "L11")})
"""A report of concern is what the duty asks for, whatever the ages in it."""
SECRET: Final = frozenset({6, 16, 19})
"""Kinds whose existence is secret: only the situation says which it is, so a ground that opens it tells that much."""
PROTECTED_KIND: Final = (16, "HLT")
"""As what a report counts whose place is a protected one."""
FIELD: Final = frozenset({"author", "field", "case_staff"})
TEMPORARY: Final = "temp"
"""Field staff who come and go; each is somebody else than the one before."""
_FIELD: Final = FIELD | {TEMPORARY}
_SUPERVISING: Final = frozenset({"supervisors", "approver"})
STATUTE: Final = frozenset({"SUB", "CAR"})
"""What no agencies may agree on: whom it is about, and their care."""
KEPT_DAYS: Final = {"POL": 365, "SOC": 1826, "SEC": 365, "MUN": 1096}
KIND_KEPT_DAYS: Final = {11: 93}
SHOWN: Final = {11: timedelta(hours=72)}
"""How long after its latest version came a kind is shown to anybody but its author and the own supervisors."""
"""How long a report is kept after the latest version of it came; of health's the page names no time."""
_CUT: Final = frozenset({"AUT"})
"""What is never told whole by a decision: a place of what is kept back lies beside the author."""
_LIFTED: Final = ("SIT", "PLC")
_EVERYTHING: Final = frozenset(Slot(part, form) for part in PARTS for form in get_args(Form))
_NOTHING: Final = frozenset[Slot]()


@dataclass(kw_only=True)
class Ground:
    """Why somebody outside has more than the table's own columns give: a duty that was answered, or a decision."""

    code: str
    to: frozenset[Who]
    parts: frozenset[Part]
    by: Who
    cut: frozenset[Part] = frozenset()
    until: datetime | None = None
    agreed: bool = True
    consent: int | None = None
    limited: frozenset[Part] = frozenset(PARTS)
    ended: End | None = None


@dataclass(kw_only=True)
class Version:
    """One version as it was filed: who wrote it, what keeps it back, and what opens it."""

    by: Who
    hold: str = ""
    released: bool = False
    ages: tuple[int, int] | None = None
    grounds: list[Ground] = field(default_factory=list)
    opened: set[Who] = field(default_factory=set)
    came: datetime | None = None


class Limit(NamedTuple):
    """What a quoted report's own rules say: whose it is, of which kind, and whether its owner keeps it back."""

    kind: int
    owner: str
    held: bool


@dataclass(kw_only=True)
class Agreed:
    """What two agencies have agreed on, until when, and what a head said of it last."""

    kind: int
    owner: str
    sector: str
    codes: dict[Part, str]
    until: datetime
    state: str = "resumed"


@dataclass(kw_only=True)
class Filed:
    """A report with its versions; what it quotes, and until when that was opened to whoever quotes it."""

    kind: int
    owner: str
    author: Who
    versions: list[Version] = field(default_factory=list)
    protected: bool = False
    limits: tuple[Limit, ...] = ()
    until: datetime | None = None
    received: datetime | None = None

    def over(self, now: datetime) -> bool:
        """Tell whether the time is over for which such a report is kept."""
        days = KIND_KEPT_DAYS.get(self.kind, KEPT_DAYS.get(self.owner))
        return self.received is not None and days is not None and now >= self.received + timedelta(days=days)

    def shown(self, now: datetime) -> bool:
        """Tell whether such a report may be shown to anybody but its author and the own supervisors."""
        last = self.versions[-1].came if self.versions else None
        return self.kind not in SHOWN or last is None or now < last + SHOWN[self.kind]


@dataclass
class Model:
    """What was done, and what follows from it; `shifts` says until when somebody is on shift."""

    shifts: dict[Who, datetime] = field(default_factory=dict)
    agreements: list[Agreed] = field(default_factory=list)

    def may(
        self, filed: Filed, version: Version, who: Who, now: datetime, agreed: Collection[str] = ("resumed",)
    ) -> frozenset[Slot]:
        """Return the most that somebody may have of a version now, by agreements in these states."""
        sector, role = who
        if filed.over(now) or not (filed.shown(now) or _asked(filed, version, who)):
            return _NOTHING
        if sector == filed.owner:
            return _limited(filed, version, who, _own(filed, version, who))
        found = set[Slot]()
        closed = bool(version.hold) and not version.released
        if not closed:
            codes = self._agreed(filed, sector, now, agreed)
            base = expected.seen(filed.kind, filed.owner, sector, _outside(role), agreed=codes)
            found |= _limited(filed, version, who, _shaped(filed, sector, base))
        if filed.protected:
            found &= _shaped_alone(expected.seen(*PROTECTED_KIND, sector, _outside(role)))
        for ground in version.grounds:
            if who in ground.to and ground.agreed and not _over(ground, now):
                found |= self._given(filed, version, ground, who, now, closed=closed)
        return frozenset(found)

    def ever(self, filed: Filed, who: Who) -> frozenset[Slot]:
        """Return what somebody may have had of any version at any time, whatever has ended since."""
        found = set[Slot]()
        for version in filed.versions:
            if who[0] == filed.owner:
                found |= _own(filed, version, who)
                continue
            agreed = self._agreed(filed, who[0], None)
            base = expected.seen(filed.kind, filed.owner, who[0], _outside(who[1]), agreed=agreed)
            found |= _shaped(filed, who[0], base)
            for ground in version.grounds:
                if who in ground.to:
                    found |= _told(filed, ground, who[0], closed=False)
        return frozenset(found)

    def timed(self, filed: Filed, who: Who, now: datetime) -> list[tuple[datetime, frozenset[Slot]]]:
        """Return what somebody has only for a time, with its end, by what was decided and what is open in any case."""
        lasting, ends = set[Slot](), list[tuple[datetime, frozenset[Slot]]]()
        for version in filed.versions:
            without = replace(version, grounds=[one for one in version.grounds if one.until is None])
            lasting |= self.may(filed, without, who, now)
            ends += [
                (one.until, self.may(filed, replace(version, grounds=[one]), who, now))
                for one in version.grounds
                if one.until is not None
            ]
        # Who has a part in full for good has nothing in brief for a time.
        lasting |= {Slot(one.part, "brief") for one in lasting if one.form == "full"}
        return [(until, frozenset(slots - lasting)) for until, slots in ends if slots - lasting]

    def _agreed(self, filed: Filed, sector: str, now: datetime | None, states: Collection[str] = ()) -> dict[Part, str]:
        """Return what a sector may have by agreements in these states, or by any ever; of two the wider counts."""
        found = dict[Part, str]()
        for one in self.agreements:
            if (one.kind, one.owner, one.sector) != (filed.kind, filed.owner, sector) or one.kind in SECRET:
                continue
            if now is not None and not (one.state in states and now < one.until):
                continue
            codes = {part: code for part, code in one.codes.items() if part not in STATUTE}
            found |= {part: min(code, found.get(part, code)) for part, code in codes.items()}
        return found

    def _given(
        self, filed: Filed, version: Version, ground: Ground, who: Who, now: datetime, *, closed: bool
    ) -> frozenset[Slot]:
        if not old_enough(filed.kind, ground.code, version.ages):
            return _NOTHING
        told = (
            replace(ground, parts=ground.parts & (ground.limited | {*_LIFTED}))
            if ground.consent is not None
            else ground
        )
        found = _told(filed, told, who[0], closed=closed)
        if ground.code == ON_SHIFT and not (who in self.shifts and now < self.shifts[who]):
            found = frozenset(slot for slot in found if slot.part not in {"SUB", "SAF"})
        if filed.protected:
            kind, owner = PROTECTED_KIND
            most = _told(Filed(kind=kind, owner=owner, author=filed.author), ground, who[0], closed=False)
            found = frozenset(
                slot for slot in found if slot in most or (slot.form == "cut" and (slot.part, "full") in most)
            )
        return found


def _asked(filed: Filed, version: Version, who: Who) -> bool:
    """Tell whether somebody may have a report that is shown no longer: its author, and who supervises them."""
    return who in {version.by, filed.author} or (who[0] == filed.owner and who[1] in _SUPERVISING)


def old_enough(kind: int, code: str, ages: tuple[int, int] | None) -> bool:
    """Tell whether a ground with an age holds for whom a version is about, by their youngest and oldest age."""
    if code not in UNDER or (kind, code) in A_DUTY_ITSELF:
        return True
    if code == "L03":
        return ages is not None and ages[1] < UNDER[code]
    return ages is None or ages[0] < UNDER[code]


def row_of(kind: int, owner: str, sector: str) -> dict[Part, Codes]:
    """Return what the table says of another agency's field staff."""
    return {part: expected.table()[kind, owner, part, sector] for part in PARTS}


def offered(kind: int, owner: str) -> list[tuple[str, str, tuple[Part, ...]]]:
    """Return every ground that the table has for a kind of an owner, with the sector and the parts that it opens.

    No form has attachments.
    """
    found = []
    for sector in expected.SECTORS:
        if sector == owner:
            continue
        row = row_of(kind, owner, sector)
        for code in GATEWAYS:
            parts = tuple(part for part in PARTS if part != "ATT" and code in _codes(row[part], code))
            if parts and TO_AN_AUDIENCE.get(code, sector) == sector:
                found.append((code, sector, parts))
    return found


def _codes(cell: Codes, code: str) -> frozenset[str]:
    return cell.duties if code in TO_AN_AUDIENCE else cell.gateways


def _outside(role: str) -> Role:
    """Return in which column another agency's reader stands."""
    if role in _FIELD:
        return "field"
    return "reception" if role == "reception" else "supervisors"


def _own(filed: Filed, version: Version, who: Who) -> frozenset[Slot]:
    """Return what the own agency has: whoever wrote it all of it, the supervisors only what they opened."""
    if who in {version.by, filed.author}:
        return _EVERYTHING
    role: Role
    match who[1]:
        case "supervisors" | "approver":
            if who not in version.opened:
                return _NOTHING
            role = "supervisors"
        case "reception":
            role = "reception"
        case "case_staff" if filed.kind in CASE_STAFF:
            role = "case_staff"
        case _:
            role = "field"
    return _shaped_alone(expected.seen(filed.kind, filed.owner, who[0], role))


def _limited(filed: Filed, version: Version, who: Who, found: frozenset[Slot]) -> frozenset[Slot]:
    """Return what stays for somebody by what the report quotes: no more of any part than each quoted report gives."""
    if who in {version.by, filed.author}:
        return found
    if filed.until is not None:
        return _NOTHING
    for one in filed.limits:
        own = who[0] == one.owner
        role: Role = _outside(who[1])
        # What is kept back leaves in no copy, not even to its owner.
        kept = one.held and not (own and who[0] == filed.owner)
        rule = {} if kept else expected.seen(one.kind, one.owner, who[0], role)
        found = frozenset(slot for slot in found if rule.get(slot.part) in {"full", slot.form})
    return found if any(slot.part == "SIT" for slot in found) else _NOTHING


def _shaped_alone(seen: expected.Seen) -> frozenset[Slot]:
    return frozenset(Slot(part, form) for part, form in seen.items())


def _shaped(filed: Filed, sector: str, seen: expected.Seen) -> frozenset[Slot]:
    """Return what is seen as slots; what a ground gives whole may be there in brief as well, where the cell says so."""
    row = row_of(filed.kind, filed.owner, sector)
    briefs = (Slot(part, "brief") for part in seen if row[part].letter in {"R", "P"})
    return _shaped_alone(seen) | frozenset(briefs)


def _told(filed: Filed, ground: Ground, sector: str, *, closed: bool) -> frozenset[Slot]:
    """Return what a ground gives one sector: the chosen parts that the table names, and what comes along with them."""
    row = row_of(filed.kind, filed.owner, sector)
    if ground.code in expected.AT_FILING and not ground.parts:
        return _duty(row, ground.code, closed=closed)
    chosen = {part for part in ground.parts if ground.code in _codes(row[part], ground.code)}
    if not chosen:
        return _NOTHING
    found = {Slot(part, "cut" if part in ground.cut | _CUT else "full") for part in chosen}
    if filed.kind in SECRET and ground.code in _codes(row["SIT"], ground.code) and "SIT" not in chosen:
        found.add(Slot("SIT", "cut"))
    personal = bool(chosen & ABOUT_A_PERSON)
    base = expected.seen(filed.kind, filed.owner, sector, "field")
    for part, cell in row.items():
        if part in _LIFTED and not personal and part not in base:
            continue
        if ground.code == "L01" and part not in _LIFTED:
            continue
        if not closed:
            found |= _automatic(part, cell)
    place = GATEWAYS[ground.code].place
    if personal and place != "none":
        form: Form = "full" if place == "full" else "brief"
        found |= {Slot(part, form) for part in _LIFTED if row[part].letter not in {"X", "N"}}
    return frozenset(found)


def _duty(row: dict[Part, Codes], code: str, *, closed: bool) -> frozenset[Slot]:
    """Return what an answered duty gives by itself: it goes out although the report is kept back."""
    found = set(_shaped_alone(expected._told(row, code)))
    if found and not closed:
        for part, cell in row.items():
            found |= _automatic(part, cell)
    return frozenset(found)


def _automatic(part: Part, cell: Codes) -> set[Slot]:
    if cell.letter == "A":
        return {Slot(part, "full")}
    return {Slot(part, "brief")} if cell.letter in {"R", "P"} else set()


def _over(ground: Ground, now: datetime) -> bool:
    return ground.ended is not None or (ground.until is not None and now >= ground.until)


def everybody(role: Iterable[str], sector: str) -> frozenset[Who]:
    """Return those of a sector who have one of these roles."""
    return frozenset((sector, one) for one in role)
