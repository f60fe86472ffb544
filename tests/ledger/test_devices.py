"""What devices keep of their agency's ledger and what they alarm about; what they tell it of what was read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sluss_client import Device, Report
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid
from sluss_client.syncing import reads as queue
from sluss_client.syncing import witnessing
from sluss_client.testing import Exchange, Problem, Town
from sluss_schemas import checkpoint as notes
from sluss_schemas.checkpoint import Checkpoint
from sluss_schemas.ids import slot
from sluss_server.app import running
from sluss_server.settings import Settings

from tests.faults.samples import AGENCIES, incident
from tests.http.server import run

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHECKPOINT = "/v1/ledger/checkpoint"


class Scene:
    """A guard who files, and a police officer who reads, behind a server that may lie about the ledger."""

    def __init__(self, town: Town, guard: Device, police: Device) -> None:
        self.town, self.guard, self.police = town, guard, police

    def file(self, text: str) -> Report:
        return self.guard.file(incident(self.town.clock.now(), text))

    @property
    def data(self) -> Path:
        """The folder of the server, which runs."""
        assert self.town.server is not None
        return self.town.server.data

    async def minute(self, *devices: Device) -> None:
        """Let a minute pass, and these devices sync."""
        self.town.clock.advance(minutes=1)
        for device in devices:
            await device.sync()

    def signed(self, checkpoint: Checkpoint) -> bytes:
        """Sign a checkpoint as a host can, who has the server's key."""
        key = SignKey((self.data / "receipt.key").read_bytes())
        return notes.sign(checkpoint, key.public, key.sign)

    def retold(self, change: Callable[[Checkpoint], Checkpoint]) -> Callable[[Exchange], Any]:
        """Change what the server says, and sign that."""
        own = self.police.local

        def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
            said = notes.read(exchange.answer.note, own.config.partnership, own.config.agency, own.checkpoint)
            return msgspec.structs.replace(exchange.answer, note=self.signed(change(said)))

        return lie


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built() -> AsyncIterator[Scene]:
    async with Town(agencies=AGENCIES, hostile=True) as town:
        yield Scene(town, await town.device("security"), await town.device("police"))


@pytest_asyncio.fixture(loop_scope="module")
async def scene(built: Scene) -> AsyncIterator[Scene]:
    """The same two for every test, each with a report that is there and a checkpoint that was kept."""
    built.file("before")
    await built.minute(built.guard, built.police)
    await built.minute(built.guard, built.police)
    assert codes(built.police) == set()
    yield built
    built.town.hostile.honest()
    await built.minute(built.guard, built.police)
    await built.minute(built.guard, built.police)
    # Whatever a server lied about, one that is honest again is believed.
    assert codes(built.police) | codes(built.guard) == set()


def codes(device: Device) -> set[str]:
    return {code for _, code in device.local.alarms()}


def size(device: Device) -> int:
    found = witnessing.checkpoint_of(device.local)
    return 0 if found is None else found.size


def leaves(town: Town, agency: str, folder: Path) -> list[dict[str, Any]]:
    """Export an agency's ledger from the database of the running server, verify it, and return its leaves."""
    assert town.server is not None
    file = folder / f"{agency}-{len(list(folder.iterdir()))}.jsonl"
    done = run("ledger", "export", agency, str(file), folder=town.server.data)
    assert done.returncode == 0, done.stderr
    checked = run("ledger", "verify", str(file), "--json", folder=folder)
    assert checked.returncode == 0, checked.stdout
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if line["type"] == "leaf"]


class TestCheckpoints:
    async def test_one_is_kept_and_each_grows_out_of_the_last(self, scene: Scene) -> None:
        seen = list[tuple[int, int]]()
        for number in range(4):
            scene.file(f"growing {number}")
            await scene.minute(scene.guard, scene.police)
            found = witnessing.checkpoint_of(scene.police.local)
            assert found is not None
            seen.append((found.size, found.time))
        assert seen == sorted(set(seen))
        # Within the minute nobody asks again.
        asked = len(scene.town.hostile.answers(CHECKPOINT))
        await scene.police.sync()
        assert len(scene.town.hostile.answers(CHECKPOINT)) == asked

    async def test_another_history_is_a_fork_and_is_not_kept(self, scene: Scene) -> None:
        before = size(scene.police)
        scene.town.hostile.on(CHECKPOINT, scene.retold(lambda one: replace(one, root=bytes(32))))
        await scene.minute(scene.guard, scene.police)
        assert "ledger_fork" in codes(scene.police)
        assert size(scene.police) == before

    async def test_another_root_of_the_same_size_is_a_fork(self, scene: Scene) -> None:
        kept = witnessing.checkpoint_of(scene.police.local)
        assert kept is not None
        lie = scene.retold(lambda one: replace(one, size=kept.size, root=bytes(32)))
        scene.town.hostile.on(CHECKPOINT, lie)
        await scene.minute(scene.police)
        assert "ledger_fork" in codes(scene.police)

    async def test_another_history_of_the_directory_is_a_fork(self, scene: Scene) -> None:
        lie = scene.retold(lambda one: replace(one, directory=msgspec.structs.replace(one.directory, hash=bytes(32))))
        scene.town.hostile.on(CHECKPOINT, lie)
        await scene.minute(scene.police)
        assert "ledger_fork" in codes(scene.police)

    async def test_an_old_one_again_is_a_rewind(self, scene: Scene) -> None:
        scene.file("since then")
        await scene.minute(scene.guard, scene.police)
        old = scene.town.hostile.answers(CHECKPOINT, scene.police.local.keys.kid)[-1]
        scene.file("and since then")
        await scene.minute(scene.guard, scene.police)
        before = size(scene.police)
        scene.town.hostile.on(CHECKPOINT, lambda _: old)
        await scene.minute(scene.police)
        assert codes(scene.police) == {"ledger_rewound"}
        assert size(scene.police) == before

    async def test_one_that_stands_still_is_noticed(self, scene: Scene) -> None:
        last = scene.town.hostile.answers(CHECKPOINT, scene.police.local.keys.kid)[-1]
        scene.town.hostile.on(CHECKPOINT, lambda _: last)
        await scene.minute(scene.police)
        assert codes(scene.police) == set()
        scene.town.clock.advance(hours=4)
        await scene.police.sync()
        assert codes(scene.police) == {"ledger_rewound"}

    async def test_no_answer_for_days_is_noticed_and_keeps_nobody_from_reading(self, scene: Scene) -> None:
        scene.town.hostile.instead(CHECKPOINT, lambda _: Problem(500, "internal"))
        scene.file("while the ledger does not answer")
        await scene.minute(scene.guard, scene.police)
        assert codes(scene.police) == set()
        assert "while the ledger does not answer" in {str(one.situation) for one in scene.police.reports()}
        scene.town.clock.advance(days=4)
        await scene.police.sync()
        assert codes(scene.police) == {"ledger_rewound"}

    async def test_what_nobody_signed_or_another_ledgers_is_not_proven(self, scene: Scene) -> None:
        theirs = scene.town.hostile.answers(CHECKPOINT, scene.guard.local.keys.kid)[-1]

        def changed(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
            return msgspec.structs.replace(exchange.answer, note=exchange.answer.note.replace(b"\ntime 1", b"\ntime 2"))

        for lie in (lambda _: theirs, changed):
            scene.town.hostile.honest()
            await scene.minute(scene.police)
            assert codes(scene.police) == set()
            scene.town.hostile.on(CHECKPOINT, lie)
            await scene.minute(scene.police)
            assert codes(scene.police) == {"ledger_unproven"}


class TestFeeds:
    async def test_entries_that_are_kept_back_are_missed(self, scene: Scene) -> None:
        def nothing(exchange: Exchange) -> Any:  # noqa: ANN401  # a pull's answer
            return msgspec.structs.replace(exchange.answer, pages=())

        scene.town.hostile.on("/v1/pull", nothing, scene.police.local.keys.kid)
        scene.file("kept back")
        # What the checkpoint of the next minute commits to.
        await scene.minute(scene.guard)
        await scene.minute(scene.police)
        assert codes(scene.police) == {"feed_withheld"}

    async def test_a_feed_that_is_not_shown_any_more_is_missed(self, scene: Scene) -> None:
        def unshown(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
            return msgspec.structs.replace(exchange.answer, feeds=())

        scene.town.hostile.on(CHECKPOINT, unshown)
        await scene.minute(scene.police)
        assert codes(scene.police) == {"feed_withheld"}

    async def test_a_proof_of_another_head_is_none(self, scene: Scene) -> None:
        def less(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer
            feeds = tuple(msgspec.structs.replace(one, seq=one.seq - 1) for one in exchange.answer.feeds)
            assert feeds
            return msgspec.structs.replace(exchange.answer, feeds=feeds)

        scene.town.hostile.on(CHECKPOINT, less)
        await scene.minute(scene.police)
        assert codes(scene.police) == {"ledger_unproven"}


class TestReads:
    async def test_what_was_opened_stands_in_the_owners_ledger(self, scene: Scene, tmp_path: Path) -> None:
        report = scene.file("to be read")
        await scene.minute(scene.guard, scene.police)
        before = {agency: leaves(scene.town, agency, tmp_path) for agency in AGENCIES}
        found = scene.police.get(report.id)
        assert queue.waiting(scene.police.local) == 0
        assert found.situation == "to be read"
        assert queue.waiting(scene.police.local) == 1
        await scene.minute(scene.police)
        assert queue.waiting(scene.police.local) == 0

        after = {agency: leaves(scene.town, agency, tmp_path)[len(before[agency]) :] for agency in AGENCIES}
        kinds = {agency: [one["action"] for one in after[agency]] for agency in AGENCIES}
        assert kinds["security"].count("read") == kinds["police"].count("read") == 1
        person = scene.police.person_id.hex()
        done = run("ledger", "review", "police", "--json", folder=scene.data)
        rows = json.loads(done.stdout)["rows"]
        assert any((one["person"], one["action"]) == (person, "read") for one in rows)
        assert person not in run("ledger", "review", "security", folder=scene.town.server.data).stdout  # type: ignore[union-attr]

    async def test_a_note_of_a_device_is_held_against_the_export(self, scene: Scene, tmp_path: Path) -> None:
        note, file, foreign = tmp_path / "note", tmp_path / "ledger", tmp_path / "foreign"
        for path, device in ((note, scene.police), (foreign, scene.guard)):
            kept = device.checkpoint
            assert kept is not None
            path.write_bytes(kept)
        assert run("ledger", "export", "police", str(file), folder=scene.data).returncode == 0
        assert run("ledger", "export", "police", str(file), folder=scene.data).returncode == 1

        held = run("ledger", "verify", str(file), "--checkpoint", str(note), folder=tmp_path)
        refused = run("ledger", "verify", str(file), "--checkpoint", str(foreign), folder=tmp_path)

        assert (held.returncode, refused.returncode) == (0, 1), held.stdout
        assert "witnessed checkpoint" in refused.stdout

    async def test_looking_through_the_list_is_no_reading(self, scene: Scene) -> None:
        assert len([str(one.situation) for one in scene.police.reports()]) > 1
        scene.police.get(next(scene.police.reports()).id)
        assert queue.waiting(scene.police.local) == 0

    async def test_is_queued_once_a_session_and_what_is_opened_later_follows(self, scene: Scene) -> None:
        report = scene.file("opened in parts")
        await scene.minute(scene.guard, scene.police)
        for _ in range(3):
            assert scene.police.get(report.id).situation == "opened in parts"
        assert queue.waiting(scene.police.local) == 1
        await scene.police.sync()
        assert scene.police.get(report.id).situation == "opened in parts"
        assert queue.waiting(scene.police.local) == 0
        assert scene.police.get(report.id).author is not None
        assert queue.waiting(scene.police.local) == 1
        scene.police = await scene.town.reopen(scene.police)
        assert queue.waiting(scene.police.local) == 1
        assert scene.police.get(report.id).situation == "opened in parts"
        await scene.minute(scene.police)
        assert queue.waiting(scene.police.local) == 0

    async def test_what_is_opened_while_it_is_sent_is_not_lost(self, scene: Scene) -> None:
        report = scene.file("opened meanwhile")
        await scene.minute(scene.guard, scene.police)
        found, local = scene.police.get(report.id), scene.police.local
        assert found.situation == "opened meanwhile"
        sent = list[int]()

        def meanwhile(exchange: Exchange) -> Any:  # noqa: ANN401  # the real answer
            sent.append(len(exchange.asked.reads))
            queue.opened(local, found.digest, slot("AUT", brief=True), scene.police.now())
            return exchange.answer

        scene.town.hostile.on("/v1/reads", meanwhile)
        await scene.minute(scene.police)
        assert (sent, queue.waiting(local)) == ([1], 1)


async def test_supervisors_look_at_who_opened_what_and_the_auditor_sees_when_they_last_did(scene: Scene) -> None:
    town, boss = scene.town, scene.town.founders["police"]
    assert town.server is not None
    settings = Settings.read({"SLUSS_DATA_DIR": str(scene.data)})

    async def watched() -> None:
        """Let another process of the server look, as the one that runs does every few seconds."""
        async with running(settings, lambda: int(town.clock.now().timestamp())) as services:
            await services.ledgers.once()
        await boss.sync()
        await scene.police.sync()

    def looks() -> list[tuple[str, str]]:
        return [(one.state, one.person) for one in boss.tasks() if one.code == "log_review"]

    await boss.sync()
    days = boss.local.trust.pack(boss.now()).parameters
    assert days.log_review_days is not None
    town.clock.advance(days=days.log_review_days)
    await watched()
    assert looks() == [("open", "")]
    assert "NOT REVIEWED" in town.server.run("ledger", "review", "police").stdout
    town.clock.advance(days=days.log_review_within_days)
    await watched()
    assert looks() == [("overdue", "")]
    assert "task_overdue" in {code for _, code in boss.local.alarms()}
    [look] = [one for one in boss.tasks() if one.code == "log_review"]
    assert "`sluss-device log`" in look.name

    # Those of the agency who are no supervisors do not have it, and nobody ends it without a word.
    assert not any(one.code == "log_review" for one in scene.police.tasks())
    for how, text in (("no", "Nothing to see."), ("done", "")):
        with pytest.raises(Invalid):
            boss.end_task(look.id, how, text)
    boss.end_task(look.id, "done", "Two opened reports of other districts; both had a task.")
    await watched()
    assert looks() == [("done", "")]
    assert "task_overdue" not in {code for _, code in boss.local.alarms()}
    said = f"last reviewed by {boss.alias} on {town.clock.now().date()}"
    assert said in town.server.run("ledger", "review", "police").stdout
    town.clock.advance(days=days.log_review_days - days.log_review_within_days)
    await watched()
    assert looks() == [("open", ""), ("done", "")]
