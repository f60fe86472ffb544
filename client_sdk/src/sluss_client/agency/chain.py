"""Entries of a directory while they are being made.

> INVARIANT: each is replayed as it is signed, so that a wrong one is never sent.
"""

from __future__ import annotations

from sluss_client.crypto import SignKey
from sluss_schemas import directory as d
from sluss_schemas.ids import kid_of
from sluss_schemas.replay import Directory


class Chain:
    """New entries on a copy of a directory."""

    def __init__(self, directory: Directory) -> None:
        """Go on from here; the directory is changed."""
        self.directory = directory
        self.entries: list[d.SignedEntry] = []

    def add(self, body: d.Body, key: SignKey, now: int) -> None:
        """Sign an entry and take it in.

        Raises:
            Invalid: `directory_refused`; nothing was added.

        """
        data = d.entry_bytes(self.directory.seq + 1, self.directory.hash, body, now)
        entry = d.SignedEntry(data, kid_of(key.public), key.sign(d.entry_message(data)))
        self.directory.append(entry)
        self.entries.append(entry)
