"""S25: a social-services supervisor opens one outreach note to check quality."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sluss_client.errors import Invalid, NotFound

from tests.ledger.test_devices import leaves
from tests.scenarios.people import People, held

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_a_reason_there_is_a_row_and_nothing_in_it(square: People, tmp_path: Path) -> None:
    filed = square.worker.file(square.contact())
    await square.sync()
    boss = square.workers_boss
    assert held(boss, filed.id) == [1]
    with pytest.raises(NotFound):
        boss.get(filed.id)
    with pytest.raises(Invalid) as invalid:
        await boss.inspect(filed.id, reason="")
    assert invalid.value.code == "missing_field"
    await boss.inspect(filed.id, reason="Quality: is the situation free of persons?")
    await square.sync()
    assert boss.get(filed.id).care == "He wants a bed for the night."
    assert held(square.other_boss, filed.id) == [1]

    # That it was opened, and by whom, stands in the agency's ledger, for whoever follows up.
    square.town.clock.advance(minutes=1)
    await boss.sync()
    digest = boss.get(filed.id).digest
    found = [one for one in leaves(square.town, "social_services", tmp_path) if one["action"] == "open"]
    (opened,) = [content for one in found if digest in (content := base64.b64decode(one["content"]))]
    assert bytes(boss.person_id) in opened
