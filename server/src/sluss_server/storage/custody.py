"""Custodians' shares, splits that wait for a registrar, and rosters; all of it is sealed to devices.

Decides nothing about them: `services.custody` holds each against the directory first.
Source: docs/protocol.md section 1.

> INVARIANT: when an epoch is split anew, no share of an earlier split of it is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all
from sluss_server.storage.tables import rosters, sealed_shares, share_proposals


class ShareRow(NamedTuple):
    """A row of `sealed_shares`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    device: bytes
    audience: bytes
    epoch: int
    custodian: bytes
    share: bytes
    sealed: bytes


class SplitRow(NamedTuple):
    """A row of `share_proposals`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    audience: bytes
    epoch: int
    proposal: bytes


class RosterRow(NamedTuple):
    """A row of `rosters`, in the order of its columns."""

    partnership_id: bytes
    agency: bytes
    digest: bytes
    roster: bytes


def _of(table: Table, *more: str) -> list[ColumnElement[bool]]:
    """Return the conditions that a row is of an agency, and that these columns have the values of their names."""
    names = {"partnership_id": "partnership", "agency": "agency"} | {name: name for name in more}
    return [table.c[column] == bindparam(name) for column, name in names.items()]


_shares: Final = (
    select(*sealed_shares.c)
    .where(*_of(sealed_shares, "device"))
    .order_by(sealed_shares.c.audience, sealed_shares.c.epoch, sealed_shares.c.custodian)
)
_splits: Final = (
    select(share_proposals.c.proposal)
    .where(*_of(share_proposals))
    .order_by(share_proposals.c.audience, share_proposals.c.epoch)
)
_roster: Final = select(*rosters.c).where(*_of(rosters))
_drop_share: Final = delete(sealed_shares).where(*_of(sealed_shares, "device", "audience", "epoch", "custodian"))
_drop_shares: Final = delete(sealed_shares).where(*_of(sealed_shares, "audience", "epoch"))
_drop_split: Final = delete(share_proposals).where(*_of(share_proposals, "audience", "epoch"))
_drop_roster: Final = delete(rosters).where(*_of(rosters))
_insert_share: Final = insert_all(sealed_shares)
_insert_split: Final = insert_all(share_proposals)
_insert_roster: Final = insert_all(rosters)


async def shares_for(connection: AsyncConnection, partnership: bytes, agency: bytes, device: bytes) -> list[ShareRow]:
    """Return the shares sealed to one device."""
    given = {"partnership": partnership, "agency": agency, "device": device}
    return [ShareRow._make(row) for row in await connection.execute(_shares, given)]


async def put_shares(connection: AsyncConnection, rows: Iterable[ShareRow]) -> None:
    """Write shares, each in the place of the same custodian's for the same device."""
    last = {row[:6]: row for row in rows}
    for row in last.values():
        await connection.execute(_drop_share, _values(row))
    await _insert_share.run(connection, list(last.values()))


async def add_shares(connection: AsyncConnection, rows: Sequence[ShareRow]) -> None:
    """Write those of these shares that are not there."""
    for row in rows:
        there = await shares_for(connection, row.partnership_id, row.agency, row.device)
        if row[:6] not in {one[:6] for one in there}:
            await _insert_share.run(connection, [row])


async def splits_of(connection: AsyncConnection, partnership: bytes, agency: bytes) -> list[bytes]:
    """Return the canonical bytes of the splits that wait for a registrar."""
    given = {"partnership": partnership, "agency": agency}
    return [row.proposal for row in await connection.execute(_splits, given)]


async def put_split(connection: AsyncConnection, row: SplitRow) -> None:
    """Write a split that waits, in the place of the epoch's last."""
    await connection.execute(_drop_split, _values(row))
    await _insert_split.run(connection, [row])


async def settle(
    connection: AsyncConnection, partnership: bytes, agency: bytes, split: Iterable[tuple[bytes, int]]
) -> None:
    """Forget the shares and the waiting splits of epochs that were split just now."""
    for audience, epoch in split:
        given = {"partnership": partnership, "agency": agency, "audience": audience, "epoch": epoch}
        await connection.execute(_drop_shares, given)
        await connection.execute(_drop_split, given)


async def roster_of(connection: AsyncConnection, partnership: bytes, agency: bytes) -> RosterRow | None:
    """Return the last roster that an agency's device sent."""
    row = (await connection.execute(_roster, {"partnership": partnership, "agency": agency})).first()
    return None if row is None else RosterRow._make(row)


async def put_roster(connection: AsyncConnection, row: RosterRow) -> None:
    """Write an agency's roster in the place of its last."""
    await connection.execute(_drop_roster, _values(row))
    await _insert_roster.run(connection, [row])


def _values(row: ShareRow | SplitRow | RosterRow) -> dict[str, object]:
    """Return a row as the parameters of the conditions above."""
    return {**row._asdict(), "partnership": row.partnership_id}
