"""Build every table.

Written out rather than taken from `tables.py`: a step says what it did on the day it was made, whatever the tables
look like later.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _column(name: str, kind: sa.types.TypeEngine[Any], *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, autoincrement=False)


def _data(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [_column(name, sa.LargeBinary(), nullable=nullable) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [_column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _small(*names: str) -> list[sa.Column[Any]]:
    return [_column(name, sa.Integer()) for name in names]


def _flags(*names: str) -> list[sa.Column[Any]]:
    return [_column(name, sa.Boolean()) for name in names]


def _text(name: str, length: int, *, nullable: bool = False) -> list[sa.Column[Any]]:
    return [_column(name, sa.String(length), nullable=nullable)]


def _table(name: str, keys: tuple[str, ...], columns: list[sa.Column[Any]], *more: sa.schema.SchemaItem) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*keys), *more)


def upgrade() -> None:
    """Build the tables."""
    _directories()
    _reports()
    _feeds()


def _directories() -> None:
    _table(
        "partnerships",
        ("partnership_id",),
        [*_data("partnership_id"), *_text("name", 200), *_text("server_url", 300), *_numbers("created_at")],
    )
    _table(
        "founding_codes",
        ("partnership_id", "invite"),
        [
            *_data("partnership_id", "invite", "secret"),
            *_text("slug", 64),
            *_text("sector", 3),
            *_flags("registry"),
            *_numbers("used_at", nullable=True),
        ],
    )
    _table(
        "directory_heads",
        ("partnership_id", "agency"),
        [*_data("partnership_id", "agency"), *_numbers("seq"), *_data("hash")],
    )
    _table(
        "directory_entries",
        ("partnership_id", "agency", "seq"),
        [*_data("partnership_id", "agency"), *_numbers("seq"), *_data("entry")],
    )
    _table(
        "epoch_wraps",
        ("partnership_id", "agency", "device", "audience", "epoch", "whole"),
        [
            *_data("partnership_id", "agency", "device", "audience"),
            *_numbers("epoch"),
            *_flags("whole"),
            *_data("wrap"),
        ],
    )
    op.create_index("epoch_wraps_by_audience", "epoch_wraps", ["partnership_id", "agency", "audience"])
    _table(
        "epoch_proposals",
        ("partnership_id", "agency", "audience"),
        [*_data("partnership_id", "agency", "audience"), *_numbers("epoch"), *_data("proposal")],
    )
    _table(
        "invitations",
        ("partnership_id", "invite"),
        [
            *_data("partnership_id", "invite", "agency"),
            *_numbers("expires_at"),
            *_numbers("used_at", nullable=True),
        ],
    )
    _table(
        "enrolments",
        ("partnership_id", "invite", "device"),
        [*_data("partnership_id", "invite", "device", "enrolment"), *_numbers("received_at")],
    )


def _reports() -> None:
    _table(
        "outcomes",
        ("partnership_id", "digest"),
        [
            *_data("partnership_id", "digest", "agency"),
            *_text("outcome", 20),
            *_text("reason", 40, nullable=True),
            *_text("field", 200, nullable=True),
            *_data("receipt", "receipt_signature"),
        ],
    )
    _table(
        "reports",
        ("partnership_id", "digest"),
        [
            *_data("partnership_id", "digest", "agency", "report_id"),
            *_numbers("version"),
            *_small("fork", "kind"),
            *_flags("head"),
            *_text("quarantine", 40, nullable=True),
            *_data("parents"),
            *_numbers("received_at"),
            *_data("manifest", "signature", "tiers", "sections"),
            *_data("item", nullable=True),
        ],
        sa.UniqueConstraint("partnership_id", "report_id", "agency", "version", "fork", name="reports_by_report"),
    )
    _table(
        "facts",
        ("partnership_id", "digest"),
        [
            *_data("partnership_id", "digest", "agency"),
            *_small("kind", "scene"),
            *_numbers("time"),
            *_data("coded", "contributor"),
        ],
    )
    _table(
        "grants",
        ("partnership_id", "agency", "grant_id"),
        [
            *_data("partnership_id", "agency", "grant_id", "digest"),
            *_text("gateway", 8),
            *_numbers("received_at"),
            *_data("grant_bytes", "signature", "decider", "reasons"),
        ],
    )
    _table(
        "records",
        ("partnership_id", "agency", "record_id"),
        [
            *_data("partnership_id", "agency", "record_id"),
            *_text("kind", 20),
            *_data("digest", "device"),
            *_numbers("received_at"),
            *_data("record", "signature"),
        ],
    )


def _feeds() -> None:
    _table(
        "feed_heads",
        ("partnership_id", "feed"),
        [*_data("partnership_id", "feed"), *_numbers("generation", "seq")],
    )
    _table(
        "feed_entries",
        ("partnership_id", "feed", "seq"),
        [
            *_data("partnership_id", "feed"),
            *_numbers("seq"),
            *_text("op", 5),
            *_data("digest", "salt"),
            *_small("via"),
            *_data("recipient"),
            *_data("grant_id", nullable=True),
            *_text("gateway", 8, nullable=True),
            *_numbers("not_after", nullable=True),
            *_data("seal", nullable=True),
            *_data("wraps"),
            *_flags("ended"),
        ],
    )
    op.create_index("feed_entries_by_digest", "feed_entries", ["partnership_id", "digest"])
    _table(
        "ledger_heads",
        ("partnership_id", "agency"),
        [*_data("partnership_id", "agency"), *_numbers("seq")],
    )
    _table(
        "ledger_leaves",
        ("partnership_id", "agency", "seq"),
        [
            *_data("partnership_id", "agency"),
            *_numbers("seq"),
            *_text("action", 20),
            *_data("salt", "content", "leaf"),
        ],
    )
