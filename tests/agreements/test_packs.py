"""A registrar adopts another policy pack at the command line, after seeing who gains and who loses by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_asyncio

from sluss_client.agency import founding
from sluss_client.testing import Clock, Town
from sluss_schemas.policy import builtin

from tests.agreements.test_commands import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def over() -> None:
    """Need no town but the own one."""


async def test_a_pack_is_adopted_after_its_changes_were_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    older = builtin()[:-1]
    monkeypatch.setattr(founding, "builtin", lambda: older)
    async with Town(Clock(datetime(2026, 2, 2, 9, tzinfo=UTC)), agencies=("security",)) as town:
        founder, colleague = town.founders["security"], await town.device("security")
        assert founder.local.trust.pack(founder.now()).id == "SE-2025-12-01"
        await founder.close()
        await colleague.close()
        desk, other = Desk(founder), Desk(colleague)

        shown = await desk.json("pack", "adopt", "SE-2026-01-15", "--dry-run")
        assert (shown["old"], shown["adopted"], shown["valid_from"]) == ("SE-2025-12-01", False, "2026-01-15")
        (concern,) = [
            one
            for one in shown["changes"]
            if (one["kind"], one["compartment"], one["audience"]) == ("K07", "SUB", "SOC")
        ]
        assert "ny skyldighet att berätta: L11 (orosanmälan om barn)" in concern["sv"]
        # Without an answer nothing is signed, and what would change was said.
        unasked = await desk.run("pack", "adopt", "SE-2026-01-15", "--lang", "sv")
        assert unasked.code == 1
        assert "Socialtjänsten, vem det gäller, av det som skrivs av: Ordningsvakter." in unasked.err
        assert (await desk.json("pack", "adopt", "SE-2026-01-15", "--dry-run"))["adopted"] is False
        assert (await other.refused("pack", "adopt", "SE-2026-01-15", "--yes"))["code"] == "registrar_only"
        assert (await desk.refused("pack", "adopt", "SE-1999-01-01", "--yes"))["code"] == "pack_refused"

        done = await desk.run("pack", "adopt", "SE-2026-01-15", "--yes")
        assert (done.code, done.out.splitlines()[-1]) == (0, "It is adopted and holds from 2026-01-15.")
        again = await desk.json("pack", "adopt", "SE-2026-01-15", "--yes")
        assert (again["old"], again["adopted"], again["changes"]) == ("SE-2026-01-15", True, [])
