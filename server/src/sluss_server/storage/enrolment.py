"""Partnerships, the codes that found agencies, invitations, and devices that wait for a registrar.

Source: docs/protocol.md section 2.

> INVARIANT: the secret of a colleague's invitation is nowhere in these tables; that of a founding code is, because the
> operator's server made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.tables import enrolments, founding_codes, invitations, partnerships


class PartnershipRow(NamedTuple):
    """A row of `partnerships`, in the order of its columns."""

    partnership_id: bytes
    name: str
    server_url: str
    created_at: int


class FoundingCode(NamedTuple):
    """A row of `founding_codes`, in the order of its columns."""

    partnership_id: bytes
    invite: bytes
    secret: bytes
    slug: str
    sector: str
    registry: bool
    used_at: int | None


class InvitationRow(NamedTuple):
    """A row of `invitations`, in the order of its columns; `device` is the one that announced it."""

    partnership_id: bytes
    invite: bytes
    agency: bytes
    expires_at: int
    used_at: int | None
    device: bytes | None


class EnrolmentRow(NamedTuple):
    """A row of `enrolments`, in the order of its columns."""

    partnership_id: bytes
    invite: bytes
    device: bytes
    enrolment: bytes
    received_at: int


_partnership: Final = select(partnerships.c.name, partnerships.c.created_at).where(
    partnerships.c.partnership_id == bindparam("partnership")
)
_code: Final = select(*founding_codes.c).where(
    founding_codes.c.partnership_id == bindparam("partnership"), founding_codes.c.invite == bindparam("invite")
)
_invitation: Final = select(*invitations.c).where(
    invitations.c.partnership_id == bindparam("partnership"), invitations.c.invite == bindparam("invite")
)
_enrolments: Final = (
    select(*enrolments.c)
    .where(enrolments.c.partnership_id == bindparam("partnership"), enrolments.c.invite == bindparam("invite"))
    .order_by(enrolments.c.device)
)
_ranked: Final = (
    select(
        enrolments.c.enrolment,
        enrolments.c.received_at,
        enrolments.c.invite,
        enrolments.c.device,
        func.row_number()
        .over(partition_by=enrolments.c.invite, order_by=(enrolments.c.received_at.desc(), enrolments.c.device))
        .label("place"),
    )
    .join_from(
        enrolments,
        invitations,
        (invitations.c.partnership_id == enrolments.c.partnership_id) & (invitations.c.invite == enrolments.c.invite),
    )
    .where(
        enrolments.c.partnership_id == bindparam("partnership"),
        invitations.c.agency == bindparam("agency"),
        invitations.c.used_at.is_(None),
        invitations.c.expires_at > bindparam("now"),
    )
    .subquery("ranked")
)
_waiting: Final = (
    select(_ranked)
    .where(_ranked.c.place <= bindparam("each"))
    .order_by(_ranked.c.place, _ranked.c.received_at, _ranked.c.invite, _ranked.c.device)
    .limit(bindparam("limit"))
)
_open: Final = (
    select(invitations.c.device, func.count().label("open"))
    .group_by(invitations.c.device)
    .where(
        invitations.c.partnership_id == bindparam("partnership"),
        invitations.c.agency == bindparam("agency"),
        invitations.c.used_at.is_(None),
        invitations.c.expires_at > bindparam("now"),
    )
)


async def insert_partnership(connection: AsyncConnection, row: PartnershipRow, codes: Sequence[FoundingCode]) -> None:
    """Write a partnership and the codes that found its agencies."""
    await connection.execute(insert(partnerships).values(row._asdict()))
    await connection.execute(insert(founding_codes), [code._asdict() for code in codes])


async def partnership_named(connection: AsyncConnection, partnership: bytes) -> tuple[str, int]:
    """Return what a partnership is called, and when it was founded."""
    name, founded = (await connection.execute(_partnership, {"partnership": partnership})).one()
    return str(name), int(founded)


async def founding_code(connection: AsyncConnection, partnership: bytes, invite: bytes) -> FoundingCode | None:
    """Return a founding code, or None."""
    row = (await connection.execute(_code, {"partnership": partnership, "invite": invite})).first()
    return None if row is None else FoundingCode._make(row)


async def use_code(connection: AsyncConnection, partnership: bytes, invite: bytes, now: int) -> bool:
    """Mark a founding code as used; False when it was used already."""
    at = founding_codes.c
    done = await connection.execute(
        update(founding_codes)
        .where(at.partnership_id == partnership, at.invite == invite, at.used_at.is_(None))
        .values(used_at=now)
    )
    return done.rowcount == 1


async def invitation(connection: AsyncConnection, partnership: bytes, invite: bytes) -> InvitationRow | None:
    """Return an invitation, or None."""
    row = (await connection.execute(_invitation, {"partnership": partnership, "invite": invite})).first()
    return None if row is None else InvitationRow._make(row)


async def insert_invitation(connection: AsyncConnection, row: InvitationRow) -> None:
    """Write an invitation."""
    await connection.execute(insert(invitations).values(row._asdict()))


async def open_invitations(
    connection: AsyncConnection, partnership: bytes, agency: bytes, now: int
) -> Counter[bytes | None]:
    """Return how many invitations of an agency can still be used, by the device that announced them."""
    given = {"partnership": partnership, "agency": agency, "now": now}
    return Counter({row.device: row.open for row in await connection.execute(_open, given)})


async def use_invitations(
    connection: AsyncConnection, partnership: bytes, agency: bytes, invites: Sequence[bytes], now: int
) -> None:
    """Mark an agency's invitations as used."""
    at = invitations.c
    await connection.execute(
        update(invitations)
        .where(at.partnership_id == partnership, at.agency == agency, at.used_at.is_(None))
        .where(at.invite.in_(list(invites)))
        .values(used_at=now)
    )


async def enrolments_for(connection: AsyncConnection, partnership: bytes, invite: bytes) -> list[EnrolmentRow]:
    """Return the enrolments that came with one invitation."""
    given = {"partnership": partnership, "invite": invite}
    return [EnrolmentRow._make(row) for row in await connection.execute(_enrolments, given)]


async def insert_enrolment(connection: AsyncConnection, row: EnrolmentRow) -> None:
    """Write an enrolment."""
    await connection.execute(insert(enrolments).values(row._asdict()))


async def waiting(
    connection: AsyncConnection, partnership: bytes, agency: bytes, now: int, *, each: int, limit: int
) -> list[bytes]:
    """Return the canonical bytes of an agency's enrolments whose invitation can still be used, oldest first.

    At most the latest `each` of an invitation; where there are more than `limit`, every invitation's latest come first.
    """
    given = {"partnership": partnership, "agency": agency, "now": now, "each": each, "limit": limit}
    rows = (await connection.execute(_waiting, given)).all()
    return [row.enrolment for row in sorted(rows, key=lambda row: (row.received_at, row.invite, row.device))]
