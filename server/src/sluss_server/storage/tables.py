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
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata: Final = MetaData()


def _key(name: str, kind: type[LargeBinary | BigInteger | Boolean] = LargeBinary) -> Column[object]:
    return Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger(), nullable=nullable)


def _text(name: str, length: int, *, nullable: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=nullable)


partnerships: Final = Table(
    "partnerships",
    metadata,
    _key("partnership_id"),
    _text("name", 200),
    _text("server_url", 300),
    _number("created_at"),
)

# The secret is here because the server made the code; it is of no use once `used_at` is set.
founding_codes: Final = Table(
    "founding_codes",
    metadata,
    _key("partnership_id"),
    _key("invite"),
    _bytes("secret"),
    _text("slug", 64),
    _text("sector", 3),
    Column("registry", Boolean(), nullable=False),
    _number("used_at", nullable=True),
)

directory_heads: Final = Table(
    "directory_heads",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _number("seq"),
    _bytes("hash"),
)

# `entry` is the signed entry's canonical bytes; a row is never changed.
directory_entries: Final = Table(
    "directory_entries",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("seq", BigInteger),
    _bytes("entry"),
)

# `maker` is the device that offered the wrap; empty for those that came with the entry of their epoch.
epoch_wraps: Final = Table(
    "epoch_wraps",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("device"),
    _key("audience"),
    _key("epoch", BigInteger),
    _key("whole", Boolean),
    _key("maker"),
    _bytes("wrap"),
    Index("epoch_wraps_by_audience", "partnership_id", "agency", "audience"),
)

epoch_proposals: Final = Table(
    "epoch_proposals",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("audience"),
    _number("epoch"),
    _bytes("proposal"),
)

# A custodian's share for a device: the custodian's own, or one that recovers; `share` is its digest.
sealed_shares: Final = Table(
    "sealed_shares",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("device"),
    _key("audience"),
    _key("epoch", BigInteger),
    _key("custodian"),
    _bytes("share"),
    _bytes("sealed"),
)

# The latest split of an epoch that waits for a registrar.
share_proposals: Final = Table(
    "share_proposals",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("audience"),
    _key("epoch", BigInteger),
    _bytes("proposal"),
)

# The last sealed roster that came with its entry; it is in force while the directory names its digest.
rosters: Final = Table(
    "rosters",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _bytes("digest"),
    _bytes("roster"),
)

# `device` announced the invitation, and has a bound of its own; an older row does not say.
invitations: Final = Table(
    "invitations",
    metadata,
    _key("partnership_id"),
    _key("invite"),
    _bytes("agency"),
    _number("expires_at"),
    _number("used_at", nullable=True),
    _bytes("device", nullable=True),
)

enrolments: Final = Table(
    "enrolments",
    metadata,
    _key("partnership_id"),
    _key("invite"),
    _key("device"),
    _bytes("enrolment"),
    _number("received_at"),
)

# What every pushed thing got, by its digest: D of a report version, or the digest of a grant or a record.
outcomes: Final = Table(
    "outcomes",
    metadata,
    _key("partnership_id"),
    _key("digest"),
    _bytes("agency"),
    _text("outcome", 20),
    _text("reason", 40, nullable=True),
    _text("field", 200, nullable=True),
    _bytes("receipt"),
    _bytes("receipt_signature"),
)

# Small columns first: what decides about versions is read without touching the pages that hold ciphertext.
# `fork` counts the versions of one number, so that two first versions, or two equal forks, cannot both be written.
# `item` is the whole pushed item of a quarantined version, and nothing else is kept of that one.
reports: Final = Table(
    "reports",
    metadata,
    _key("partnership_id"),
    _key("digest"),
    _bytes("agency"),
    _bytes("report_id"),
    _number("version"),
    Column("fork", Integer(), nullable=False),
    Column("kind", Integer(), nullable=False),
    Column("head", Boolean(), nullable=False),
    _text("quarantine", 40, nullable=True),
    _bytes("parents"),
    _number("received_at"),
    _bytes("manifest"),
    _bytes("signature"),
    _bytes("tiers"),
    _bytes("sections"),
    _bytes("item", nullable=True),
    UniqueConstraint("partnership_id", "report_id", "agency", "version", "fork", name="reports_by_report"),
)
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
    _key("partnership_id"),
    _key("digest"),
    _bytes("heads"),
)

facts: Final = Table(
    "facts",
    metadata,
    _key("partnership_id"),
    _key("digest"),
    _bytes("agency"),
    Column("kind", Integer(), nullable=False),
    Column("scene", Integer(), nullable=False),
    _number("time"),
    _bytes("coded"),
    _bytes("contributor"),
)

feed_heads: Final = Table(
    "feed_heads",
    metadata,
    _key("partnership_id"),
    _key("feed"),
    _number("generation"),
    _number("seq"),
)

# A `put` carries the seal and wraps of its one recipient, so that a delivery is one index scan.
# `via` says why the recipient holds it: 0 a base seal, 1 a grant, 2 a supervisor's record; 3 is a case record itself.
# `ended` says that a later `drop` of this feed took it back, so that nobody who comes later is given it.
feed_entries: Final = Table(
    "feed_entries",
    metadata,
    _key("partnership_id"),
    _key("feed"),
    _key("seq", BigInteger),
    _text("op", 5),
    _bytes("digest"),
    _bytes("salt"),
    Column("via", Integer(), nullable=False),
    _bytes("recipient"),
    _bytes("grant_id", nullable=True),
    _text("gateway", 8, nullable=True),
    _number("not_after", nullable=True),
    _bytes("seal", nullable=True),
    _bytes("wraps"),
    Column("ended", Boolean(), nullable=False),
    Index("feed_entries_by_digest", "partnership_id", "digest"),
)

grants: Final = Table(
    "grants",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("grant_id"),
    _bytes("digest"),
    _text("gateway", 8),
    _number("received_at"),
    _bytes("grant_bytes"),
    _bytes("signature"),
    _bytes("decider"),
    _bytes("reasons"),
    _number("not_before"),
    _number("not_after", nullable=True),
    _bytes("basis", nullable=True),
    _bytes("excerpts", nullable=True),
    _number("ended_at", nullable=True),
    Index("grants_by_version", "partnership_id", "digest"),
    Index("grants_by_basis", "partnership_id", "agency", "basis"),
    Index("grants_by_end", "partnership_id", "not_after"),
)

# Entries whose grant has yet to begin: they go into their feeds when `due_at` has come, and have no number until then.
pending_entries: Final = Table(
    "pending_entries",
    metadata,
    _key("partnership_id"),
    _key("feed"),
    _key("grant_id"),
    _bytes("agency"),
    _bytes("digest"),
    _bytes("recipient"),
    _text("gateway", 8),
    _number("due_at"),
    _number("not_after", nullable=True),
    _bytes("seal"),
    _bytes("wraps"),
    Index("pending_entries_by_time", "partnership_id", "due_at"),
)

records: Final = Table(
    "records",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("record_id"),
    _text("kind", 20),
    _bytes("digest"),
    _bytes("device"),
    _number("received_at"),
    _bytes("record"),
    _bytes("signature"),
    _bytes("record_digest", nullable=True),
    _bytes("follows", nullable=True),
    _text("code", 40),
    _number("until", nullable=True),
    Index("records_by_digest", "partnership_id", "record_digest"),
    Index("records_by_kind", "partnership_id", "agency", "kind", "until"),
    Index("records_that_follow", "partnership_id", "follows"),
)

# `peaks` is the tree's frontier: the roots of the complete subtrees that `seq` leaves are the sum of.
ledger_heads: Final = Table(
    "ledger_heads",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _number("seq"),
    _bytes("peaks"),
)

ledger_leaves: Final = Table(
    "ledger_leaves",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("seq", BigInteger),
    _text("action", 20),
    _bytes("salt"),
    _bytes("content"),
    _bytes("leaf"),
)

# The roots of complete subtrees at every fourth level; those between are a few of these, or of leaves, away.
ledger_nodes: Final = Table(
    "ledger_nodes",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("level", BigInteger),
    _key("number", BigInteger),
    _bytes("hash"),
)

# The newest checkpoint of each day; of the newest of all also what devices are shown of it, under `secret`.
ledger_checkpoints: Final = Table(
    "ledger_checkpoints",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("size", BigInteger),
    _number("made_at"),
    _bytes("note"),
    _bytes("secret"),
    _bytes("feeds"),
)

# The read records that were taken, so that none is taken twice.
ledger_reads: Final = Table(
    "ledger_reads",
    metadata,
    _key("partnership_id"),
    _key("agency"),
    _key("record_id"),
    _number("received_at"),
)

# One row for each time that what is here came out of a backup: what the server called itself from then on, and the
# generation that its feeds began anew with.
restores: Final = Table(
    "restores",
    metadata,
    _key("partnership_id"),
    _key("instance"),
    _number("restored_at"),
    _number("generation"),
)
