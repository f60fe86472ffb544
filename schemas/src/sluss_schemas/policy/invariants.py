"""The rules that no policy pack may break, each a small function that names every cell that does.

For: the last check of `pack.load`, and `sluss pack check`.
Refuses: to repair. A pack that breaks one rule is not used at all, and the pack in force stays.

> INVARIANT: whom a rule is about stands in `pack.bounds`, the file of the jurisdiction, and never in the pack itself.
> A pack's author can change a gateway's owners there; what every pack has to keep is changed and reviewed apart.

Source: docs/secrecy-rules.md B5.4.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sluss_schemas.ids import COLUMNS, COMPARTMENTS, KINDS, SECTORS, bit, kind_code
from sluss_schemas.policy.cells import REACH, grounds, parse, reach, rule_id, wider, within_base
from sluss_schemas.policy.decide import Receiver, slots
from sluss_schemas.policy.model import CellKey, Pack
from sluss_schemas.problems import Invalid


class Violation(msgspec.Struct, frozen=True):
    """One broken rule.

    Attributes:
        invariant: `I1` to `I10`, `duty`, or `ground` for a ground that is not offered there.
        cell: the cell, `K16.HLT.SIT.POL`.
        say: what is wrong with it.

    """

    invariant: str
    cell: str
    say: str


def violations(pack: Pack, floor: Pack | None = None) -> Iterator[Violation]:
    """Yield every broken rule; one code per cell comes first, because the others read the cells."""
    for rule in (i7, i1, i2, i3, i4, i5, i6, offered, i9, i10):
        yield from rule(pack)
    if floor is not None:
        yield from check_against_floor(pack, floor)


def i1(pack: Pack) -> Iterator[Violation]:
    """Keep a protected kind closed for good to everybody from whom the jurisdiction protects it."""
    for bound in pack.bounds.protected:
        if bound.kind not in {kind_code(number) for number in pack.kinds}:
            yield Violation("I1", bound.kind, "The pack has no such kind, which the jurisdiction protects.")
        for (kind, _, _, column), cell in pack.cells.items():
            if kind_code(kind) == bound.kind and column in bound.closed_to and cell.automatic != "X":
                yield Violation("I1", cell.rule_id, "A protected service is X for this column.")


def i2(pack: Pack) -> Iterator[Violation]:
    """Keep who it was and what care there was from all outside the agencies, with no ground to open it."""
    for (_, _, compartment, column), cell in pack.cells.items():
        if compartment in pack.bounds.person and column in pack.bounds.outside and cell.automatic not in {"X", "N"}:
            yield Violation("I2", cell.rule_id, "Subject and care are X or N outside the agencies.")


def i3(pack: Pack) -> Iterator[Violation]:
    """Keep persons from other agencies' supervisors; counts are the most."""
    for (_, _, compartment, column), cell in pack.cells.items():
        about = compartment in pack.bounds.person and column in pack.bounds.counts_only
        if about and (reach(cell) > REACH["G"] or grounds(cell)):
            yield Violation("I3", cell.rule_id, "Supervisors of others get counts of subject and care at most.")


def i4(pack: Pack) -> Iterator[Violation]:
    """Let nobody see what would go on from there to somebody who may not see it."""
    for bound in pack.bounds.within:
        for (kind, owner, compartment, column), cell in pack.cells.items():
            if column != bound.column or owner not in bound.owners:
                continue
            limit = pack.cells.get((kind, owner, compartment, bound.limit))
            # Closed and closed for good are the same here: neither shows anything.
            far = 0 if limit is None else max(reach(limit), REACH["D"])
            if limit is None or reach(cell) > far or not grounds(cell) <= grounds(limit):
                yield Violation("I4", cell.rule_id, bound.say)


def i5(pack: Pack) -> Iterator[Violation]:
    """Keep each ground with the owners that the statute names."""
    for (_, owner, _, _), cell in pack.cells.items():
        for code in sorted(grounds(cell)):
            if owner not in pack.bounds.owned.get(code, SECTORS):
                yield Violation("I5", cell.rule_id, f"{code} is no ground for data of this owner.")


def i6(pack: Pack) -> Iterator[Violation]:
    """Keep grounds that exist between authorities away from who is none, as owner and as receiver."""
    for bound in pack.bounds.between:
        for (_, owner, _, column), cell in pack.cells.items():
            if not {owner, column}.isdisjoint(bound.never):
                for code in sorted(grounds(cell) & set(bound.grounds)):
                    yield Violation("I6", cell.rule_id, f"{code} exists only between authorities.")


def i7(pack: Pack) -> Iterator[Violation]:
    """Demand exactly one code that parses for every kind, owner, compartment and column."""
    wanted: set[CellKey] = {
        (number, owner, compartment, column)
        for number in KINDS
        for owner in (pack.kinds[number].owners if number in pack.kinds else ())
        for compartment in COMPARTMENTS
        for column in COLUMNS
    }
    for key in sorted(wanted ^ set(pack.cells)):
        yield Violation("I7", rule_id(*key), "Every kind, owner, compartment and column has one code.")
    for key, cell in pack.cells.items():
        try:
            read = parse(cell.code, rule_id(*key))
        except Invalid as error:
            yield Violation("I7", rule_id(*key), error.say)
            continue
        same = (read.automatic, read.duties, read.as_content) == (cell.automatic, cell.duties, cell.as_content)
        if not same or not (read.as_content or read.gateways == cell.gateways):
            yield Violation("I7", rule_id(*key), "The code says something else than its parts.")
        elif cell.automatic == "P" and key[2] != "AUT":
            yield Violation("I7", rule_id(*key), "P is the author's alias and stands in AUT only.")
        elif cell.automatic == "O" and key[3] != key[1]:
            yield Violation("I7", rule_id(*key), "O is for the owner's own column.")


def check_against_floor(pack: Pack, floor: Pack) -> Iterator[Violation]:
    """I8: refuse an agency's pack that is wider than the statute, or drops a duty that the statute imposes.

    A cell that the floor only closes by policy (`D`) may be opened as far as the owner's base row goes, and to
    `A` where the base row is `D` too; every other cell may only get narrower.
    """
    if pack.requests != floor.requests:
        yield Violation("duty", "request", "What the statute lets be asked, and what is weighed, stays as it is.")
    for key, cell in pack.cells.items():
        old = floor.cells.get(key)
        if old is None:
            yield Violation("I8", cell.rule_id, "The statutory pack has no such cell.")
        elif not set(old.duties) <= set(cell.duties):
            yield Violation("duty", cell.rule_id, "A duty stands above the agency's policy and stays.")
        elif wider(cell, old) and not within_base(cell, old, floor.base.get(key[1:])):
            yield Violation("I8", cell.rule_id, f"The statute allows {old.code} here and no more.")


def offered(pack: Pack) -> Iterator[Violation]:
    """Demand that every ground of a cell exists and may be used from this owner to this column."""
    for (_, owner, _, column), cell in pack.cells.items():
        for code in sorted(grounds(cell)):
            ground = pack.gateways.get(code)
            if ground is None or owner not in ground.owners:
                yield Violation("ground", cell.rule_id, f"{code} is not a ground of this owner.")
            elif ground.held != (column == "SUP") or (column in SECTORS and column not in ground.receivers):
                yield Violation("ground", cell.rule_id, f"{code} is not a ground for this column.")
            elif code in cell.duties and not ground.duty:
                yield Violation("ground", cell.rule_id, f"{code} is no duty.")


def i9(pack: Pack) -> Iterator[Violation]:
    """Hold the carrier rule to what is decided: whoever may hold anything of a report may hold its situation."""
    carrier = bit("SIT") | bit("SIT", brief=True)
    for number, kind in pack.kinds.items():
        if kind.whole_field and "SIT" not in kind.whole_field:
            for owner in kind.owners:
                yield Violation("I9", rule_id(number, owner, "SIT", owner), "The own field needs the situation first.")
        for owner in kind.owners:
            for sector in SECTORS:
                for own in (False, True):
                    may = slots(pack, number, owner, Receiver(sector, "field", own)).open
                    if may and not may & carrier:
                        yield Violation("I9", rule_id(number, owner, "SIT", sector), "Nothing opens without SIT.")


def i10(pack: Pack) -> Iterator[Violation]:
    """Let nobody's name go to another agency by itself: beside it lies the place, also of a report whose place stays.

    With a duty or a decision it goes as an excerpt without that, to where the situation is not open by itself.
    """
    for (kind, owner, compartment, column), cell in pack.cells.items():
        if compartment == "AUT" and column != owner and cell.automatic in {"O", "A"}:
            situation = pack.cells.get((kind, owner, "SIT", column))
            if situation is None or situation.automatic in {"O", "A", "R", "P"}:
                yield Violation("I10", cell.rule_id, "An author's name goes with a duty or a decision alone.")
