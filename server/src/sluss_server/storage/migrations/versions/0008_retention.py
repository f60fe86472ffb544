"""Let reports be culled when their time has run out, and be kept beyond it by a legal hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is left of culled versions, what a hold keeps, and the indexes by which both are found."""
    op.create_table(
        "culled",
        *_data("partnership_id", "digest", "agency", "report_id"),
        sa.Column("culled_at", sa.BigInteger(), nullable=False),
        sa.Column("rest_due", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("partnership_id", "digest"),
    )
    op.create_index("culled_by_report", "culled", ["partnership_id", "report_id"])
    op.create_index("culled_by_rest", "culled", ["partnership_id", "rest_due"])
    op.create_table(
        "narrowed",
        *_data("partnership_id", "agency", "report_id"),
        sa.Column("narrowed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "report_id"),
    )
    op.create_index("reports_by_age", "reports", ["partnership_id", "agency", "kind", "received_at"])
    op.create_index("records_about", "records", ["partnership_id", "digest"])
    op.create_index("pending_entries_by_version", "pending_entries", ["partnership_id", "digest"])


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]
