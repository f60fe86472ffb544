"""The server's signed word that an outcome is on disk, and what such a word is worth after a restore.

Signs the ledgers' checkpoints too, and the tasks that their alarms and the pack's log review open, and nothing else.
The key's public half stands in every agency's genesis.
Refuses a receipt of the present instance as a word about the past: what this instance stored, it still has.
Source: docs/protocol.md section 6.

> INVARIANT: only what this very key signed for an instance before this one counts as former.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluss_schemas import checkpoint as notes
from sluss_schemas.codec import decode, encode
from sluss_schemas.problems import Invalid
from sluss_schemas.records import record_message
from sluss_schemas.signing import RECEIPT_LABEL, verify
from sluss_schemas.sync import STORED, OutcomeCode, PastReceipt, Receipt

_FORMAT: Final = 1
_RECEIPT_BYTES: Final = 256
_STORED: Final = {str(code): code for code in STORED}


@dataclass(frozen=True, slots=True)
class Former:
    """What an earlier instance had on disk: the outcome, and when it was given (Unix seconds)."""

    outcome: OutcomeCode
    time: int

    @property
    def held(self) -> bool:
        """Whether it was in quarantine."""
        return self.outcome is OutcomeCode.QUARANTINED


class Receipts:
    """Makes receipts in the name of one instance of the server, and reads those of earlier ones."""

    def __init__(self, key: Ed25519PrivateKey, instance: bytes) -> None:
        """Sign with this key for this instance (16 bytes)."""
        self._key: Final = key
        self.instance: Final = instance
        self.public_key: Final = key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        """The raw public key that verifies receipts."""

    def sign(self, digest: bytes, outcome: OutcomeCode, time: int) -> tuple[bytes, bytes]:
        """Return the receipt's canonical bytes and the signature over them."""
        receipt = encode(Receipt(_FORMAT, digest, str(outcome), self.instance, time))
        return receipt, self._key.sign(RECEIPT_LABEL + receipt)

    def sign_checkpoint(self, checkpoint: notes.Checkpoint) -> bytes:
        """Return a ledger's checkpoint as a signed note."""
        return notes.sign(checkpoint, self.public_key, self._key.sign)

    def sign_record(self, data: bytes) -> bytes:
        """Return the signature under a record that the server files itself."""
        return self._key.sign(record_message(data))

    def formers(self, past: Iterable[PastReceipt]) -> dict[bytes, Former]:
        """Return what earlier instances stored, by digest; a receipt that is none says nothing."""
        found = dict[bytes, Former]()
        for one in past:
            try:
                verify(self.public_key, one.signature, RECEIPT_LABEL + one.receipt, "past")
                receipt = decode(Receipt, one.receipt, "past", limit=_RECEIPT_BYTES)
            except Invalid:
                continue
            outcome = _STORED.get(receipt.outcome)
            if receipt.format == _FORMAT and receipt.instance != self.instance and outcome is not None:
                found[receipt.digest] = Former(outcome, receipt.time)
        return found
