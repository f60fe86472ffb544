"""Checkpoints on a real server: when there is one, what it commits to, and whom it concerns."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import checkpoint as notes
from sluss_schemas import merkle
from sluss_schemas.codec import encode
from sluss_schemas.problems import Invalid
from sluss_server.services import checkpoints as service
from sluss_server.storage import checkpoints, ledger, tables
from sluss_server.storage.checkpoints import DAY_S, StoredCheckpoint
from sluss_server.storage.ledger import Leaf

from tests.ledger import naive
from tests.ledger.asking import answer, checkpoint, opened
from tests.server.postgres import Databases
from tests.server.town import Device, Town

KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def later(town: Town, seconds: int = service.EVERY_S) -> None:
    town.clock.now += seconds


async def filed(town: Town, slug: str = "security", kind: int = 1) -> None:
    agency = town.agencies[slug]
    outcomes = await town.outcomes(agency.devices[0], town.report(slug, kind))
    assert outcomes == [("created", None, None)]


async def write(town: Town, partnership: bytes, rows: list[Leaf]) -> None:
    await town.writer.submit(lambda one: ledger.append(one, partnership, rows, bytes))


async def entries(town: Town, device: Device) -> list[bytes]:
    """What the tree is over, read from the rows alone."""
    at = tables.ledger_leaves.c
    async with town.engine.read() as connection:
        found = await connection.execute(
            select(at.action, at.leaf).where(at.agency == device.agency.id).order_by(at.seq)
        )
        return [encode((row.action, row.leaf)) for row in found]


class TestNotes:
    def test_a_known_note_is_read(self) -> None:
        key = notes.read_key(KNOWN_KEY)
        assert notes.open_note(KNOWN_NOTE.encode(), "PeterNeumann", key) == KNOWN_NOTE.partition("\n\n")[0] + "\n"
        assert notes.verifier_key("PeterNeumann", key) == KNOWN_KEY
        assert notes.read_key(key.hex()) == key

    def test_no_byte_of_it_can_be_another(self) -> None:
        key, note = notes.read_key(KNOWN_KEY), KNOWN_NOTE.encode()
        for at in range(len(note)):
            changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
            with pytest.raises(Invalid, match=r"malformed|bad_signature"):
                notes.open_note(changed, "PeterNeumann", key)

    async def test_has_the_forms_lines(self, town: Town) -> None:
        guard = town.field("security")
        found = await answer(town, guard)
        lines = found.note.decode().split("\n")

        assert lines[0] == f"sluss/{town.partnership.hex()}/{guard.agency.id.hex()}"
        assert int(lines[1]) == len(await entries(town, guard))
        assert base64.b64decode(lines[2]) == naive.mth(await entries(town, guard))
        assert lines[7] == ""
        assert lines[8].startswith(f"— {lines[0]} ")
        assert lines[9:] == [""]

    def test_what_stands_for_nothing_in_a_signature_is_not_passed_over(self) -> None:
        key = notes.read_key(KNOWN_KEY)
        assert KNOWN_NOTE.endswith("nAM=\n")
        for other in "NOP":
            with pytest.raises(Invalid, match="malformed"):
                notes.open_note(KNOWN_NOTE.replace("nAM=\n", f"nA{other}=\n").encode(), "PeterNeumann", key)

    async def test_no_byte_of_a_checkpoint_can_be_another(self, town: Town) -> None:
        guard = town.field("security")
        note = (await answer(town, guard)).note
        for at in range(len(note)):
            changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
            with pytest.raises(Invalid, match=r"malformed|bad_signature"):
                opened(town, guard, changed)


class TestTree:
    async def test_is_the_rfcs_over_what_is_stored_at_every_size(self, town: Town) -> None:
        guard = town.field("security")
        sizes = dict[int, bytes]()
        for number in range(40):
            if number % 5 == 0:
                await filed(town)
            else:
                await town.pull(guard)
            later(town)
            found = await checkpoint(town, guard)
            sizes[found.size] = found.root
        everything = await entries(town, guard)

        assert len(everything) > 32
        assert sizes == {size: naive.mth(everything[:size]) for size in sizes}
        for old in sizes:
            proof = (await answer(town, guard, old)).proof
            assert merkle.consistent(old, len(everything), proof, sizes[old], naive.mth(everything))
            assert list(proof) == (naive.proof(old, everything) if old < len(everything) else [])

    @pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
    async def test_grows_in_any_batches(self, tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> None:
        address: Path | str = tmp_path / "any.db"
        if engine == "postgresql":
            databases: Databases = request.getfixturevalue("databases")
            address = await databases.migrated()
        town = await Town(address).open()
        whose, agency, other = b"p" * 16, b"a" * 16, b"b" * 16
        size = 0
        for batch in (1, 2, 3, 250, 1, 17, 600, 31):
            rows = [Leaf(agency if at % 3 else other, "test", encode(("test", size + at))) for at in range(batch)]
            await write(town, whose, rows)
            size += batch
        async with town.engine.read() as connection:
            kept = await connection.execute(select(func.count()).select_from(tables.ledger_nodes))
            nodes = kept.scalar_one()
            for one in (agency, other):
                found = await ledger.leaves_after(connection, whose, one, 0, 10_000)
                data = [encode((row.action, row.leaf)) for row in found]
                tree = await ledger.tree(connection, whose, one)
                assert (tree.size, tree.root) == (len(data), naive.mth(data))
                for old in range(1, len(data), 13):
                    assert list(await ledger.consistency(connection, whose, one, old, len(data))) == naive.proof(
                        old, data
                    )
        await town.close()
        assert nodes < size / 14


class TestDue:
    async def test_a_minute_later_if_anything_changed(self, town: Town) -> None:
        guard = town.field("security")
        first = await checkpoint(town, guard)
        await filed(town)
        later(town, service.EVERY_S - 1)
        assert await checkpoint(town, guard) == first
        later(town, 1)
        second = await checkpoint(town, guard)

        assert (second.size, second.time) == (first.size + 1, town.clock.now)
        later(town, 10 * service.EVERY_S)
        assert await checkpoint(town, guard) == second
        later(town, service.AT_LEAST_EVERY_S)
        assert (await checkpoint(town, guard)).time == town.clock.now

    async def test_after_a_thousand_leaves_at_once(self, town: Town) -> None:
        guard = town.field("security")
        await town.services.ledgers.once()
        first = await checkpoint(town, guard)
        rows = [Leaf(guard.agency.id, "test", encode(("test", at))) for at in range(service.EVERY_LEAVES)]
        await write(town, town.partnership, rows[1:])
        await town.services.ledgers.once()
        assert await checkpoint(town, guard) == first
        await write(town, town.partnership, rows[:1])
        await town.services.ledgers.once()

        assert (await checkpoint(town, guard)).size == first.size + service.EVERY_LEAVES

    async def test_its_time_does_not_go_back_with_the_clock(self, town: Town) -> None:
        guard = town.field("security")
        first = await checkpoint(town, guard)
        await filed(town)
        later(town, -10_000)
        second = await checkpoint(town, guard)

        assert (second.size, second.time) == (first.size + 1, first.time)

    async def test_of_two_servers_at_once_one_makes_it(self, town: Town) -> None:
        guard, other = town.field("security"), await Town(town.path).open()
        twin = town.new_services(other.engine, other.writer)
        await town.services.identify(guard.kid)
        await twin.identify(guard.kid)
        asked = (answer(town, guard, 0, one) for one in (town.services, twin) for _ in range(4))
        found = {one.note for one in await asyncio.gather(*asked)}
        await other.close()

        assert len(found) == 1

    async def test_one_a_day_is_kept_and_what_is_shown_of_the_newest_alone(self, town: Town) -> None:
        guard = town.field("security")
        for _ in range(6):
            await filed(town)
            later(town, 9 * 3600)
            await checkpoint(town, guard)
        at = tables.ledger_checkpoints.c
        async with town.engine.read() as connection:
            rows = (await connection.execute(select(*at).where(at.agency == guard.agency.id).order_by(at.size))).all()

        days = [row.made_at // 86_400 for row in rows]
        assert len(set(days)) == len(days) >= 2
        assert [bool(row.secret) for row in rows] == [False] * (len(rows) - 1) + [True]


class TestConcerns:
    async def test_nothing_moves_when_another_agency_files_for_itself(self, town: Town) -> None:
        officer = town.field("police")
        await checkpoint(town, officer)
        later(town)
        before = await answer(town, officer)
        # A kind that the police get nothing of.
        for _ in range(3):
            await filed(town, "social_services", 5)
        await town.pull(town.field("social_services"))
        later(town)
        after = await answer(town, officer)
        await town.services.ledgers.once()

        assert after == before
        assert (await answer(town, officer)).note == before.note
        assert (await checkpoint(town, town.field("social_services"))).time == town.clock.now

    async def test_a_device_is_shown_its_own_feeds_and_the_proof(self, town: Town) -> None:
        await filed(town)
        later(town)
        for slug in town.agencies:
            for device in (town.field(slug), town.supervisor(slug)):
                found = await answer(town, device)
                said = opened(town, device, found.note)
                pages = (await town.pull(device)).pages
                assert {one.feed: (one.generation, one.seq) for one in found.feeds} == {
                    one.position.feed: (one.position.generation, one.position.seq) for one in pages
                }
                assert all(one.shown_by(said) for one in found.feeds)
        guard, boss = town.field("security"), town.supervisor("security")
        said = await checkpoint(town, guard)
        shown = (await answer(town, guard)).feeds, (await answer(town, boss)).feeds
        assert shown[0]
        assert {one.feed for one in shown[0]}.isdisjoint(one.feed for one in shown[1])
        assert said.feeds == len({one.feed for some in shown for one in some})

    async def test_a_feeds_proof_shows_nothing_else(self, town: Town) -> None:
        await filed(town)
        later(town)
        guard = town.field("security")
        found = await answer(town, guard)
        said, feed = opened(town, guard, found.note), found.feeds[0]
        for changed in (
            notes.FeedProof(feed.feed, feed.generation, feed.seq + 1, feed.salt, feed.index, feed.path),
            notes.FeedProof(feed.feed, feed.generation + 1, feed.seq, feed.salt, feed.index, feed.path),
            notes.FeedProof(feed.feed + b"\0", feed.generation, feed.seq, feed.salt, feed.index, feed.path),
            notes.FeedProof(feed.feed, feed.generation, feed.seq, bytes(32), feed.index, feed.path),
        ):
            assert not changed.shown_by(said)

    async def test_the_directorys_head_is_in_it(self, town: Town) -> None:
        guard = town.field("security")
        assert (await checkpoint(town, guard)).directory == guard.agency.directory.head


async def test_of_each_day_the_newest_is_kept_also_of_one_on_which_nothing_happened(town: Town) -> None:
    agency, day = town.agencies["police"].id, 20_778
    # The first of a day has the size of the last of the day before.
    made = [(10, day, 80_000), (10, day + 1, 60), (14, day + 1, 80_000), (14, day + 2, 60)]
    for size, on, at in made:
        new = StoredCheckpoint(size, on * DAY_S + at, b"n", b"s", b"f")
        await town.writer.submit(partial(_insert, town.partnership, agency, new))
    async with town.engine.read() as connection:
        kept = await checkpoints.every(connection, town.partnership, agency)
        newest = await checkpoints.newest(connection, town.partnership, agency)
    assert [(one.size, one.made_at // DAY_S) for one in kept] == [(10, day), (14, day + 1), (14, day + 2)]
    assert newest == kept[-1]
    # What devices are shown of it is kept of the newest alone.
    assert [(one.secret, one.feeds) for one in kept] == [(b"", b""), (b"", b""), (b"s", b"f")]


async def _insert(partnership: bytes, agency: bytes, new: StoredCheckpoint, connection: AsyncConnection) -> None:
    await checkpoints.insert(connection, partnership, agency, new)
