"""Case records as these tests need them: sealed with `cryptography` directly, signed by a town's device."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from cryptography.cobblestone import Cobblestone256Encryptor
from msgspec import structs

from sluss_schemas import sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import kid_of
from sluss_schemas.problems import Invalid
from sluss_schemas.records import (
    Case,
    CaseKind,
    ConsentTerms,
    NoteTerms,
    RecordSeal,
    ShiftTerms,
    SignedRecord,
    record_digest,
    record_message,
)

from tests.server.sealer import seal
from tests.server.town import Device, Town

Answer = tuple[str, str | None, str | None]
CREATED: Final[Answer] = ("created", None, None)
HOUR: Final = 3600
DAY: Final = 24 * HOUR
PLAIN: Final = bytes(256)


def case(by: Device, kind: CaseKind, time: int, to: Sequence[bytes] = (), **more: Any) -> Case:  # noqa: ANN401  # any field
    """Make a record, sealed to KEM public keys; what its kind needs besides is in `more`."""
    given: dict[str, Any] = {
        "record": os.urandom(16),
        "kind": kind,
        "device": by.kid,
        "time": time,
        "digest": None,
        "follows": None,
        "code": "",
        "until": None,
        "terms": b"",
    }
    given |= more
    key, name = os.urandom(32), given["record"]
    seals = [RecordSeal(kid_of(one), seal(one, b"sluss/record/seal" + name + kid_of(one), key)) for one in to]
    encryptor = Cobblestone256Encryptor(key, b"sluss/record/body" + name)
    body = encryptor.update(PLAIN) + encryptor.finalize() if to else b""
    given = {"seals": tuple(sorted(seals, key=lambda one: one.kid)), "body": body, **given}
    return Case(**given)


def signed(by: Device, record: Case) -> bytes:
    """Sign a record as a push has it."""
    data = encode(record)
    return encode(SignedRecord(data, by.sign.sign(record_message(data))))


def digest(record: Case) -> bytes:
    """The digest by which it is answered and delivered."""
    return record_digest(encode(record))


async def send(town: Town, by: Device, *records: Case) -> list[Answer]:
    """Push records and return what became of each."""
    answer = await town.push(by, records=[signed(by, one) for one in records])
    return said(answer.records)


def said(outcomes: Iterable[sync.Outcome]) -> list[Answer]:
    """Outcomes as a test compares them."""
    return [(str(one.outcome), one.reason, one.field) for one in outcomes]


def consent(agencies: Sequence[bytes], slots: Sequence[int] = (4,), not_before: int = 0) -> bytes:
    """The terms of a consent."""
    return encode(ConsentTerms(tuple(agencies), tuple(slots), not_before))


def note(**more: Any) -> bytes:  # noqa: ANN401  # any field of the terms
    """The terms of a note about a broken lamp, for everybody unless it is said otherwise."""
    terms = NoteTerms("PUB", "", (1, 3), "sv", "Belysningen lagas i veckan.")
    return encode(structs.replace(terms, **more))


def shift(scene: int = 1) -> bytes:
    """The terms of a shift."""
    return encode(ShiftTerms(scene))


Place = tuple[bytes, int]
"""A feed and a number in it."""
Feeds = dict[bytes, dict[Place, tuple[str, bytes]]]
"""What devices get from the start: operations and digests, by device and place."""


async def feeds(town: Town) -> Feeds:
    """What every device that may ask gets from the start."""
    found = Feeds()
    for agency in town.agencies.values():
        for device in agency.devices:
            with suppress(Invalid):
                found[device.kid] = await _feeds(town, device)
    return found


async def _feeds(town: Town, device: Device) -> dict[Place, tuple[str, bytes]]:
    cursor, found, more = dict[bytes, sync.Position](), dict[Place, tuple[str, bytes]](), True
    while more:
        answer = await town.pull(device, cursor.values())
        for page in answer.pages:
            cursor[page.position.feed] = page.position
            found |= {(page.position.feed, one.seq): (str(one.op), one.digest) for one in page.entries}
        more = any(page.more for page in answer.pages)
    return found


async def gained(town: Town, before: Feeds) -> dict[bytes, list[tuple[str, bytes]]]:
    """What devices have got since, by device; those who got nothing are not there."""
    after = await feeds(town)
    found = {kid: [one for place, one in after[kid].items() if place not in before[kid]] for kid in after}
    return {kid: new for kid, new in found.items() if new}
