"""What another pack, or an agreement, would change: who would gain or lose what, before anybody puts it into force.

For: `sluss pack simulate OLD NEW`, a registrar who adopts a pack, and the partners who draft an agreement.
Refuses: to weigh. A line says what changes and in which direction; whether that is lawful is for `invariants` and for
lawyers.

> INVARIANT: no line stands for a cell that is the same in both, and every other cell has one.

Source: docs/secrecy-rules.md B5 and B7 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from sluss_schemas.ids import Column, Compartment, Sector, kind_code
from sluss_schemas.policy.cells import REACH, Automatic, Cell, grounds, parse
from sluss_schemas.policy.explain import COLUMN_LABELS, COMPARTMENT_LABELS
from sluss_schemas.policy.model import CellKey, Label, Pack
from sluss_schemas.policy.readers import Language

Direction = Literal["wider", "narrower", "other"]

_FORMS: Final[dict[Automatic, Label]] = {
    "O": Label("in full", "i sin helhet"),
    "A": Label("in full", "i sin helhet"),
    "R": Label("in short form", "i kortform"),
    "P": Label("function and alias", "funktion och alias"),
    "G": Label("counts only", "bara siffror"),
    "D": Label("nothing", "inget"),
    "X": Label("nothing, for good", "inget, för gott"),
    "N": Label("nothing, since it is not collected", "inget, eftersom det inte samlas in"),
}
_AUTOMATIC: Final = Label("by itself {before}, then {after}", "av sig självt {before}, sedan {after}")
_MORE_DUTIES: Final = Label("a new duty to tell: {names}", "ny skyldighet att berätta: {names}")
_FEWER_DUTIES: Final = Label("no duty to tell any more: {names}", "ingen skyldighet att berätta längre: {names}")
_MORE_GROUNDS: Final = Label("a decision could open it: {names}", "ett beslut kan öppna: {names}")
_FEWER_GROUNDS: Final = Label("no decision could open it any more: {names}", "inget beslut kan öppna längre: {names}")
_NEW: Final = Label("there was no such report before", "sådana rapporter fanns inte förut")
_GONE: Final = Label("there are no such reports any more", "sådana rapporter finns inte längre")
_LINE: Final = Label("{kind} ({owner}): {who}, {what}: {changes}.", "{kind} ({owner}): {who}, {what}: {changes}.")


_TOGETHER: Final = Label(
    "{who}, {what}, of what is filed by: {owner}. {changes}.",
    "{who}, {what}, av det som skrivs av: {owner}. {changes}.",
)
_IN: Final = Label("in {kinds}", "i {kinds}")
_NOBODY: Final = Label("Nobody would gain or lose anything.", "Ingen skulle vinna eller förlora något.")
_HEADINGS: Final[dict[Direction, Label]] = {
    "wider": Label("Would gain:", "Skulle få mer:"),
    "narrower": Label("Would lose:", "Skulle få mindre:"),
    "other": Label("Would gain one thing and lose another:", "Skulle få något och förlora något annat:"),
}


class Change(msgspec.Struct, frozen=True):
    """One cell that would change.

    Attributes:
        kind: `K01`.
        owner: the sector that files it.
        compartment: which part.
        audience: the column.
        before: the code as it is; empty where there is no such cell.
        after: the code as it would be; empty where there would be none.
        direction: `wider` where something more gets through, `narrower` where something less does, else `other`.
        en: what would change, in words.
        sv: the same in Swedish.
        label: the kind's name.
        what: what would change of the cell alone.

    """

    kind: str
    owner: Sector
    compartment: Compartment
    audience: Column
    before: str
    after: str
    direction: Direction
    en: str
    sv: str
    label: Label
    what: Label


def simulate(old: Pack, new: Pack | Mapping[CellKey, str]) -> list[Change]:
    """Return what would change if `new` took the place of `old`: another pack, or the codes of single cells.

    Raises:
        PackRefused: a code that does not parse, or an overlay for a cell that the pack does not have.

    """
    then = new if isinstance(new, Pack) else overlaid(old, new)
    # In the order of the packs' tables: the first pack's cells, then what only the second has.
    keys = dict.fromkeys([*old.cells, *then.cells])
    pairs = ((key, old.cells.get(key), then.cells.get(key)) for key in keys)
    return [_change(key, before, after, old, then) for key, before, after in pairs if _differ(before, after)]


def said(changes: Iterable[Change], lang: Language) -> Iterator[str]:
    """Yield what would change, in words: first who would gain, then who would lose, then the rest.

    What is the same change of several kinds is one line, so that somebody can read it before signing.
    """
    together: dict[tuple[Direction, str], list[str]] = {}
    for one in changes:
        line = _text(_TOGETHER, lang).format(
            owner=_text(COLUMN_LABELS[one.owner], lang),
            who=_text(COLUMN_LABELS[one.audience], lang),
            what=_text(COMPARTMENT_LABELS[one.compartment], lang),
            changes=_text(one.what, lang),
        )
        together.setdefault((one.direction, line), []).append(f"{one.kind} {_text(one.label, lang)}")
    if not together:
        yield _text(_NOBODY, lang)
    for direction, heading in _HEADINGS.items():
        lines = [(line, kinds) for (found, line), kinds in together.items() if found == direction]
        if lines:
            yield _text(heading, lang)
        for line, kinds in lines:
            yield f"  {line}"
            yield f"    {_text(_IN, lang).format(kinds=', '.join(kinds))}"


def overlaid(pack: Pack, codes: Mapping[CellKey, str]) -> Pack:
    """Return a pack in which some cells have other codes; it decides nothing and is for comparing only.

    Raises:
        PackRefused: a code that does not parse, or a cell that the pack does not have.

    """
    cells = dict(pack.cells)
    for key, code in codes.items():
        before = pack.cell(*key)
        read = parse(code, before.rule_id)
        cells[key] = msgspec.structs.replace(
            before,
            code=code,
            automatic=read.automatic,
            duties=read.duties,
            gateways=before.gateways if read.as_content else read.gateways,
            as_content=read.as_content,
        )
    return msgspec.structs.replace(pack, cells=cells)


def _differ(before: Cell | None, after: Cell | None) -> bool:
    return before is None or after is None or _said(before) != _said(after)


def _said(cell: Cell) -> tuple[Automatic, frozenset[str], frozenset[str]]:
    """Return what a cell lets through; the order in which its grounds are written means nothing."""
    return cell.automatic or "D", frozenset(cell.duties), frozenset(cell.gateways)


def _change(key: CellKey, before: Cell | None, after: Cell | None, old: Pack, new: Pack) -> Change:
    kind, owner, compartment, column = key
    label = (new if kind in new.kinds else old).kinds[kind]
    name = Label(label.en, label.sv)
    changes = Label(*("; ".join(_changes(before, after, old, new, lang)) for lang in ("en", "sv")))
    en, sv = (
        _text(_LINE, lang).format(
            kind=_text(name, lang),
            owner=_text(COLUMN_LABELS[owner], lang),
            who=_text(COLUMN_LABELS[column], lang),
            what=_text(COMPARTMENT_LABELS[compartment], lang),
            changes=_text(changes, lang),
        )
        for lang in ("en", "sv")
    )
    return Change(
        kind_code(kind),
        owner,
        compartment,
        column,
        before.code if before else "",
        after.code if after else "",
        _direction(before, after),
        en,
        sv,
        name,
        changes,
    )


def _direction(before: Cell | None, after: Cell | None) -> Direction:
    more, less = _lets_more(after, before), _lets_more(before, after)
    if more == less:
        return "other"
    return "wider" if more else "narrower"


def _lets_more(one: Cell | None, other: Cell | None) -> bool:
    """Tell whether one cell lets anything through that the other does not."""
    if one is None:
        return False
    if other is None:
        return REACH[one.automatic or "D"] > REACH["D"] or bool(grounds(one))
    (automatic, duties, gateways), (than, told, decided) = _said(one), _said(other)
    return REACH[automatic] > REACH[than] or not duties <= told or not gateways <= decided | told


def _changes(before: Cell | None, after: Cell | None, old: Pack, new: Pack, lang: str) -> Iterator[str]:
    if before is None or after is None:
        yield _text(_NEW if before is None else _GONE, lang)
    was, is_ = (_said(before) if before else _NOTHING), (_said(after) if after else _NOTHING)
    if was[0] != is_[0]:
        yield _text(_AUTOMATIC, lang).format(before=_text(_FORMS[was[0]], lang), after=_text(_FORMS[is_[0]], lang))
    for label, codes, pack in (
        (_MORE_DUTIES, is_[1] - was[1], new),
        (_FEWER_DUTIES, was[1] - is_[1], old),
        (_MORE_GROUNDS, is_[2] - was[2], new),
        (_FEWER_GROUNDS, was[2] - is_[2], old),
    ):
        if codes:
            yield _text(label, lang).format(names=", ".join(_name(pack, code, lang) for code in sorted(codes)))


_NOTHING: Final[tuple[Automatic, frozenset[str], frozenset[str]]] = ("D", frozenset(), frozenset())


def _name(pack: Pack, code: str, lang: str) -> str:
    gateway = pack.gateways.get(code)
    return code if gateway is None else f"{code} ({gateway.en if lang == 'en' else gateway.sv})"


def _text(label: Label, lang: str) -> str:
    return label.en if lang == "en" else label.sv
