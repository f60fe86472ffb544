"""The secrecy rules as a page for people: docs/secrecy-rules.md is what this returns, and a test compares the two.

For: staff, supervisors and lawyers, who read the same table that the program runs.
Refuses to add a rule: every row comes from the pack.

> INVARIANT: a cell that a device or the server applies stands on this page.
"""

from __future__ import annotations

from collections.abc import Iterator

from sluss_schemas.ids import COLUMNS, COMPARTMENTS, SECTORS, Sector, kind_code
from sluss_schemas.policy.model import Gateway, Kind, Pack

_ORDER = (
    "not collected (`N`)",
    "closed for good (`X`)",
    "a statutory exemption takes a ground away",
    "an embargo closes what would be automatic",
    "a statutory duty (`T`) that was answered",
    "an explicit deny, which beats every allow below it",
    "a gateway (`B`) decided for this case, in force now",
    "the automatic cells (`O`, `A`, `R`, `P`, `G`)",
    "otherwise closed, and what is closed looks like what does not exist",
)


_CODES = (
    ("`O`", "wraps the full section for the own field audience; for some kinds for the author and named staff alone"),
    ("`A`", "wraps the full section for that audience"),
    ("`R`", "wraps the brief, which is made of coded fields alone"),
    ("`P`", "wraps the author's function and alias"),
    ("`G`", "wraps nothing; counts may show it, where they give nobody away"),
    ("`T:`", "puts the duty to the author; answered, a grant travels with the report"),
    ("`B:`", "wraps nothing; a person who may decide can open it later, on one of these grounds"),
    ("`B:` own supervision", "wraps it for the own supervisors; the server holds it back until a reason is stated"),
    ("`D`, `X`", "wraps nothing; `X` is closed for good"),
    ("`N`", "has no such field; a report that has one all the same is kept in quarantine"),
)


def markdown(pack: Pack) -> str:
    """Return the page of one pack."""
    lines = [
        "# Secrecy rules",
        "",
        f"Pack `{pack.id}`, in force from {pack.valid_from.isoformat()}, zone {pack.zone}.",
        pack.notice.en,
        "This page is made from the pack; a test compares the two.",
        "",
        *_keys(),
        *_gateways(pack),
        *_rows(pack),
        *_kinds(pack),
        *_order(),
    ]
    return "\n".join(lines) + "\n"


def _keys() -> Iterator[str]:
    yield from ("## How the pack meets the keys", "", "| code | what the author's device does when it seals |")
    yield from ("| --- | --- |", *(f"| {code} | {does} |" for code, does in _CODES), "")
    yield "An audience gets the automatic parts of a report only if its situation is open too: the carrier rule, I9."
    yield "Without it, whoever may not know of a report would still see that somebody wrote one."
    yield ""


def _gateways(pack: Pack) -> Iterator[str]:
    yield from ("## B4. Grounds on which a closed part opens", "")
    yield "| code | name | law | who decides | must be affirmed | from | to | longest |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for gateway in pack.gateways.values():
        yield _gateway(gateway)
    yield ""


def _gateway(gateway: Gateway) -> str:
    who = "the author, while filing" if gateway.at_filing else gateway.decides
    tests = "; ".join(test.en.rstrip(".") for test in gateway.tests) or "-"
    longest = "-" if gateway.max_hours is None else f"{gateway.max_hours} h"
    name = f"{gateway.en} (duty)" if gateway.duty else gateway.en
    cells = (
        gateway.code,
        name,
        "; ".join(gateway.law),
        who,
        tests,
        _sectors(gateway.owners),
        _sectors(gateway.receivers),
    )
    return f"| {' | '.join(cells)} | {longest} |"


def _sectors(sectors: tuple[Sector, ...]) -> str:
    return "all" if set(sectors) == set(SECTORS) else " ".join(sectors)


def _rows(pack: Pack) -> Iterator[str]:
    yield from ("## B5. What every column gets, by owner", "")
    for owner in SECTORS:
        yield from (f"### Owner {owner}", "", f"| | {' | '.join(COLUMNS)} | why | law |")
        yield f"| --- |{' --- |' * (len(COLUMNS) + 2)}"
        for compartment in COMPARTMENTS:
            cells = [pack.base[owner, compartment, column] for column in COLUMNS]
            codes = " | ".join(cell.code for cell in cells)
            yield f"| {compartment} | {codes} | {cells[0].why} | {'; '.join(cells[0].law)} |"
        yield ""


def _kinds(pack: Pack) -> Iterator[str]:
    yield from ("## B5.2 Kinds, and what they do differently", "")
    for kind in pack.kinds.values():
        yield from (f"### {kind_code(kind.number)} {kind.en}", "", kind.sv + ".", _facts(kind), "")
        changed = list(_changes(pack, kind))
        if changed:
            yield from ("| owner | part | differs | why | law |", "| --- | --- | --- | --- | --- |", *changed, "")


def _facts(kind: Kind) -> str:
    clear = "" if kind.clear else " That such a report exists is itself secret."
    staff = " Its own readers are the author and named staff." if kind.case_staff else ""
    facts = ", ".join(kind.facts) or "nothing"
    return f"Filed by {' '.join(kind.owners)}; in clear to the server: {facts}.{clear}{staff}"


def _changes(pack: Pack, kind: Kind) -> Iterator[str]:
    for owner in kind.owners:
        for compartment in COMPARTMENTS:
            cells = {column: pack.cell(kind.number, owner, compartment, column) for column in COLUMNS}
            differs = {c: cell for c, cell in cells.items() if cell.code != pack.base[owner, compartment, c].code}
            if differs:
                codes = ", ".join(f"{column} `{cell.code}`" for column, cell in differs.items())
                why = next(iter(differs.values()))
                yield f"| {owner} | {compartment} | {codes} | {why.why} | {'; '.join(why.law)} |"


def _order() -> Iterator[str]:
    yield from ("## B6. Which rule wins", "")
    for number, step in enumerate(_ORDER, 1):
        yield f"{number}. {step}"
