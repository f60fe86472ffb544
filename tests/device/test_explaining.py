"""A person is told why a part is open or closed, by which law and until when, on the device and on the command line."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from sluss_client import Device, Invalid, NotFound, forms
from sluss_client.testing import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = forms.Person(name="Kalle", role="suspect", age_min=30, age_max=40)


def incident(town: Town, **changes: object) -> forms.OrderIncident:
    values: dict[str, object] = {
        "scene": "central-square",
        "observed_at": town.clock.now(),
        "sub_kind": "threat",
        "situation": "a threat",
        "subject": [PERSON],
    }
    return forms.OrderIncident(**(values | changes))  # type: ignore[arg-type]  # the form checks them


async def test_everybody_is_told_why_and_the_chain_that_opened_it(shared: Town) -> None:
    guard, officer, worker = [await shared.device(one) for one in ("security", "police", "social_services")]
    filed = guard.file(incident(shared), duties={"L14": "send"})
    plain = guard.file(incident(shared))
    for device in (guard, officer, worker):
        await device.sync()

    opened, closed = (officer.explain(one.id, "subject") for one in (filed, plain))
    assert (opened.form, opened.ground, [link.code for link in opened.chain]) == ("full", "duty", ["L14"])
    assert (closed.form, closed.chain) == (None, ())
    assert worker.explain(filed.id, "SUB").form is None
    assert guard.explain(filed.id, "subject").ground == "own"

    # The owner asks for others; the same answer as theirs, before and after it has left.
    for report, theirs in ((filed, opened), (plain, closed)):
        mine = guard.explain(report.id, "subject", agency="police")
        assert (mine.form, mine.ground, mine.rule_id) == (theirs.form, theirs.ground, theirs.rule_id)
    held = guard.file(incident(shared), hold="embargo")
    kept = guard.explain(held.id, "situation", agency="police", lang="sv")
    assert (kept.form, kept.sentences[0].startswith("Innan rapporten släpps")) == (None, True)

    with pytest.raises(NotFound):
        worker.explain(held.id, "situation")
    with pytest.raises(NotFound):
        guard.explain(filed.id, "situation", agency="nobody")
    with pytest.raises(Invalid):
        guard.explain(filed.id, "weather")


async def test_a_day_is_told_by_the_pack_of_that_day(shared: Town) -> None:
    guard = await shared.device("security")
    child = forms.Person(role="child", age_min=13, age_max=14)
    filed = guard.file(incident(shared, subject=[child]))
    then, now = (
        guard.explain(filed.id, "subject", agency="social_services", at=day)
        for day in (date(2026, 1, 10), date(2026, 1, 20))
    )
    assert (then.pack, now.pack) == ("SE-2025-12-01", "SE-2026-01-15")
    assert "duty" not in then.sentences[0].split(".")[1]
    assert "There is a duty to tell: report of concern about a child" in now.sentences[0]
    assert datetime.fromisoformat(now.valid_from).date() == date(2026, 1, 15)


async def test_an_answer_is_the_same_whether_the_part_is_filled_or_empty(shared: Town) -> None:
    guard, officer = await shared.device("security"), await shared.device("police")
    filled, empty = guard.file(incident(shared, care="a scratch")), guard.file(incident(shared, subject=[]))
    await guard.sync()
    await officer.sync()

    def asked(device: Device, part: str) -> set[str]:
        return {repr(device.explain(one.id, part)) for one in (filled, empty)}

    assert len(asked(officer, "subject")) == len(asked(officer, "care")) == 1
