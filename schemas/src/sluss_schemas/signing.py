"""Verification of Ed25519 signatures, and the labels that keep one use of a key apart from another.

Signing needs a private key and so lives on the device; the server's own receipt key is the one exception.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sluss_schemas.problems import Invalid

SIG_LABEL: Final = b"sluss/sig"
REPORT_LABEL: Final = b"sluss/report"
AUTHOR_LABEL: Final = b"sluss/author"
AUDIENCE_LABEL: Final = b"sluss/aud"
GRANT_LABEL: Final = b"sluss/grant"
DIRECTORY_LABEL: Final = b"sluss/directory"
RECEIPT_LABEL: Final = b"sluss/receipt"
ENROL_LABEL: Final = b"sluss/enrol"
RECORD_LABEL: Final = b"sluss/record"
APPROVAL_LABEL: Final = b"sluss/approval"
READ_LABEL: Final = b"sluss/read"
AGREEMENT_LABEL: Final = b"sluss/agreement"

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


@lru_cache(maxsize=4096)
def _key(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def verify(public_key: bytes, signature: bytes, message: bytes, field: str = "signature") -> None:
    """Return quietly if the signature is good.

    Raises:
        Invalid: `bad_signature`, whatever was wrong with key, length or signature.

    """
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Invalid("bad_signature", field)
    try:
        _key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Invalid("bad_signature", field) from None
