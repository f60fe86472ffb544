"""The tables of the ledgers: their leaves, what their trees and checkpoints are made of, and readings.

A part of `tables.py`, from which they are taken.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Table

from sluss_server.storage.columns import data, key, metadata, number, text

# `peaks` is the tree's frontier: the roots of the complete subtrees that `seq` leaves are the sum of.
ledger_heads: Final = Table(
    "ledger_heads",
    metadata,
    key("partnership_id"),
    key("agency"),
    number("seq"),
    data("peaks"),
)

ledger_leaves: Final = Table(
    "ledger_leaves",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("seq", BigInteger),
    text("action", 20),
    data("salt"),
    data("content"),
    data("leaf"),
)

# The roots of complete subtrees at every fourth level; those between are a few of these, or of leaves, away.
ledger_nodes: Final = Table(
    "ledger_nodes",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("level", BigInteger),
    key("number", BigInteger),
    data("hash"),
)

# The newest checkpoint of each day; of the newest of all also what devices are shown of it, under `secret`.
ledger_checkpoints: Final = Table(
    "ledger_checkpoints",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("day", BigInteger),
    number("size"),
    number("made_at"),
    data("note"),
    data("secret"),
    data("feeds"),
)

# The read records that were taken, so that none is taken twice.
ledger_reads: Final = Table(
    "ledger_reads",
    metadata,
    key("partnership_id"),
    key("agency"),
    key("record_id"),
    number("received_at"),
)
