"""What the tests of the ledgers ask of a town's server, and read of what it answers."""

from __future__ import annotations

from sluss_schemas import checkpoint as notes
from sluss_schemas.checkpoint import Checkpoint
from sluss_schemas.codec import encode
from sluss_schemas.ledger import (
    CheckpointAnswer,
    CheckpointAsk,
    Content,
    Read,
    Reads,
    SignedRead,
    read_content,
    read_message,
)
from sluss_server.services import Services
from sluss_server.storage import ledger

from tests.server.town import Device, Town


async def answer(town: Town, device: Device, since: int = 0, services: Services | None = None) -> CheckpointAnswer:
    """Ask for the newest checkpoint."""
    return await (services or town.services).checkpoint(await town.caller(device), CheckpointAsk(since))


async def checkpoint(town: Town, device: Device) -> Checkpoint:
    """Return the newest checkpoint, its signature verified under the key that the agency's genesis pins."""
    return opened(town, device, (await answer(town, device)).note)


def opened(town: Town, device: Device, note: bytes) -> Checkpoint:
    """Return what a note says."""
    genesis = device.agency.directory.genesis
    assert genesis is not None
    return notes.read(note, town.partnership, device.agency.id, genesis.checkpoint)


async def leaves(town: Town, slug: str, action: str = "") -> list[Content]:
    """Return what an agency's ledger says, in order."""
    async with town.engine.read() as connection:
        rows = await ledger.leaves_after(connection, town.partnership, town.agencies[slug].id, 0, 100_000)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    return [read_content(row.action, row.content) for row in rows if action in {"", row.action}]


def read_of(device: Device, digest: bytes, slots: int, record: bytes, time: int) -> SignedRead:
    """Sign a read record."""
    data = encode(Read(record, device.kid, digest, slots, time))
    return SignedRead(data, device.sign.sign(read_message(data)))


async def hand_in(town: Town, device: Device, *reads: SignedRead) -> None:
    """Hand in read records."""
    await town.services.read(await town.caller(device), Reads(reads))
