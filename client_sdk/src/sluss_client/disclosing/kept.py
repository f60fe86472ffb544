"""Decisions of this device's person, kept with what became of each.

> INVARIANT: what was decided is durable before anything leaves, and its outcome stays as long as the device.

Source: docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from sluss_client.disclosing.making import Draft, Reasons
from sluss_client.local import Local
from sluss_schemas.ids import AgencyId, Compartment, PersonId

_SPACE: Final = "decided"


class State(StrEnum):
    """Where a decision stands."""

    WAITING = "waiting"
    PROPOSED = "proposed"
    RELEASED = "released"
    REFUSED = "refused"
    RECALLED = "recalled"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


OPEN: Final = frozenset({State.WAITING, State.PROPOSED})
"""Not on the server yet."""


class Decision(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One decision, and what became of it.

    `people` are the receivers by agency and person, empty for audiences; `tests` and `reasons` are what was affirmed
    and written; `excerpt` has the fields to keep, by compartment.
    `draft` is what was sealed of it and `item` what is pushed, verbatim until it is answered; `proposal` is the record
    that asks for an approval, and `approvals` are devices with their signatures.
    `task` is the record that asks for a review, `recall` the one that recalled it.
    """

    grant_id: bytes
    report_id: bytes
    version: int
    gateway: str
    people: tuple[tuple[bytes, bytes], ...]
    agencies: tuple[bytes, ...]
    compartments: tuple[Compartment, ...]
    tests: tuple[str, ...]
    reasons: Reasons
    decided_at: int
    not_before: int | None = None
    until: int | None = None
    excerpt: tuple[tuple[Compartment, tuple[str, ...]], ...] = ()
    consent: bytes | None = None
    state: State = State.WAITING
    reason: str = ""
    field: str = ""
    digest: bytes = b""
    signer: bytes = b""
    draft: Draft | None = None
    item: bytes = b""
    proposal: bytes = b""
    approvals: tuple[tuple[bytes, bytes], ...] = ()
    answered_at: int | None = None
    review_by: int | None = None
    task: bytes = b""
    recall: bytes = b""

    def __repr__(self) -> str:
        """Show no content."""
        return f"Decision({self.grant_id.hex()}, {self.gateway}, {self.state})"

    def receivers(self) -> Iterator[tuple[AgencyId, PersonId]]:
        """Yield the named receivers."""
        return ((AgencyId(agency), PersonId(person)) for agency, person in self.people)


def save(local: Local, one: Decision) -> Decision:
    """Keep a decision as it is now."""
    local.store.put(_SPACE, one.grant_id, msgspec.msgpack.encode(one))
    return one


def get(local: Local, grant_id: bytes) -> Decision | None:
    """Return a decision of this device, or None."""
    data = local.store.get(_SPACE, grant_id)
    return None if data is None else msgspec.msgpack.decode(data, type=Decision)


def all_of(local: Local) -> list[Decision]:
    """Return every decision of this device, the first one first."""
    found = (msgspec.msgpack.decode(data, type=Decision) for _, data in local.store.items(_SPACE))
    return sorted(found, key=lambda one: (one.decided_at, one.grant_id))
