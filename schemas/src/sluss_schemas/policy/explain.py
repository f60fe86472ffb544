"""One cell of the policy in a sentence, all of them in a table, and why somebody reads a part of a report or does not.

For: the person who asks why something is open or closed, and whoever compares a pack with the law.
Refuses: to look at a report. An explanation follows from the pack and from the ways in which a report is held, so it
says nothing about what is filled.

> INVARIANT: an explanation names the rule and the ground that the decision used.

Source: docs/secrecy-rules.md B5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from sluss_schemas.ids import SECTORS, Column, Compartment, Sector, bit, kind_code
from sluss_schemas.policy.answers import Decision, Form, Ground, Receiver
from sluss_schemas.policy.cells import Automatic, Cell
from sluss_schemas.policy.decide import column as column_of
from sluss_schemas.policy.decide import open_to, slots
from sluss_schemas.policy.model import CellKey, Label, Pack
from sluss_schemas.policy.readers import Language

COLUMN_LABELS: Final[dict[Column, Label]] = {
    "POL": Label("The police", "Polisen"),
    "SOC": Label("Social services", "Socialtjänsten"),
    "SEC": Label("Guards", "Ordningsvakter"),
    "MUN": Label("The municipality", "Kommunen"),
    "HLT": Label("Health services", "Vården"),
    "SUP": Label("The own supervisors", "Egna chefer"),
    "SUPX": Label("Supervisors of other agencies", "Andra myndigheters chefer"),
    "EXT": Label("Property owners and partners", "Fastighetsägare och andra samverkande"),
    "PUB": Label("The public", "Allmänheten"),
}
COMPARTMENT_LABELS: Final[dict[Compartment, Label]] = {
    "SIT": Label("the situation", "läget"),
    "PLC": Label("the place", "platsen"),
    "SUB": Label("who it is about", "vem det gäller"),
    "CAR": Label("care", "vård"),
    "ENF": Label("the enforcement part", "ingripandedelen"),
    "SAF": Label("the safety advice", "säkerhetsråden"),
    "AUT": Label("who wrote it", "vem som skrev"),
    "ATT": Label("the attachments", "bilagorna"),
}
_SAYS: Final[dict[Automatic, Label]] = {
    "O": Label("{who} may read {what} in full.", "{who} läser {what} i sin helhet."),
    "A": Label("{who} may read {what} in full.", "{who} läser {what} i sin helhet."),
    "R": Label("{who} may read {what} in short form.", "{who} läser {what} i kortform."),
    "P": Label("{who} may see the author's function and alias.", "{who} ser skribentens funktion och alias."),
    "G": Label("{who} may see counts only, nothing of {what}.", "{who} ser bara siffror, inget av {what}."),
    "D": Label("{who} may not read {what}.", "{who} får inte läsa {what}."),
    "X": Label("{who} may never read {what}; nothing opens it.", "{who} får aldrig läsa {what}; inget öppnar det."),
    "N": Label("This kind of report does not hold {what}.", "Den här sortens rapport har inte med {what}."),
}
_CLOSED: Final = _SAYS["D"]
_BY_NOTE: Final = Label(
    "{who} may get {what} only in a note that somebody decided to release.",
    "{who} får {what} bara i en notis som någon beslutat att släppa.",
)
_STAFF: Final = Label(
    "The author and named case staff may read {what} in full.", "Skribenten och utsedda handläggare läser {what}."
)
_NO_ENTRY: Final = Label(
    "{who} may not even know of such a report, so {what} stays closed too.",
    "{who} får inte ens veta att rapporten finns, så {what} är också stängd för dem.",
)
_DUTY: Final = Label("There is a duty to tell: {names}.", "Det finns en skyldighet att berätta: {names}.")
_GATE: Final = Label("A decision can open it: {names}.", "Ett beslut kan öppna: {names}.")


class Explanation(msgspec.Struct, frozen=True):
    """Why a cell is as it is.

    Attributes:
        sentence: what holds and why, for the person who asks.
        rule_id: the cell.
        code: the cell's code as the table writes it.
        law: the statutes behind it.
        gateways: code and name of every duty and ground that could open it.

    """

    sentence: str
    rule_id: str
    code: str
    law: tuple[str, ...]
    gateways: tuple[tuple[str, str], ...]


class Way(msgspec.Struct, frozen=True):
    """One way in which a report is held: by itself, or by a grant.

    Attributes:
        code: the duty or gateway of the grant; empty for what came by itself.
        slots: what it gives, as a bitmap.
        ends: when it ends at the latest, in Unix seconds; None where nobody set an end.
        begins: when it began; None where that is not known.

    """

    code: str
    slots: int
    ends: int | None = None
    begins: int | None = None


class Link(msgspec.Struct, frozen=True):
    """One grant in the chain that opens a part: its ground, its statutes, when it began and when it ends."""

    code: str
    name: str
    law: tuple[str, ...]
    ends: int | None
    begins: int | None = None


class Told(msgspec.Struct, frozen=True):
    """Why somebody reads a part of a report, or does not, by the law of a day.

    Attributes:
        sentences: what holds, why, by which rule, and until when, for a person in the field.
        form: what is open; None where nothing is.
        ground: the step of the order that decided.
        rule_id: the cell.
        code: the cell's code as the table writes it.
        law: the statutes behind the cell.
        pack: the pack of the day.
        valid_from: the first day on which that pack holds, as an ISO date.
        chain: the grants that open it, the one that decided first.
        ends: when the last of the ways that open it ends, in Unix seconds; None where nothing ends it or opens it.
        ended: the grants that opened it once, or will, and do not at the time that is asked about.
        known: False where decisions could have been made that whoever tells it does not know.

    """

    sentences: tuple[str, ...]
    form: Form | None
    ground: Ground
    rule_id: str
    code: str
    law: tuple[str, ...]
    pack: str
    valid_from: str
    chain: tuple[Link, ...]
    ends: int | None
    ended: tuple[Link, ...] = ()
    known: bool = True


class CellRow(NamedTuple):
    """One line of `sluss pack cells`."""

    kind: str
    owner: str
    compartment: str
    audience: str
    code: str


def explain(
    pack: Pack, kind: int, owner: Sector, compartment: Compartment, column: Column, *, lang: Language = "en"
) -> Explanation:
    """Return one cell's explanation.

    Raises:
        PackRefused: the pack has no such cell.

    """
    cell = pack.cell(kind, owner, compartment, column)
    who, what = _text(COLUMN_LABELS[column], lang), _text(COMPARTMENT_LABELS[compartment], lang)
    sentences = [_text(_rule(pack, (kind, owner, compartment, column), cell), lang).format(who=who, what=what)]
    for label, codes in ((_DUTY, cell.duties), (_GATE, cell.gateways)):
        if codes:
            sentences.append(_text(label, lang).format(names=", ".join(_name(pack, code, lang) for code in codes)))
    sentences.append(cell.why if lang == "en" else cell.why_sv)
    named = tuple((code, _name(pack, code, lang)) for code in (*cell.duties, *cell.gateways))
    return Explanation(" ".join(sentences), cell.rule_id, cell.code, cell.law, named)


def told(
    pack: Pack,
    kind: int,
    owner: Sector,
    receiver: Receiver,
    compartment: Compartment,
    *,
    ways: Sequence[Way] = (),
    embargo: bool = False,
    lang: Language = "en",
    who: str = "",
    now: int = 0,
) -> Told:
    """Return why a receiver reads a part of a report, or does not.

    Args:
        pack: the pack of the day that is asked about.
        kind: the kind of report.
        owner: the sector of its agency.
        receiver: who asks, or is asked about.
        compartment: the part.
        ways: the grants in force for this receiver.
        embargo: whether the report is kept back.
        lang: the language of the sentences.
        who: the name of the one person that it is told of, where it is one.
        now: the time, to tell what has ended from what will.

    Raises:
        PackRefused: the pack has no such cell.

    """
    granted: dict[str, int] = {}
    for way in ways:
        granted[way.code] = granted.get(way.code, 0) | way.slots
    where = _column(owner, receiver, granted=bool(granted))
    cell = pack.cell(kind, owner, compartment, where)
    found = open_to(pack, kind, owner, receiver, compartment, grants=granted, embargo=embargo)
    opening = [way for way in ways if way.code == found.gateway] if found.gateway else []
    chain = tuple(_link(pack, way, lang) for way in opening if way.slots & _both(compartment))
    ends = None if any(link.ends is None for link in chain) else max((link.ends or 0 for link in chain), default=None)
    names = {"who": _text(COLUMN_LABELS[where], lang), "what": _text(COMPARTMENT_LABELS[compartment], lang)}
    if found.form is None or found.ground in {"automatic", "own"}:
        why = explain(pack, kind, owner, compartment, where, lang=lang).sentence
        if embargo and found.form is None and cell.automatic in {"A", "R", "P", "G"}:
            why = _text(_EMBARGO, lang).format(**names)
        if found.ground == "held":
            why = _text(_HELD, lang).format(**names)
    else:
        why = _opened(pack, found, names | ({"who": who} if who else {}), chain, lang)
    first = f"{pack.valid_from:%Y-%m-%d}"
    law = "; ".join(dated(pack, cell.law, lang))
    rule = _text(_RULE, lang).format(rule=found.rule_id, pack=pack.id, first=first, law=law)
    sentences = [why, rule, *_until(pack, ends, lang, now)]
    return Told(
        tuple(sentences), found.form, found.ground, found.rule_id, cell.code, cell.law, pack.id, first, chain, ends
    )


_OPENED: Final[dict[Ground, Label]] = {
    "duty": Label(
        "{who} may read {what} {form}, because the duty was answered: {name}.",
        "{who} läser {what} {form}, eftersom skyldigheten fullgjordes: {name}.",
    ),
    "gateway": Label(
        "{who} may read {what} {form}, because somebody decided so on this ground: {name}.",
        "{who} läser {what} {form}, eftersom någon beslutade det på denna grund: {name}.",
    ),
    "agreement": Label(
        "{who} may read {what} {form}, because an agreement between the agencies is in force.",
        "{who} läser {what} {form}, eftersom en överenskommelse mellan myndigheterna gäller.",
    ),
}
_FORM: Final[dict[Form, Label]] = {
    "full": Label("in full", "i sin helhet"),
    "brief": Label("in short form", "i kortform"),
}
_HELD: Final = Label(
    "{who} may open {what} for a task or a stated reason, and the opening is recorded.",
    "{who} får öppna {what} för ett ärende eller ett angivet skäl, och öppningen antecknas.",
)
_EMBARGO: Final = Label(
    "Until the report is released nobody outside the own agency reads {what}.",
    "Innan rapporten släpps läser ingen utanför den egna myndigheten {what}.",
)
_RULE: Final = Label(
    "Rule {rule} of the pack {pack}, in force from {first} ({law}).",
    "Regel {rule} i paketet {pack}, som gäller från {first} ({law}).",
)
_SINCE: Final = Label("{law} (wording since {day})", "{law} (lydelse sedan {day})")
_ENDED: Final = Label("It ended {when}.", "Det upphörde {when}.")
_ENDS: Final = Label("It ends {when} at the latest.", "Det upphör senast {when}.")


def _opened(pack: Pack, found: Decision, names: dict[str, str], chain: Sequence[Link], lang: Language) -> str:
    label, form = _OPENED.get(found.ground, _CLOSED), _FORM[found.form or "full"]
    law = "; ".join(dated(pack, chain[0].law, lang)) if chain else ""
    name = _name(pack, found.gateway, lang) + (f" ({law})" if law else "")
    return _text(label, lang).format(**names, form=_text(form, lang), name=name)


def _link(pack: Pack, way: Way, lang: Language) -> Link:
    gateway = pack.gateways.get(way.code)
    return Link(way.code, _name(pack, way.code, lang), gateway.law if gateway else (), way.ends, way.begins)


def _until(pack: Pack, ends: int | None, lang: Language, now: int) -> list[str]:
    if ends is None:
        return []
    return [_text(_ENDED if ends <= now else _ENDS, lang).format(when=local_time(pack, ends))]


def dated(pack: Pack, law: Sequence[str], lang: Language) -> list[str]:
    """Return citations, each with the day since which it reads as it is applied, where the pack says that."""
    since = _text(_SINCE, lang)
    return [
        one if (found := pack.law.get(one)) is None else since.format(law=one, day=found.since.isoformat())
        for one in law
    ]


def local_time(pack: Pack, at: int) -> str:
    """Return a time as people read it, in the pack's zone."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(pack.zone)):%Y-%m-%d %H:%M}"


def _column(owner: Sector, receiver: Receiver, *, granted: bool) -> Column:
    """Return the column that a receiver is judged by; a duty may have reached supervisors in place of others."""
    where = column_of(owner, receiver)
    return receiver.sector if where == "SUPX" and granted else where


def _both(compartment: Compartment) -> int:
    return bit(compartment) | bit(compartment, brief=True)


def cells(pack: Pack) -> Iterator[CellRow]:
    """Yield every cell of a pack, by kind, owner, compartment and column."""
    for (kind, owner, compartment, column), cell in pack.cells.items():
        yield CellRow(kind_code(kind), owner, compartment, column, cell.code)


def _rule(pack: Pack, key: CellKey, cell: Cell) -> Label:
    """Return the sentence that says what holds without a decision."""
    kind, owner, compartment, column = key
    if cell.automatic == "O":
        known = pack.kinds[kind]
        return _STAFF if known.case_staff and compartment not in known.whole_field else _SAYS["O"]
    if cell.automatic in {"A", "R", "P"}:
        if column not in SECTORS:
            return _BY_NOTE
        if not slots(pack, kind, owner, Receiver(column, "field", own=False)).open:
            return _NO_ENTRY
    return _SAYS[cell.automatic] if cell.automatic is not None else _CLOSED


def _name(pack: Pack, code: str, lang: Language) -> str:
    """Return a gateway's name; its code where the pack does not know it."""
    gateway = pack.gateways.get(code)
    return code if gateway is None else gateway.en if lang == "en" else gateway.sv


def _text(label: Label, lang: Language) -> str:
    """Return a label in one language."""
    return label.en if lang == "en" else label.sv
