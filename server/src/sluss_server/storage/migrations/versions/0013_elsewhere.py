"""Note of a report whose event counts by another one, so that others see the event once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark; what was counted before counts by itself."""
    op.add_column("facts", sa.Column("elsewhere", sa.Boolean(), nullable=False, server_default=sa.false()))
