"""Agreements held against the pack: what the statute lets them open, why not the rest, and what is open now.

An agency's policy may be relaxed by an agreement, the statute under it may not: a pack decides where that floor is, and
neither a head of agency nor an operator does.
Refuses with the rule, its statutes, and what the law allows instead.
Source: docs/secrecy-rules.md, code `D` of B5, B5.4 and B7 6 and 7.

> INVARIANT: terms without a refusal leave a pack that breaks no invariant and is nowhere beyond its own floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from sluss_schemas.agreeing import Standing
from sluss_schemas.ids import COMPARTMENTS, NO_SCENE, Compartment, Sector, bit, kind_code
from sluss_schemas.policy import invariants
from sluss_schemas.policy.answers import AgreedCell, Receiver
from sluss_schemas.policy.cells import Cell, reach
from sluss_schemas.policy.decide import slots
from sluss_schemas.policy.explain import COLUMN_LABELS, COMPARTMENT_LABELS
from sluss_schemas.policy.model import CellKey, Label, Pack
from sluss_schemas.policy.overlay import Row, Why, laid, refused
from sluss_schemas.terms import Terms, TermsCell

Language = Literal["en", "sv"]
Sectors = Mapping[bytes, Sector]
"""The sector of each agency, by its id."""

_LANGUAGES: Final[tuple[Language, ...]] = ("en", "sv")
_SITUATION: Final = bit("SIT") | bit("SIT", brief=True)
_READ: Final = frozenset({"O", "A", "R", "P"})
_WHY: Final[dict[Why, Label]] = {
    "unknown": Label("no such report is filed", "någon sådan rapport skrivs inte"),
    "statute": Label("the statute decides this part, not the agencies", "lagen avgör den delen, inte myndigheterna"),
    "base": Label("the statute leaves less than that to the agencies", "lagen lämnar mindre än så åt myndigheterna"),
    "person": Label(
        "who somebody is, and care, open for one person at a time, on a ground of its own",
        "vem någon är, och vård, öppnas för en person i taget och på egen grund",
    ),
    "picture": Label("each picture is looked at before it leaves", "varje bild granskas innan den lämnas"),
    "secret": Label("that such a report exists is itself secret", "redan att en sådan rapport finns är hemligt"),
    "uncounted": Label("such reports are never counted", "sådana rapporter räknas aldrig"),
    "alias": Label("only the author has an alias", "bara skribenten har ett alias"),
    "limit": Label(
        "they may see no more than those whom they have to inform",
        "de får inte se mer än dem som de ska underrätta",
    ),
    "carrier": Label(
        "without the situation nothing of a report arrives; open that too",
        "utan läget når inget av en rapport fram; öppna det också",
    ),
    "invariant": Label("it would break a rule that no pack may break", "det bryter en regel som inget paket får bryta"),
    "place": Label(
        "where the scene is not told, nobody can keep to the agreement's scenes",
        "där platsen inte lämnas ut kan ingen hålla sig till överenskommelsens platser",
    ),
}
_TO: Final = Label(
    "{rule}: {who} and {what}: no agreement opens this, because {why} ({law}).",
    "{rule}: {who} och {what}: ingen överenskommelse öppnar det, ty {why} ({law}).",
)
_INSTEAD: Final = Label(" What the law allows instead: {ways}.", " Vad lagen medger i stället: {ways}.")
_NOTES: Final = Label("what names nobody, as: {kinds}", "det som inte pekar ut någon, som: {kinds}")


class Alternative(msgspec.Struct, frozen=True):
    """A lawful way to what an agreement cannot open; `code` is a ground of the pack, or empty for reports by rule."""

    code: str
    name: Label
    law: tuple[str, ...]


class Refusal(msgspec.Struct, frozen=True):
    """Why an agreement cannot open one part.

    Attributes:
        rule_id: the cell, `K05.SOC.SUB.SEC`.
        code: the cell's code in the pack; empty where there is no cell.
        why: what is in the way.
        law: the statutes behind the cell.
        alternatives: what the law allows instead.
        say: all of it as a sentence.

    """

    rule_id: str
    code: str
    why: Why
    law: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    say: Label


def refusals(pack: Pack, terms: Terms, sectors: Sectors, *, owner: bytes | None = None) -> list[Refusal]:
    """Return why terms cannot be in force by a pack, part by part; nothing where they can.

    With `owner` only the parts that this agency opens: each agency's are judged by its own pack.
    """
    found = [
        _refusal(pack, sectors, cell, why)
        for cell in terms.cells
        if owner in {None, cell.owner} and (why := _why(pack, terms, sectors, cell)) is not None
    ]
    if found or any(agency not in sectors for agency in terms.parties):
        return found
    # Each part was judged by itself; the whole is held against everything that every pack is held against.
    after, before = with_terms(pack, terms, sectors), set(invariants.violations(pack))
    broken = {one.cell for one in invariants.violations(after, pack)} - {one.cell for one in before}
    # What is broken may be another cell than the one that is opened: then the whole is refused.
    named = [cell for cell in terms.cells if _name(sectors, cell) in broken] or list(terms.cells)
    return [_refusal(pack, sectors, cell, "invariant") for cell in named] if broken else []


def opens(terms: Terms, owner: bytes, receiver: bytes, sectors: Sectors) -> tuple[AgreedCell, ...]:
    """Return what terms open of an owner's reports to a receiver, as a decision takes it.

    With it goes what other sectors are given, because what one may see can hang on what another may.
    """
    return _agreed(terms.cells, owner, receiver, sectors)


def agreed(
    found: Iterable[Standing],
    owner: bytes,
    receiver: bytes,
    sectors: Sectors,
    *,
    at: int,
    latest: int = 0,
    scene: int = NO_SCENE,
) -> tuple[AgreedCell, ...]:
    """Return what agreements open now of an owner's reports at a scene to a receiver; they end by the later clock."""
    now = (one.terms for one in found if one.in_force(at, latest) and one.covers(scene))
    cells = [cell for terms in now for cell in terms.cells]
    return _agreed(cells, owner, receiver, sectors) if cells else ()


def gains(pack: Pack, terms: Terms, sectors: Sectors) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Yield what field staff would gain by terms: kind, owner, receiver, and the slots that open."""
    for kind, owner, receiver in sorted({(cell.kind, cell.owner, cell.receiver) for cell in terms.cells}):
        if owner in sectors and receiver in sectors:
            before = Receiver(sectors[receiver], "field", own=False)
            after = msgspec.structs.replace(before, agreed=opens(terms, owner, receiver, sectors))
            had, has = (slots(pack, kind, sectors[owner], one).open for one in (before, after))
            if has & ~had:
                yield kind, owner, receiver, has & ~had


def with_terms(pack: Pack, terms: Terms, sectors: Sectors) -> Pack:
    """Return the pack as terms would have it for their receivers, to hold the invariants to and to simulate with."""
    cells: dict[CellKey, Cell] = dict(pack.cells)
    for cell in terms.cells:
        owner, column = sectors[cell.owner], sectors[cell.receiver]
        given = opens(terms, cell.owner, cell.receiver, sectors)
        for compartment, new in laid(
            pack, cell.kind, owner, column, _row(pack, cell.kind, owner, column), given
        ).items():
            key = (cell.kind, owner, compartment, column)
            cells[key] = max(cells[key], new, key=reach)
    return msgspec.structs.replace(pack, cells=cells)


def _agreed(cells: Iterable[TermsCell], owner: bytes, receiver: bytes, sectors: Sectors) -> tuple[AgreedCell, ...]:
    sector = sectors.get(receiver)
    found = {
        AgreedCell(cell.kind, cell.compartment, column, cell.code)
        for cell in cells
        if cell.owner == owner
        and (column := sectors.get(cell.receiver)) is not None
        and (cell.receiver == receiver or column != sector)
    }
    return tuple(sorted(found, key=lambda one: (one.kind, one.compartment, one.column, one.code)))


def _why(pack: Pack, terms: Terms, sectors: Sectors, cell: TermsCell) -> Why | None:
    owner, column = sectors.get(cell.owner), sectors.get(cell.receiver)
    if owner is None or column is None:
        return "unknown"
    given = opens(terms, cell.owner, cell.receiver, sectors)
    why = refused(pack, owner, AgreedCell(cell.kind, cell.compartment, column, cell.code), given)
    if why is not None:
        return why
    row = laid(pack, cell.kind, owner, column, _row(pack, cell.kind, owner, column), given)
    if cell.code != "G" and row["SIT"].automatic not in _READ:
        return "carrier"
    told = row["PLC"].automatic in _READ and "scene" in pack.kinds[cell.kind].facts
    if terms.scenes is not None and cell.code != "G" and not told:
        return "place"
    return None


def _row(pack: Pack, kind: int, owner: Sector, column: Sector) -> Row:
    return {c: cell for c in COMPARTMENTS if (cell := pack.cells.get((kind, owner, c, column))) is not None}


def _name(sectors: Sectors, cell: TermsCell) -> str:
    """Return the name of the pack's cell that a part is about."""
    owner, column = (sectors.get(agency, "?") for agency in (cell.owner, cell.receiver))
    return f"{kind_code(cell.kind)}.{owner}.{cell.compartment}.{column}"


def _refusal(pack: Pack, sectors: Sectors, cell: TermsCell, why: Why) -> Refusal:
    owner, column = sectors.get(cell.owner), sectors.get(cell.receiver)
    known = None if owner is None or column is None else pack.cells.get((cell.kind, owner, cell.compartment, column))
    name = _name(sectors, cell)
    if known is None or owner is None or column is None:
        return Refusal(name, "", why, (), (), Label(f"{name}: {_WHY[why].en}.", f"{name}: {_WHY[why].sv}."))
    ways = (*_grounds(pack, known), *_notes(pack, owner, column))
    texts = [_sentence(known, cell.compartment, column, why, ways, lang) for lang in _LANGUAGES]
    return Refusal(name, known.code, why, known.law, ways, Label(*texts))


def _grounds(pack: Pack, cell: Cell) -> Iterator[Alternative]:
    """Yield the duties and grounds that open this very part, each by a decision about one report."""
    for code in (*cell.duties, *cell.gateways):
        if (gateway := pack.gateways.get(code)) is not None:
            yield Alternative(code, Label(gateway.en, gateway.sv), gateway.law)


def _notes(pack: Pack, owner: Sector, column: Sector) -> Iterator[Alternative]:
    """Yield, as one, the kinds of report whose situation reaches the receiver by rule."""
    receiver = Receiver(column, "field", own=False)
    kinds = [
        kind
        for number, kind in pack.kinds.items()
        if kind.clear and owner in kind.owners and slots(pack, number, owner, receiver).open & _SITUATION
    ]
    if kinds:
        english, swedish = (", ".join(names) for names in ([one.en for one in kinds], [one.sv for one in kinds]))
        yield Alternative("", Label(_NOTES.en.format(kinds=english), _NOTES.sv.format(kinds=swedish)), ())


def _sentence(  # noqa: PLR0917  # the parts of a sentence
    cell: Cell, compartment: Compartment, column: Sector, why: Why, ways: Sequence[Alternative], lang: Language
) -> str:
    who, what = _text(COLUMN_LABELS[column], lang), _text(COMPARTMENT_LABELS[compartment], lang)
    parts = {"rule": cell.rule_id, "who": who, "what": what, "why": _text(_WHY[why], lang)}
    law = ", ".join(cell.law) or cell.code
    said = _text(_TO, lang).format(**parts, law=law)
    if not ways:
        return said
    named = [
        f"{_text(one.name, lang)} ({one.code}: {', '.join(one.law)})" if one.code else _text(one.name, lang)
        for one in ways
    ]
    return said + _text(_INSTEAD, lang).format(ways="; ".join(named))


def _text(label: Label, lang: Language) -> str:
    return label.en if lang == "en" else label.sv
