"""Let supervisors' devices sign a browser in to the overview."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the links that sign in, and the sessions."""
    op.create_table(
        "launches",
        *_data("partnership_id", "token_hash", "agency", "device"),
        *_numbers("expires_at"),
        sa.PrimaryKeyConstraint("partnership_id", "token_hash"),
    )
    op.create_table(
        "sessions",
        *_data("partnership_id", "session_hash", "agency", "device"),
        *_numbers("started_at", "seen_at"),
        sa.PrimaryKeyConstraint("partnership_id", "session_hash"),
    )


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
