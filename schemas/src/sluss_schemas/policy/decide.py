"""Who may open what: the pack and the facts go in, bitmaps and named decisions come out.

For: what an author's device seals, what a server accepts and delivers, and what a reader is told.
Refuses: to know a statute, an age or a kind by name; those are the pack's, read here as data.

> INVARIANT: default deny. No rule, an unknown kind, owner, receiver or ground, and an input that matches
> nothing all mean that nothing opens; no step turns a hard deny or a part that is not collected into
> anything else.

Bitmaps are over the sixteen slots of docs/protocol.md section 3.
Source: docs/secrecy-rules.md, "How the pack meets the keys" and B6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Final

from msgspec.structs import replace

from sluss_schemas.ids import COMPARTMENTS, KIND_SECRET, Column, Compartment, Sector, bit
from sluss_schemas.policy import overlay
from sluss_schemas.policy.answers import Decision, Form, Ground, Receiver, Slots
from sluss_schemas.policy.cells import Cell, rule_id
from sluss_schemas.policy.model import Gateway, Kind, Pack

__all__ = ["Decision", "Form", "Receiver", "Slots", "allowed", "collected", "column", "open_to", "slots"]

Row = overlay.Row

# A grant that touches one of these is about a person, and draws the situation and the place along.
_ABOUT_A_PERSON: Final[tuple[Compartment, ...]] = ("SUB", "CAR", "ENF", "SAF")
_LIFTED: Final[tuple[Compartment, ...]] = ("SIT", "PLC")


def column(owner: Sector, receiver: Receiver) -> Column:
    """Return the policy column in which the owner's table keeps this receiver."""
    if receiver.function == "supervisors" and not receiver.named:
        return "SUP" if receiver.own else "SUPX"
    return owner if receiver.own else receiver.sector


def slots(pack: Pack, kind: int, owner: Sector, receiver: Receiver, *, embargo: bool = False) -> Slots:
    """Return what a receiver may hold of a report of this kind; for clear kind 0 that of any secret kind."""
    if kind == KIND_SECRET:
        each = (slots(pack, number, owner, receiver, embargo=embargo) for number in _secret(pack))
        return reduce(_union, each, Slots())
    known, row = pack.kinds.get(kind), _row(pack, kind, owner, receiver)
    if known is None or row is None or (receiver.own and receiver.sector != owner):
        return Slots()
    if receiver.own:
        return _own(pack, known, row, receiver)
    automatic = _automatic(row, embargo=embargo)
    base = _automatic(_agreed(pack, kind, owner, receiver, row), embargo=embargo) if _is_field(receiver) else 0
    duties, gateways = dict[str, int](), dict[str, int]()
    for code in sorted({code for cell in row.values() for code in (*cell.duties, *cell.gateways)}):
        gateway = pack.gateways.get(code)
        if gateway is None or not _offered(pack, gateway, owner, receiver):
            continue
        told = (c for c, cell in row.items() if code in (_recommended(cell) if gateway.recommended else cell.duties))
        if (due := _full(told)) and not receiver.named:
            duties[code] = due | automatic | _lift(row, gateway, due)
        if chosen := _full(c for c, cell in row.items() if code in cell.gateways):
            gateways[code] = chosen | automatic | _lift(row, gateway, chosen)
    return Slots(_carried(base), 0, duties, gateways)


def allowed(pack: Pack, kind: int, owner: Sector, receiver: Receiver) -> int:
    """Return the most that a base seal to this receiver may carry; what exceeds it is trimmed."""
    found = slots(pack, kind, owner, receiver)
    return found.open | found.held


def collected(pack: Pack, kind: int, owner: Sector) -> frozenset[Compartment]:
    """Return the compartments that the owner's form has; a report with any other is kept in quarantine."""
    kinds = _secret(pack) if kind == KIND_SECRET else [kind]
    cells = ((c, pack.cells.get((number, owner, c, owner))) for number in kinds for c in COMPARTMENTS)
    return frozenset(c for c, cell in cells if cell is not None and cell.automatic != "N")


def open_to(
    pack: Pack,
    kind: int,
    owner: Sector,
    receiver: Receiver,
    compartment: Compartment,
    *,
    grants: Mapping[str, int] | None = None,
    embargo: bool = False,
    denied: bool = False,
) -> Decision:
    """Decide one compartment for one receiver, in the order of docs/secrecy-rules.md B6.

    `kind` is 1 to 19, `grants` the bitmaps of the grants in force for this receiver by the code of their
    ground, `embargo` whether the owner keeps the report back, `denied` whether the owner denies this receiver
    (policy, recusal, a consent withdrawn). Of several grounds the fullest decides, then the first.
    """
    given, where = grants or {}, column(owner, receiver)
    if given and where == "SUPX":
        where = receiver.sector  # a duty that reached supervisors because nobody else could take it
    name = rule_id(kind, owner, compartment, where)
    cell = pack.cells.get((kind, owner, compartment, where))
    if cell is None:
        return Decision("default_deny", name, None, "")
    # 3 statutory exemption and 4 embargo narrow what is on offer, before anything is weighed
    offer = slots(pack, kind, owner, receiver, embargo=embargo)
    held = _form(offer.held, compartment)
    # 1 not collected
    if cell.automatic == "N":
        return Decision("not_collected", name, None, cell.why)
    # 2 hard deny
    if cell.automatic == "X" and held is None:
        return Decision("hard_deny", name, None, cell.why)
    # 5 statutory duty; 6 explicit deny, which beats what follows; 7 gateway; 8 automatic
    ways: list[tuple[Ground, str, int]] = []
    due = {code: bits for code, bits in offer.duties.items() if pack.gateways[code].duty}
    ways += [("duty", code, given.get(code, 0) & bits) for code, bits in due.items()]
    if not denied:
        ways += [("gateway", code, given.get(code, 0) & bits) for code, bits in offer.gateways.items()]
        plain = (
            offer if not receiver.agreed else slots(pack, kind, owner, replace(receiver, agreed=()), embargo=embargo)
        )
        ways += [("own" if receiver.own else "automatic", "", plain.open), ("agreement", "", offer.open)]
    for wanted in ("full", "brief"):
        for ground, code, bits in ways:
            form = _form(bits, compartment)
            if form == wanted:
                return Decision(ground, name, form, cell.why, code)
    # 9 default deny; what is only held back says so to the one who may ask for it
    closed: Ground = "explicit_deny" if denied else "held" if held else "default_deny"
    return Decision(closed, name, None, cell.why)


def _secret(pack: Pack) -> list[int]:
    """Return the kinds whose existence is secret, which share clear kind 0."""
    return [number for number, kind in pack.kinds.items() if not kind.clear]


def _row(pack: Pack, kind: int, owner: Sector, receiver: Receiver) -> Row | None:
    """Return the receiver's eight cells, or None unless every one of them exists."""
    where = column(owner, receiver)
    if where == "SUPX":
        where = receiver.sector  # nothing automatic follows from it, see `base` in `slots`
    cells = {c: pack.cells.get((kind, owner, c, where)) for c in COMPARTMENTS}
    row = {c: cell for c, cell in cells.items() if cell is not None}
    return row if len(row) == len(COMPARTMENTS) else None


def _automatic(row: Row, *, embargo: bool) -> int:
    """Return what the row's automatic cells give another agency; `O` is not one of them."""
    full = _full(c for c, cell in row.items() if cell.automatic == "A")
    brief = _full(c for c, cell in row.items() if cell.automatic in {"R", "P"}) << 1
    return 0 if embargo else full | brief


def _agreed(pack: Pack, kind: int, owner: Sector, receiver: Receiver, row: Row) -> Row:
    """Return the row with what agreements open in it."""
    return overlay.laid(pack, kind, owner, receiver.sector, row, receiver.agreed) if receiver.agreed else row


def _is_field(receiver: Receiver) -> bool:
    return receiver.function == "field" and not receiver.named


def _carried(bits: int) -> int:
    """Apply the carrier rule (I9): whoever may not have the situation has no entry, and so nothing."""
    return bits if _form(bits, "SIT") else 0


def _own(pack: Pack, kind: Kind, row: Row, receiver: Receiver) -> Slots:
    """Return what the owning agency's own audience or named device holds; `O` is not always everybody."""
    if receiver.named or receiver.function == "field":
        owned = {c for c, cell in row.items() if cell.automatic == "O"}
        whole = owned & set(kind.whole_field) if kind.case_staff else owned
        return Slots(_carried(_full(owned if receiver.named else whole)))
    if receiver.function != "supervisors":
        return Slots()
    codes = [code for code, gateway in pack.gateways.items() if gateway.held]
    extra = _full(["AUT"]) if kind.author_to_supervisors else 0
    held = {code: _full(c for c, cell in row.items() if code in cell.gateways) | extra for code in codes}
    return Slots(_carried(_automatic(row, embargo=False)), reduce(or_, held.values(), 0), {}, held)


def _offered(pack: Pack, gateway: Gateway, owner: Sector, receiver: Receiver) -> bool:
    """Tell whether the statute offers this ground from the owner to the receiver at all."""
    return (
        owner in gateway.owners
        and receiver.sector in gateway.receivers
        and (receiver.sector in pack.authorities or not gateway.receiver_authority)
        and receiver.function in {gateway.receiver_function, gateway.receiver_fallback}
    )


def _recommended(cell: Cell) -> tuple[str, ...]:
    """Return the grounds that may travel with a report; nobody but a decider knows what an attachment shows."""
    return () if cell.as_content else cell.gateways


def _lift(row: Row, gateway: Gateway, given: int) -> int:
    """Return situation and place at the precision that the ground needs, where a grant is about a person."""
    if gateway.lifts == "none" or not given & _full(_ABOUT_A_PERSON):
        return 0
    full = _full(c for c in _LIFTED if row[c].automatic not in {"X", "N"})
    return full << 1 if gateway.lifts == "scene" else full


def _form(bits: int, compartment: Compartment) -> Form | None:
    """Return the fuller form of a compartment that a bitmap contains."""
    if bits & bit(compartment):
        return "full"
    return "brief" if bits & bit(compartment, brief=True) else None


def _full(compartments: Iterable[Compartment]) -> int:
    """Return the bitmap of the compartments' full sections; shifted by one, of their briefs."""
    return reduce(or_, (bit(c) for c in compartments), 0)


def _union(one: Slots, other: Slots) -> Slots:
    """Return what either of two decisions would allow."""
    duties, gateways = (
        {code: a.get(code, 0) | b.get(code, 0) for code in sorted({*a, *b})}
        for a, b in ((one.duties, other.duties), (one.gateways, other.gateways))
    )
    return Slots(one.open | other.open, one.held | other.held, duties, gateways)
