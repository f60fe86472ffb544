"""Every table of the server, as SQLAlchemy Core sees it.

Holds ciphertext, signed documents, coded facts and the order in which feeds deliver them; nothing here opens
anything.
The first migration builds the same tables, and a test compares the two.

> INVARIANT: every table has `partnership_id` first in its primary key, so that a large installation can be split by it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from sluss_server.storage.columns import data, key, metadata, number, text
from sluss_server.storage.proven import (
    ledger_checkpoints,
    ledger_heads,
    ledger_leaves,
    ledger_nodes,
    ledger_reads,
)
from sluss_server.storage.shown import (
    contacts,
    launches,
    published_cells,
    published_from,
    published_staff,
    published_weeks,
    rollup_staff,
    rollups,
    sessions,
    statements,
)

# Given on, so that every table is found in one place.
__all__ = [
    "contacts",
    "launches",
    "ledger_checkpoints",
    "ledger_heads",
    "ledger_leaves",
    "ledger_nodes",
    "ledger_reads",
    "metadata",
    "published_cells",
    "published_from",
    "published_staff",
    "published_weeks",
    "rollup_staff",
    "rollups",
    "sessions",
    "statements",
]

partnerships: Final = Table(
    "partnerships",
    metadata,
    key("partnership_id"),
    text("name", 200),
    text("server_url", 300),
    number("created_at"),
)

# The secret is here because the server made the code; it is of no use once `used_at` is set.
founding_codes: Final = Table(
    "founding_codes",
    metadata,
    key("partnership_id"),
    key("invite"),
    data("secret"),
    text("slug", 64),
    text("sector", 3),
    Column("registry", Boolean(), nullable=False),
    number("used_at", nullable=True),
)

directory_heads: Final = Table(
    "directory_heads",
    metadata,
    key("partnership_id"),
    key("agency"),
    number("seq"),
    data("hash"),
)

# `entry` is the signed entry's canonical bytes; a row is never changed.
directory_entries: Final = Table(
    "directory_entries",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("seq", BigInteger),
    data("entry"),
)

# `maker` is the device that offered the wrap; empty for those that came with the entry of their epoch.
epoch_wraps: Final = Table(
    "epoch_wraps",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("device"),
    key("audience"),
    key("epoch", BigInteger),
    key("whole", Boolean),
    key("maker"),
    data("wrap"),
    Index("epoch_wraps_by_audience", "partnership_id", "agency", "audience"),
)

epoch_proposals: Final = Table(
    "epoch_proposals",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("audience"),
    number("epoch"),
    data("proposal"),
)

# A custodian's share for a device: the custodian's own, or one that recovers; `share` is its digest.
sealed_shares: Final = Table(
    "sealed_shares",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("device"),
    key("audience"),
    key("epoch", BigInteger),
    key("custodian"),
    data("share"),
    data("sealed"),
)

# The latest split of an epoch that waits for a registrar.
share_proposals: Final = Table(
    "share_proposals",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("audience"),
    key("epoch", BigInteger),
    data("proposal"),
)

# The last sealed roster that came with its entry; it is in force while the directory names its digest.
rosters: Final = Table(
    "rosters",
    metadata,
    key("partnership_id"),
    key("agency"),
    data("digest"),
    data("roster"),
)

# `device` announced the invitation, and has a bound of its own; an older row does not say.
invitations: Final = Table(
    "invitations",
    metadata,
    key("partnership_id"),
    key("invite"),
    data("agency"),
    number("expires_at"),
    number("used_at", nullable=True),
    data("device", nullable=True),
)

enrolments: Final = Table(
    "enrolments",
    metadata,
    key("partnership_id"),
    key("invite"),
    key("device"),
    data("enrolment"),
    number("received_at"),
)

# What every pushed thing got, by its digest: D of a report version, or the digest of a grant or a record.
outcomes: Final = Table(
    "outcomes",
    metadata,
    key("partnership_id"),
    key("digest"),
    data("agency"),
    text("outcome", 20),
    text("reason", 40, nullable=True),
    text("field", 200, nullable=True),
    data("receipt"),
    data("receipt_signature"),
)

# Small columns first: what decides about versions is read without touching the pages that hold ciphertext.
# `fork` counts the versions of one number, so that two first versions, or two equal forks, cannot both be written.
# `item` is the whole pushed item of a quarantined version, and nothing else is kept of that one.
reports: Final = Table(
    "reports",
    metadata,
    key("partnership_id"),
    key("digest"),
    data("agency"),
    data("report_id"),
    number("version"),
    Column("fork", Integer(), nullable=False),
    Column("kind", Integer(), nullable=False),
    Column("head", Boolean(), nullable=False),
    text("quarantine", 40, nullable=True),
    data("parents"),
    number("received_at"),
    data("manifest"),
    data("signature"),
    data("tiers"),
    data("sections"),
    data("item", nullable=True),
    UniqueConstraint("partnership_id", "report_id", "agency", "version", "fork", name="reports_by_report"),
)
Index("reports_by_age", reports.c.partnership_id, reports.c.agency, reports.c.kind, reports.c.received_at)
Index(
    "reports_in_quarantine",
    reports.c.partnership_id,
    reports.c.agency,
    reports.c.received_at,
    sqlite_where=reports.c.quarantine.is_not(None),
    postgresql_where=reports.c.quarantine.is_not(None),
)

# The directory heads that versions were sealed with: each list once, by the digest that manifests name.
head_sets: Final = Table(
    "head_sets",
    metadata,
    key("partnership_id"),
    key("digest"),
    data("heads"),
)

facts: Final = Table(
    "facts",
    metadata,
    key("partnership_id"),
    key("digest"),
    data("agency"),
    Column("kind", Integer(), nullable=False),
    Column("scene", Integer(), nullable=False),
    number("time"),
    data("coded"),
    data("contributor"),
    Column("elsewhere", Boolean(), nullable=False),
)

feed_heads: Final = Table(
    "feed_heads",
    metadata,
    key("partnership_id"),
    key("feed"),
    number("generation"),
    number("seq"),
)

# A `put` carries the seal and wraps of its one recipient, so that a delivery is one index scan.
# `via` says why the recipient holds it: 0 a base seal, 1 a grant, 2 a supervisor's record; 3 is a case record itself.
# `ended` says that a later `drop` of this feed took it back, so that nobody who comes later is given it.
feed_entries: Final = Table(
    "feed_entries",
    metadata,
    key("partnership_id"),
    key("feed"),
    key("seq", BigInteger),
    text("op", 5),
    data("digest"),
    data("salt"),
    Column("via", Integer(), nullable=False),
    data("recipient"),
    data("grant_id", nullable=True),
    text("gateway", 8, nullable=True),
    number("not_after", nullable=True),
    data("seal", nullable=True),
    data("wraps"),
    Column("ended", Boolean(), nullable=False),
    Index("feed_entries_by_digest", "partnership_id", "digest"),
)

grants: Final = Table(
    "grants",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("grant_id"),
    data("digest"),
    text("gateway", 8),
    number("received_at"),
    data("grant_bytes"),
    data("signature"),
    data("decider"),
    data("reasons"),
    number("not_before"),
    number("not_after", nullable=True),
    data("basis", nullable=True),
    data("excerpts", nullable=True),
    number("ended_at", nullable=True),
    Index("grants_by_version", "partnership_id", "digest"),
    Index("grants_by_basis", "partnership_id", "agency", "basis"),
    Index("grants_by_end", "partnership_id", "not_after"),
)

# Entries whose grant has yet to begin: they go into their feeds when `due_at` has come, and have no number until then.
pending_entries: Final = Table(
    "pending_entries",
    metadata,
    key("partnership_id"),
    key("feed"),
    key("grant_id"),
    data("agency"),
    data("digest"),
    data("recipient"),
    text("gateway", 8),
    number("due_at"),
    number("not_after", nullable=True),
    data("seal"),
    data("wraps"),
    Index("pending_entries_by_time", "partnership_id", "due_at"),
    Index("pending_entries_by_version", "partnership_id", "digest"),
)

records: Final = Table(
    "records",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("record_id"),
    text("kind", 20),
    data("digest"),
    data("device"),
    number("received_at"),
    data("record"),
    data("signature"),
    data("record_digest", nullable=True),
    data("follows", nullable=True),
    text("code", 40),
    number("until", nullable=True),
    Index("records_by_digest", "partnership_id", "record_digest"),
    Index("records_by_kind", "partnership_id", "agency", "kind", "until"),
    Index("records_that_follow", "partnership_id", "follows"),
    Index("records_about", "partnership_id", "digest"),
)

# What is left of a version that was culled: that it was there, so that it never comes back.
# `rest_due` is when its grants and case records are looked at; None once they are gone, or where they are kept.
culled: Final = Table(
    "culled",
    metadata,
    key("partnership_id"),
    key("digest"),
    data("agency"),
    data("report_id"),
    number("culled_at"),
    number("rest_due", nullable=True),
    Index("culled_by_report", "partnership_id", "report_id"),
    Index("culled_by_rest", "partnership_id", "rest_due"),
)

# Reports that are kept beyond their time by a legal hold alone, for the own supervisors alone.
narrowed: Final = Table(
    "narrowed",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("report_id"),
    number("narrowed_at"),
)

# One row for each time that what is here came out of a backup: what the server called itself from then on, and the
# generation that its feeds began anew with.
restores: Final = Table(
    "restores",
    metadata,
    key("partnership_id"),
    key("instance"),
    number("restored_at"),
    number("generation"),
)
