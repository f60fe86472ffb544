"""An open device: its state and its connection, in the one place that every call goes through.

Here it is locked, by hand or after some idle time, and here a wiped device refuses everything but what it still has to
send.
Locking drops every reference to a key; Python overwrites no memory, and a report that was handed out stays readable.

> INVARIANT: a locked device has no key in use, and no call but `unlock`, `close` and `path` answers.
> INVARIANT: a sync that is under way ends before its keys are forgotten.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from sluss_client import clock
from sluss_client.errors import Refused
from sluss_client.local import Local
from sluss_client.store import Store
from sluss_client.transport import Transport


class Opened:
    """A device's state and connection while it is open."""

    def __init__(self, local: Local, lock_after_s: float | None = None) -> None:
        """Take a loaded store."""
        self._loaded: Local | None = local
        self._connection = _connect(local)
        self._path = local.store.path
        self._locked = False
        self._lock_after_s = lock_after_s
        self._used = clock.running()
        self._syncing = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection and the store."""
        self._locked = True
        self._forget()
        await self._connection.close()

    async def __aenter__(self) -> Self:
        """Use the device."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    @property
    def path(self) -> Path:
        """Where the store is."""
        return self._path

    def lock(self) -> None:
        """Forget every key and close the store, after a sync that is under way; every call is refused from now on."""
        self._locked = True
        if not self._syncing.locked():
            self._forget()

    async def unlock(self, passphrase: str) -> None:
        """Open a locked device again; on one that is not locked this does nothing.

        Raises:
            StoreError: `wrong_passphrase`, `passphrase_wait` and the others of `open`; the device stays locked.

        """
        async with self._syncing:
            self._lock_if_idle()
            if not self._locked:
                return
            self._forget()
            await self._connection.close()
            self._loaded = load(self._path, passphrase)
            self._connection = _connect(self._loaded)
            self._locked, self._used = False, clock.running()

    # what calls go through

    @property
    def _local(self) -> Local:
        local = self._unlocked()
        if local.wiped:
            raise Refused("device", code="wiped")
        # A sync is no use by a person: a device left alone that syncs by itself is idle.
        self._used = clock.running()
        return local

    @property
    def _transport(self) -> Transport:
        self._unlocked()
        return self._connection

    def _unlocked(self) -> Local:
        """Return the state of a device that is not locked, a wiped one's too."""
        self._lock_if_idle()
        if self._locked or self._loaded is None:
            raise Refused("device", code="locked")
        return self._loaded

    def _lock_if_idle(self) -> None:
        if self._lock_after_s is not None and clock.running() - self._used > self._lock_after_s:
            self.lock()

    def _finish_lock(self) -> None:
        """Forget the keys after a sync during which the device was locked."""
        if self._locked:
            self._forget()

    def _forget(self) -> None:
        self._connection.forget()
        if self._loaded is not None:
            self._loaded.store.close()
            self._loaded = None


def load(path: Path, passphrase: str) -> Local:
    """Open a device's store and load it; raises as `Store.open`."""
    store = Store.open(path, passphrase)
    try:
        return Local(store)
    except BaseException:
        store.close()
        raise


def _connect(local: Local) -> Transport:
    return Transport(local.config.server, local.keys, local.config.offset, local.newest)
