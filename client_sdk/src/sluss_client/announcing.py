"""Announcing a new device: whatever is announced is on disk first, so a lost answer or a kill costs nothing.

A founding code is used once, and a registrar approves the very keys that arrived.
So the keys and the exact bytes to send are in the store before any of them leaves, and the same bytes are sent again
until there is an answer; the server answers a repetition as it did the first time.
It refuses another code for a store that waits for an answer to its own.
Source: docs/protocol.md section 2.

> INVARIANT: a store whose keys the server may know is removed only when the server has refused the code and, asked
> again, does not know the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from sluss_client.agency import founding, registrar
from sluss_client.errors import Invalid, Offline, Refused, StoreError
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.local import Config, Local
from sluss_client.store import Store, remove
from sluss_client.syncing import driver as sync
from sluss_client.transport import Transport
from sluss_schemas import membership
from sluss_schemas.ids import Function
from sluss_schemas.invitation import Code

_SPACE: Final = "announcement"
_KEY: Final = b"waits"
_FOUND: Final = "/v1/found"
_ENROL: Final = "/v1/enrolments"
_KEPT: Final = "Nothing is lost: enrol again with the same code and passphrase at the same path."
_OTHER: Final = "This store was announced with another code: enrol with that one, or choose another path."


class _Announcement(msgspec.Struct, frozen=True, array_like=True):
    """What is sent until it is answered: the code's invitation, the request's path and its exact body."""

    invite: bytes
    path: str
    body: bytes


def prepare(path: Path, passphrase: str, said: Code, functions: Sequence[Function], now: int) -> Local:
    """Make a new store with its keys and what is to be announced, a founder's root keys among them.

    Raises:
        StoreError: `store_exists`, `disk_full`, `store_damaged`.

    """
    seeds = DeviceSeeds.new()
    keys = DeviceKeys.of(seeds)
    if said.founding is None:
        founded = None
        config = Config(said.server, said.partnership, said.agency or b"", said.root or b"")
        waits = _announcement(said, _ENROL, founding.enrolment_of(said, keys))
    else:
        founded = founding.found(said, keys, functions, now)
        config = Config(said.server, said.partnership, founded.agency, founded.root)
        mac = founding.founding_mac(said, founded.entries)
        waits = _announcement(said, _FOUND, membership.Founding(said.partnership, said.invite, mac, founded.entries))

    def keep(local: Local) -> None:
        if founded is not None:
            registrar.keep_root(local, founded.root_seed, founded.next_root_seed)
        local.store.put(_SPACE, _KEY, msgspec.msgpack.encode(waits))

    return Local.create(path, passphrase, seeds, config, keep)


def resume(path: Path, passphrase: str, said: Code) -> Local:
    """Open a store whose announcement with this code was not answered yet.

    Raises:
        StoreError: `store_exists` where nothing waits or another code was announced, and as `Store.open`; the store
            was not touched.

    """
    store = Store.open(path, passphrase)
    try:
        waits = _waiting(store)
        if waits is None:
            raise StoreError("store_exists", str(path))
        if waits.invite != said.invite:
            raise StoreError("store_exists", str(path), _OTHER)
        return Local(store)
    except BaseException:
        store.close()
        raise


async def announce(local: Local) -> None:
    """Send what waits, and note that it was answered; a founder's chain is taken in by the same step.

    Whatever is raised, the store is closed.

    Raises:
        Invalid: the server refused the code; the store was removed.
        Offline: nobody knows whether it arrived; everything was kept.

    """
    transport = Transport(local.config.server, local.keys, local.config.offset)
    try:
        await _finish(local, transport)
    except BaseException as error:
        local.store.close()
        if isinstance(error, Offline):
            raise Offline(error.code, error.field, _KEPT) from error
        raise
    finally:
        await transport.close()


async def _finish(local: Local, transport: Transport) -> None:
    waits = _waiting(local.store)
    if waits is None:
        return
    # A sync may have heard before what the answer would have said.
    if not local.approved:
        await _send(local, transport, waits)
    with local.store.transaction():
        if waits.path == _FOUND and not local.approved:
            founding = msgspec.msgpack.decode(waits.body, type=membership.Founding)
            local.extend(membership.Chain(local.config.agency, 0, founding.entries))
        local.store.delete(_SPACE, _KEY)


async def _send(local: Local, transport: Transport, waits: _Announcement) -> None:
    try:
        if waits.path == _FOUND:
            await transport.post_unsigned(waits.path, msgspec.Raw(waits.body), membership.Appended)
        else:
            await transport.post_unsigned(waits.path, msgspec.Raw(waits.body), type(None))
    except Invalid:
        # The one who used the code may be this device: its first request arrived, and the answer was lost.
        if not await _known(local, transport):
            local.store.close()
            remove(local.store.path)
            raise


async def _known(local: Local, transport: Transport) -> bool:
    """Tell whether the server knows this device, and if so take the directories in."""
    try:
        await sync.directories(local, transport)
    except Refused as refusal:
        if refusal.code != "waiting_for_approval":
            raise
        return False
    except Invalid as problem:
        # An answer to another question is no refusal of the code.
        raise Offline("server_error", problem.field) from problem
    return True


def _announcement(said: Code, path: str, body: object) -> _Announcement:
    return _Announcement(said.invite, path, msgspec.msgpack.encode(body))


def _waiting(store: Store) -> _Announcement | None:
    data = store.get(_SPACE, _KEY)
    return None if data is None else msgspec.msgpack.decode(data, type=_Announcement)
