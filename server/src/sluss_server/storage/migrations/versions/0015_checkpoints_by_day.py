"""Keep checkpoints by their day: one of a day without any act took the place of the one before it, of another day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NAMES = "partnership_id, agency, size, made_at, note, secret, feeds"


def upgrade() -> None:
    """Write what is kept under its day; there is one of a day, as it was before."""
    op.rename_table("ledger_checkpoints", "ledger_checkpoints_by_size")
    op.create_table(
        "ledger_checkpoints",
        sa.Column("partnership_id", sa.LargeBinary(), nullable=False),
        sa.Column("agency", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("day", "size", "made_at")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("note", "secret", "feeds")),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "day"),
    )
    op.execute(
        f"INSERT INTO ledger_checkpoints (day, {_NAMES}) "  # noqa: S608  # names of columns, written here
        f"SELECT made_at / 86400, {_NAMES} FROM ledger_checkpoints_by_size"
    )
    op.drop_table("ledger_checkpoints_by_size")
