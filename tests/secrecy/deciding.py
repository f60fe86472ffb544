"""What people decide: they disclose on any ground, agree, rest on a consent, take back, release and open rows."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

from sluss_client.cases.consents import Given
from sluss_schemas.ids import COMPARTMENT_NAMES, ReportId

from tests.secrecy import model
from tests.secrecy.acting import Acting, Twins, supervisors_of
from tests.secrecy.expected import PARTS, SECTORS
from tests.secrecy.marks import mark
from tests.secrecy.model import TEMPORARY, End, Ground, Who

_FITTING: Final = 0.9
_OF_VIOLENCE: Final = frozenset({"L05", "L16"})
"""Grounds that a narcotics offence does not open, however gross it is."""
_REVIEWED: Final = frozenset({"L04", "L17"})
"""Grounds on which somebody in the field decides at once, and the supervisors look at it afterwards."""


class Deciding(Acting):
    """Acts of those who decide."""

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
        people = dice.sample(self._staff(sector), dice.randint(1, 2))
        until = None if rule.hours is None else timedelta(hours=dice.randint(1, min(rule.hours, 12)))
        to, audience = [self.device((sector, role)) for role in people], code in model.TO_AN_AUDIENCE
        offence = "trafficking" if dice.random() < _FITTING else "narcotics_gross"
        covered = covered and (offence == "trafficking" or code not in _OF_VIOLENCE)
        device, ends = self.device(by), None if until is None else self.cast.square.town.clock.now() + until
        tests = device.pack.gateways[code].tests
        # What somebody writes is their own agency's: of its supervisors, and of whoever decided.
        self.notes[number] = supervisors_of(by) | {by}

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
                offence="" if device.pack.gateways[code].offence == "none" else offence,
            )
            return bytes(made.id)

        made = await self._both(twins, disclose)
        if made is None:
            return
        decides = {"supervisors"} if rule.decides == "supervisors" else {*model.FIELD, "supervisors"}
        ground = Ground(
            code=code,
            to=model.everybody(self._staff(sector) if audience else people, sector),
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

    def _staff(self, sector: str) -> list[str]:
        """Return what the field staff of a sector are called here."""
        return sorted(role for one, role in self.cast.devices if one == sector and role in {*model.FIELD, TEMPORARY})

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

    async def limit(self, dice: Random) -> None:
        """Somebody says that their consent covers less from now on."""
        resting = [one for one in self.decided if one[0].consent is not None and one[0].ended is None]
        if not resting:
            return
        ground, _, twins = dice.choice(resting)
        assert ground.consent is not None
        consents, device, number = self.consents[ground.consent], self.device(ground.by), self.cast.number()
        self.notes[number] = frozenset(who for who in self.cast.devices if who[0] == ground.by[0])
        left = frozenset(dice.sample(sorted(ground.parts or PARTS), 1))
        until = int(self.cast.square.town.clock.now().timestamp()) + 3600

        async def limit(_: ReportId, twin: int) -> None:
            known = next(one for one in device.consents() if one.id == consents[twin])
            names = [COMPARTMENT_NAMES[part] for part in PARTS if part in left]
            less = Given(agencies=known.agencies, compartments=names, purpose=mark(number, "CNS", twin), until=until)
            device.limit_consent(consents[twin], less)

        if await self._both(twins, limit) is not None:
            await self.sync(ground.by, ground.by)
            for one, _, _ in self.decided:
                if one.consent == ground.consent:
                    one.limited &= left
            self._met(ground.by)

    async def review(self, dice: Random) -> None:
        """A supervisor looks at what was decided at once, and upholds it or does not."""
        waiting = [one for one in self.decided if one[0].code in _REVIEWED and one[0].ended is None]
        if not waiting:
            return
        ground, made, twins = dice.choice(waiting)
        boss: Who = (twins.filed.owner, "supervisors")
        await self.sync(ground.by, boss)
        upheld, number = dice.random() < 0.3, self.cast.number()
        self.notes[number] = supervisors_of(boss) | {ground.by}

        async def review(_: ReportId, twin: int) -> None:
            await self.device(boss).review(made[twin], upheld=upheld, reason=mark(number, "RSN", twin))

        if await self._both(twins, review) is not None and not upheld:
            await self.sync(boss, boss)
            ground.ended = "recalled"
            self._met(boss)

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

    async def open_row(self, dice: Random) -> None:
        """A supervisor opens a row."""
        if (twins := self._any(dice)) is not None:
            boss: Who = (twins.filed.owner, "supervisors")
            await self.sync(twins.latest().by, boss)
            await self._open(twins, boss)
