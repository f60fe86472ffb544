"""Entries of a directory while they are being made, and on their way to the server.

> INVARIANT: each is replayed as it is signed, so that a wrong one is never sent.
> INVARIANT: what was sent is taken in here only once the server has stored it.
"""

from __future__ import annotations

from sluss_client.crypto import SignKey
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
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


async def send(  # noqa: PLR0917  # an append's parts
    local: Local,
    transport: Transport,
    chain: Chain,
    wraps: tuple[membership.EpochSet, ...] = (),
    shares: tuple[d.SealedShare, ...] = (),
    roster: bytes | None = None,
) -> None:
    """Send the entries of a chain that goes on after the own one, and take them in."""
    entries = tuple(chain.entries)
    body = membership.DirectoryAppend(entries, wraps, shares, roster)
    await transport.post("/v1/directory", body, membership.Appended)
    local.extend(membership.Chain(local.config.agency, local.trust.own.seq + 1, entries))
