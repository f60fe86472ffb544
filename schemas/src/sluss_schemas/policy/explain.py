"""One cell of the policy in a sentence, and all of them in a table.

For: the person who asks why something is closed, and whoever compares a pack with the law.
Refuses: to look at a report. An explanation follows from the pack alone, so it says nothing about what is filled.

> INVARIANT: an explanation names the rule and the ground that the decision used.

Source: docs/secrecy-rules.md B5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from sluss_schemas.ids import SECTORS, Column, Compartment, Sector, kind_code
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.cells import Automatic, Cell
from sluss_schemas.policy.decide import slots
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
