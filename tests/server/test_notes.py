"""Notes for readers without keys, over a real socket: what is listed, what an address shows, and what is not there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import pytest
import uvicorn
from litestar import Litestar

from sluss_schemas.records import Case, CaseKind
from sluss_server.http import problem
from sluss_server.http.frame import SECURITY_HEADERS, Frame
from sluss_server.http.routes import routes
from sluss_server.http.shell import Shell

from tests.server.cases import CREATED, DAY, HOUR, case, note, send
from tests.server.sealer import SealedReport
from tests.server.town import NOW, Town

SECURITY: Final = "security"


@dataclass
class Kiosk:
    """A town that serves, and whoever asks it without a key."""

    town: Town
    http: httpx2.AsyncClient
    lamp: SealedReport

    async def release(self, **more: Any) -> Case:  # noqa: ANN401  # any field of the record or its terms
        """Release a note about a broken lamp, and return its record."""
        terms = {name: more.pop(name) for name in ("column", "partner", "slots", "text", "lang") if name in more}
        given: dict[str, Any] = {"digest": self.lamp.digest, "until": NOW + DAY, "terms": note(**terms)}
        made = case(self.town.supervisor(SECURITY), CaseKind.NOTE, self.town.clock.now, **{**given, **more})
        assert await send(self.town, self.town.supervisor(SECURITY), made) == [CREATED]
        return made

    async def withdraw(self, made: Case) -> None:
        by = self.town.supervisor(SECURITY)
        taken = case(by, CaseKind.NOTE, self.town.clock.now, follows=made.record, code="withdrawn", digest=made.digest)
        assert await send(self.town, by, taken) == [CREATED]

    async def listed(self) -> list[dict[str, Any]]:
        answer = await self.http.get("/notes")
        assert answer.status_code == 200
        found: list[dict[str, Any]] = answer.json()["notes"]
        return found

    async def one(self, made: Case) -> httpx2.Response:
        return await self.http.get(f"/notes/{made.record.hex()}")


@pytest.fixture
async def kiosk(town: Town) -> AsyncIterator[Kiosk]:
    shell = Shell(clock=town.clock, new_id=lambda: "0" * 16)
    shell.services = town.services
    app = Litestar(routes(shell), exception_handlers=problem.handlers(shell), openapi_config=None, logging_config=None)
    app.asgi_handler = Frame(app.asgi_handler, shell)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    # Whoever asks before the server has started waits in this queue.
    bound.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    lamp = town.report(SECURITY, 9)
    await town.outcomes(town.field(SECURITY), lamp)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with httpx2.AsyncClient(base_url=url) as http:
        yield Kiosk(town, http, lamp)
    server.should_exit = True
    await serving


class TestList:
    async def test_shows_what_is_for_everybody_the_newest_first_and_nothing_beside_it(self, kiosk: Kiosk) -> None:
        first = await kiosk.release()
        await kiosk.release(column="EXT", partner="Gallerian AB")
        kiosk.town.clock.now += 2 * HOUR
        second = await kiosk.release(text="The lamp is mended.", lang="en", until=NOW + 3 * DAY)

        answer = await kiosk.http.get("/notes")

        assert answer.json() == {
            "notes": [
                {
                    "id": second.record.hex(),
                    "agency_en": SECURITY,
                    "agency_sv": SECURITY,
                    "lang": "en",
                    "text": "The lamp is mended.",
                    "released": (NOW + 2 * HOUR) // HOUR * HOUR,
                    "until": NOW + 3 * DAY,
                },
                {
                    "id": first.record.hex(),
                    "agency_en": SECURITY,
                    "agency_sv": SECURITY,
                    "lang": "sv",
                    "text": "Belysningen lagas i veckan.",
                    "released": NOW // HOUR * HOUR,
                    "until": NOW + DAY,
                },
            ]
        }

    async def test_may_be_kept_for_a_moment_and_sets_no_cookie(self, kiosk: Kiosk) -> None:
        answer = await kiosk.http.get("/notes")

        headers = {name: answer.headers.get(name.decode()) for name, _ in SECURITY_HEADERS}
        assert headers == {
            name: value.decode() if name != b"cache-control" else "public, max-age=30"
            for name, value in SECURITY_HEADERS
        }
        assert "set-cookie" not in answer.headers
        assert answer.headers["content-type"] == "application/json"

    async def test_loses_what_ends_is_withdrawn_or_is_at_a_place_that_became_protected(self, kiosk: Kiosk) -> None:
        town = kiosk.town
        ending, withdrawn, closed = await kiosk.release(until=NOW + HOUR), await kiosk.release(), await kiosk.release()
        assert len(await kiosk.listed()) == 3

        town.clock.now += HOUR
        assert {one["id"] for one in await kiosk.listed()} == {withdrawn.record.hex(), closed.record.hex()}
        await kiosk.withdraw(withdrawn)
        assert [one["id"] for one in await kiosk.listed()] == [closed.record.hex()]
        by = town.field(SECURITY)
        protected = case(by, CaseKind.RECLASSIFY, NOW, digest=kiosk.lamp.digest, code="protected")
        assert await send(town, by, protected) == [CREATED]

        assert await kiosk.listed() == []
        gone = [await kiosk.one(one) for one in (ending, withdrawn, closed)]
        assert {one.status_code for one in gone} == {404}

    async def test_is_withdrawn_by_the_own_agency_alone(self, kiosk: Kiosk) -> None:
        made = await kiosk.release()
        other = kiosk.town.report("police", 9)
        await kiosk.town.outcomes(kiosk.town.field("police"), other)
        by = kiosk.town.supervisor("police")

        taken = case(by, CaseKind.NOTE, NOW, follows=made.record, code="withdrawn", digest=other.digest)

        assert await send(kiosk.town, by, taken) == [("retry", "not_found", "record.follows")]
        assert len(await kiosk.listed()) == 1


class TestAddress:
    async def test_shows_a_partners_note_to_whoever_has_it(self, kiosk: Kiosk) -> None:
        made = await kiosk.release(column="EXT", partner="Gallerian AB", text="Lampan vid entrén lagas.")

        answer = await kiosk.one(made)

        assert answer.status_code == 200
        assert answer.json()["text"] == "Lampan vid entrén lagas."
        # Neither whom it is for nor what it draws on is in it, and nobody keeps it.
        assert "Gallerian" not in answer.text
        assert answer.headers["cache-control"] == "no-store"

    async def test_of_anything_else_is_answered_alike(self, kiosk: Kiosk) -> None:
        over = await kiosk.release(until=NOW + HOUR)
        task = case(
            kiosk.town.field(SECURITY), CaseKind.TASK, NOW, digest=kiosk.lamp.digest, until=NOW + DAY, code="L11"
        )
        assert await send(kiosk.town, kiosk.town.field(SECURITY), task) == [CREATED]
        kiosk.town.clock.now += HOUR
        valid = await kiosk.release()
        names = [over.record.hex(), task.record.hex(), os.urandom(16).hex(), "x", valid.record.hex().upper(), "%00"]

        answers = [await kiosk.http.get(f"/notes/{name}") for name in names]

        assert {one.status_code for one in answers} == {404}
        assert len({one.text for one in answers}) == 1
        assert (await kiosk.one(valid)).status_code == 200
