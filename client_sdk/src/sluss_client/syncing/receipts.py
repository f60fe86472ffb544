"""The server's signed word that something is on its disk, checked before a device lets go of its own copy.

Source: docs/protocol.md section 5.

> INVARIANT: an outcome counts as stored only with a receipt for that very thing.
"""

from __future__ import annotations

from typing import Final

from sluss_client.errors import Invalid, Untrusted
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.signing import RECEIPT_LABEL, verify

RECEIPTED: Final = wire.STORED | {wire.OutcomeCode.GONE}
"""Outcomes after which the device no longer sends."""


def check_receipt(outcome: wire.Outcome, digest: bytes | None, checkpoint: bytes) -> None:
    """Return quietly if the outcome is for this digest and the server has signed it.

    Raises:
        Untrusted: it is not; whatever was sent is kept.

    """
    if outcome.digest != digest:
        raise Untrusted("server_error", "push", "The server answered for another report; all of them are kept.")
    try:
        receipt = decode(wire.Receipt, outcome.receipt or b"", "receipt")
        verify(checkpoint, outcome.receipt_signature or b"", RECEIPT_LABEL + (outcome.receipt or b""), "receipt")
    except Invalid as problem:
        say = "This is no receipt of the server; the report is kept."
        raise Untrusted("bad_signature", "receipt", say) from problem
    if receipt.digest != digest:
        raise Untrusted("server_error", "receipt", "The server gave another report's receipt; the report is kept.")
