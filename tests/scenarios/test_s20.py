"""S20: a guard's litter report is moved by correction onto the needle exchange's courtyard."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import pytest_asyncio

from sluss_client import Device, NotFound, Refused, forms
from sluss_client.cases import book
from sluss_client.protecting import About
from sluss_client.report import Report
from sluss_schemas.codec import decode
from sluss_schemas.ids import ReportId
from sluss_schemas.records import CaseKind

from tests.scenarios.people import CENTRAL, People, counts, find, have, held, holders, sights
from tests.secrecy.canaries import databases, decrypted
from tests.secrecy.raw import asking, entries

pytestmark = pytest.mark.asyncio(loop_scope="session")

COURT = ((59_400_000, 18_200_000), (59_401_000, 18_200_000), (59_401_000, 18_202_000), (59_400_000, 18_202_000))
COURTYARD = forms.Place(name="Bytesgården", lat=59_400_500, lon=18_201_000)
STREET = forms.Place(name="by the bus stop", lat=59_405_500, lon=18_201_000)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def matron(square: People) -> AsyncIterator[Device]:
    """Health's supervisor, who has said where the courtyard is, and unsaid it when all is over."""
    found = await square.town.device("health", "supervisors")
    # Of two lists of one second either may be the later.
    square.town.clock.advance(seconds=1)
    found.protect("the exchange", COURT, 20, known_as=["Bytesgården"])
    await found.sync()
    await square.sync()
    yield found
    square.town.clock.advance(seconds=1)
    found.protect("the exchange", COURT, 20, until=found.now() - 1)
    await found.sync()


def litter(square: People, place: forms.Place = STREET) -> forms.LitterNeedles:
    return forms.LitterNeedles(scene=CENTRAL, observed_at=square.town.clock.now(), needles=4, place=place)


def counted(square: People, filed: Report) -> int:
    """Return of how many versions of a report the server keeps what counts are made of."""
    found = 0
    for path in databases(square.town):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                query = "SELECT count(*) FROM facts JOIN reports USING (partnership_id, digest) WHERE report_id = ?"
                found += database.execute(query, (bytes(filed.id),)).fetchone()[0]
    return found


async def moved(square: People) -> tuple[Report, Report, Report]:
    """File litter in the street, what is beside it and what cleans it, and correct where the first one lay."""
    filed, beside = square.guard.file(litter(square)), square.guard.file(litter(square))
    cleaned = square.official.file(
        forms.ActivityLog(scene=CENTRAL, observed_at=square.town.clock.now(), situation="Cleaned after a call.")
    )
    await square.sync()
    assert have(square, filed.id) == have(square, beside.id)
    assert {"police", "worker", "official", "nurse"} < have(square, filed.id)
    assert (counted(square, filed), counted(square, beside)) == (1, 1)
    with pytest.raises(NotFound):
        square.police.lies_protected(filed.id)
    square.guard.lies_protected(filed.id)
    await square.guard.amend(filed.id, place=COURTYARD)
    await square.sync()
    return filed, beside, cleaned


async def test_the_guards_row_is_closed_and_others_have_it_no_more(square: People, matron: Device) -> None:
    before = await counts(square, "litter_needles")
    filed, beside, cleaned = await moved(square)
    # The guards' supervisors count the one beside it alone, from the same moment on.
    assert await counts(square, "litter_needles") == {**before, "guards_boss": before["guards_boss"] + 1}
    assert have(square, filed.id) == {"guard", "other_guard"}
    for guard in (square.guard, square.other_guard):
        report = guard.get(filed.id)
        assert (report.version, report.hold, report.place) == (2, "protected", forms.Place(name=COURTYARD.name))
        # The point stands with what only the own agency reads.
        whole, *_ = report.author_extra() or [None]
        assert isinstance(whole, list)
        assert whole[-2:] == [COURTYARD.lat, COURTYARD.lon]
        assert {row.audience.split("/")[0] for row in square.guard.readers(report)} == {"security"}
    assert held(square.guards_boss, filed.id) == [2]
    # The one beside it stays with everybody, and so does the municipality's own task, which names no service.
    assert {"police", "worker", "official", "nurse"} < have(square, beside.id)
    task = square.official.get(cleaned.id)
    assert task.situation == "Cleaned after a call."
    for report in square.official.reports():
        assert "Bytesg" not in repr((report.full_arrays(), report.scene))

    # Health is told which report it was, and nobody but the two supervisors is.
    await matron.sync()
    told = {name: _told(device) for name, device in {**square.everybody, "matron": matron}.items()}
    assert {name for name, about in told.items() if filed.id in about} == {"guard", "guards_boss", "matron"}
    assert filed.id not in {report.id for report in matron.reports()}


@pytest.mark.usefixtures("matron")
async def test_what_the_police_are_given_has_no_mark_of_what_was_taken_out(square: People) -> None:
    """The trap: counts are made without it, of both its versions, and what is left beside it counts as before."""
    filed, beside, _ = await moved(square)
    assert (counted(square, filed), counted(square, beside)) == (0, 1)
    assert holders(square, filed.id) <= {"guard", "other_guard", "guards_boss"}
    received = square.guard.local.replica.get(square.guard.local.trust.own_id, filed.id)
    assert received is not None
    digests = {version.digest for version in received.versions}
    assert len(digests) == 2
    for device in (square.police, square.suburban_police, square.official):
        refused = []
        for wanted in (filed.id, ReportId(bytes(16))):
            with pytest.raises(NotFound) as missing:
                device.get(wanted)
            refused.append((missing.value.code, missing.value.field, missing.value.say))
        assert refused[0] == refused[1]
        async with asking(device, square.town.url) as raw:
            answers = await raw.everything()
        assert not [one for one in entries(answers) if one.digest in digests and one.put is not None]
        assert not any(bytes(filed.id) in answer.body for answer in answers)
        # The municipality is sent health's list, sealed; the police are not sent that there is one.
        assert any(b"protected" in answer.body for answer in answers) is (device is square.official)
        assert device.local.alarms() == []
    # Those who have no list learn of no such place.
    for name in ("police", "suburban_police", "police_boss"):
        stored = decrypted(square.everybody[name].local.store)
        assert "Bytesgården".encode() not in stored
        assert b"the exchange" not in stored


async def test_the_municipality_s_own_report_closes_by_the_correction_itself(square: People, matron: Device) -> None:
    filed = square.official.file(litter(square))
    await square.sync()
    assert {"worker", "police", "guard", "nurse"} < have(square, filed.id)
    closed = await square.official.amend(filed.id, place=COURTYARD)
    assert closed.hold == "protected"
    await square.sync()
    assert have(square, filed.id) == {"official"}
    assert sights(square, filed.id)["official"] == "situation place safety author attachments"
    assert counted(square, filed) == 0

    # Moved back, it stays closed: that takes two people.
    await square.official.amend(filed.id, place=STREET)
    await square.sync()
    assert have(square, filed.id) == {"official"}
    with pytest.raises(Refused):
        square.official.unprotect(filed.id)
    square.town.clock.advance(seconds=1)
    record = square.municipal_boss.unprotect(filed.id)
    await square.municipal_boss.sync()
    await matron.sync()
    assert record in matron.to_confirm()
    matron.confirm_unprotected(record)
    await matron.sync()
    assert record not in matron.to_confirm()
    for name in ("police", "guard", "worker"):
        assert find(square.everybody[name], filed.id) is None


def _told(device: Device) -> set[bytes]:
    """Return the reports of which a device knows that somebody said where they lie."""
    known = book.everything(device.local, CaseKind.RECLASSIFY)
    return {decode(About, one.body, "record").report_id for one in known if one.body}
