"""Leaves that are written for themselves, such as that of a delivery, many devices' in one transaction.

> INVARIANT: what is recorded is on disk before the page that it is about leaves the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_server.services.core import Core
from sluss_server.storage import ledger
from sluss_server.storage.ledger import Leaf


class Recording:
    """Hands leaves to the writer."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def record(self, partnership: bytes, leaf: Leaf) -> None:
        """Write a leaf, and return when it is on disk."""

        async def run(connection: AsyncConnection, leaves: Sequence[Leaf]) -> list[None]:
            await ledger.append(connection, partnership, leaves, self._core.random)
            return [None] * len(leaves)

        await self._core.writer.merge(run, leaf, key=("record", partnership))
