"""Leaves of an agency's ledger, numbered without a gap.

A leaf commits to its content under a salt, so that the content can be erased later while the leaf stays.
Source: docs/protocol.md section 7.

> INVARIANT: a leaf is written in the transaction of the act that it records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import ledger_heads, ledger_leaves

SALT_BYTES: Final = 32


class Leaf(NamedTuple):
    """What is to be recorded: `content` is canonical MessagePack."""

    agency: bytes
    action: str
    content: bytes


_heads: Final = (
    select(ledger_heads.c.agency, ledger_heads.c.seq)
    .where(
        ledger_heads.c.partnership_id == bindparam("partnership"),
        ledger_heads.c.agency.in_(bindparam("agencies", expanding=True)),
    )
    .order_by(ledger_heads.c.agency)
    .with_for_update()
)
_insert_head: Final = insert_all(ledger_heads)
_move_head: Final = update_by(ledger_heads, ("partnership_id", "agency"), ("seq",))
_insert_leaf: Final = insert_all(ledger_leaves)


def leaf_hash(salt: bytes, content: bytes) -> bytes:
    """Return the digest that stands in the ledger for a salted content."""
    return hashlib.sha256(salt + content).digest()


async def append(
    connection: AsyncConnection, partnership: bytes, leaves: Sequence[Leaf], random: Callable[[int], bytes]
) -> None:
    """Write the leaves, each at the next number of its agency."""
    if not leaves:
        return
    agencies = sorted({leaf.agency for leaf in leaves})
    found = await connection.execute(_heads, {"partnership": partnership, "agencies": agencies})
    heads = {row.agency: row.seq for row in found}
    new = [agency for agency in agencies if agency not in heads]
    heads |= dict.fromkeys(new, 0)
    rows = []
    salts = random(SALT_BYTES * len(leaves))
    for number, (agency, action, content) in enumerate(leaves):
        heads[agency] += 1
        salt = salts[SALT_BYTES * number : SALT_BYTES * (number + 1)]
        rows.append((partnership, agency, heads[agency], action, salt, content, leaf_hash(salt, content)))
    await _insert_leaf.run(connection, rows)
    await _insert_head.run(connection, [(partnership, agency, heads[agency]) for agency in new])
    await _move_head.run(connection, [(heads[agency], partnership, agency) for agency in agencies if agency not in new])
