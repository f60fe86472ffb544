"""Let ledgers prove themselves: a tree over the leaves, signed checkpoints of it, and read records.

The trees over the leaves that are there already are built here, in the order of the leaves' numbers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sluss_schemas.ledger import leaf_hash
from sluss_schemas.merkle import Frontier

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EVERY = 4
"""Levels of which one is kept."""
_BATCH = 1_000

_heads = sa.table(
    "ledger_heads",
    *(sa.column(name, sa.LargeBinary()) for name in ("partnership_id", "agency", "peaks")),
    sa.column("seq", sa.BigInteger()),
)
_leaves = sa.table(
    "ledger_leaves",
    *(sa.column(name, sa.LargeBinary()) for name in ("partnership_id", "agency", "leaf")),
    sa.column("seq", sa.BigInteger()),
    sa.column("action", sa.String()),
)
_nodes = sa.table(
    "ledger_nodes",
    *(sa.column(name, sa.LargeBinary()) for name in ("partnership_id", "agency", "hash")),
    *(sa.column(name, sa.BigInteger()) for name in ("level", "number")),
)


def upgrade() -> None:
    """Add the tables, and the trees of the ledgers that are there."""
    op.add_column("ledger_heads", sa.Column("peaks", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "ledger_nodes",
        *_data("partnership_id", "agency"),
        *_numbers("level", "number"),
        *_data("hash"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "level", "number"),
    )
    op.create_table(
        "ledger_checkpoints",
        *_data("partnership_id", "agency"),
        *_numbers("size", "made_at"),
        *_data("note", "secret", "feeds"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "size"),
    )
    op.create_table(
        "ledger_reads",
        *_data("partnership_id", "agency", "record_id"),
        *_numbers("received_at"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "record_id"),
    )
    connection = op.get_bind()
    for head in connection.execute(sa.select(_heads.c.partnership_id, _heads.c.agency)).all():
        _grow(connection, head.partnership_id, head.agency)


def _grow(connection: sa.Connection, partnership: bytes, agency: bytes) -> None:
    """Build the tree of one ledger."""
    tree = Frontier()
    while True:
        leaves = connection.execute(
            sa.select(_leaves.c.seq, _leaves.c.action, _leaves.c.leaf)
            .where(_leaves.c.partnership_id == partnership, _leaves.c.agency == agency, _leaves.c.seq > tree.size)
            .order_by(_leaves.c.seq)
            .limit(_BATCH)
        ).all()
        if not leaves:
            break
        made = []
        for leaf in leaves:
            if leaf.seq != tree.size + 1:
                message = f"leaf {tree.size + 1} of the ledger of {agency.hex()} is missing: restore from a backup"
                raise LookupError(message)
            for node, root in tree.append(leaf_hash(leaf.action, leaf.leaf)):
                if node.level and node.level % _EVERY == 0:
                    whose = {"partnership_id": partnership, "agency": agency}
                    made.append({**whose, "level": node.level, "number": node.number, "hash": root})
        if made:
            connection.execute(sa.insert(_nodes), made)
    connection.execute(
        sa.update(_heads)
        .where(_heads.c.partnership_id == partnership, _heads.c.agency == agency)
        .values(peaks=bytes(tree))
    )


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
