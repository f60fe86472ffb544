"""Property owners and the public: what every scenario says of them, "nothing", for all that has been filed till then.

They hold no keys and sign no request; what they can have is what the server answers to anybody.
What is filed here is one of each kind that any scenario files, so that none of them has to say it again.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import httpx2
import pytest

from sluss_client import forms
from sluss_client.device import Device
from sluss_schemas.forms.base import Form
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, CHILD, KALLE, People

pytestmark = pytest.mark.asyncio(loop_scope="session")

HERE: Final = Path(__file__).parent
MET: Final = forms.Person(name="Kalle")
WORD: Final = "zq"
"""What the words begin with that are in nothing else."""


def everything(square: People) -> list[tuple[Device, Form]]:
    """Return one of each kind that scenarios file, by whom, each with a word that is in nothing else."""
    now, places = square.town.clock.now(), {"scene": CENTRAL, "place": "zqplace"}
    staff: list[bytes] = [square.other_worker.person_id]
    return [
        (square.guard, square.incident(situation="zqa")),
        (square.police, forms.DealingObservation(observed_at=now, situation="zqb", subject=[KALLE], **places)),  # type: ignore[arg-type]
        (
            square.police,
            forms.SeizureOrFind(
                scene=CENTRAL, observed_at=now, found_as="seizure", substances=["op_heroin"], subject=[KALLE]
            ),
        ),
        (square.guard, forms.OverdoseEvent(observed_at=now, situation="zqc", care="zqd", naloxone_doses=2, **places)),  # type: ignore[arg-type]
        (square.worker, square.contact()),
        (
            square.worker,
            forms.AbsentPersonConcern(observed_at=now, subject=[MET], informant="zqe", case_staff=staff),
        ),
        (square.police, forms.ReportOfConcern(observed_at=now, situation="zqf", subject=[CHILD])),
        (square.worker, forms.MuminEpisode(observed_at=now, situation="zqg", subject=[MET])),
        (square.official, forms.PlaceDefect(observed_at=now, situation="zqh", defects=["lock_missing"], **places)),  # type: ignore[arg-type]
        (square.official, forms.LitterNeedles(observed_at=now, needles=3, **places)),  # type: ignore[arg-type]
        (square.guard, forms.SafetyAlert(scene=CENTRAL, observed_at=now, situation="zqn", subject=[KALLE])),
        (square.police, forms.MarketNote(scene=CENTRAL, observed_at=now, substances=["op_heroin"], situation="zqo")),
        (square.guard, forms.StaffThreat(scene=CENTRAL, observed_at=now, situation="zqi", subject=[KALLE])),
        (square.police, forms.ActivityLog(scene=CENTRAL, observed_at=now, planned=True, situation="zqj")),
        (square.police, forms.PublicTip(scene=CENTRAL, observed_at=now, situation="zqk")),
        (square.nurse, forms.ProtectedServiceContact(observed_at=now, service="needle_exchange", care="zql")),
        (square.worker, forms.CareReferral(observed_at=now, care="zqm", case_staff=staff)),
    ]


async def filed(square: People) -> dict[ReportId, str]:
    """File what the square is about, a decision and a task beside it."""
    made = []
    for device, form in everything(square):
        made.append(device.file(form, confirm_text=True))
        due = [duty.code for duty in device.duties() if duty.report_id == made[-1].id]
        await device.answer(made[-1].id, dict.fromkeys(due, "send"))
    await square.sync()
    return {report.id: report.kind for report in made}


async def test_no_scenario_files_a_kind_that_outsiders_are_not_tried_with(square: People) -> None:
    used = set[str]()
    for file in sorted(HERE.glob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [
            one.func for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
        ]
        used |= {one.attr for one in calls if isinstance(one.value, ast.Name) and one.value.id == "forms"}
    kinds = {name for name in used if isinstance(found := getattr(forms, name), type) and issubclass(found, Form)}
    assert kinds >= {"OrderIncident", "CareReferral"}
    assert kinds <= {type(form).__name__ for _, form in everything(square)}


async def test_whoever_asks_without_being_anybody_is_told_of_nothing_that_was_filed(square: People) -> None:
    reports = await filed(square)
    secret = [CENTRAL, "Kalle", WORD, "op_heroin", *(report.hex() for report in reports)]
    async with httpx2.AsyncClient(base_url=square.town.url) as anybody:
        document = (await anybody.get("/openapi.json")).json()
        answered = 0
        for path, methods in document["paths"].items():
            for method in methods:
                answer = await anybody.request(method.upper(), path.replace("{note}", "0" * 32), content=b"")
                told = answer.content + str(answer.headers).encode()
                assert [word for word in secret if word.encode() in told] == [], (method, path)
                # Without a signature only pages about the process, and notes, are given.
                answered += answer.status_code == httpx2.codes.OK
                assert answer.status_code != httpx2.codes.OK or not path.startswith("/v1/"), path
        assert answered >= 3
        for path in ("/overview", "/overview/scenes", "/overview/zones.geojson", "/overview/facts.jsonl?month=2026-05"):
            answer = await anybody.get(path, follow_redirects=False)
            assert answer.status_code == httpx2.codes.UNAUTHORIZED, path
            assert [word for word in secret if word.encode() in answer.content] == [], path
        kept = [note["text"] for note in (await anybody.get("/notes")).json()["notes"]]
        assert [word for word in secret if any(word in text for text in kept)] == []
