"""Wraps of audiences' epochs, and proposals of new ones; all of it is sealed to devices.

Source: docs/protocol.md section 1.

> INVARIANT: a stored wrap is never replaced: another maker's stands beside it, so nobody can take a key away from a
> device, nor keep one from it, by offering a bad one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import epoch_proposals, epoch_wraps


class WrapRow(NamedTuple):
    """A row of `epoch_wraps`, in the order of its columns; `maker` is empty for what came with the epoch's entry."""

    partnership_id: bytes
    agency: bytes
    device: bytes
    audience: bytes
    epoch: int
    whole: bool
    maker: bytes
    wrap: bytes


class Holding(NamedTuple):
    """What a device has a wrap of: an epoch, whole or its signing key alone."""

    audience: bytes
    epoch: int
    device: bytes
    whole: bool


class ProposalRow(NamedTuple):
    """A row of `epoch_proposals`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    audience: bytes
    epoch: int
    proposal: bytes


_wraps: Final = (
    select(*epoch_wraps.c)
    .where(
        epoch_wraps.c.partnership_id == bindparam("partnership"),
        epoch_wraps.c.agency == bindparam("agency"),
        epoch_wraps.c.device == bindparam("device"),
    )
    .order_by(epoch_wraps.c.audience, epoch_wraps.c.epoch, epoch_wraps.c.whole, epoch_wraps.c.maker)
)
_makers: Final = select(
    epoch_wraps.c.audience, epoch_wraps.c.epoch, epoch_wraps.c.device, epoch_wraps.c.whole, epoch_wraps.c.maker
).where(
    epoch_wraps.c.partnership_id == bindparam("partnership"),
    epoch_wraps.c.agency == bindparam("agency"),
    epoch_wraps.c.audience.in_(bindparam("audiences", expanding=True)),
)
_proposals: Final = (
    select(epoch_proposals.c.proposal)
    .where(
        epoch_proposals.c.partnership_id == bindparam("partnership"), epoch_proposals.c.agency == bindparam("agency")
    )
    .order_by(epoch_proposals.c.audience)
)
_insert_wrap: Final = insert_all(epoch_wraps)


async def wraps_for(connection: AsyncConnection, partnership: bytes, agency: bytes, device: bytes) -> list[WrapRow]:
    """Return the wraps for one device."""
    given = {"partnership": partnership, "agency": agency, "device": device}
    return [WrapRow._make(row) for row in await connection.execute(_wraps, given)]


async def makers_of(
    connection: AsyncConnection, partnership: bytes, agency: bytes, audiences: Sequence[bytes]
) -> dict[Holding, set[bytes]]:
    """Return which device has a wrap of which epoch of these audiences, and who made the wraps."""
    found: dict[Holding, set[bytes]] = {}
    if audiences:
        given = {"partnership": partnership, "agency": agency, "audiences": list(audiences)}
        for audience, epoch, device, whole, maker in await connection.execute(_makers, given):
            found.setdefault(Holding(audience, epoch, device, bool(whole)), set()).add(maker)
    return found


async def insert_wraps(connection: AsyncConnection, rows: Sequence[WrapRow]) -> None:
    """Write wraps that are not there yet."""
    await _insert_wrap.run(connection, rows)


async def proposals_of(connection: AsyncConnection, partnership: bytes, agency: bytes) -> list[bytes]:
    """Return the canonical bytes of an agency's latest proposals, one per audience."""
    given = {"partnership": partnership, "agency": agency}
    return [row.proposal for row in await connection.execute(_proposals, given)]


async def replace_proposal(connection: AsyncConnection, row: ProposalRow) -> None:
    """Write a proposal in the place of its audience's last."""
    at = epoch_proposals.c
    await connection.execute(
        delete(epoch_proposals).where(
            at.partnership_id == row.partnership_id, at.agency == row.agency, at.audience == row.audience
        )
    )
    await connection.execute(insert(epoch_proposals).values(row._asdict()))
