"""Write beside an invitation which device announced it, so that each device has a bound of its own.

Of invitations that are there already nobody knows; they count for their agency alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("invitations", sa.Column("device", sa.LargeBinary(), nullable=True))
