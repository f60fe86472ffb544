"""Keep agencies' statements by what they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the statements; there are none before this."""
    op.create_table(
        "statements",
        *_data("partnership_id", "agency", "record_id"),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        *_data("subject"),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("stated_at", "received_at")),
        *_data("terms", "record", "signature"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "record_id"),
    )
    op.create_index(
        "statements_by_subject",
        "statements",
        ["partnership_id", "subject_kind", "subject", "agency", "stated_at", "record_id"],
    )


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]
