"""What people write: they file reports of any kind, quote and link what they read, correct them, answer duties late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Final

import msgspec

from sluss_client import forms
from sluss_client.errors import SlussError
from sluss_schemas.forms.base import Form
from sluss_schemas.ids import ReportId

from tests.secrecy import expected, model
from tests.secrecy.acting import Acting, Twins
from tests.secrecy.canaries import form_with_canaries
from tests.secrecy.expected import SECTORS
from tests.secrecy.marks import marked, written
from tests.secrecy.model import Filed, Ground, Limit, Version, Who
from tests.secrecy.populated import _uncollected, _without_point

NUMBERED: Final = {name: part for part, name in expected.NAMES.items()}
_HIDDEN: Final = (("SUB",), ("CAR",), ("SUB", "CAR"), ("SUB", "CAR", "ENF"), ("SIT", "PLC", "SUB", "CAR", "ENF"))
_AGES: Final = ((12, 14), (17, 19), (19, 22), (30, 40))


class Writing(Acting):
    """Acts of authors."""

    async def file(self, dice: Random) -> None:
        """Somebody files a report of any kind, answers its duties or does not, and keeps it back or does not."""
        kind, owner = dice.choice(expected.pairs())
        await self.write(dice, kind, (owner, dice.choice(("author", "author", "author", "field"))))

    async def quote(self, dice: Random) -> None:
        """Somebody who reads a report files one that repeats something of it."""
        if (twins := self._any(dice)) is None:
            return
        now = self.cast.square.town.clock.now()
        readers = sorted(
            who
            for who in self.cast.devices
            if who[1] in model.FIELD and self.model.may(twins.filed, twins.latest(), who, now)
        )
        timed = [who for who in readers if who[0] != twins.filed.owner and self.model.timed(twins.filed, who, now)]
        author = dice.choice(timed if timed and dice.random() < 0.6 else readers)
        await self.sync(twins.latest().by, author)
        if self._reads(author, twins):
            kinds = [kind for kind, owner in expected.pairs() if owner == author[0]]
            await self.write(dice, dice.choice(kinds), author, quotes=twins)

    async def link(self, dice: Random) -> None:
        """Somebody files twins of which one is of the same event as another report that they read in full."""
        if (twins := self._any(dice)) is None:
            return
        who: Who = (dice.choice((twins.filed.owner, *SECTORS)), dice.choice(("author", "field")))
        await self.sync(twins.latest().by, who)
        if self._reads(who, twins) and self.device(who).get(twins.ids[0]).event:
            same = [kind for kind, owner in expected.pairs() if owner == who[0]]
            kind = twins.filed.kind if twins.filed.kind in same and dice.random() < 0.5 else dice.choice(same)
            await self.write(dice, kind, who, event=twins)

    def _reads(self, who: Who, twins: Twins) -> list[str]:
        """Return the parts of a report that somebody reads on their device."""
        try:
            return [NUMBERED[name] for name in self.device(who).get(twins.ids[0]).readable]
        except SlussError:
            return []

    async def write(
        self, dice: Random, kind: int, author: Who, *, quotes: Twins | None = None, event: Twins | None = None
    ) -> None:
        """File twins of a kind, with all that may be chosen at filing; the first one alone is of another's event."""
        owner = author[0]
        ages, number = dice.choice(_AGES), self.cast.number()
        form = self._form(kind, owner, ages)
        fitting = [code for code in sorted(expected.offered(kind, owner)) if model.old_enough(kind, code, ages)]
        duties = (
            {code for code in fitting if dice.random() < 0.6} if dice.random() < 0.9 else expected.offered(kind, owner)
        )
        hold = dice.choice(("", "", "", "embargo", "review"))
        hidden = frozenset(dice.choice(_HIDDEN))

        async def file(_: ReportId, twin: int) -> ReportId:
            filed = self.device(author).file(
                marked(form, number, hidden, twin),
                duties=dict.fromkeys(duties, "send"),
                hold=hold or None,  # type: ignore[arg-type]  # one of those chosen above
                confirm_text=hold != "review",
                quotes=quoted[twin],
                same_event=events[twin],
            )
            return filed.id

        filed = Filed(kind=kind, owner=owner, author=author)
        quoted: list[list[ReportId]] = [[], []]
        events = [None, None] if event is None else [event.ids[0], None]
        if quotes is not None:
            quoted = [[one] for one in quotes.ids]
            filed.limits, filed.until = self._limits(quotes, author)
            self.done[-1] += f" {filed.limits} {filed.until}"
        twins = Twins(filed, hidden, (ReportId(b""), ReportId(b"")), form, event=event)
        ids = await self._both(twins, file)
        if ids is None:
            return
        twins.ids = ids
        twins.numbers.append(number)
        about = ages if getattr(form, "subject", None) else None
        version = Version(
            by=author,
            hold=hold,
            ages=about,
            grounds=[_duty(code, author) for code in sorted(duties)],
        )
        filed.versions.append(version)
        self.reports.append(twins)
        if dice.random() < 0.7:
            await self.sync(author)

    def _limits(self, quotes: Twins, author: Who) -> tuple[tuple[Limit, ...], datetime | None]:
        """Return what a report that quotes another one is limited by."""
        now, of, latest = self.cast.square.town.clock.now(), quotes.filed, quotes.latest()
        without = replace(latest, grounds=[])
        held = bool(latest.hold) and not latest.released
        if author[0] != of.owner:
            held = not self.model.may(of, without, author, now)
        read = self._reads(author, quotes)
        ends = [
            until
            for until, slots in self.model.timed(of, author, now)
            if author[0] != of.owner and any(slot.part in read for slot in slots)
        ]
        ends += [] if of.until is None else [of.until]
        # What a copy quotes is known to its own agency alone, so elsewhere a copy of it is limited by its own kind.
        before = of.limits if author[0] == of.owner else ()
        return (Limit(of.kind, of.owner, held), *before), min(ends, default=None)

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
            texts = marked(form, number, twins.hidden, twin)
            changed = {name: getattr(texts, name) for name in written(form)}
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


def _person(ages: tuple[int, int]) -> forms.Person:
    return forms.Person(
        role="witness", age_min=ages[0], age_max=ages[1], name="-", alias="-", description="-", contact="-"
    )


def _duty(code: str, by: Who) -> Ground:
    sector, role = expected.AT_FILING[code]
    to = model.everybody({*model.FIELD, model.TEMPORARY} if role == "field" else [role], sector)
    return Ground(code=code, to=to, parts=frozenset(), by=by)
