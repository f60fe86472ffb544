"""Every command about case records and about what follows a decision, once, on stores of a real town."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.cli import afterwards, cases
from sluss_client.testing import Town
from sluss_client.testing.town import PASSPHRASE

from tests.cli.terminal import Result, inside

pytestmark = pytest.mark.asyncio(loop_scope="module")
CENTRAL: Final = "central-square"
KIM: Final = forms.Person(name="Kim", role="suspect", age_min=30, age_max=40)
CHILD: Final = forms.Person(name="Lo", role="child", age_min=13, age_max=14)
NOBODY: Final = "0" * 32
CONTACT: Final = "contact_details"
FEEDBACK: Final = ("asked_for", "only_opened_or_not", "not_inappropriate")
AFTERWARDS: Final = {"recall", "recalls", "proposals", "approve", "review"}


@dataclass
class Stores:
    """Everybody's device, none of which is open, and the reports that are there."""

    paths: dict[str, Path]
    people: dict[str, str]
    reports: dict[str, str]

    async def run(self, who: str, *arguments: str) -> Result:
        """Run a command on somebody's device."""
        return await asyncio.to_thread(inside, self.paths[who], PASSPHRASE, arguments)

    async def said(self, who: str, *arguments: str) -> Any:  # noqa: ANN401  # what a command prints, its test knows
        """Run a command that has to succeed and return its JSON."""
        result = await self.run(who, *arguments, "--json")
        assert (result.code, result.err) == (0, ""), arguments
        return json.loads(result.out)

    async def shown(self, who: str, *arguments: str) -> str:
        """Run a command that has to succeed and return its text."""
        result = await self.run(who, *arguments)
        assert (result.code, result.err) == (0, ""), arguments
        return result.out

    async def refused(self, who: str, *arguments: str) -> str:
        """Run a command that the device refuses and return the refusal's code."""
        result = await self.run(who, *arguments)
        assert (result.code, result.out) == (1, ""), arguments
        return result.error

    async def misused(self, who: str, *arguments: str) -> None:
        """Run a command that is called wrongly."""
        assert (await self.run(who, *arguments)).code == 2

    async def sync(self, *who: str) -> None:
        """Let devices sync, one after the other."""
        for one in who:
            assert (await self.run(one, "sync")).code == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stores() -> AsyncIterator[Stores]:
    """Guards, police and social services, with what each has filed."""
    async with Town(agencies=("security", "police", "social_services")) as town:
        people = {
            "guard": ("security", "field"),
            "guards_boss": ("security", "supervisors"),
            "officer": ("police", "field"),
            "police_boss": ("police", "supervisors"),
            "chief": ("police", "supervisors"),
            "worker": ("social_services", "field"),
            "workers_boss": ("social_services", "supervisors"),
            "reception": ("social_services", "reception"),
        }
        devices = {who: await town.device(agency, function) for who, (agency, function) in people.items()}  # type: ignore[arg-type]  # a function's name
        given: dict[str, Any] = {"scene": CENTRAL, "observed_at": town.clock.now()}
        guard, worker, officer = devices["guard"], devices["worker"], devices["officer"]
        quarrel = forms.OrderIncident(sub_kind="threat", situation="A quarrel.", **given)
        filed = {
            "concern": guard.file(forms.ReportOfConcern(subject=[CHILD], **given), {"L11": "send"}),
            "waiting": guard.file(forms.ReportOfConcern(subject=[CHILD], **given)),
            "incident": guard.file(quarrel, confirm_text=True),
            "lamp": guard.file(forms.PlaceDefect(situation="The lamp is out.", **given), confirm_text=True),
            "contact": worker.file(
                forms.OutreachContact(situation="A talk.", subject=[forms.Person(alias="Nils")], **given),
                confirm_text=True,
            ),
            "quarrel": officer.file(
                forms.OrderIncident(sub_kind="threat", subject=[KIM], situation="A quarrel.", **given),
                confirm_text=True,
            ),
        }
        for _ in range(2):
            for device in devices.values():
                await device.sync()
        await devices["police_boss"].inspect(filed["quarrel"].id, reason="to decide on a disclosure")
        await devices["police_boss"].sync()
        aliases = {who: device.alias for who, device in devices.items()}
        for device in devices.values():
            await device.close()
        paths = {who: device.path for who, device in devices.items()}
        yield Stores(paths, aliases, {name: one.id.hex() for name, one in filed.items()})


async def test_every_command_is_tried() -> None:
    used = {name for name in (one.name for one in cases.COMMANDS) if name is not None}
    assert used == {
        *("tasks", "task", "end-task", "told", "request", "requests", "answer-request", "consent", "feedback", "note"),
        *("shift", "end-shift", "preserve", "end-preservation"),
    }
    made = {getattr(afterwards, name) for name in AFTERWARDS}
    assert {one.name for one in made} == AFTERWARDS


async def test_tasks_are_listed_and_ended_with_the_reason(stores: Stores) -> None:
    (row,) = await stores.said("guards_boss", "tasks")
    assert row.keys() == {"id", "code", "name", "report", "by", "until", "state", "how", "person", "hour", "count"}
    assert (row["person"], row["hour"], row["count"]) == ("", None, 0)
    assert (row["code"], row["state"], row["report"]) == ("L11", "open", stores.reports["waiting"])
    assert row["id"] in await stores.shown("guards_boss", "tasks")
    ended = ("--how", "no", "--text", "It was his big brother.")
    assert await stores.refused("guards_boss", "end-task", NOBODY, *ended) == "unknown_report"
    await stores.misused("guards_boss", "end-task", "no-id", *ended)
    await stores.misused("guards_boss", "end-task", row["id"], "--how", "sent", "--text", "x")
    await stores.misused("guards_boss", "end-task", row["id"], "--how", "no")
    assert await stores.said("guards_boss", "end-task", row["id"], *ended) == {"id": row["id"]}
    (after,) = await stores.said("guards_boss", "tasks")
    assert (after["state"], after["how"]) == ("done", "no")
    assert await stores.refused("guards_boss", "end-task", row["id"], *ended) == "unknown_report"


async def test_a_colleague_is_given_something_to_do_and_says_that_it_is_done(stores: Stores) -> None:
    given = ("task", stores.reports["contact"], "--text", "Ask at the hostel.", "--to", stores.people["worker"])
    made = await stores.said("worker", *given, "--days", "2")
    assert await stores.refused("worker", *given, "--to", stores.people["officer"]) == "unknown_alias"
    assert await stores.refused("worker", "task", NOBODY, "--text", "x") == "unknown_report"
    await stores.misused("worker", *given, "--days", "0")
    await stores.sync("worker", "workers_boss")
    for who in ("worker", "workers_boss"):
        (row,) = [one for one in await stores.said(who, "tasks") if one["id"] == made["id"]]
        assert (row["code"], row["name"], row["state"]) == ("", "Ask at the hostel.", "open")
    await stores.said("workers_boss", "end-task", made["id"], "--how", "done", "--text", "He was there.")
    await stores.sync("workers_boss", "worker")
    (row,) = [one for one in await stores.said("worker", "tasks") if one["id"] == made["id"]]
    assert row["state"] == "done"


async def test_what_was_told_aloud_is_recorded(stores: Stores) -> None:
    told = ("told", stores.reports["incident"], "--to", "the duty officer", "--text", "A threat by the fountain.")
    made = await stores.said("guard", *told, "--gateway", "L14")
    assert len(bytes.fromhex(made["id"])) == 16
    assert len((await stores.shown("guard", *told, "--gateway", "L14")).strip()) == 32
    assert await stores.refused("guard", *told, "--gateway", "L99") == "unknown_code"
    assert await stores.refused("officer", *told, "--gateway", "L14") == "unknown_report"
    await stores.misused("guard", *told)


async def test_a_request_is_made_listed_and_answered(stores: Stores) -> None:
    made = await stores.said("police_boss", "request", "security", "--text", "The film of noon.", "--code", "L14")
    other = (await stores.shown("police_boss", "request", "security", "--text", "And of one o'clock.")).strip()
    assert await stores.refused("police_boss", "request", "nowhere", "--text", "x") == "unknown_agency"
    await stores.misused("police_boss", "request", "security")
    await stores.sync("police_boss", "guards_boss")

    rows = {row["id"]: row for row in await stores.said("guards_boss", "requests")}
    assert rows.keys() == {made["id"], other}
    row = rows[made["id"]]
    assert row.keys() == {
        *("id", "agency", "asks_us", "code", "report", "text", "since", "state", "rule", "answer"),
        *("until", "affirmed", "details"),
    }
    assert (row["agency"], row["asks_us"], row["code"], row["state"]) == ("police", True, "L14", "open")
    assert "The film of noon." in await stores.shown("guards_boss", "requests")
    said = ("--text", "It is gone.", "--rule", "OSL 10:2")
    told = ("--granted", "--text", "x", "--affirm", "no_strong_reasons", "--detail", "telephone", "0701740615")
    assert await stores.refused("guards_boss", "answer-request", made["id"], *told) == "unknown_field"
    assert (
        await stores.refused("police_boss", "request", "security", "--text", "x", "--code", CONTACT) == "unknown_agency"
    )
    assert await stores.said("guards_boss", "answer-request", made["id"], "--refused", *said) == {"id": made["id"]}
    assert await stores.shown("guards_boss", "answer-request", other, "--granted", "--text", "Here.") == f"{other}\n"
    assert await stores.refused("guards_boss", "answer-request", NOBODY, "--granted", "--text", "x") == "unknown_report"
    await stores.misused("guards_boss", "answer-request", made["id"], "--text", "x")
    await stores.sync("guards_boss", "police_boss")
    answers = {row["id"]: (row["state"], row["answer"]) for row in await stores.said("police_boss", "requests")}
    assert answers == {made["id"]: ("refused", "It is gone."), other: ("granted", "Here.")}


async def test_a_consent_is_recorded_listed_and_taken_back(stores: Stores) -> None:
    given = ("--agency", "police", "--part", "subject", "--purpose", "A meeting on Friday.", "--days", "10")
    (row,) = await stores.said("worker", "consent", stores.reports["contact"], *given)
    assert row.keys() == {"id", "report", "agencies", "parts", "purpose", "until", "state"}
    assert (row["agencies"], row["parts"], row["state"]) == (["police"], ["subject"], "given")
    assert "A meeting on Friday." in await stores.shown("worker", "consent")
    nowhere = ("--agency", "nowhere", "--part", "subject", "--purpose", "x")
    assert await stores.refused("worker", "consent", stores.reports["contact"], *nowhere) == "unknown_agency"
    assert await stores.refused("worker", "consent", NOBODY, *given) == "unknown_report"
    assert await stores.refused("worker", "consent", "--withdraw", row["id"]) == "missing_field"
    await stores.misused("worker", "consent", "--withdraw", "no-id", "--reason", "x")
    (after,) = await stores.said("worker", "consent", "--withdraw", row["id"], "--reason", "He called.")
    assert after["state"] == "withdrawn"


async def test_a_reporter_is_told_what_became_of_a_concern(stores: Stores) -> None:
    concern = stores.reports["concern"]
    assert await stores.said("guard", "feedback", concern) == {"codes": []}
    tests = tuple(option for code in FEEDBACK for option in ("--affirm", code))
    assert await stores.refused("reception", "feedback", concern, "opened") == "missing_field"
    assert await stores.refused("reception", "feedback", concern, "perhaps", *tests) == "unknown_code"
    assert await stores.said("reception", "feedback", concern, "opened", *tests) == {"codes": ["opened"]}
    await stores.sync("reception", "guard")
    assert await stores.shown("guard", "feedback", concern) == "opened\n"
    await stores.misused("guard", "feedback")


async def test_a_note_is_released_by_a_supervisor_alone(stores: Stores) -> None:
    note = ("note", stores.reports["lamp"], "--column", "PUB", "--text", "The lamp is mended this week.")
    assert len(bytes.fromhex((await stores.said("guards_boss", *note))["id"])) == 16
    assert len((await stores.shown("guards_boss", *note, "--lang", "en")).strip()) == 32
    assert await stores.refused("guard", *note) == "supervisor_only"
    assert await stores.refused("guards_boss", *note, "--part", "weather") == "unknown_code"
    await stores.misused("guards_boss", "note", stores.reports["lamp"], "--column", "ALL", "--text", "x")


async def test_a_shift_is_begun_and_ended(stores: Stores) -> None:
    begun = await stores.said("guard", "shift", CENTRAL, "--hours", "4")
    other = (await stores.shown("guard", "shift", CENTRAL)).strip()
    assert await stores.refused("guard", "shift", "nowhere") == "unknown_scene"
    assert await stores.refused("guard", "shift", CENTRAL, "--hours", "25") == "out_of_range"
    await stores.misused("guard", "shift")
    assert await stores.said("guard", "end-shift", begun["id"]) == [{"id": begun["id"], "scene": CENTRAL}]
    assert await stores.refused("guard", "end-shift", begun["id"]) == "unknown_report"
    await stores.misused("guard", "end-shift", "no-id")
    assert await stores.shown("guard", "end-shift") == f"{other}  {CENTRAL}\n"
    assert await stores.said("guard", "end-shift") == []


async def test_a_report_is_preserved_and_let_go(stores: Stores) -> None:
    report = stores.reports["incident"]
    asked = ("--reason", "The court has asked for it.")
    (row,) = await stores.said("guards_boss", "preserve", report, *asked)
    assert (row["report"], row["state"]) == (report, "placed")
    assert row["id"] in await stores.shown("guards_boss", "preserve")
    assert await stores.refused("guard", "preserve", report, *asked) == "supervisor_only"
    assert await stores.refused("guards_boss", "preserve", NOBODY, *asked) == "unknown_report"
    await stores.misused("guards_boss", "end-preservation", row["id"])
    over = ("--reason", "The court is done.")
    assert await stores.refused("guards_boss", "end-preservation", NOBODY, *over) == "unknown_report"
    assert await stores.said("guards_boss", "end-preservation", row["id"], *over) == {"id": row["id"]}
    assert [one["state"] for one in await stores.said("guards_boss", "preserve")] == ["lifted"]


async def proposed(stores: Stores, to: str) -> str:
    """Have the supervisor propose a disclosure; return its id."""
    tests = [option for code in ("listed_need", "balanced", "not_exempt") for option in ("--affirm", code)]
    made = await stores.said(
        "police_boss", "disclose", stores.reports["quarrel"], "--gateway", "L09", "--to", to, "--part", "subject",
        *tests, "--reason", "balanced=Nobody is harmed by it.", "--yes",
    )  # fmt: skip
    await stores.sync("police_boss", "chief")
    return str(made["id"])


async def test_a_proposal_is_approved_or_refused_and_what_it_gave_is_recalled(stores: Stores) -> None:
    to = f"social_services/{stores.people['worker']}"
    grant = await proposed(stores, to)
    assert await stores.said("police_boss", "proposals") == []
    (row,) = await stores.said("chief", "proposals")
    assert row.keys() == {
        *("record", "report", "gateway", "to", "compartments", "tests", "reasons", "by", "until", "proposed_at")
    }
    assert (row["gateway"], row["to"]) == ("L09", [to])
    assert row["reasons"] == [{"test": "balanced", "text": "Nobody is harmed by it."}]
    shown = await stores.shown("chief", "proposals")
    assert row["record"] in shown
    assert "  balanced: Nobody is harmed by it." in shown
    assert await stores.refused("chief", "approve", NOBODY) == "unknown_report"
    assert await stores.refused("chief", "approve", "no-id") == "wrong_type"
    await stores.misused("chief", "approve")
    assert await stores.said("chief", "approve", row["record"]) == {"id": row["record"]}
    await stores.sync("chief", "police_boss", "police_boss")
    assert [one["state"] for one in await stores.said("police_boss", "disclosures")] == ["released"]

    await proposed(stores, to)
    (row,) = await stores.said("chief", "proposals")
    assert "sync" in await stores.shown("chief", "approve", row["record"], "--refuse", "Once is enough.")
    await stores.sync("chief", "police_boss", "police_boss")
    assert sorted(one["state"] for one in await stores.said("police_boss", "disclosures")) == ["refused", "released"]

    await stores.sync("worker")
    why = ("--reason", "It was his brother.")
    assert await stores.refused("police_boss", "recall", NOBODY, *why, "--yes") == "unknown_report"
    await stores.misused("police_boss", "recall", grant, "--yes")
    assert await stores.said("police_boss", "recall", grant, *why, "--yes") == {"id": grant}
    await stores.sync("police_boss")
    (row,) = await stores.said("police_boss", "recalls")
    assert row.keys() == {"record", "grant", "code", "recalled_at", "confirmed", "missing"}
    assert (row["grant"], row["code"], [one["alias"] for one in row["missing"]]) == (grant, "recalled", [to])
    await stores.sync("worker", "worker", "police_boss")
    (row,) = await stores.said("police_boss", "recalls")
    assert ([one["alias"] for one in row["confirmed"]], row["missing"]) == ([to], [])
    assert "confirmed" in await stores.shown("police_boss", "recalls")


async def test_a_decision_in_an_emergency_is_looked_at_afterwards(stores: Stores) -> None:
    made = await stores.said(
        "worker", "disclose", stores.reports["contact"], "--gateway", "L17",
        "--to", f"police/{stores.people['officer']}", "--part", "subject", "--affirm", "danger_now",
        "--affirm", "minimum", "--reason", "danger_now=He walks towards the tracks.", "--yes",
    )  # fmt: skip
    await stores.sync("worker", "worker", "workers_boss")
    (row,) = await stores.said("workers_boss", "review")
    assert row.keys() == {"grant", "report", "gateway", "to", "compartments", "reasons", "by", "review_by", "upheld"}
    assert (row["grant"], row["gateway"], row["upheld"]) == (made["id"], "L17", None)
    shown = await stores.shown("workers_boss", "review")
    assert "waiting" in shown
    assert "danger_now: He walks towards the tracks." in shown
    await stores.misused("workers_boss", "review", made["id"])
    why = ("--upheld", "--reason", "There was no time.")
    assert await stores.refused("workers_boss", "review", NOBODY, *why) == "unknown_report"
    assert await stores.refused("worker", "review", made["id"], *why) in {"supervisor_only", "unknown_report"}
    assert await stores.said("workers_boss", "review", made["id"], *why) == {"id": made["id"]}
    assert [one["upheld"] for one in await stores.said("workers_boss", "review")] == [True]
