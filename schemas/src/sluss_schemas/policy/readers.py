"""Who will read a report, said before it is saved: one row per audience and compartment, with the rule behind it.

For: the list under a form ("Läses av: polis, ordningsvakter"), and the duties that the form has to put.
Refuses: to promise. A duty counts only when it was answered, and an audience without an epoch is not listed.

> INVARIANT: a row stands here exactly when `decide.slots` lets a seal or a sent duty carry it.

Source: docs/secrecy-rules.md, "How the pack meets the keys"; docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, FUNCTIONS, SLOTS, Compartment, Function, Sector, bit
from sluss_schemas.policy.answers import AgreedCell, Form, Receiver
from sluss_schemas.policy.decide import collected, column, slots
from sluss_schemas.policy.model import Gateway, Label, Pack

AgencyView = tuple[str, Sector, Collection[Function]]
"""An agency as a device sees it: its slug, its sector, and the functions that have an epoch."""
Language = Literal["en", "sv"]
_EVERYTHING: Final = (1 << SLOTS) - 1
_BY_AGREEMENT: Final = Label(
    "An agreement between the agencies opens it, as long as it is in force.",
    "En överenskommelse mellan myndigheterna öppnar det, så länge den gäller.",
)


class Reader(msgspec.Struct, frozen=True):
    """One compartment that one audience will read.

    Attributes:
        audience: `police/field`; `health/case_staff` for devices that are named one by one.
        compartment: `situation`.
        form: the full section or the brief.
        rule_id: the cell behind it.
        reason: why, in the language asked for.
        law: the statutes behind it.
        via: `automatic`, `agreement`, `duty:<code>`, `held:<code>` or `named`.

    """

    audience: str
    compartment: str
    form: Form
    rule_id: str
    reason: str
    law: tuple[str, ...]
    via: str


def readers(
    pack: Pack,
    kind: int,
    owner: Sector,
    agencies: Sequence[AgencyView],
    *,
    own: str | None = None,
    duties_sent: Collection[str] = (),
    filled: Collection[Compartment] | None = None,
    embargo: bool = False,
    agreed: Mapping[str, tuple[AgreedCell, ...]] | None = None,
    within: Mapping[str, int] | None = None,
    lang: Language = "en",
) -> list[Reader]:
    """Return who will read a report of this kind, the own agency first.

    Args:
        pack: the pack in force.
        kind: 1 to 19.
        owner: the owning agency's sector.
        agencies: the partnership's agencies.
        own: the owning agency's slug; the first agency of the owner's sector where it is not given.
        duties_sent: codes of the duties that were answered "send".
        filled: the compartments that the report fills; all that the kind collects where it is not given.
        embargo: whether the report is kept back.
        agreed: what agreements in force open to each agency, by its slug.
        within: the most that a base seal gives each audience, where the report is narrower than the pack.
        lang: the language of the reasons.

    """
    mine = own if own is not None else next((slug for slug, sector, _ in agencies if sector == owner), None)
    wanted = collected(pack, kind, owner) if filled is None else filled
    rows: list[Reader] = []
    for slug, sector, functions in sorted(agencies, key=lambda agency: agency[0] != mine):
        for function in (each for each in FUNCTIONS if each in functions):
            receiver = Receiver(sector, function, slug == mine)
            may = slots(pack, kind, owner, receiver, embargo=embargo)
            most = _EVERYTHING if within is None else within.get(f"{slug}/{function}", 0)
            ways = [("automatic", may.open & most)]
            if opened := (agreed or {}).get(slug):
                under = replace(receiver, agreed=opened)
                ways.append(("agreement", slots(pack, kind, owner, under, embargo=embargo).open & most))
            ways += [
                (f"duty:{code}", bits)
                for code, bits in may.duties.items()
                if code in duties_sent and receives(pack.gateways[code], function, functions)
            ]
            ways += [(f"held:{code}", may.held & bits & most) for code, bits in may.gateways.items() if may.held]
            rows += _rows(pack, (kind, owner), receiver, ways, audience=f"{slug}/{function}", wanted=wanted, lang=lang)
            if function == "field" and slug == mine and pack.kinds[kind].case_staff:
                staff = Receiver(sector, function, own=True, named=True)
                most = _EVERYTHING if within is None else within.get(f"{slug}/case_staff", 0)
                ways = [("named", slots(pack, kind, owner, staff).open & most)]
                rows += _rows(pack, (kind, owner), staff, ways, audience=f"{slug}/case_staff", wanted=wanted, lang=lang)
    return rows


def receives(gateway: Gateway, function: Function, functions: Collection[Function]) -> bool:
    """Tell whether a function of an agency gets what comes through a gateway: the fallback only in its absence."""
    if gateway.receiver_function in functions:
        return function == gateway.receiver_function
    return function == gateway.receiver_fallback


class Asked(NamedTuple):
    """What the form puts to the author, each in the catalogue's order.

    Attributes:
        due: duties that have to be answered.
        recommended: what the author may tell as well; nothing is overdue without it.

    """

    due: tuple[str, ...]
    recommended: tuple[str, ...]

    @property
    def offered(self) -> tuple[str, ...]:
        """Everything that the author may answer."""
        return (*self.due, *self.recommended)


def asked(
    pack: Pack,
    kind: int,
    owner: Sector,
    agencies: Sequence[AgencyView],
    *,
    event_pack: Pack,
    at: date,
    own: str | None = None,
) -> Asked:
    """Return what the form puts to the author about an event of the local day `at`, by the packs of now and of then.

    What may be told is what the pack of now lets travel, for it is told now. What is due of it, the pack of the day
    of the event says: nobody had a duty before the law that made it one.
    """
    mine = own if own is not None else next((slug for slug, sector, _ in agencies if sector == owner), None)
    may = [*duties_due(pack, kind, owner, max(at, pack.valid_from))]
    due = {*duties_due(event_pack, kind, owner, at)} & {*may}
    may += _told(pack, kind, owner, {sector for slug, sector, _ in agencies if slug != mine}, recommended=True)
    order = [code for code in pack.gateways if code in may]
    return Asked(tuple(c for c in order if c in due), tuple(c for c in order if c not in due))


def duties_due(pack: Pack, kind: int, owner: Sector, at: date) -> list[str]:
    """Return the duties that the form puts to the author, in the catalogue's order.

    Only what the author may answer alone is listed. Whether anybody in the partnership can receive it changes nothing:
    the statute does not ask for that, and whoever cannot be reached here is told in another way.
    `at` is the local day of the event, and `pack` the one of that day; before its first day no duty is due.
    Whether the duty is due by the kind itself (`Kind.duty_itself`) or where its condition holds, the form says.
    """
    receivers = {sector for gateway in pack.gateways.values() if gateway.duty for sector in gateway.receivers}
    return [] if at < pack.valid_from else _told(pack, kind, owner, receivers, recommended=False)


def _told(pack: Pack, kind: int, owner: Sector, others: Collection[Sector], *, recommended: bool) -> list[str]:
    """Return the duties, or the recommendations, towards these sectors that an author answers while filing."""
    told = {
        code
        for sector in others
        for compartment in COMPARTMENTS
        if (cell := pack.cells.get((kind, owner, compartment, sector))) is not None
        for code in (cell.gateways if recommended else cell.duties)
    }
    return [
        code
        for code, gateway in pack.gateways.items()
        if code in told and gateway.at_filing and gateway.recommended is recommended
    ]


def _rows(
    pack: Pack,
    of: tuple[int, Sector],
    receiver: Receiver,
    ways: Sequence[tuple[str, int]],
    *,
    audience: str,
    wanted: Collection[Compartment],
    lang: Language,
) -> Iterator[Reader]:
    """Yield one row for each compartment that any way opens, by the fullest way and then the first."""
    kind, owner = of
    where = column(owner, receiver)
    if where == "SUPX":
        where = receiver.sector
    for compartment in (each for each in COMPARTMENTS if each in wanted):
        cell = pack.cell(kind, owner, compartment, where)
        label = pack.kinds[kind].author_to_supervisors if cell.automatic == "X" else None
        why = label or Label(cell.why, cell.why_sv)
        found = _fullest(ways, compartment)
        if found is not None:
            via, form = found
            why = _BY_AGREEMENT if via == "agreement" else why
            reason = why.en if lang == "en" else why.sv
            yield Reader(audience, COMPARTMENT_NAMES[compartment], form, cell.rule_id, reason, cell.law, via)


def _fullest(ways: Sequence[tuple[str, int]], compartment: Compartment) -> tuple[str, Form] | None:
    """Return the way that opens a compartment furthest, the first of equals, and how far; None where none does."""
    forms: tuple[Form, ...] = ("full", "brief")
    opening = ((via, form) for form in forms for via, bits in ways if bits & bit(compartment, brief=form == "brief"))
    return next(opening, None)
