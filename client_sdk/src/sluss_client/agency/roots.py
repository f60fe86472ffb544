"""What needs the root key from the safe: name and remove registrars, and replace the root itself.

Any enrolled device of the agency can do it for whoever brings the key; the key is used and not kept.
Source: docs/protocol.md section 2.

> INVARIANT: a new root's successor is on disk before the rotation is sent, so no answer that is lost can lose it.
"""

from __future__ import annotations

import hashlib

from sluss_client import crypto
from sluss_client.agency import lifecycle, registrar
from sluss_client.agency.chain import Chain, send
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d


class Roots:
    """The root's acts on a loaded device."""

    def __init__(self, local: Local, transport: Transport) -> None:
        """Stand on an enrolled device."""
        self._local = local
        self._transport = transport

    async def add_registrar(self, root_seed: bytes, whom: str) -> None:
        """Make a device a registrar's: the one of an alias, or the one whose id begins so.

        Raises:
            Invalid: `wrong_root_key`, `unknown_alias`, `out_of_range` where several are meant.

        """
        device = lifecycle.device_of(self._local.trust.own, whom)
        await self._sign(self._root(root_seed), d.RegistrarAdd(device.sign_key))

    async def remove_registrar(self, root_seed: bytes, whom: str) -> None:
        """Take the right away; raises as `add_registrar`, and `last_registrar`."""
        own = self._local.trust.own
        device = lifecycle.device_of(own, whom)
        lifecycle.leaves_a_registrar(own, {device.kid}, self._transport.now())
        await self._sign(self._root(root_seed), d.RegistrarRemove(device.kid))

    async def rotate(self, next_seed: bytes) -> None:
        """Replace the root by the key that it committed to; the key after it is kept here until it is printed.

        Said again after an answer was lost, it changes nothing more.

        Raises:
            Invalid: `wrong_root_key` unless this is the next root key.

        """
        key, own = SignKey(next_seed), self._local.trust.own
        waits = registrar.kept_root(self._local)
        if key.public == own.root and waits is not None and not waits[0] and registrar.commits(own, waits[1]):
            return
        if not registrar.commits(own, next_seed):
            raise Invalid("wrong_root_key", "root_key")
        # One that waits since an answer was lost is the one that was committed to.
        following = crypto.random_key() if waits is None or waits[0] else waits[1]
        registrar.keep_root(self._local, b"", following)
        await self._sign(key, d.RootRotate(key.public, hashlib.sha256(SignKey(following).public).digest()))

    def _root(self, seed: bytes) -> SignKey:
        key = SignKey(seed)
        if key.public != self._local.trust.own.root:
            raise Invalid("wrong_root_key", "root_key")
        return key

    async def _sign(self, key: SignKey, body: d.Body) -> None:
        chain = Chain(self._local.trust.own.copy())
        chain.add(body, key, self._transport.now())
        await send(self._local, self._transport, chain)
