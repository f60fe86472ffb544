"""Twice enforced: what the server withholds from a device, that device's keys would not open either.

Every seal that the server has is tried with every key that a device has, under the very context that it was made for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import pytest

from sluss_client import crypto
from sluss_client.device import Device
from sluss_schemas import directory as d
from sluss_schemas import manifest
from sluss_schemas import sync as wire
from sluss_schemas.ids import NO_GRANT, AgencyId, AudienceId, Digest, GrantId, Kid

from tests.secrecy import expected
from tests.secrecy.canaries import databases
from tests.secrecy.expected import PARTS
from tests.secrecy.populated import READERS, Populated, Who
from tests.secrecy.raw import Answer, asking, entries

STRANGERS: Final[tuple[Who, ...]] = (
    ("POL", "field"),
    ("POL", "supervisors"),
    ("SEC", "field"),
    ("MUN", "field"),
    ("HLT", "field"),
)
OUTREACH: Final = (5, "SOC")


class Seal(NamedTuple):
    """One seal as the server stores it."""

    digest: Digest
    recipient: Kid
    grant: GrantId
    seal: bytes


class StoredWrap(NamedTuple):
    """One device's wrap of an epoch's secret as the server stores it."""

    agency: AgencyId
    audience: AudienceId
    epoch: int
    device: Kid
    wrap: d.EpochWrap


def rows(square: Populated, query: str) -> Iterator[tuple[bytes, ...]]:
    """Yield the rows of a query on the server's database."""
    for path in databases(square.town):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            yield from connection.execute(query)
        finally:
            connection.close()


def seals(square: Populated) -> list[Seal]:
    """Return every seal that the server has."""
    query = "SELECT digest, recipient, grant_id, seal FROM feed_entries WHERE seal IS NOT NULL"
    return [
        Seal(Digest(digest), Kid(recipient), GrantId(grant or NO_GRANT), seal)
        for digest, recipient, grant, seal in rows(square, query)
    ]


def opens(key: crypto.KemKey, seal: Seal) -> bool:
    """Tell whether a key opens a seal."""
    try:
        key.open(seal.seal, manifest.seal_info(seal.digest, seal.recipient, seal.grant))
    except crypto.CannotOpen:
        return False
    return True


@pytest.mark.parametrize("who", STRANGERS, ids="/".join)
def test_a_devices_keys_open_the_seals_made_for_it_and_no_other(square: Populated, who: Who) -> None:
    keys = square.device(*who).local.ring.kems
    every = seals(square)
    opened = {seal for seal in every for key in keys.values() if opens(key, seal)}
    assert opened == {seal for seal in every if seal.recipient in keys}
    assert 0 < len(opened) < len(every)


@pytest.mark.parametrize("who", STRANGERS, ids="/".join)
def test_nothing_of_an_outreach_contact_is_in_what_another_agencys_device_gets(square: Populated, who: Who) -> None:
    pieces = pieces_of(square, OUTREACH)
    answers = square.run(everything(square, square.device(*who)))
    received = b"".join(answer.body for answer in answers)
    assert [name for name, piece in pieces if piece in received] == []
    # What the reader may have is found in the same bytes by the same search.
    known = next(pair for pair in square.whole if square.seen(pair, who))
    assert any(piece in received for name, piece in pieces_of(square, known) if name == "manifest")


def test_social_services_own_device_gets_all_of_an_outreach_contact(square: Populated) -> None:
    received = b"".join(answer.body for answer in square.run(everything(square, square.device("SOC", "field"))))
    missing = {name for name, piece in pieces_of(square, OUTREACH) if piece not in received}
    # Seals and wraps are each for one recipient, so those for the supervisors are not delivered to the field.
    assert missing <= {"seal", "wrap", "tier salt"}
    assert "manifest" not in missing


def pieces_of(square: Populated, pair: tuple[int, str]) -> list[tuple[str, bytes]]:
    """Return every piece of a sealed report that could be recognised again, by what it is."""
    report_id, outbox = square.whole[pair], square.device(pair[1], "author").local.outbox
    row = outbox.head(report_id)
    assert row is not None
    item = msgspec.msgpack.decode(outbox.item(row), type=wire.Item)
    found = [("report id", bytes(report_id)), ("digest", row.digest or b""), ("manifest", item.manifest)]
    found += [("signature", item.signature), ("author", manifest.read_manifest(item.manifest).author_ref)]
    found += [("section", one.section) for one in item.sections]
    for recipient in item.recipients:
        found += [("seal", recipient.seal), *(("wrap", wrap.wrap) for wrap in recipient.wraps)]
    found += [("tier salt", tier.salt) for tier in item.tiers if tier is not None]
    assert all(len(piece) >= 16 for _, piece in found)
    return found


async def everything(square: Populated, device: Device) -> list[Answer]:
    """Return what the server answers to a sync from nothing."""
    async with asking(device, square.town.url) as raw:
        return await raw.everything()


@pytest.mark.parametrize("who", STRANGERS, ids="/".join)
def test_every_seal_that_a_device_gets_is_one_that_it_opens(square: Populated, who: Who) -> None:
    device = square.device(*who)
    by_seal = {seal.seal: seal for seal in seals(square)}
    got = [entry.put.seal for entry in entries(square.run(everything(square, device))) if entry.put is not None]
    sealed = [by_seal[seal] for seal in got if seal is not None]
    assert all(any(opens(key, seal) for key in device.local.ring.kems.values()) for seal in sealed)
    assert sealed or who[1] == "supervisors"


@pytest.mark.parametrize("who", READERS, ids="/".join)
def test_a_device_gets_no_ciphertext_but_what_the_table_opens_to_its_reader(square: Populated, who: Who) -> None:
    got: dict[bytes, set[int]] = {}
    for entry in entries(square.run(everything(square, square.device(*who)))):
        if entry.put is not None:
            wrapped = {wrap.slot for wrap in entry.put.wraps}
            assert {section.slot for section in entry.put.sections} == wrapped
            got.setdefault(manifest.read_manifest(entry.put.manifest).report_id, set()).update(wrapped)
    for pair, report_id in square.whole.items():
        seen = square.seen(pair, who)
        allowed = {2 * PARTS.index(part) + (form == "brief") for part, form in seen.items()}
        # Where a duty tells somebody in full what their cell gives in brief, both come.
        cells = {part: expected.table()[(*pair, part, expected.column(*who))] for part in seen}
        allowed |= {2 * PARTS.index(part) + 1 for part, cell in cells.items() if cell.letter in {"R", "P"}}
        assert got.get(report_id, set()) <= allowed, pair
        assert bool(got.get(report_id)) == bool(seen), pair


@pytest.mark.parametrize("who", STRANGERS, ids="/".join)
def test_a_device_is_told_of_exactly_the_reports_that_it_may_know_of(square: Populated, who: Who) -> None:
    told = {
        manifest.read_manifest(entry.put.manifest).report_id
        for entry in entries(square.run(everything(square, square.device(*who))))
        if entry.put is not None
    }
    known = {report_id for pair, report_id in square.whole.items() if square.seen(pair, who)}
    twins = {
        each
        for pair, pairs in square.twins.items()
        for twin in pairs
        for each in (twin.filled, twin.hollow)
        if square.seen(pair, who, twin=True)
    }
    # A seizure makes a note on the market by itself, which is a report of its own.
    filed = [(owner, report_id) for (_, owner), report_id in square.whole.items()]
    filed += [
        (owner, each)
        for (_, owner), pairs in square.twins.items()
        for twin in pairs
        for each in (twin.filled, twin.hollow)
    ]
    made = [(owner, square.device(owner, "author").made_note(each)) for owner, each in filed]
    notes = {note for owner, note in made if note is not None and square.seen((18, owner), who, twin=True)}
    assert told == known | twins | notes


@pytest.mark.parametrize("who", STRANGERS, ids="/".join)
def test_a_device_opens_the_epoch_secrets_wrapped_for_it_and_no_other(square: Populated, who: Who) -> None:
    device = square.device(*who)
    every = list(epoch_wraps(square))
    opened = {(wrap.agency, wrap.audience, wrap.device) for wrap in every if unwraps(device, wrap)}
    assert opened == {
        (wrap.agency, wrap.audience, wrap.device) for wrap in every if wrap.device == device.local.keys.kid
    }
    assert 0 < len(opened) < len(every)


def epoch_wraps(square: Populated) -> Iterator[StoredWrap]:
    """Yield the wraps of epochs that the server has."""
    query = "SELECT agency, audience, epoch, device, whole, wrap FROM epoch_wraps"
    for agency, audience, epoch, device, whole, wrap in rows(square, query):
        stored = d.EpochWrap(device, bool(whole), wrap)
        yield StoredWrap(AgencyId(agency), AudienceId(audience), int(epoch), Kid(device), stored)


def unwraps(device: Device, stored: StoredWrap) -> bool:
    """Tell whether a device's key opens a wrap under the context that it was made for."""
    info = d.epoch_info(stored.agency, stored.audience, stored.epoch, stored.device, whole=stored.wrap.whole)
    try:
        device.local.keys.kem.open(stored.wrap.wrap, info)
    except crypto.CannotOpen:
        return False
    return True
