"""Keep custodians' shares, the splits that wait for a registrar and the sealed rosters, and who made each wrap.

Of wraps that are there already nobody knows the maker; they count as those that came with the entry of their epoch.
The table of wraps is built anew, because its key grows by the maker.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = ("partnership_id", "agency", "device", "audience", "epoch", "whole", "wrap")


def upgrade() -> None:
    """Add the tables and build that of wraps anew."""
    _wraps()
    op.create_table(
        "sealed_shares",
        *_data("partnership_id", "agency", "device", "audience"),
        _epoch(),
        *_data("custodian", "share", "sealed"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "device", "audience", "epoch", "custodian"),
    )
    op.create_table(
        "share_proposals",
        *_data("partnership_id", "agency", "audience"),
        _epoch(),
        *_data("proposal"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "audience", "epoch"),
    )
    op.create_table(
        "rosters",
        *_data("partnership_id", "agency", "digest", "roster"),
        sa.PrimaryKeyConstraint("partnership_id", "agency"),
    )


def _wraps() -> None:
    op.drop_index("epoch_wraps_by_audience", "epoch_wraps")
    op.rename_table("epoch_wraps", "epoch_wraps_before")
    op.create_table(
        "epoch_wraps",
        *_data("partnership_id", "agency", "device", "audience"),
        _epoch(),
        sa.Column("whole", sa.Boolean(), nullable=False),
        *_data("maker", "wrap"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "device", "audience", "epoch", "whole", "maker"),
    )
    before = sa.table("epoch_wraps_before", *(sa.column(name) for name in _BEFORE))
    after = sa.table("epoch_wraps", *(sa.column(name) for name in (*_BEFORE, "maker")))
    made = sa.select(*before.c, sa.literal(b"", sa.LargeBinary()))
    op.execute(after.insert().from_select([*_BEFORE, "maker"], made))
    op.drop_table("epoch_wraps_before")
    op.create_index("epoch_wraps_by_audience", "epoch_wraps", ["partnership_id", "agency", "audience"])


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _epoch() -> sa.Column[int]:
    return sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False)
