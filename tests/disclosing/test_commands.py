"""The commands of whoever decides, as a process would run them, on the store of a real device."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sluss_client.device import Device
from sluss_client.testing.town import PASSPHRASE

from tests.cli.terminal import Result, inside
from tests.disclosing.people import L03, People
from tests.disclosing.test_gateways import gone

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def run(device: Device, *arguments: str) -> Result:
    """Run a command on a device whose store nobody has open."""
    return await asyncio.to_thread(inside, device.path, PASSPHRASE, arguments)


async def said(device: Device, *arguments: str) -> Any:  # noqa: ANN401  # what a command prints, its test knows
    """Run a command that has to succeed and return its JSON."""
    result = await run(device, *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def affirmed() -> list[str]:
    """Return the options that affirm the tests of the ground and give its reasons."""
    tests = [option for code in L03["tests"] for option in ("--affirm", code)]
    return tests + [option for code, text in L03["reasons"].items() for option in ("--reason", f"{code}={text}")]


async def test_a_decision_is_made_listed_and_taken_back_at_the_command_line(square: People) -> None:
    town = square.town
    boss = await town.device("social_services", "supervisors")
    report = await square.filed()
    await boss.sync()
    await boss.inspect(report.id, reason="to decide on a disclosure")
    await boss.sync()
    await boss.close()
    to = ["--to", square.officer.alias, "--part", "subject"]

    offers = await said(boss, "offers", report.id.hex())
    (offer,) = [one for one in offers if (one["agency"], one["code"]) == ("police", "L03")]
    assert (offer["sv"], offer["may_decide"], offer["excluded"]) == ("förebygga brott, under 21 år", True, None)
    shown = await run(boss, "offers", report.id.hex(), "--lang", "sv")
    assert "L03 förebygga brott, under 21 år (OSL 10:18a)" in shown.out
    assert "--affirm concrete_circumstances: Konkreta omständigheter" in shown.out

    missing = await run(boss, "disclose", report.id.hex(), "--gateway", "L03", *to, "--affirm", "under_21", "--yes")
    assert (missing.code, missing.error) == (1, "missing_field")
    assert "tests.concrete_circumstances" in missing.err
    unasked = await run(boss, "disclose", report.id.hex(), "--gateway", "L03", *to, *affirmed())
    assert unasked.code == 1
    assert "OSL 10:18a" in unasked.err
    assert await said(boss, "disclosures") == []
    made = await said(boss, "disclose", report.id.hex(), "--gateway", "L03", *to, *affirmed(), "--yes")
    assert (made["state"], made["compartments"]) == ("waiting", ["subject"])
    assert (await run(boss, "sync")).code == 0
    (row,) = await said(boss, "disclosures")
    assert (row["id"], row["state"], row["to"]) == (made["id"], "released", [f"police/{square.officer.alias}"])
    await square.officer.sync()
    assert not gone(square.officer, report.id)

    recalled = await said(boss, "recall", made["id"], "--reason", "Another person.", "--corrected", "--yes")
    assert recalled == {"id": made["id"]}
    assert (await run(boss, "sync")).code == 0
    for _ in range(2):
        await square.officer.sync()
    assert gone(square.officer, report.id)
    assert (await run(boss, "sync")).code == 0
    (recall,) = [one for one in await said(boss, "recalls") if one["grant"] == made["id"]]
    assert (recall["code"], recall["missing"]) == ("corrected", [])
    assert "confirmed" in (await run(boss, "recalls")).out
    assert await said(boss, "proposals") == []
    assert [one for one in await said(boss, "review") if one["grant"] == made["id"]] == []
