"""The secrecy rules as a page for people: docs/secrecy-rules.md is what this returns, and a test compares the two.

For: staff, supervisors and lawyers, who read the same table that the program runs.
Refuses to add a rule: every row comes from the pack.

> INVARIANT: a cell that a device or the server applies stands on this page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from sluss_schemas.ids import COLUMNS, COMPARTMENTS, SECTORS, Sector, kind_code
from sluss_schemas.policy.model import Gateway, Kind, Pack, Retention
from sluss_schemas.policy.offences import reaches_threshold, weighs_enough
from sluss_schemas.policy.pagechanges import abroad, earlier

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


def markdown(packs: Sequence[Pack], sketches: Sequence[Pack] = ()) -> str:
    """Return the page of the newest of these packs, what the older ones do differently, and the sketches."""
    pack = packs[-1]
    lines = [
        "# Secrecy rules",
        "",
        f"Pack `{pack.id}`, in force from {pack.valid_from.isoformat()}, zone {pack.zone}.",
        pack.notice.en,
        "This page is made from the pack; a test compares the two.",
        "",
        *_keys(),
        *_gateways(pack),
        *_weights(pack),
        *_numbers(pack),
        *_requests(pack),
        *_extract(pack),
        *_rows(pack),
        *_kinds(pack),
        *_bounds(pack),
        *_order(),
        *earlier(packs),
        *abroad(sketches, pack),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _keys() -> Iterator[str]:
    yield from ("## How the pack meets the keys", "", "| code | what the author's device does when it seals |")
    yield from ("| --- | --- |", *(f"| {code} | {does} |" for code, does in _CODES), "")
    yield "An audience gets the automatic parts of a report only if its situation is open too: the carrier rule, I9."
    yield "Without it, whoever may not know of a report would still see that somebody wrote one."
    yield ""


def _gateways(pack: Pack) -> Iterator[str]:
    yield from ("## B4. Grounds on which a closed part opens", "")
    yield "What is *in writing* needs reasons, not only a yes. Whoever decides, the engine weighs nothing: it shows"
    yield "which grounds are open, asks for what the statute asks, and keeps to the least."
    yield ""
    yield "| code | name | law | who decides | must be affirmed | from | to |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for gateway in pack.gateways.values():
        yield _gateway(gateway)
    yield from (
        "",
        "| code | longest | clock | age | rests on | agreed by | looked at within | place follows | status |",
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for gateway in pack.gateways.values():
        yield _limits(pack, gateway)
    yield ""


def _gateway(gateway: Gateway) -> str:
    who: str = "the author, while filing" if gateway.at_filing else gateway.decides
    if gateway.decides_case is not None:
        who += f"; {gateway.decides_case}, where the code stands after `B:`"
    tests = "; ".join(test.en.rstrip(".") + (" *(in writing)*" if test.written else "") for test in gateway.tests)
    mark = " (duty)" if gateway.duty else " (recommended)" if gateway.recommended else ""
    to = _sectors(gateway.receivers) or ("-" if gateway.note_to is None else f"by a note {gateway.note_to.en}")
    if gateway.receiver_function != "field":
        to += f", {gateway.receiver_function}"
    if gateway.receiver_fallback is not None:
        to += f" or else {gateway.receiver_fallback}"
    law = "; ".join(gateway.law)
    cells = (gateway.code, gateway.en + mark, law, who, tests or "-", _sectors(gateway.owners), to)
    return f"| {' | '.join(cells)} |"


def _limits(pack: Pack, gateway: Gateway) -> str:
    age, basis = "-", "-" if gateway.basis == "none" else f"a {gateway.basis} in force"
    if gateway.age is not None:
        age = f"under {getattr(pack.parameters, gateway.age.parameter)}, by the {gateway.age.by} plausible age"
    if gateway.offence != "none":
        basis = _offence(pack, gateway)
    if gateway.on_shift:
        basis = "receivers on shift at the scene"
    cells = (
        gateway.code,
        _hours(gateway.max_hours),
        _hours(gateway.task_hours),
        age,
        basis,
        "-" if gateway.approval == "none" else gateway.approval,
        _hours(gateway.review_hours),
        gateway.lifts,
        gateway.status,
    )
    return f"| {' | '.join(cells)} |"


def _offence(pack: Pack, gateway: Gateway) -> str:
    if gateway.offence == "chapter":
        least = f" from {getattr(pack.parameters, gateway.least)} months" if gateway.least else ""
        return f"an offence of {', '.join(gateway.chapters)}{least}"
    return "an offence that reaches the threshold" if gateway.offence == "threshold" else "an offence with prison"


def _hours(hours: int | None) -> str:
    return "-" if hours is None else f"{hours} h"


def _weights(pack: Pack) -> Iterator[str]:
    set_ = pack.parameters
    yield from ("## Offences", "")
    yield f"A crime weighs enough from {set_.min_penalty_months} months of least imprisonment, an attempt at one from"
    yield f"{set_.min_penalty_months_attempt} months. A ground that asks for an offence opens for no other; some ask"
    yield "for certain chapters. The last column says which grounds an offence opens."
    yield from ("", "| offence | law | chapter | from | to | weighs enough | as an attempt | status | opens |")
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    asking = [ground for ground in pack.gateways.values() if ground.offence != "none"]
    for code, one in pack.offences.items():
        enough, tried = (reaches_threshold(pack, code, attempt=each) for each in (False, True))
        scale = f"{one.min_months or 'fines'} | {one.max_months} months"
        opens = " ".join(ground.code for ground in asking if weighs_enough(pack, ground, code)) or "-"
        cells = f"{one.en} | {'; '.join(one.law)} | {one.chapter or '-'} | {scale}"
        cells += f" | {_yes(enough)} | {_yes(tried)} | {one.status} | {opens}"
        yield f"| {cells} |"
    yield ""


def _yes(held: bool) -> str:  # noqa: FBT001 - a word for it, and nothing else to name
    return "yes" if held else "no"


def _numbers(pack: Pack) -> Iterator[str]:
    yield from ("## Numbers and switches", "", "| name | value |", "| --- | --- |")
    for name, value in msgspec.to_builtins(pack.parameters).items():
        said = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        yield f"| `{name}` | {(' '.join(value) or '-') if isinstance(value, tuple) else said} |"
    for name, value in msgspec.to_builtins(pack.filing).items():
        yield f"| `{name}` | {' '.join(value) or '-'} |"
    yield from (
        "",
        "How long reports are kept, and for how many hours of that others than the own supervisors have them:",
    )
    yield from ("", "| owner or kind | days | shown | why | law | status |", "| --- | --- | --- | --- | --- | --- |")
    for owner, one in pack.retention.items():
        yield _kept(owner, one)
    for number, kind in pack.kinds.items():
        if kind.retention is not None:
            yield _kept(kind_code(number), kind.retention)
    yield ""


def _kept(name: str, one: Retention) -> str:
    shown = _hours(one.visible_hours)
    return f"| {name} | {one.days or '-'} | {shown} | {one.en} | {'; '.join(one.law)} | {one.status} |"


def _extract(pack: Pack) -> Iterator[str]:
    """Yield what the person that a report is about is told of it, in the order in which reasons are tried."""
    if (rules := pack.extract) is None:
        return
    yield from ("## Extracts for the person that a report is about", "")
    yield f"Told of the own agency's reports ({'; '.join(rules.law)}): {' '.join(rules.tells)}; of `SUB` the own entry."
    if rules.day_only:
        yield f"Of the time of {', '.join(rules.day_only)} no more than the day."
    yield "Left out, by the first reason that fits:"
    yield from ("", "| reason | kinds | owners | parts | when | why | law | status |", "| --- |" + " --- |" * 7)
    for one in rules.withhold:
        kinds, owners = " ".join(one.kinds) or "all", " ".join(one.owners) or "all"
        where = f"{kinds} | {owners} | {' '.join(one.parts)} | {one.when}"
        yield f"| `{one.code}` | {where} | {one.en} | {'; '.join(one.law)} | {one.status} |"
    yield ""


def _requests(pack: Pack) -> Iterator[str]:
    """Yield what may be asked of an owner whatever the cells say, and what is weighed before it is told."""
    if not pack.requests:
        return
    yield from ("## Requests of a kind of their own", "")
    yield "What the owner weighs is written down and stays with the owner; what is told are these fields alone, and no"
    yield "part of a report is opened by it."
    yield from (
        "",
        "| code | name | law | of | by | decides | within | weighed | fields | status |",
        "| --- |" + " --- |" * 9,
    )
    for code, one in pack.requests.items():
        weighed, fields = "; ".join(test.en for test in one.tests), ", ".join(field.en for field in one.fields)
        who = f"{_sectors(one.owners)} | {_sectors(one.receivers)} | {one.decides} | {_hours(one.task_hours)}"
        yield f"| `{code}` | {one.en} | {'; '.join(one.law)} | {who} | {weighed} | {fields} | {one.status} |"
    yield ""


def _bounds(pack: Pack) -> Iterator[str]:
    bounds = pack.bounds
    yield from ("## B5.4 What every pack has to keep", "")
    yield f"These are the bounds of {bounds.en}. They stand in a file of their own, which no pack can change."
    yield ""
    for one in bounds.protected:
        yield f"* I1: {one.kind} is closed for good to {' '.join(one.closed_to)} ({'; '.join(one.law)})."
    yield f"* I2: {' and '.join(bounds.person)} are `X` or `N` for {' '.join(bounds.outside)}."
    yield f"* I3: {' '.join(bounds.counts_only)} gets counts of {' and '.join(bounds.person)} at most."
    for each in bounds.within:
        owners = " ".join(each.owners)
        yield f"* I4: of what {owners} write, {each.column} sees no more than {each.limit} ({'; '.join(each.law)})."
    owned = "; ".join(f"{code} {' '.join(owners)}" for code, owners in bounds.owned.items())
    yield f"* I5: grounds of some owners only: {owned}."
    for two in bounds.between:
        yield f"* I6: {' '.join(two.grounds)} exist only between authorities, never for {' '.join(two.never)}."
    yield "* I7: every kind, owner, compartment and column has exactly one code."
    yield "* I8: no agency's pack is wider than the statute's, and none drops a duty; what only policy closed (`D`)"
    yield "  may be opened as far as the base row."
    yield "* I9: the carrier rule holds for every kind and owner."
    yield "* I10: an author's name goes to another agency with a duty or a decision, and never by itself."
    yield ""


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
    words = f" {kind.public_needs}'s supervisors approve every word of a note." if kind.public_needs else ""
    words += f" A note goes on {', '.join(kind.note_grounds)} to whom that names." if kind.note_grounds else ""
    return f"Filed by {' '.join(kind.owners)}; in clear to the server: {facts}.{clear}{staff}{words}"


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
    yield ""
