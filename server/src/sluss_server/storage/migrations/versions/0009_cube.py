"""Let counts be kept beside the reports, and what others were shown of them stay as it was shown.

What was filed before is counted when the server first looks.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counts and the publications."""
    op.create_table(
        "rollups",
        *_data("partnership_id", "agency"),
        _dim(),
        *_numbers("kind", "day", "scene", "value", "count", "kept"),
        sa.PrimaryKeyConstraint("partnership_id", "agency", "dim", "kind", "day", "scene", "value"),
    )
    op.create_table(
        "rollup_staff",
        *_data("partnership_id"),
        *_numbers("kind", "week"),
        *_data("agency"),
        _dim(),
        *_numbers("value", "scene"),
        *_data("contributor"),
        *_numbers("count"),
        sa.PrimaryKeyConstraint("partnership_id", "kind", "week", "agency", "dim", "value", "scene", "contributor"),
    )
    op.create_table(
        "published_weeks",
        *_data("partnership_id"),
        *_numbers("kind", "week", "published_at", "next_look"),
        sa.PrimaryKeyConstraint("partnership_id", "kind", "week"),
    )
    op.create_table(
        "published_from",
        *_data("partnership_id"),
        *_numbers("kind", "week", "revision"),
        *_data("agency"),
        _dim(),
        *_numbers("value", "count"),
        sa.PrimaryKeyConstraint("partnership_id", "kind", "week", "revision", "agency", "dim", "value"),
    )
    op.create_table(
        "published_cells",
        *_data("partnership_id", "viewer"),
        *_numbers("kind", "week", "revision"),
        _dim(),
        *_numbers("value"),
        sa.Column("figure", sa.BigInteger(), nullable=True),
        *_numbers("published_at"),
        sa.PrimaryKeyConstraint("partnership_id", "viewer", "kind", "week", "revision", "dim", "value"),
    )


def _dim() -> sa.Column[str]:
    return sa.Column("dim", sa.String(40), nullable=False)


def _data(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]
