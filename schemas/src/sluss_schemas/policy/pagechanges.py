"""What the older packs do differently, and what the sketches of other laws show, for the page that people read.

For: the end of docs/secrecy-rules.md, where a lawyer sees from which day a rule holds.
Refuses to add anything: every line is a difference between two packs.

> INVARIANT: a cell, a ground or a number that differs between two packs that follow each other stands on this page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from sluss_schemas.ids import kind_code
from sluss_schemas.policy.model import Gateway, Pack


def earlier(packs: Sequence[Pack]) -> Iterator[str]:
    """Yield what each older pack does differently from the one after it, the newest first."""
    if len(packs) < 2:  # noqa: PLR2004 - a pair
        return
    yield from ("## Earlier packs", "")
    yield "A duty goes by the pack of the day of the event; everything else by the pack of now. What is not named here"
    yield "is as in the pack after it: each of these files holds the difference alone, and the hash of what it lies on."
    yield ""
    for old, new in reversed(list(pairwise(packs))):
        yield from (f"### `{old.id}`", "", f"In force from {old.valid_from.isoformat()} until `{new.id}`.", "")
        changes = [*_numbers(old, new), *_grounds(old, new), *_requests(old, new), *_cells(old, new)]
        if changes:
            yield from ("| what | here | then | why | law |", "| --- | --- | --- | --- | --- |", *changes, "")
        else:
            yield from ("The rules are the same; what they cite is another statute.", "")


def abroad(sketches: Sequence[Pack], pack: Pack) -> Iterator[str]:
    """Yield what the sketches of other laws show; none of them may be adopted."""
    if not sketches:
        return
    shown = (pack, *sketches)
    yield from ("## Sketches of other laws", "")
    yield "They show that the format carries another law without a line of code. No agency may adopt them, and most of"
    yield "what they say is unchecked."
    yield from ("", f"| | {' | '.join(f'`{one.id}`' for one in shown)} |", "| --- |" + " --- |" * len(shown))
    for name, say in (
        ("in force from", lambda one: one.valid_from.isoformat()),
        ("a crime weighs enough", _threshold),
        ("age for prevention", lambda one: str(one.parameters.under21_age or "none")),
        ("criminal responsibility from", lambda one: str(one.parameters.criminal_age)),
        ("duties", lambda one: _codes([g for g in one.gateways.values() if g.duty])),
        ("recommended while filing", lambda one: _codes([g for g in one.gateways.values() if g.recommended])),
        ("who has to report a child", _holders),
        ("sight within another's", lambda one: "; ".join(f"{w.column} in {w.limit}" for w in one.bounds.within) or "-"),
    ):
        yield f"| {name} | {' | '.join(say(one) for one in shown)} |"
    for row in pack.base:
        cells = [one.base[row] for one in shown]
        # Which grounds they name differs nearly everywhere; this is what happens without anybody deciding.
        if len({(bool(cell.duties), cell.automatic) for cell in cells}) > 1:
            yield f"| {'.'.join(row)} | {' | '.join(f'`{cell.code}`' for cell in cells)} |"


def _threshold(pack: Pack) -> str:
    if pack.parameters.crime_threshold == "months":
        return f"from {pack.parameters.min_penalty_months} months"
    return "if it is listed" if pack.parameters.crime_threshold == "listed" else "always, where the ground holds"


def _holders(pack: Pack) -> str:
    return (
        " ".join(sorted({o for g in pack.gateways.values() if g.duty and g.about_child for o in g.owners})) or "nobody"
    )


def _codes(gateways: Sequence[Gateway]) -> str:
    return "; ".join(f"{gateway.code} {gateway.en}" for gateway in gateways) or "-"


def _numbers(old: Pack, new: Pack) -> Iterator[str]:
    before, after = msgspec.to_builtins(old.parameters), msgspec.to_builtins(new.parameters)
    for name, value in before.items():
        if value != after[name]:
            yield f"| `{name}` | {value} | {after[name]} | | |"


def _grounds(old: Pack, new: Pack) -> Iterator[str]:
    for code in sorted({*old.gateways, *new.gateways}):
        here, then = old.gateways.get(code), new.gateways.get(code)
        if here is None or then is None:
            said = ("-", f"{then.en} from {' '.join(then.owners)}") if then else (f"{here.en}" if here else "-", "-")
            law = (then or here or old.gateways[code]).law
            yield f"| {code} | {said[0]} | {said[1]} | | {'; '.join(law)} |"
        else:
            yield from _ground(here, then)


def _ground(here: Gateway, then: Gateway) -> Iterator[str]:
    """Yield what a ground demands otherwise; another citation alone is no other rule."""
    before, after = (msgspec.to_builtins(msgspec.structs.replace(one, law=())) for one in (here, then))
    for name in (each for each in before if before[each] != after[each]):
        said = (_said(one, name) for one in (before, after))
        yield f"| {here.code} {name} | {' | '.join(said)} | | {'; '.join(here.law)} |"


def _said(gateway: dict[str, object], name: str) -> str:
    value = gateway[name]
    if name == "tests" and isinstance(value, list | tuple):
        return "; ".join(str(test["en"]).rstrip(".") for test in value)
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _requests(old: Pack, new: Pack) -> Iterator[str]:
    for code in sorted({*old.requests, *new.requests}):
        here, then = old.requests.get(code), new.requests.get(code)
        if here != then:
            said = ("-" if one is None else f"{one.en} from {' '.join(one.owners)}" for one in (here, then))
            law = (then or here or old.requests[code]).law
            yield f"| `{code}` | {' | '.join(said)} | | {'; '.join(law)} |"


def _cells(old: Pack, new: Pack) -> Iterator[str]:
    """Yield the cells that differ; those with the same change of the same kinds stand in one line."""
    changes: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for (kind, owner, compartment, column), cell in old.cells.items():
        other = new.cells[kind, owner, compartment, column]
        if cell.code != other.code:
            names = changes.setdefault((cell.code, other.code, cell.why, "; ".join(cell.law)), {})
            names.setdefault(f"{owner}.{compartment}.{column}", []).append(kind_code(kind))
    for (here, then, why, law), names in changes.items():
        together: dict[str, list[str]] = {}
        for name, kinds in names.items():
            together.setdefault(" ".join(kinds), []).append(name)
        for kinds_of, cells in together.items():
            yield f"| {kinds_of}: {' '.join(cells)} | `{here}` | `{then}` | {why} | {law} |"
