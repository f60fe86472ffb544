"""Property owners and the public: what every scenario says of them, "nothing", for all that has been filed till then.

They hold no keys and sign no request; what they can have is what the server answers to anybody.
"""

from __future__ import annotations

import httpx2
import pytest

from sluss_client import forms
from sluss_schemas.ids import ReportId

from tests.scenarios.people import CENTRAL, KALLE, People

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def filed(square: People) -> dict[ReportId, str]:
    """File what the square is about, each with a word that is in nothing else."""
    now = square.town.clock.now()
    reports = [
        square.guard.file(square.incident(situation="zqa"), duties={"L14": "send"}),
        square.police.file(
            forms.SeizureOrFind(
                scene=CENTRAL, observed_at=now, found_as="seizure", substances=["op_heroin"], subject=[KALLE]
            )
        ),
        square.worker.file(square.contact(), confirm_text=True),
        square.official.file(forms.LitterNeedles(scene=CENTRAL, observed_at=now, needles=3, place="zqb")),
    ]
    await square.sync()
    return {report.id: report.kind for report in reports}


async def test_whoever_asks_without_being_anybody_is_told_of_nothing_that_was_filed(square: People) -> None:
    reports = await filed(square)
    secret = [CENTRAL, "Kalle", "zqa", "zqb", "op_heroin", *(report.hex() for report in reports)]
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
