"""The end of a grant, whatever brought it about: a recall, a consent taken back, its own clock, another pack.

`await end(connection, partnership, agency, grant_id, at)` ends one grant, `end_all` several, inside the writer's
transaction. Both return the drops that tell it to those who had something by the grant, and a leaf for each; whoever
calls appends them, the leaves last.
Source: docs/protocol.md section 4; docs/secrecy-rules.md B6.

> INVARIANT: an end is written the moment it happens, in every feed that held something by the grant, and once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.disclosure import Grant, ended, read_grant
from sluss_schemas.ledger import Act
from sluss_server.storage import disclosure, feeds
from sluss_server.storage.disclosure import Named
from sluss_server.storage.feeds import NewEntry
from sluss_server.storage.ledger import Leaf

Why = Literal["recall", "expire"]
"""Whether somebody took a grant back, or nobody did and it ended."""
RECALL: Final[Why] = "recall"
EXPIRE: Final[Why] = "expire"


@dataclass(slots=True)
class Ended:
    """The drops of grants that have ended, the leaves of their ends, and versions that count no more."""

    entries: list[NewEntry] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    closed: list[bytes] = field(default_factory=list)


async def end(connection: AsyncConnection, partnership: bytes, agency: bytes, grant_id: bytes, at: int) -> Ended:
    """End an agency's grant at this time, because somebody took it back.

    What it has yet to give never comes; where it has ended before, nothing is left to drop.
    """
    named = await disclosure.grants_named(connection, partnership, [agency], [grant_id])
    return await end_all(connection, partnership, named, at, RECALL)


async def end_all(connection: AsyncConnection, partnership: bytes, named: Sequence[Named], at: int, why: Why) -> Ended:
    """End these grants at this time; those that have ended before are left as they are."""
    grants = {(one.agency, one.grant_id): read_grant(one.grant_bytes) for one in named if one.ended_at is None}
    about = {(grant.digest, grant.grant_id) for grant in grants.values()}
    held = await feeds.held(connection, partnership, sorted({digest for digest, _ in about}))
    places = {(one.feed, one.digest, one.grant_id) for one in held if (one.digest, one.grant_id) in about}
    await disclosure.end_grants(connection, partnership, sorted(grants), at)
    return Ended(
        [NewEntry(feed, "drop", ended(digest, name)) for feed, digest, name in sorted(places) if name is not None],
        [leaf(agency, grant, at, why) for (agency, _), grant in sorted(grants.items())],
    )


def leaf(agency: bytes, grant: Grant, at: int, why: Why) -> Leaf:
    """Return the leaf of a grant's end."""
    slots = sum(1 << slot for slot in set(grant.slots))
    act = Act(why, grant.digest, b"", at, grant.gateway, grant.pack, grant.grant_id, slots)
    return Leaf(agency, why, encode(act))
