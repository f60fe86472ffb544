"""A draft of an agreement as people write it: TOML with the names that everybody uses, turned into terms.

Refuses what it does not know, at the place where it stands; nothing is left to a guess.

> INVARIANT: equal drafts give equal terms, whatever the order in which they were written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from sluss_client.errors import Invalid
from sluss_client.trust import Trust
from sluss_schemas.ids import COMPARTMENT_CODES, KINDS, Compartment, kind_code
from sluss_schemas.policy.model import Pack
from sluss_schemas.terms import Terms, TermsCell, place_of

EXAMPLE: Final = """\
# Who agrees, on what, and for how long. Write no names of persons.
parties = ["police", "social_services"]
purpose = "Outreach knows where not to be while something is going on."
owner = "S-1, head of the field group"
from = 2026-02-01
until = 2026-12-31            # the last day
# scenes = ["central-square"]  # without it: every scene

[[open]]
kind = "activity_log"         # or K13
owner = "police"              # whose reports
to = ["social_services"]      # whose field staff
parts = ["situation", "place"]
as = "R"                      # A full, R in short form, P the alias, G counts alone
"""


class _Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"code": "as"}):
    kind: str
    owner: str
    to: list[str]
    parts: list[str]
    code: Literal["A", "R", "P", "G"]


class _Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begins": "from"}):
    parties: list[str]
    purpose: str
    owner: str
    begins: Any
    until: Any
    open: list[_Open]
    scenes: list[str] | None = None


def read(text: str, trust: Trust, agreement: bytes, now: int) -> Terms:
    """Return the terms that a draft says, by the names and the zone that are known here.

    Raises:
        Invalid: `bad_agreement`; the field is the place in the draft.

    """
    try:
        draft = msgspec.convert(tomllib.loads(text), _Draft)
    except tomllib.TOMLDecodeError as error:
        raise Invalid("bad_agreement", "file", f"Correct the TOML: {error}.") from None
    except msgspec.ValidationError as error:
        raise Invalid("bad_agreement", "file", f"Correct the draft: {error}.") from None
    pack = trust.pack(now)
    agencies = {chain.slug: bytes(chain.agency) for chain in trust.agencies(now)}
    numbers = trust.scene_numbers(now)
    cells = sorted(set(_cells(draft, pack, agencies)), key=place_of)
    terms = Terms(
        agreement,
        tuple(sorted({_known(agencies, slug, "parties") for slug in draft.parties})),
        tuple(cells),
        None if draft.scenes is None else tuple(sorted({_known(numbers, slug, "scenes") for slug in draft.scenes})),
        draft.purpose,
        draft.owner,
        _moment(draft.begins, "from", pack.zone),
        _moment(draft.until, "until", pack.zone),
    )
    try:
        return msgspec.convert(msgspec.to_builtins(terms, builtin_types=(bytes,)), Terms)
    except msgspec.ValidationError as error:
        raise Invalid("bad_agreement", "file", f"Correct the draft: {error}.") from None


def _cells(draft: _Draft, pack: Pack, agencies: dict[str, bytes]) -> Iterator[TermsCell]:
    for number, row in enumerate(draft.open, 1):
        where = f"open {number}"
        kind = _kind(pack, row.kind, where)
        owner = _known(agencies, row.owner, where)
        for to in row.to:
            for part in row.parts:
                yield TermsCell(kind, owner, _part(part, where), _known(agencies, to, where), row.code)


def _kind(pack: Pack, name: str, where: str) -> int:
    named = pack.kind_named(name)
    found = named.number if named else next((one for one in KINDS if kind_code(one) == name.upper()), None)
    if found is None:
        raise Invalid("bad_agreement", where, "Name a kind of report by its name or number, as activity_log or K13.")
    return found


def _part(name: str, where: str) -> Compartment:
    if name not in COMPARTMENT_CODES:
        raise Invalid("bad_agreement", where, f"Name parts of a report: {', '.join(COMPARTMENT_CODES)}.")
    return COMPARTMENT_CODES[name]


def _known(known: dict[str, Any], slug: str, where: str) -> Any:  # noqa: ANN401  # an agency's id, or a scene's number
    if slug not in known:
        raise Invalid("bad_agreement", where, f"Name one of these: {', '.join(sorted(known))}.")
    return known[slug]


def _moment(given: object, where: str, zone: str) -> int:
    """Return a moment in Unix seconds; of a day its first second, or of the last day the first second after it."""
    if isinstance(given, datetime):
        return int((given if given.tzinfo else given.replace(tzinfo=ZoneInfo(zone))).timestamp())
    if not isinstance(given, date):
        raise Invalid("bad_agreement", where, "Write a day or a moment, as 2026-12-31.")
    day = given + timedelta(days=1) if where == "until" else given
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())
