"""The server's signed word that an outcome is on disk.

Signs nothing else; the key's public half stands in every agency's genesis.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluss_schemas.codec import encode
from sluss_schemas.signing import RECEIPT_LABEL
from sluss_schemas.sync import OutcomeCode, Receipt

_FORMAT: Final = 1


class Receipts:
    """Makes receipts in the name of one instance of the server."""

    def __init__(self, key: Ed25519PrivateKey, instance: bytes) -> None:
        """Sign with this key for this instance (16 bytes)."""
        self._key: Final = key
        self._instance: Final = instance

    @property
    def public_key(self) -> bytes:
        """The raw public key that verifies receipts."""
        return self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def sign(self, digest: bytes, outcome: OutcomeCode, time: int) -> tuple[bytes, bytes]:
        """Return the receipt's canonical bytes and the signature over them."""
        receipt = encode(Receipt(_FORMAT, digest, str(outcome), self._instance, time))
        return receipt, self._key.sign(RECEIPT_LABEL + receipt)
