"""What happens around the reports: time passes, shifts begin, places turn out to be protected, people come and go."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal

from sluss_client.errors import SlussError
from sluss_schemas import sync as wire
from sluss_schemas.ids import ReportId

from tests.secrecy import expected, model
from tests.secrecy.acting import SCENE, TEMPORARY, Gone, Twins
from tests.secrecy.expected import SECTORS
from tests.secrecy.model import Agreed, Who
from tests.secrecy.raw import asking
from tests.secrecy.writing import Writing

_AGREEABLE: Final = tuple(part for part in expected.PARTS if part not in {*model.STATUTE, "ATT"})
_HEALTH: Final = ("HLT", "supervisors")
_HOLDERS: Final = ("HLT", "SOC", "MUN")
"""Whose devices hold the list of protected places."""
_SQUARE: Final = tuple(
    (59_332_000 + north, 18_064_000 + east) for north, east in ((0, 0), (0, 2000), (1000, 2000), (1000, 0))
)
"""Corners around the point that every report of a place with a point has."""


_FROM_NOTHING: Final = wire.Pull((), wire.MAX_PAGE_ENTRIES)
_OK: Final = 200
_LEFT_OPEN: Final = sorted(
    {
        (kind, owner, sector)
        for kind, owner in expected.pairs()
        for sector in SECTORS
        if sector != owner
        and kind not in model.SECRET
        and any(model.row_of(kind, owner, sector)[part].letter == "D" for part in _AGREEABLE)
        and model.row_of(kind, owner, sector)["SIT"].letter in {"A", "R", "D"}
    }
)
"""Kinds, owners and receivers of which the pack leaves something to agreements."""


def _draft(agreed: Agreed, agencies: tuple[str, str], begins: datetime) -> str:
    owner, sector = agencies
    cells = [
        f'[[open]]\nkind = "K{agreed.kind:02d}"\nowner = "{owner}"\nto = ["{sector}"]\n'
        f'parts = ["{expected.NAMES[part]}"]\nas = "{code}"\n'
        for part, code in agreed.codes.items()
    ]
    return (
        f'parties = ["{owner}", "{sector}"]\npurpose = "To know where not to be."\nowner = "A head"\n'
        f"from = {begins.isoformat()}\nuntil = {agreed.until.isoformat()}\n" + "".join(cells)
    )


class Living(Writing):
    """Acts that decide nothing about what a report says."""

    async def wait(self, dice: Random) -> None:
        """Hours pass."""
        self.cast.square.town.clock.advance(hours=dice.choice((1, 3, 13)))

    async def days_pass(self, dice: Random) -> None:
        """Days pass, after which a warning is shown to nobody but who supervises those who gave it."""
        self.cast.square.town.clock.advance(days=dice.choice((2, 5)))

    async def sync_some(self, dice: Random) -> None:
        """Some of them meet the server, in any order."""
        await self.sync(*dice.sample(sorted(self.cast.devices), dice.randint(1, 6)))

    # shifts

    async def begin_shift(self, dice: Random) -> None:
        """Somebody goes on shift at the scene."""
        who: Who = (dice.choice(("SEC", "SOC")), dice.choice(sorted(model.FIELD)))
        hours = dice.randint(1, 6)
        until = self.cast.square.town.clock.now() + timedelta(hours=hours, minutes=1)
        self.model.shifts[who] = max(until, self.model.shifts.get(who, until))
        self.device(who).begin_shift(SCENE, hours)
        await self.sync(who)

    async def end_shift(self, dice: Random) -> None:
        """Somebody goes home before their time."""
        if not self.model.shifts:
            return
        who = dice.choice(sorted(self.model.shifts))
        device = self.device(who)
        for shift in device.shifts():
            device.end_shift(shift.id)
        await self.sync(who, who)
        del self.model.shifts[who]
        self._met(who)

    # places

    async def protect(self, dice: Random) -> None:
        """Somebody says that a report lies in a protected place."""
        if (twins := self._any(dice)) is None:
            return
        author = twins.latest().by
        await self.sync(author, author)

        async def protect(report_id: ReportId, _: int) -> None:
            self.device(author).lies_protected(report_id)

        if await self._both(twins, protect) is not None:
            await self._protected(twins, author)

    async def _protected(self, twins: Twins, author: Who) -> None:
        await self.sync(author, author)
        twins.filed.protected = True
        self._met(author)

    async def list_place(self, dice: Random) -> None:
        """Health says that the square is a protected place, for an hour; devices look at what was filed there."""
        clock = self.cast.square.town.clock
        until = int(clock.now().timestamp()) + 3600
        self.device(_HEALTH).protect(f"Unit {dice.randint(0, 9)}", _SQUARE, 50, until)
        authors = sorted({twins.latest().by for twins in self.reports if twins.filed.owner in _HOLDERS})
        await self.sync(_HEALTH, *authors, *authors)
        for twins in self.reports:
            place = getattr(twins.form, "place", None)
            if twins.filed.owner in _HOLDERS and getattr(place, "lat", None) is not None:
                twins.filed.protected = True
        await self.sync(*authors)
        clock.advance(hours=2)

    async def unprotect(self, dice: Random) -> None:
        """The owner's supervisor says that a report lies in no protected place after all, and health's agrees."""
        closed = [twins for twins in self.reports if twins.filed.protected and twins.filed.owner != "HLT"]
        if not closed:
            return
        twins = dice.choice(closed)
        boss, health = self.device((twins.filed.owner, "supervisors")), self.device(_HEALTH)
        await self.sync(twins.latest().by, (twins.filed.owner, "supervisors"))
        # What contradicts what was said before is of a later second.
        self.cast.square.town.clock.advance(seconds=1)

        async def unprotect(report_id: ReportId, _: int) -> None:
            boss.unprotect(report_id)

        if await self._both(twins, unprotect) is None:
            return
        await self.sync((twins.filed.owner, "supervisors"), _HEALTH)
        self.cast.square.town.clock.advance(seconds=1)
        for record in health.to_confirm():
            health.confirm_unprotected(record)
        twins.filed.protected = False
        await self.sync(_HEALTH)

    # agreements

    async def agree(self, dice: Random) -> None:
        """Heads of two agencies agree on parts that the pack leaves to them, and something of that kind is filed."""
        kind, owner, sector = dice.choice(_LEFT_OPEN)
        row = model.row_of(kind, owner, sector)
        left = [part for part in _AGREEABLE if row[part].letter == "D" and part != "SIT"]
        chosen = dice.sample(left, dice.randint(0, min(2, len(left))))
        parts = {part: dice.choice("AR") for part in (["SIT"] if row["SIT"].letter == "D" else []) + chosen}
        if not parts:
            return
        hours = dice.randint(2, 30)
        clock, agencies = self.cast.square.town.clock, (SECTORS[owner], SECTORS[sector])
        heads = [self.cast.square.town.founders[agency] for agency in agencies]
        until = clock.now() + timedelta(hours=hours)
        agreed = Agreed(kind=kind, owner=owner, sector=sector, codes=parts, until=until)
        try:
            agreement = heads[0].agreements.draft(_draft(agreed, agencies, clock.now() - timedelta(seconds=1))).id
            for head in heads:
                await head.sync()
                await head.agreements.sign(agreement)
        except SlussError as problem:
            self.done[-1] += f" {problem.code} {problem.field}"
            return
        self.cast.agreements.append((agreement, agreed))
        self.model.agreements.append(agreed)
        self.cast.tally["agreed"] += 1
        author: Who = (owner, "author")
        await self.sync(author)
        await self.write(dice, kind, author)
        await self.sync(author, *((sector, role) for role in sorted(model.FIELD)))

    async def disagree(self, dice: Random) -> None:
        """A head ends what was agreed on, or suspends it, or lets it stand again."""
        now = self.cast.square.town.clock.now()
        known = [one for one in self.cast.agreements if now < one[1].until]
        if not known:
            return
        agreement, agreed = dice.choice(known)
        head = self.cast.square.town.founders[SECTORS[dice.choice((agreed.owner, agreed.sector))]]
        await head.sync()
        state: Literal["suspended", "terminated", "resumed"] = dice.choice(("suspended", "terminated", "resumed"))
        try:
            await head.agreements.end(agreement, state)
        except SlussError as problem:
            self.done[-1] += f" {problem.code}"
            return
        agreed.state = state
        self.cast.tally["disagreed"] += 1

    # people

    async def leave(self, dice: Random) -> None:
        """Somebody leaves and another one comes in their stead."""
        who = dice.choice(TEMPORARY)
        town, device = self.cast.square.town, self.device(who)
        head = town.founders[SECTORS[who[0]]]
        had = self.may_have(who)
        await head.sync()
        await head.registrar.leave(device.alias)
        self.gone.append(Gone(who, device, had))
        self.cast.devices[who] = await town.device(SECTORS[who[0]])
        self._forget(who)
        self._met(who)

    def _forget(self, who: Who) -> None:
        """What one person was told by name, the next one was not."""
        for twins in self.reports:
            for version in twins.filed.versions:
                for ground in version.grounds:
                    if ground.code not in {*model.TO_AN_AUDIENCE, *expected.AT_FILING}:
                        ground.to -= {who}

    async def lose(self, dice: Random) -> None:
        """Somebody's telephone is stolen, and they get another one."""
        who = dice.choice(TEMPORARY)
        town, device = self.cast.square.town, self.device(who)
        head = town.founders[SECTORS[who[0]]]
        had = self.may_have(who)
        await head.sync()
        await head.registrar.revoke(device.local.keys.kid.hex(), "stolen")
        self.gone.append(Gone(who, device, had))
        self.cast.devices[who] = await town.replace(device)
        self._met(who)

    async def rotate(self, dice: Random) -> None:
        """The audiences of an agency get new keys."""
        head = self.cast.square.town.founders[dice.choice(sorted(SECTORS.values()))]
        head.registrar.rotate()
        await head.sync()
        await head.sync()

    async def suspend(self, dice: Random) -> None:
        """Somebody is suspended, is given nothing meanwhile, and comes back."""
        who = dice.choice(TEMPORARY)
        town, device = self.cast.square.town, self.device(who)
        head = town.founders[SECTORS[who[0]]]
        await head.sync()
        await head.registrar.suspend(device.alias)
        async with asking(device, town.url) as raw:
            assert (await raw.ask("POST", "/v1/pull", _FROM_NOTHING)).status != _OK
        with suppress(SlussError):
            await device.sync()
        await head.registrar.resume(device.alias)
        await head.sync()
        await self.sync(who)

    async def preserve(self, dice: Random) -> None:
        """A court asks for a report, so it is kept beyond its time."""
        if (twins := self._any(dice)) is None:
            return
        boss: Who = (twins.filed.owner, "supervisors")
        await self.sync(twins.latest().by, boss)

        async def preserve(report_id: ReportId, _: int) -> None:
            self.device(boss).preserve(report_id, "The court has asked for it.")

        if await self._both(twins, preserve) is not None:
            await self.sync(boss)
