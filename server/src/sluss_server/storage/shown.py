"""The tables of what supervisors are shown: statements, counts and what is published of them, and who looks.

A part of `tables.py`, from which they are taken.

> INVARIANT: no text that a person wrote of a person is here: codes, counts, aims and names of places.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table

from sluss_server.storage.columns import data, key, metadata, number, text

# Agencies' statements, by what they are about: the registry of scenes, objectives and staffing.
# `record` and `signature` are those of `records`, so that the registry is given out without a look there.
statements: Final = Table(
    "statements",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("record_id"),
    text("subject_kind", 20),
    data("subject"),
    number("stated_at"),
    number("received_at"),
    data("terms"),
    data("record"),
    data("signature"),
    Index("statements_by_subject", "partnership_id", "subject_kind", "subject", "agency", "stated_at", "record_id"),
)

# Counts by day and scene, written with the facts: dimension "" is the total, `value` a code of the dimension.
# `kept` is what was taken out of `count` after its week was published and still counts for publications.
rollups: Final = Table(
    "rollups",
    metadata,
    key("partnership_id"),
    key("agency"),
    Column("dim", String(40), primary_key=True, nullable=False),
    key("kind", BigInteger),
    key("day", BigInteger),
    key("scene", BigInteger),
    key("value", BigInteger),
    number("count"),
    number("kept"),
)

# Who of the staff a count is of, by the name that their agency's devices give them for one week.
rollup_staff: Final = Table(
    "rollup_staff",
    metadata,
    key("partnership_id"),
    key("kind", BigInteger),
    key("week", BigInteger),
    key("agency"),
    Column("dim", String(40), primary_key=True, nullable=False),
    key("value", BigInteger),
    key("scene", BigInteger),
    key("contributor"),
    number("count"),
)

# A kind's week that was published, and which of its looks for a revision is next.
published_weeks: Final = Table(
    "published_weeks",
    metadata,
    key("partnership_id"),
    key("kind", BigInteger),
    key("week", BigInteger),
    number("published_at"),
    number("next_look"),
)

# The exact counts that a publication was made of, against which later movements are measured; shown to nobody.
published_from: Final = Table(
    "published_from",
    metadata,
    key("partnership_id"),
    key("kind", BigInteger),
    key("week", BigInteger),
    key("revision", BigInteger),
    key("agency"),
    Column("dim", String(40), primary_key=True, nullable=False),
    key("value", BigInteger),
    number("count"),
)

# Who of the staff the counts of a publication were of, until nothing more is published of the week; shown to nobody.
published_staff: Final = Table(
    "published_staff",
    metadata,
    key("partnership_id"),
    key("kind", BigInteger),
    key("week", BigInteger),
    key("revision", BigInteger),
    key("agency"),
    Column("dim", String(40), primary_key=True, nullable=False),
    key("value", BigInteger),
    key("contributor"),
    number("count"),
)

# What an agency is shown of the others: `figure` is empty where a cell is hidden. A row is never changed.
published_cells: Final = Table(
    "published_cells",
    metadata,
    key("partnership_id"),
    key("viewer"),
    key("kind", BigInteger),
    key("week", BigInteger),
    key("revision", BigInteger),
    Column("dim", String(40), primary_key=True, nullable=False),
    key("value", BigInteger),
    number("figure", nullable=True),
    number("published_at"),
)

# A one-use link into the overview that a supervisor's device asked for; the token itself is nowhere.
launches: Final = Table(
    "launches",
    metadata,
    key("partnership_id"),
    key("token_hash"),
    data("agency"),
    data("device"),
    number("expires_at"),
)

# A browser that is signed in to the overview in the name of a device; the cookie itself is nowhere.
sessions: Final = Table(
    "sessions",
    metadata,
    key("partnership_id"),
    key("session_hash"),
    data("agency"),
    data("device"),
    number("started_at"),
    number("seen_at"),
)

# The last day on which a device asked for what is new, and no day before it: who is silent, not who was when where.
contacts: Final = Table(
    "contacts",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("device"),
    number("day"),
)
