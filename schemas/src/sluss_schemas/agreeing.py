"""What directories say about agreements: an agency's own part, and which ones all parties stand by.

Each party has its part in its own chain; there is no place where an agreement stands as such.
Refuses to take one party's word for another's: what is not the same in every party's chain opens nothing.
Source: docs/protocol.md section 2.

> INVARIANT: an agreement is in force exactly while every party's chain has the same terms, none has suspended or ended
> its part, the parties pin each other, and the time is within the terms.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final, Literal, Protocol

from sluss_schemas.agency import Agreement, Device, Person
from sluss_schemas.directory import Peer
from sluss_schemas.ids import AgencyId, Kid, PersonId
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import verify
from sluss_schemas.terms import (
    AgreementEnd,
    AgreementSigned,
    Terms,
    check_terms,
    read_terms,
    terms_message,
)

State = Literal["draft", "signed", "in_force", "suspended", "terminated", "expired", "refused_below_floor"]
"""How an agreement is, as people are told; what has not begun, or is not signed by every party, is `signed`."""
_FOLLOWS: Final = {"suspended": ("signed",), "resumed": ("suspended",), "terminated": ("signed", "suspended")}


class Chain(Protocol):
    """What is read here of a directory; `replay.Directory` is one."""

    @property
    def agency(self) -> AgencyId:
        """The agency."""

    @property
    def root_fingerprint(self) -> bytes:
        """What peers pin."""

    @property
    def agreements(self) -> dict[bytes, Agreement]:
        """Its part in each agreement."""

    @property
    def devices(self) -> Mapping[Kid, Device]:
        """Its devices."""

    @property
    def persons(self) -> Mapping[PersonId, Person]:
        """Its people."""

    @property
    def peers(self) -> Mapping[AgencyId, Peer]:
        """Whom it pins."""

    def device_active(self, kid: Kid, at: int) -> bool:
        """Tell whether a device acts for the agency at a time."""


# replaying


def sign(directory: Chain, body: AgreementSigned, time: int, at: str) -> None:
    """Take an agency's part in an agreement into its directory.

    Raises:
        Invalid: `malformed`, `not_canonical`, `directory_refused` or `bad_signature`.

    """
    terms, head = read_terms(body.terms, at), directory.devices.get(Kid(body.head))
    check_terms(terms, directory.agency, time, at)
    if terms.agreement in directory.agreements:
        raise Invalid("directory_refused", at, "The agreement is in the directory already.")
    supervises = head is not None and "supervisors" in directory.persons[head.person].functions
    if head is None or not supervises or not directory.device_active(head.kid, time):
        raise Invalid("directory_refused", at, "An agreement is signed by a supervisor of the agency.")
    verify(head.sign_key, body.signature, terms_message(body.terms), at)
    directory.agreements[terms.agreement] = Agreement(terms, body.terms, head.kid)


def end(directory: Chain, body: AgreementEnd, _time: int, at: str) -> None:
    """Suspend, end or resume an agency's part in an agreement.

    Raises:
        Invalid: `directory_refused`.

    """
    known = directory.agreements.get(body.agreement)
    if known is None or known.state not in _FOLLOWS[body.state]:
        raise Invalid("directory_refused", at, "There is no such agreement, or it is in another state.")
    directory.agreements[body.agreement] = replace(known, state="signed" if body.state == "resumed" else body.state)


# what stands


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement that every party stands by, from `begins` until, not including, `ends`."""

    terms: Terms
    begins: int
    ends: int

    def in_force(self, at: int, latest: int = 0) -> bool:
        """Tell whether it is in force; it ends by the later of two clocks where there are two."""
        return self.begins <= at and max(at, latest) < self.ends

    def covers(self, scene: int) -> bool:
        """Tell whether it is about reports of this scene; `NO_SCENE` where nobody knows it."""
        return self.terms.scenes is None or scene in self.terms.scenes


def standing(
    chains: Mapping[AgencyId, Chain] | Mapping[bytes, Chain], *, suspended: bool = False
) -> tuple[Standing, ...]:
    """Return the agreements that every party stands by, by these directories, whether they have begun or are over.

    With `suspended` also those whose part a party has suspended: they open nothing and may be resumed.
    """
    known = {bytes(agency): chain for agency, chain in chains.items()}
    # Each is looked at once, in the chain of its first party.
    first = [
        agreement
        for agency, chain in sorted(known.items())
        for agreement in chain.agreements.values()
        if agreement.terms.parties[0] == agency
    ]
    return tuple(
        Standing(agreement.terms, agreement.terms.not_before, ends)
        for agreement in first
        if (ends := _stands(agreement, known, ("signed", "suspended") if suspended else ("signed",))) is not None
    )


def _stands(agreement: Agreement, known: Mapping[bytes, Chain], states: Collection[str]) -> int | None:
    """Return when an agreement ends by its terms and the parties' pins, or None where a party does not stand by it."""
    terms = agreement.terms
    if any(party not in known for party in terms.parties):
        return None
    parts = [known[party].agreements.get(terms.agreement) for party in terms.parties]
    if any(part is None or part.data != agreement.data or part.state not in states for part in parts):
        return None
    ends = [terms.not_after]
    for one, other in permutations(terms.parties, 2):
        peer = known[one].peers.get(AgencyId(other))
        if peer is None or peer.root != known[other].root_fingerprint:
            return None
        ends += [] if peer.until is None else [peer.until]
    return min(ends)
