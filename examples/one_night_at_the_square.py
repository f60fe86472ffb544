"""One night at the square: the main job, told against a real server with real keys.

Five agencies found a partnership and file for some weeks; then a guard and others file without network, find coverage
and sync; one table is read back from the devices' own stores: who could read what, and by which rule.
At the end a supervisor's device gives a link to the overview, where the week is one page and one PDF.

    python examples/one_night_at_the_square.py          leaves the server running until Ctrl-C
    python examples/one_night_at_the_square.py --exit   ends after the table
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sluss_client import Device, NotFound, Refused, Report, SlussError, forms
from sluss_client.testing import Town
from sluss_schemas.ids import COMPARTMENT_CODES, Compartment
from sluss_schemas.policy.decide import column

SQUARE = "central-square"
WEEKS = 8
console = Console(highlight=False)


@dataclass(frozen=True)
class Filed:
    """A report of the night, and what it is called in the table."""

    title: str
    report: Report
    owner: Device


def say(clock: str, text: str) -> None:
    """Tell one step of the story."""
    console.print(f"{clock:<5}  {text}", soft_wrap=True)


Draft = Callable[[random.Random, str, datetime], forms.Form]
SUB_KINDS = ("quarrel", "threat", "assault", "harassment", "trespass", "damage", "intox_care", "other")


def disorder(chance: random.Random, scene: str, at: datetime) -> forms.Form:
    """Disorder, in the codes alone."""
    sub_kind = chance.choices(SUB_KINDS, (9, 4, 3, 5, 4, 4, 6, 2))[0]
    return forms.OrderIncident(scene=scene, observed_at=at, sub_kind=sub_kind, severity=chance.choice((1, 1, 2, 3)))


def find(chance: random.Random, scene: str, at: datetime) -> forms.Form:
    """A find of the police."""
    return forms.SeizureOrFind(
        scene=scene,
        observed_at=at,
        found_as=chance.choice(("seizure", "find")),
        substances=[chance.choice(("op_tramadol", "st_amph", "co_powder"))],
    )


def litter(chance: random.Random, scene: str, at: datetime) -> forms.Form:
    """Needles that the cleaners picked up."""
    return forms.LitterNeedles(scene=scene, observed_at=at, needles=chance.randint(1, 12))


def outreach(chance: random.Random, scene: str, at: datetime) -> forms.Form:
    """Somebody whom outreach talked to."""
    return forms.OutreachContact(
        scene=scene, observed_at=at, identity_level="none", contact_form=chance.choice(("street", "at_bench"))
    )


ROUTINE: tuple[tuple[str, Draft, int], ...] = (
    ("security", disorder, 14),
    ("police", disorder, 8),
    ("police", find, 3),
    ("municipality", litter, 7),
    ("social_services", outreach, 8),
)
"""Which agency files what, and about how often in a week."""


async def weeks(town: Town) -> int:
    """Let the weeks before the night pass, and return how many reports they brought."""
    chance, filed = random.Random(4), 0  # noqa: S311  # no secret; the same weeks every time
    for agency, draft, often in ROUTINE:
        device = town.founders[agency]
        with device.batch():
            for at in _moments(chance, town.clock.now(), often):
                scene = chance.choice((SQUARE, SQUARE, "station-park", "suburban-square"))
                device.file(draft(chance, scene, at))
                filed += 1
    for agency in dict.fromkeys(agency for agency, _, _ in ROUTINE):
        await town.founders[agency].sync()
    # A server looks every quarter of an hour for weeks that are over, whose numbers it publishes.
    town.clock.advance(minutes=15)
    return filed


def _moments(chance: random.Random, now: datetime, often: int) -> Iterator[datetime]:
    """Yield when something was seen: mostly in the evening, and towards the weekend."""
    for day in range(1, 7 * WEEKS):
        date = (now - timedelta(days=day)).replace(minute=0, second=0, microsecond=0)
        busy = 1.6 if date.isoweekday() in {4, 5, 6} else 0.7
        for _ in range(round(chance.random() * 2 * busy * often / 7)):
            yield date.replace(hour=chance.choice((10, 14, 16, 18, 19, 20, 20, 21)), minute=chance.randrange(60))


async def night(town: Town) -> list[Filed]:
    """Let the night pass, and return what was filed in it."""
    guard = await town.device("security", "field", scenes=[SQUARE])
    outreach = await town.device("social_services", "field", scenes=[SQUARE])
    cleaner = await town.device("municipality", "field")
    say("20:00", "Five agencies, five registrars, one server; each device enrolled with a code and made its own keys.")
    say("", f"{await weeks(town)} reports of the {WEEKS} weeks before lie on the server already, sealed and counted.")

    if town.server is not None:
        await asyncio.to_thread(town.server.stop)
    try:
        await guard.sync()
    except SlussError as problem:
        say("21:40", f"No coverage ({problem.code}). The guard files all the same.")
    now = town.clock.now()
    incident = forms.OrderIncident(
        scene=SQUARE,
        observed_at=now - timedelta(minutes=4),
        sub_kind="threat",
        severity=2,
        number_band="2-4",
        situation="Two men threatened a shop assistant with a knife and left towards the station.",
        place="the kiosk by the stairs",
        subject=[forms.Person(role="suspect", age_band="18-20", description="red jacket, limps")],
        enforcement="Seen selling here before, according to the shop assistant.",
        enforcement_category="violence",
        safety=["armed_knife", "two_person"],
    )
    told = ", ".join(_readers(guard, incident, {"L14": "send"}))
    say("", f"Who will read it, said before it is saved: {told}.")
    threat = guard.file(incident, duties={"L14": "send"})
    say("", "The duty to tell the police (L14) was put to the guard and answered; without that, no person leaves.")
    child = guard.file(
        forms.ReportOfConcern(
            observed_at=now - timedelta(minutes=2),
            situation="A boy carries bags for two older men.",
            subject=[forms.Person(role="child", age_band="12-14", description="blue cap")],
        ),
        duties={"L11": "send"},
    )
    contact_form = forms.OutreachContact(
        scene=SQUARE,
        observed_at=now - timedelta(minutes=30),
        identity_level="alias",
        situation="Talked for a while; agreed to meet again on Monday.",
        subject=[forms.Person(alias="Nisse")],
        care="Wants help with withdrawal.",
    )
    police_rows = [row for row in outreach.readers(contact_form) if row.audience.startswith("police/")]
    say("22:10", f"An outreach worker logs a contact, in confidence. The police see: {police_rows or 'nothing'}.")
    contact = outreach.file(contact_form)
    needles = cleaner.file(
        forms.LitterNeedles(
            scene=SQUARE, observed_at=now - timedelta(minutes=10), needles=40, place="behind the toilet"
        )
    )
    waiting = sum(len(device.waiting()) for device in (guard, outreach, cleaner))
    say("22:15", f"{waiting} reports wait, sealed on three telephones; nobody else knows of them.")

    if town.server is not None:
        await asyncio.to_thread(town.server.start)
    for device in (guard, outreach, cleaner):
        result = await device.sync()
        say("23:05", f"Coverage: {device.agency} {device.alias} sent {result.sent}, {result.waiting} waiting.")
    return [
        Filed("K01.SEC threat", threat, guard),
        Filed("K07.SEC child", child, guard),
        Filed("K05.SOC contact", contact, outreach),
        Filed("K10.MUN needles", needles, cleaner),
    ]


def _readers(device: Device, form: forms.Form, duties: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(row.audience for row in device.readers(form, duties)))


async def morning(town: Town, filed: list[Filed]) -> Table:
    """Let one device of each agency read, and return what each of them could."""
    readers = [
        await town.device("police", "field"),
        await town.device("social_services", "field"),
        await town.device("social_services", "reception"),
        await town.device("security", "field"),
        await town.device("municipality", "field"),
        await town.device("health", "field"),
    ]
    for device in readers:
        await device.sync()
    table = Table(title="What each could read, from the devices' own stores", box=SIMPLE_HEAD)
    for heading in ("report", "reader", "in full", "reduced", "closed", "rule of situation and person"):
        table.add_column(heading, no_wrap=True)
    for one in filed:
        for at, device in enumerate(readers):
            title = one.title if at == 0 else ""
            table.add_row(title, *_row(device, one), end_section=at == len(readers) - 1)
    return table


def _row(device: Device, one: Filed) -> list[str]:
    name = f"{device.agency}/{device.functions[0]}"
    rules = f"{_rule(device, one, 'SIT')}  {_rule(device, one, 'SUB')}"
    try:
        report = device.get(one.report.id)
    except NotFound:
        return [name, "-", "-", "does not exist", rules]
    found: dict[str | None, list[str]] = {"full": [], "brief": [], None: []}
    for compartment, code in COMPARTMENT_CODES.items():
        if compartment != "attachments":
            found[_open(report, compartment)].append(code)
    return [name, *(" ".join(found[form]) or "-" for form in ("full", "brief", None)), rules]


def _open(report: Report, compartment: str) -> str | None:
    """Read a compartment for real: a closed one raises `Refused`."""
    try:
        getattr(report, compartment)
    except Refused:
        return None
    return report.form_of(compartment)


def _rule(device: Device, one: Filed, code: Compartment) -> str:
    kind, owner = one.report.kind_number, one.owner.sector
    cell = device.pack.cell(kind, owner, code, column(owner, device.seen_by(one.owner.agency)))
    return f"{code}.{cell.rule_id.rsplit('.', 1)[1]}={cell.code.split(' / ')[0]}"


async def lost_phone(town: Town, guard: Device) -> None:
    """Lose the guard's telephone with something unsent on it, and give the guard another one."""
    now = datetime.fromtimestamp(guard.now(), UTC)
    note = guard.file(forms.HandoverNote(scene=SQUARE, observed_at=now, situation="The lamp by the stairs is out."))
    boss, alias = town.founders["security"], guard.alias
    new = await town.replace(guard)
    await boss.registrar.revoke(guard.local.keys.kid.hex(), "lost")
    await boss.sync()
    say(
        "06:30",
        f"The guard's telephone is lost: {alias} has another one, the lost one is revoked, the group's key new.",
    )
    try:
        await guard.sync()
    except Refused as refusal:
        say("06:40", f"The lost one meets the server ({refusal.code}): it sealed what it had not sent, and is empty.")
    waiting = await boss.quarantine()
    await boss.countersign(note.id)
    for device in (boss, new):
        await device.sync()
    say("07:00", f"A supervisor finds {len(waiting)} report in quarantine and countersigns it.")
    held = {report.id for report in new.reports()}
    say("07:10", f"The new telephone has {len(held)} reports, the unsent one among them: {note.id in held}.")


async def main() -> None:
    """Run the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exit", action="store_true", help="end after the table")
    arguments = parser.parse_args()
    async with Town() as town:
        filed = await night(town)
        table = await morning(town, filed)
        await lost_phone(town, filed[0].owner)
        # Wide enough to show every rule whole, also where the output is a file.
        Console(width=max(console.width, 176), highlight=False).print(table)
        say("", "SIT situation, PLC place, SUB person, CAR care, ENF enforcement, SAF safety, AUT author.")
        say("", "In full: the text. Reduced: coded facts alone. Closed: refused, the same whether filled or empty.")
        console.print("\nThe overview, as the guards' supervisor sees it; the link is good once, for a minute:")
        console.print(await town.founders["security"].launch(), soft_wrap=True)
        console.print("Its button opens the page of the week; at the end of that page the week is a PDF.")
        if arguments.exit:
            return
        console.print(f"\nThe server goes on: {town.url}/openapi.json, {town.url}/health/ready")
        console.print(f"The devices' stores lie in {town.folder}; their passphrase is the town's. Ctrl-C ends it.")
        if sys.stdin.isatty():
            console.print("Enter gives another link.")
        await goes_on(town)


async def goes_on(town: Town) -> None:
    """Wait for the end; a line from the terminal gives another link to the overview."""
    loop, stopped, asked = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    def line() -> None:
        if sys.stdin.readline():
            asked.set()
        else:
            loop.remove_reader(sys.stdin)

    async def give() -> None:
        while await asked.wait():
            asked.clear()
            console.print(await town.founders["security"].launch(), soft_wrap=True)

    giving = asyncio.create_task(give())
    if sys.stdin.isatty():
        loop.add_reader(sys.stdin, line)
    await stopped.wait()
    giving.cancel()


if __name__ == "__main__":
    asyncio.run(main())
