"""Keep whose of the staff the counts of a publication were, so that a revision is never one person's late work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; of weeks that were published before, nobody knows, and their figures stay as they are."""
    op.create_table(
        "published_staff",
        sa.Column("partnership_id", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("kind", "week", "revision")),
        sa.Column("agency", sa.LargeBinary(), nullable=False),
        sa.Column("dim", sa.String(40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("contributor", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partnership_id", "kind", "week", "revision", "agency", "dim", "value", "contributor"),
    )
