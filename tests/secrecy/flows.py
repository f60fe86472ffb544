"""What people do in any order, with twins of everything, and the search afterwards for what nobody may have.

Each report is filed twice by one person at one time: the twins say the same, but for some hidden parts, in which every
text is another one of the same length. Whatever is done is done to both.
Every text of every part of every version carries a canary, and so does every reason that somebody writes down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final, TypeVar

import msgspec

from sluss_client import forms
from sluss_client.cases.consents import Given
from sluss_client.device import Device
from sluss_client.errors import SlussError
from sluss_schemas.forms.base import Form, fields
from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, Digest, ReportId

from tests.secrecy import expected, model
from tests.secrecy.canaries import CORE, form_with_canaries
from tests.secrecy.expected import PARTS, SECTORS
from tests.secrecy.model import End, Filed, Ground, Model, Slot, Version, Who
from tests.secrecy.populated import Populated, _uncollected, _without_point

T = TypeVar("T")
SCENE: Final = "central-square"
APPROVERS: Final = (("POL", "approver"), ("MUN", "approver"))
ACTS: Final = (
    *("file",) * 3,
    "amend",
    "answer",
    *("disclose",) * 4,
    "rest_on_consent",
    "withdraw",
    "recall",
    "wait",
    "protect",
    "release",
    "open_row",
    "begin_shift",
    "sync_some",
)
_MARK: Final = re.compile(re.escape(CORE).encode() + rb"(\d{5})([A-Z]{3})([AB])")
_HIDDEN: Final = (("SUB",), ("CAR",), ("SUB", "CAR"), ("SUB", "CAR", "ENF"), ("SIT", "PLC", "SUB", "CAR", "ENF"))
_OF_PERSONS: Final = {"name": "SUB"}
"""What an excerpt keeps has a canary of its own, beside the one of everything else that is said of a person."""
_AGES: Final = ((12, 14), (17, 19), (19, 22), (30, 40))
Mark = tuple[int, str, str]
"""A canary: the number of what it was written in, the part, and which twin."""
Decided = tuple[Ground, tuple[bytes, bytes], "Twins"]


@dataclass(eq=False)
class Twins:
    """Two reports that differ in what is hidden, beside what the model knows of them; `numbers` has one a version."""

    filed: Filed
    hidden: frozenset[str]
    ids: tuple[ReportId, ReportId]
    form: Form
    numbers: list[int] = field(default_factory=list)

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


@dataclass
class Cast:
    """Everybody in the town, how many things were written so far, and how often what happened in all flows."""

    square: Populated
    devices: dict[Who, Device]
    count: int = 0
    tally: Counter[str] = field(default_factory=Counter)

    def number(self) -> int:
        """Return the next number."""
        self.count += 1
        return self.count


def cast_of(square: Populated) -> Cast:
    """Return everybody of a town, with a second supervisor where two decide."""
    devices: dict[Who, Device] = {(sector, role): device for (sector, role), device in square.devices.items()}
    for who in APPROVERS:
        devices[who] = square.run(square.town.device(SECTORS[who[0]], "supervisors"))
    return Cast(square, devices)


def mark(number: int, part: str, twin: int = 0) -> str:
    """Return a canary's text."""
    return f"{CORE}{number:05d}{part}{'AB'[twin]}"


def marks(data: bytes) -> set[Mark]:
    """Return the canaries in some bytes."""
    return {(int(number), part.decode(), twin.decode()) for number, part, twin in _MARK.findall(data)}


@dataclass
class Flow:
    """What happens, beside the model of it.

    Attributes:
        had: what each device may have had when it last met the server, by the number of a version.
        notes: whoever may have a text that was written for a decision.
        decided: what somebody decided and could take back.

    """

    cast: Cast
    model: Model = field(default_factory=Model)
    reports: list[Twins] = field(default_factory=list)
    had: dict[Who, dict[int, frozenset[Slot]]] = field(default_factory=dict)
    notes: dict[int, frozenset[Who]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    consents: list[tuple[bytes, bytes]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

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
            self._met(who)

    def _met(self, who: Who) -> None:
        now = self.cast.square.town.clock.now()
        self.had[who] = {
            number: self.model.may(twins.filed, version, who, now)
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

    # writing

    async def file(self, dice: Random) -> None:
        """Somebody files a report of any kind, answers its duties or does not, and keeps it back or does not."""
        kind, owner = dice.choice(expected.pairs())
        author: Who = (owner, dice.choice(("author", "author", "author", "field")))
        ages, number = dice.choice(_AGES), self.cast.number()
        form = self._form(kind, owner, ages)
        fitting = [code for code in sorted(expected.offered(kind, owner)) if model.old_enough(kind, code, ages)]
        duties = (
            {code for code in fitting if dice.random() < 0.6} if dice.random() < 0.9 else expected.offered(kind, owner)
        )
        hold = dice.choice(("", "", "", "embargo", "review"))
        hidden = frozenset(dice.choice(_HIDDEN))

        async def file(_: ReportId, twin: int) -> ReportId:
            written = marked(form, number, hidden, twin)
            answers, keep = dict.fromkeys(duties, "send"), hold or None
            return (
                self.device(author)
                .file(written, duties=answers, hold=keep, confirm_text=hold != "review")  # type: ignore[arg-type]
                .id
            )

        filed = Filed(kind=kind, owner=owner, author=author)
        twins = Twins(filed, hidden, (ReportId(b""), ReportId(b"")), form)
        ids = await self._both(twins, file)
        if ids is None:
            return
        twins.ids = ids
        twins.numbers.append(number)
        about = ages if getattr(form, "subject", None) else None
        version = Version(by=author, hold=hold, ages=about, grounds=[_duty(code, author) for code in sorted(duties)])
        filed.versions.append(version)
        self.reports.append(twins)
        if dice.random() < 0.7:
            await self.sync(author)

    def _form(self, kind: int, owner: str, ages: tuple[int, int]) -> Form:
        changes: dict[str, object] = {"observed_at": self.cast.square.town.clock.now()}
        names = forms.FORMS[kind].__struct_fields__
        if "case_staff" in names:
            changes["case_staff"] = [self.device((owner, "case_staff")).person_id]
        if "planned" in names:
            changes["planned"] = False
        if "subject" in names:
            changes["subject"] = [_person(ages)]
        if kind == 7 and owner in {"POL", "SEC"}:
            changes["place"] = _without_point(form_with_canaries(kind, owner))
        form = form_with_canaries(kind, owner, **changes)
        return msgspec.structs.replace(form, **_uncollected(form, owner))

    async def amend(self, dice: Random) -> None:
        """Whoever wrote a report, or a colleague, corrects it: its texts, or whom it is about."""
        if (twins := self._any(dice)) is None:
            return
        before, number = twins.latest(), self.cast.number()
        who: Who = (twins.filed.owner, dice.choice((before.by[1], "field")))
        await self.sync(before.by, before.by, who)
        ages, form, correct = before.ages, twins.form, False
        if ages is not None and dice.random() < 0.5:
            ages, correct = dice.choice(_AGES), True
            form = msgspec.structs.replace(form, subject=[_person(ages)])

        async def amend(report_id: ReportId, twin: int) -> None:
            written = marked(form, number, twins.hidden, twin)
            changed = {name: getattr(written, name) for name in _written(form)}
            await self.device(who).amend(report_id, confirm_text=True, correct=correct, **changed)

        if await self._both(twins, amend) is None:
            return
        hold = before.hold if before.hold != "review" else ""
        twins.form = form
        twins.numbers.append(number)
        twins.filed.versions.append(Version(by=who, hold=hold, ages=ages))
        await self.sync(who, who)
        for version in twins.filed.versions[:-1] if correct else ():
            for ground in version.grounds:
                # Texts of persons differ in any two versions, so whoever was told of the earlier ones was told wrongly.
                if ground.by == who == version.by and (not ground.parts or "SUB" in ground.parts):
                    ground.ended = ground.ended or "corrected"
        self._met(who)

    async def answer(self, dice: Random) -> None:
        """An author answers, later, a duty that was put at filing."""
        waiting = [
            (twins, code)
            for twins in self.reports
            for code in sorted(expected.offered(twins.filed.kind, twins.filed.owner))
            if code not in {ground.code for ground in twins.latest().grounds}
            and model.old_enough(twins.filed.kind, code, twins.latest().ages)
        ]
        if not waiting:
            return
        twins, code = dice.choice(waiting)
        author = twins.latest().by

        async def answer(report_id: ReportId, _: int) -> None:
            await self.device(author).answer(report_id, {code: "send"})

        if await self._both(twins, answer) is not None:
            twins.latest().grounds.append(_duty(code, author))
            await self.sync(author)

    # deciding

    async def disclose(self, dice: Random) -> None:
        """Somebody discloses on any ground: mostly one that the table has, sometimes what it does not have."""
        if (twins := self._any(dice)) is None:
            return
        filed, grounds = twins.filed, model.offered(twins.filed.kind, twins.filed.owner)
        known = [one for one in grounds if one[0] != "L01"]
        fitting = [one for one in known if model.old_enough(filed.kind, one[0], twins.latest().ages)]
        if fitting and dice.random() < 0.85:
            code, sector, offered = dice.choice(fitting)
            parts = frozenset(dice.sample(offered, dice.randint(1, len(offered))))
        else:
            code = dice.choice([one for one in model.GATEWAYS if one != "L01"])
            sector = dice.choice([one for one in SECTORS if one != filed.owner])
            parts = frozenset(dice.sample(PARTS, 2))
        rule = model.GATEWAYS[code]
        by: Who = (filed.owner, "supervisors") if rule.decides == "supervisors" else twins.latest().by
        if dice.random() < 0.1:
            by = (filed.owner, dice.choice(("supervisors", "field", "case_staff")))
        await self._ready(twins, by)
        await self._decide(twins, dice, code=code, sector=sector, parts=parts, by=by)

    async def _ready(self, twins: Twins, by: Who) -> None:
        """Let the report reach whoever decides, who opens the row if they supervise."""
        await self.sync(twins.latest().by, by)
        if by[1] == "supervisors":
            await self._open(twins, by)

    async def _open(self, twins: Twins, boss: Who) -> None:
        number = self.cast.number()
        self.notes[number] = _supervisors(boss)

        async def inspect(report_id: ReportId, twin: int) -> None:
            await self.device(boss).inspect(report_id, reason=mark(number, "RSN", twin))

        if await self._both(twins, inspect) is not None:
            twins.latest().opened.add(boss)
        await self.sync(boss)

    async def _decide(  # what a decision is made of
        self,
        twins: Twins,
        dice: Random,
        *,
        code: str,
        sector: str,
        parts: frozenset[str],
        by: Who,
        consents: tuple[bytes, bytes] | None = None,
        covered: bool = True,
    ) -> None:
        rule, number = model.GATEWAYS[code], self.cast.number()
        cut = frozenset({"SUB"} & parts) if dice.random() < 0.3 else frozenset[str]()
        people = dice.sample(sorted(model.FIELD), dice.randint(1, 2))
        until = None if rule.hours is None else timedelta(hours=dice.randint(1, min(rule.hours, 12)))
        to, audience = [self.device((sector, role)) for role in people], code in model.TO_AN_AUDIENCE
        device, ends = self.device(by), None if until is None else self.cast.square.town.clock.now() + until
        tests = device.pack.gateways[code].tests
        # What somebody writes is their own agency's: of its supervisors, and of whoever decided.
        self.notes[number] = _supervisors(by) | {by}

        async def disclose(report_id: ReportId, twin: int) -> bytes:
            made = await device.disclose(
                report_id,
                code,
                to=() if audience else [one.person_id for one in to],
                compartments=[COMPARTMENT_NAMES[part] for part in PARTS if part in parts],
                tests={test.code: True for test in tests},
                reasons={test.code: mark(number, "RSN", twin) for test in tests if test.written},
                until=ends,
                excerpt={"subject": ["name", "age_min", "age_max"]} if cut else {},
                consent=None if consents is None else consents[twin],
                offence="" if device.pack.gateways[code].offence == "none" else "narcotics_gross",
            )
            return bytes(made.id)

        made = await self._both(twins, disclose)
        if made is None:
            return
        decides = {"supervisors"} if rule.decides == "supervisors" else {*model.FIELD, "supervisors"}
        ground = Ground(
            code=code,
            to=model.everybody(model.FIELD if audience else people, sector),
            parts=parts if covered and by[1] in decides else frozenset(),
            by=by,
            cut=cut,
            until=ends,
            agreed=not rule.agreed,
            consent=None if consents is None else self.consents.index(consents),
        )
        twins.latest().grounds.append(ground)
        self.decided.append((ground, made, twins))
        await self.sync(by, by)
        if rule.agreed and dice.random() < 0.8:
            await self._approve(twins, ground, code)
        for who in sorted(ground.to):
            if dice.random() < 0.7:
                await self.sync(who)

    async def _approve(self, twins: Twins, ground: Ground, code: str) -> None:
        """Let the agency's other supervisor agree to what was proposed of these reports."""
        approver: Who = (twins.filed.owner, "approver" if ground.by[1] == "supervisors" else "supervisors")
        device = self.device(approver)
        await self.sync(approver)
        asked = [one for one in device.proposals() if one.report_id in twins.ids and one.gateway == code]
        # What is agreed to is in force for the model from here on, although the proposer has yet to send it.
        for one, _, about in self.decided:
            if about is twins and one.code == code:
                one.agreed = True
        for proposal in asked:
            await device.approve(proposal.record)
        await self.sync(approver, ground.by, ground.by)

    async def rest_on_consent(self, dice: Random) -> None:
        """Somebody consents to some parts and one agency, and it is disclosed: what they allowed, or more."""
        if (twins := self._any(dice)) is None:
            return
        known = [one for one in model.offered(twins.filed.kind, twins.filed.owner) if one[0] == "L01"]
        if not known:
            return
        by = twins.latest().by
        _, sector, offered = dice.choice(known)
        parts = frozenset(dice.sample(offered, dice.randint(1, len(offered))))
        allowed = parts if dice.random() < 0.7 else frozenset(dice.sample(offered, 1))
        agency = SECTORS[sector if dice.random() < 0.8 else dice.choice([one for one in SECTORS if one != by[0]])]
        number = self.cast.number()
        self.notes[number] = frozenset(who for who in self.cast.devices if who[0] == by[0])
        until = self.cast.square.town.clock.now() + timedelta(hours=12)

        async def consent(report_id: ReportId, twin: int) -> bytes:
            given = Given(
                agencies=[agency],
                compartments=[COMPARTMENT_NAMES[part] for part in PARTS if part in allowed],
                purpose=mark(number, "CNS", twin),
                until=int(until.timestamp()),
            )
            return self.device(by).consent(report_id, given)

        await self.sync(by)
        given = await self._both(twins, consent)
        if given is None:
            return
        self.consents.append(given)
        covered = parts <= allowed and agency == SECTORS[sector]
        await self._decide(twins, dice, code="L01", sector=sector, parts=parts, by=by, consents=given, covered=covered)

    # taking back

    async def withdraw(self, dice: Random) -> None:
        """Somebody takes a consent back."""
        resting = [one for one in self.decided if one[0].consent is not None and one[0].ended is None]
        if not resting:
            return
        ground, _, twins = dice.choice(resting)
        assert ground.consent is not None
        consents, device = self.consents[ground.consent], self.device(ground.by)

        async def withdraw(_: ReportId, twin: int) -> None:
            device.withdraw_consent(consents[twin], "They said so.")

        if await self._both(twins, withdraw) is not None:
            await self._end(ground, "withdrawn")

    async def recall(self, dice: Random) -> None:
        """Whoever decided takes it back."""
        standing = [one for one in self.decided if one[0].ended is None]
        if not standing:
            return
        ground, made, twins = dice.choice(standing)

        async def recall(_: ReportId, twin: int) -> None:
            await self.device(ground.by).recall(made[twin], "It was a mistake.")

        if await self._both(twins, recall) is not None:
            await self._end(ground, "recalled")

    async def _end(self, ground: Ground, how: End) -> None:
        await self.sync(ground.by, ground.by)
        ground.ended = how
        self._met(ground.by)

    async def wait(self, dice: Random) -> None:
        """Hours pass."""
        self.cast.square.town.clock.advance(hours=dice.choice((1, 3, 13)))

    async def protect(self, dice: Random) -> None:
        """Somebody says that a report lies in a protected place."""
        if (twins := self._any(dice)) is None:
            return
        author = twins.latest().by
        await self.sync(author, author)

        async def protect(report_id: ReportId, _: int) -> None:
            self.device(author).lies_protected(report_id)

        if await self._both(twins, protect) is not None:
            await self.sync(author, author)
            twins.filed.protected = True
            self._met(author)

    async def release(self, dice: Random) -> None:
        """A supervisor opens what was kept back, and lets it go."""
        held = [twins for twins in self.reports if twins.latest().hold and not twins.latest().released]
        if not held:
            return
        twins = dice.choice(held)
        boss: Who = (twins.filed.owner, "supervisors")
        await self._ready(twins, boss)

        async def release(report_id: ReportId, _: int) -> None:
            await self.device(boss).release(report_id)

        if await self._both(twins, release) is not None:
            twins.latest().released = True
            await self.sync(boss, boss)

    # the rest

    async def open_row(self, dice: Random) -> None:
        """A supervisor opens a row."""
        if (twins := self._any(dice)) is not None:
            boss: Who = (twins.filed.owner, "supervisors")
            await self.sync(twins.latest().by, boss)
            await self._open(twins, boss)

    async def begin_shift(self, dice: Random) -> None:
        """Somebody goes on shift at the scene."""
        who: Who = (dice.choice(("SEC", "SOC")), dice.choice(sorted(model.FIELD)))
        hours = dice.randint(1, 6)
        self.model.shifts[who] = self.cast.square.town.clock.now() + timedelta(hours=hours, minutes=1)
        self.device(who).begin_shift(SCENE, hours)
        await self.sync(who)

    async def sync_some(self, dice: Random) -> None:
        """Some of them meet the server, in any order."""
        await self.sync(*dice.sample(sorted(self.cast.devices), dice.randint(1, 6)))

    def _any(self, dice: Random) -> Twins | None:
        return dice.choice(self.reports) if self.reports else None

    # what there is

    def stored(self) -> Iterator[Stored]:
        """Yield every version of every twin that has been sealed, with its keys as its author's device has them."""
        for twins in self.reports:
            for at, (number, version) in enumerate(zip(twins.numbers, twins.filed.versions, strict=True), 1):
                for twin, report_id in enumerate(twins.ids):
                    row = self.device(version.by).local.outbox.get(report_id, at)
                    if row is not None and row.digest is not None:
                        keys = {slot_of(slot): key for slot, key in row.section_keys}
                        yield Stored(twins, twin, version, number, Digest(row.digest), keys)


def slot_of(number: int) -> Slot:
    """Return a slot of the protocol as the model names it."""
    return Slot(COMPARTMENTS[number // 2], "brief" if number % 2 else "full")


def readable(number: int, hidden: Iterable[str], twin: int, slots: Iterable[Slot]) -> set[Mark]:
    """Return the canaries of a version that whoever has these slots may read."""
    found = set()
    for part, form in slots:
        # A brief has no text, and of what is cut the names of persons are all.
        names = {"full": (part, "SUR") if part == "SUB" else (part,), "cut": ("SUB",) if part == "SUB" else ()}.get(
            form, ()
        )
        found |= {(number, name, "AB"[twin if part in hidden else 0]) for name in names}
    return found


def marked(form: Form, number: int, hidden: Iterable[str], twin: int) -> Form:
    """Return a form with a canary in every text; of the hidden parts, the twin's own."""

    def text(part: str, name: str = "") -> str:
        return mark(number, name or part, twin if part in hidden else 0)

    changes: dict[str, object] = {
        one.name: text(one.compartment)
        for one in fields(type(form))
        if one.kind_of_value == "text" and getattr(form, one.name) is not None
    }
    if isinstance(place := form.place, forms.Place):
        changes["place"] = msgspec.structs.replace(place, **dict.fromkeys(_texts(place), text("PLC")))
    if persons := getattr(form, "subject", None):
        changes["subject"] = [
            msgspec.structs.replace(
                one, **{name: text("SUB", "SUB" if name == "name" else "SUR") for name in _texts(one)}
            )
            for one in persons
        ]
    return msgspec.structs.replace(form, **changes)


def _written(form: Form) -> list[str]:
    """Return the fields of a form in which there is a text, a place or a person."""
    kinds = {"text", "place", "persons"}
    return [one.name for one in fields(type(form)) if one.kind_of_value in kinds and getattr(form, one.name)]


def _texts(declared: forms.Place | forms.Person) -> list[str]:
    return [one.name for one in fields(type(declared)) if one.kind_of_value == "text" and getattr(declared, one.name)]


def _person(ages: tuple[int, int]) -> forms.Person:
    return forms.Person(
        role="witness", age_min=ages[0], age_max=ages[1], name="-", alias="-", description="-", contact="-"
    )


def _duty(code: str, by: Who) -> Ground:
    sector, role = expected.AT_FILING[code]
    to = model.everybody(model.FIELD if role == "field" else [role], sector)
    return Ground(code=code, to=to, parts=frozenset(), by=by)


def _supervisors(who: Who) -> frozenset[Who]:
    return model.everybody(("supervisors", "approver"), who[0])
