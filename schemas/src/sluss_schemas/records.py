"""Case records: small signed structures around a report.

Each begins with its name; the others join these two as they are built.
Source: docs/protocol.md section 4.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from msgspec import Meta

from sluss_schemas import signing
from sluss_schemas.codec import Document
from sluss_schemas.manifest import Bytes32, Bytes64, Id16, UnixTime


class Open(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="open"):
    """A supervisor opens a row of the own agency: for a task, or for a reason that is sealed to the supervisors.

    Exactly one of `task` and `reason` is there.
    """

    record: Id16
    digest: Bytes32
    device: Id16
    time: UnixTime
    task: Id16 | None
    reason: Annotated[bytes, Meta(min_length=1, max_length=8192)] | None


class Countersign(Document, frozen=True, array_like=True, forbid_unknown_fields=True, tag="countersign"):
    """A supervisor of the own agency takes a version out of quarantine: it counts from now on as if just received."""

    record: Id16
    digest: Bytes32
    device: Id16
    time: UnixTime


Record = Open | Countersign


class SignedRecord(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A record's bytes with the signature of the device that it names."""

    record: Annotated[bytes, Meta(max_length=65_536)]
    signature: Bytes64


def record_message(data: bytes) -> bytes:
    """Return what the device signs."""
    return signing.RECORD_LABEL + hashlib.sha256(data).digest()
