"""Let grants begin, end and rest on a consent, and case records follow each other.

Grants that are there already were duties, which begin at once and have no end.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, their indexes, and the entries that wait for their time."""
    op.add_column("grants", sa.Column("not_before", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("grants", sa.Column("not_after", sa.BigInteger(), nullable=True))
    for name in ("basis", "excerpts"):
        op.add_column("grants", sa.Column(name, sa.LargeBinary(), nullable=True))
    op.add_column("grants", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.create_index("grants_by_version", "grants", ["partnership_id", "digest"])
    op.create_index("grants_by_basis", "grants", ["partnership_id", "agency", "basis"])
    op.create_index("grants_by_end", "grants", ["partnership_id", "not_after"])
    op.create_table(
        "pending_entries",
        *_data("partnership_id", "feed", "grant_id", "agency", "digest", "recipient"),
        sa.Column("gateway", sa.String(8), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        *_data("seal", "wraps"),
        sa.PrimaryKeyConstraint("partnership_id", "feed", "grant_id"),
    )
    op.create_index("pending_entries_by_time", "pending_entries", ["partnership_id", "due_at"])
    for name in ("record_digest", "follows"):
        op.add_column("records", sa.Column(name, sa.LargeBinary(), nullable=True))
    op.add_column("records", sa.Column("code", sa.String(40), nullable=False, server_default=sa.text("''")))
    op.add_column("records", sa.Column("until", sa.BigInteger(), nullable=True))
    op.create_index("records_by_digest", "records", ["partnership_id", "record_digest"])
    op.create_index("records_by_kind", "records", ["partnership_id", "agency", "kind", "until"])
    op.create_index("records_that_follow", "records", ["partnership_id", "follows"])


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]
