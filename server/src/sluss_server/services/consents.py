"""What a consent covers: the record that gave it, and those that follow and take some or all of it back.

A chain only narrows; who consents to more consents anew, by a record that follows nothing.
Source: docs/secrecy-rules.md B4 L01 and B7 4; docs/protocol.md section 4.

> INVARIANT: a chain in which anything says `withdrawn` or `invalid` covers nothing, in whatever order its records came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import decode
from sluss_schemas.disclosure import Grant
from sluss_schemas.ids import COMPARTMENTS
from sluss_schemas.records import Case, CaseKind, ConsentTerms
from sluss_server.services.caseterms import BEGINS
from sluss_server.services.directories import View
from sluss_server.services.filing import case_of
from sluss_server.storage import disclosure

_DEEPEST: Final = 64
_LIFTED: Final = frozenset({COMPARTMENTS.index("SIT"), COMPARTMENTS.index("PLC")})
"""What every disclosure about a person draws along (B6 7), so that a consent need not name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent in force.

    Attributes:
        root: the record that gave it, which grants name as their basis.
        digest: D of the version that it is about.
        agencies: who may receive.
        compartments: the numbers of the compartments that may be received.
        not_before: from when, Unix seconds.
        until: until when.

    """

    root: bytes
    digest: bytes
    agencies: frozenset[bytes]
    compartments: frozenset[int]
    not_before: int
    until: int

    def covers(self, view: View, grant: Grant, now: int) -> bool:
        """Tell whether a grant that rests on it may be in force, now and until its own end."""
        begins = max(now, grant.not_before)
        if not self.not_before <= begins < self.until or grant.not_after is None or grant.not_after > self.until:
            return False
        receivers = [view.receiver(kid) for kid in grant.receivers]
        agencies = {one[0].agency for one in receivers if one is not None}
        slots = {number // 2 for number in grant.slots} - _LIFTED
        return agencies <= self.agencies and None not in receivers and slots <= self.compartments


async def read(connection: AsyncConnection, partnership: bytes, agency: bytes, root: bytes) -> Consent | None:
    """Return the consent that a record of an agency began, as it is now; None where it covers nothing.

    Its clock is not asked about here, but by `Consent.covers`.
    """
    chain = await _chain(connection, partnership, agency, root)
    return _narrowed(chain) if chain else None


async def root_of(connection: AsyncConnection, partnership: bytes, agency: bytes, record: bytes) -> bytes | None:
    """Return the first record of the chain that a consent's record belongs to."""
    for _ in range(_DEEPEST):
        rows = await disclosure.records_named(connection, partnership, [agency], [record])
        if not rows or rows[0].kind != CaseKind.CONSENT:
            return None
        if rows[0].follows is None:
            return record
        record = rows[0].follows
    return None


async def _chain(connection: AsyncConnection, partnership: bytes, agency: bytes, root: bytes) -> list[Case]:
    """Return the records of a chain, the first one first."""
    rows = await disclosure.records_named(connection, partnership, [agency], [root])
    found = list[Case]()
    while rows:
        own = [row for row in rows if row.agency == agency and row.kind == CaseKind.CONSENT]
        found += (case for case in map(case_of, own) if case is not None)
        rows = await disclosure.records_following(connection, partnership, [row.record_id for row in own])
    return found


def _narrowed(chain: Iterable[Case]) -> Consent | None:
    found: Consent | None = None
    for case in chain:
        if case.code not in BEGINS or case.until is None or case.digest is None:
            return None
        terms = decode(ConsentTerms, case.terms, "record.terms")
        compartments = frozenset(number // 2 for number in terms.slots)
        if found is None:
            agencies, not_before, until = frozenset(terms.agencies), terms.not_before, case.until
            root, digest = case.record, case.digest
        else:
            agencies, compartments = found.agencies & frozenset(terms.agencies), found.compartments & compartments
            not_before, until = max(found.not_before, terms.not_before), min(found.until, case.until)
            root, digest = found.root, found.digest
        found = Consent(
            root=root,
            digest=digest,
            agencies=agencies,
            compartments=compartments,
            not_before=not_before,
            until=until,
        )
    return found
