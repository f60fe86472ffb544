"""`sluss-device agreement`, as heads of agency and their registrars use it: draft, sign, hand over, list, end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sluss_client.device import Device
from sluss_client.testing import PASSPHRASE, Clock, Town

from tests.agreements.heads import NAMES, draft
from tests.cli.terminal import Result, inside

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Desk:
    """A device that is used from the command line only."""

    def __init__(self, device: Device) -> None:
        self._store = device.path

    async def run(self, *arguments: str | Path) -> Result:
        # A command has a loop of its own.
        return await asyncio.to_thread(inside, self._store, PASSPHRASE, [str(one) for one in arguments])

    async def json(self, *arguments: str | Path) -> Any:  # noqa: ANN401  # what a command prints, its test knows
        done = await self.run(*arguments, "--json")
        assert done.code == 0, done.err
        return done.json

    async def refused(self, *arguments: str | Path) -> dict[str, str]:
        done = await self.run(*arguments, "--json")
        assert done.code == 1
        error: dict[str, str] = json.loads(done.err)["error"]
        return error


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town() -> AsyncIterator[Town]:
    """Three agencies, of which the desks are used by commands."""
    february = Clock(datetime(2026, 2, 2, 9, tzinfo=UTC))
    async with Town(february, agencies=("police", "social_services", "security"), hostile=True) as built:
        yield built


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def over() -> None:
    """Leave what was agreed on: the founders are closed here."""


async def ends(police: Desk, wide: str) -> None:
    """Suspend, resume and end an agreement, and see each time who loses or gains by it."""
    looked = await police.run("agreement", "end", wide, "--dry-run", "--lang", "sv")
    assert looked.out.startswith("Skulle få mindre:\n  Socialtjänsten, läget, av det som skrivs av: Polisen.")
    would = await police.json("agreement", "end", wide, "--dry-run")
    assert [(one["compartment"], one["direction"]) for one in would["changes"]] == [
        ("SIT", "narrower"),
        ("PLC", "narrower"),
    ]
    assert [one["state"] for one in await police.json("agreement", "list")] == ["in_force"]
    assert await police.json("agreement", "end", wide, "--suspend") == {
        "id": wide, "state": "suspended", "changes": would["changes"],
    }  # fmt: skip
    nothing = {"id": wide, "state": "", "changes": []}
    assert await police.json("agreement", "end", wide, "--suspend", "--dry-run") == nothing
    assert [one["state"] for one in await police.json("agreement", "list")] == ["suspended"]
    resumed = await police.json("agreement", "end", wide, "--resume")
    assert {one["direction"] for one in resumed["changes"]} == {"wider"}
    assert "Would lose:" in (await police.run("agreement", "end", wide)).out
    assert [one["state"] for one in await police.json("agreement", "list")] == ["terminated"]


async def test_from_a_draft_to_the_end_of_an_agreement(town: Town, tmp_path: Path) -> None:
    boss = await town.device("social_services", "supervisors")
    for device in (boss, *town.founders.values()):
        await device.close()
    police, social, head = Desk(town.founders["police"]), Desk(town.founders["social_services"]), Desk(boss)
    now = town.clock.now()
    file, carried, names = tmp_path / "draft.toml", tmp_path / "signed.agreement", tmp_path / "names.toml"
    file.write_text(draft(now - timedelta(seconds=1), now + timedelta(days=20)), encoding="utf-8")

    drafted = await police.json("agreement", "draft", file)
    assert drafted["state"] == "draft"
    assert drafted["gains"][0]["reader"] == "social_services/field"
    assert "situation brief" in drafted["gains"][0]["parts"]
    assert {(one["audience"], one["compartment"], one["direction"]) for one in drafted["changes"]} >= {
        ("SOC", "SIT", "wider"),
        ("SOC", "PLC", "wider"),
    }
    wide = drafted["id"]
    assert await police.json("agreement", "sign", wide) == {"state": "in_directory"}
    await social.json("sync")

    # The head of social services is no registrar: what was signed travels as a file.
    assert (await head.run("agreement", "sign", wide)).code == 2
    assert await head.json("agreement", "sign", wide, "--out", carried) == {"state": "to_registrar"}
    assert (await head.refused("agreement", "sign", carried, "--out", tmp_path / "again"))["code"] == "registrar_only"
    assert await social.json("agreement", "sign", carried) == {"state": "in_directory"}
    await police.json("sync")

    (row,) = await police.json("agreement", "list")
    assert (row["state"], row["signed_by"], row["warns"]) == ("in_force", ["police", "social_services"], 30)
    assert set(row["parts"]) == {"K13.POL.SIT.SOC = R", "K13.POL.PLC.SOC = R"}
    said = (await police.run("agreement", "list")).out
    assert "in_force" in said
    assert "S-1, head of the field group has it renewed" in said
    (check,) = [one for one in (await police.run("doctor", "--json")).json["checks"] if one["name"] == "agreements"]
    assert (check["ok"], check["value"][0]["warns"]) == (True, 30)

    assert (await police.refused("agreement", "end", "ffff"))["code"] == "unknown_agreement"
    await ends(police, wide)

    # S15
    text = draft(now, now + timedelta(days=20), NAMES, parties=("security", "social_services"))
    names.write_text(text, encoding="utf-8")
    drafted = await social.json("agreement", "draft", names)
    (refusal,) = drafted["refused"]
    assert (drafted["state"], drafted["gains"]) == ("refused_below_floor", [])
    assert (refusal["rule"], refusal["why"]) == ("K05.SOC.SUB.SEC", "statute")
    assert [way["code"] for way in refusal["instead"]] == ["L01", "L17", None]
    assert "samtycke" in refusal["say"]["sv"]
    error = await social.refused("agreement", "sign", drafted["id"])
    assert (error["code"], error["field"]) == ("below_floor", "K05.SOC.SUB.SEC")
    assert "OSL 26:1" in error["say"]


WRONG = [
    ("from = 2026-01-20", "from = 1", "from"),
    ('parts = ["situation"', 'parts = ["kitchen"', "open 1"),
    ('kind = "activity_log"', 'kind = "K99"', "open 1"),
    ('to = ["social_services"]', 'to = ["fire_brigade"]', "open 1"),
    ('parties = ["police", ', 'parties = ["army", ', "parties"),
    ('as = "R"', 'as = "O"', "file"),
    ('purpose = "Outreach', 'purpose = "" # ', "file"),
    ("[[open]]", "[[opened]]", "file"),
    ("[[open]]", "[[open", "file"),
]


@pytest.mark.parametrize(("right", "wrong", "where"), WRONG)
async def test_a_draft_is_corrected_at_the_place_that_is_named(
    town: Town, tmp_path: Path, right: str, wrong: str, where: str
) -> None:
    file, text = tmp_path / "draft.toml", draft("2026-01-20", "2026-12-31")
    assert right in text
    file.write_text(text.replace(right, wrong), encoding="utf-8")

    error = await Desk(town.founders["police"]).refused("agreement", "draft", file)

    assert (error["code"], error["field"]) == ("bad_agreement", where)


async def test_the_example_is_a_draft(town: Town, tmp_path: Path) -> None:
    desk, file = Desk(town.founders["police"]), tmp_path / "draft.toml"
    file.write_text((await desk.run("agreement", "draft", "--example")).out, encoding="utf-8")

    drafted = await desk.json("agreement", "draft", file)

    assert (drafted["state"], drafted["refused"]) == ("draft", [])
