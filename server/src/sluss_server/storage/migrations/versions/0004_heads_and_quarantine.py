"""Keep the directory heads that versions were sealed with, and find what is in quarantine without reading the rest.

Of versions that are there already nobody knows the heads; nothing is told about those.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "head_sets",
        sa.Column("partnership_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("heads", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partnership_id", "digest"),
    )
    held = sa.text("quarantine IS NOT NULL")
    op.create_index(
        "reports_in_quarantine",
        "reports",
        ["partnership_id", "agency", "received_at"],
        sqlite_where=held,
        postgresql_where=held,
    )
