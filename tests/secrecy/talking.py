"""What is said around the reports: requests and their answers, words of mouth, notes in clear for the public."""

from __future__ import annotations

from random import Random

from sluss_client.cases.releasing import Column, Wanted
from sluss_schemas.ids import ReportId

from tests.secrecy import model
from tests.secrecy.acting import Acting, supervisors_of
from tests.secrecy.expected import SECTORS
from tests.secrecy.marks import mark
from tests.secrecy.model import Who


class Talking(Acting):
    """Acts by which something is said that is no part of a report."""

    async def ask(self, dice: Random) -> None:
        """Somebody asks the supervisors of another agency for something, who answer or do not."""
        who: Who = dice.choice([one for one in sorted(self.cast.devices) if one[1] in model.FIELD])
        owner = dice.choice([one for one in SECTORS if one != who[0]])
        boss: Who = (owner, "supervisors")
        asked, answered = self.cast.number(), self.cast.number()
        self.notes[asked] = supervisors_of(boss) | supervisors_of(who) | {who}
        self.notes[answered] = self.notes[asked]
        request = self.device(who).request(SECTORS[owner], mark(asked, "RSN"))
        await self.sync(who, boss)
        if dice.random() < 0.7:
            granted = dice.random() < 0.5
            self.device(boss).answer_request(request, granted=granted, text=mark(answered, "RSN"))
            await self.sync(boss, who)

    async def tell(self, dice: Random) -> None:
        """An author writes down what was told by word of mouth."""
        if (twins := self._any(dice)) is None:
            return
        author, number = twins.latest().by, self.cast.number()
        self.notes[number] = supervisors_of(author) | {author}
        code = dice.choice(sorted(model.GATEWAYS))

        async def tell(report_id: ReportId, twin: int) -> None:
            self.device(author).told(report_id, code, to="Somebody", text=mark(number, "RSN", twin))

        if await self._both(twins, tell) is not None:
            await self.sync(author)

    async def note(self, dice: Random) -> None:
        """A supervisor says something in clear that draws on a report, for readers without keys."""
        if (twins := self._any(dice)) is None:
            return
        boss: Who = (twins.filed.owner, "supervisors")
        await self.sync(twins.latest().by, boss)
        until = int(self.cast.square.town.clock.now().timestamp()) + 3600
        column: Column = dice.choice(("SUPX", "EXT", "PUB"))

        async def note(report_id: ReportId, _: int) -> None:
            self.device(boss).note(report_id, Wanted(column=column, text="It is being dealt with.", until=until))

        if await self._both(twins, note) is not None:
            await self.sync(boss)
