"""S16: an outreach worker with two unsynced drafts starts a new job with the police on 1 March."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sluss_client import cli, forms
from sluss_client.agency import auditnotes
from sluss_client.device import Device
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.testing import Clock, Town
from sluss_schemas import spoken
from sluss_schemas import sync as wire

from tests.scenarios.people import CENTRAL, find
from tests.secrecy.canaries import decrypted
from tests.secrecy.raw import Raw

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE: Final = ZoneInfo("Europe/Stockholm")
FIRST_OF_MARCH: Final = datetime(2027, 3, 1, tzinfo=ZONE)
FORBIDDEN: Final = 403
NILS: Final = forms.Person(alias="Nils-of-the-bench")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Social services and the police, on the last afternoon of February."""
    async with Town(Clock(FIRST_OF_MARCH - timedelta(hours=9)), agencies=("social_services", "police")) as built:
        yield built


def contact(town: Town, text: str) -> forms.OutreachContact:
    """Return what the worker writes down."""
    return forms.OutreachContact(
        scene=CENTRAL, observed_at=town.clock.now(), situation=text, subject=[NILS], care="He wants a bed."
    )


async def left(town: Town, worker: Device) -> None:
    """Let the registrar of social services write down that somebody has left."""
    founder = town.founders["social_services"]
    await founder.sync()
    await founder.registrar.leave(worker.alias)


async def test_the_drafts_stay_with_social_services_and_the_new_account_sees_none_of_it(town: Town) -> None:
    clock = town.clock
    worker, colleague = await town.device("social_services"), await town.device("social_services")
    boss = await town.device("social_services", "supervisors")
    alias, person = worker.alias, worker.person_id
    sent = worker.file(contact(town, "sent in February"), confirm_text=True)
    await worker.sync()
    await colleague.sync()
    drafts = [worker.file(contact(town, f"written in February, {number}"), confirm_text=True) for number in range(2)]

    keys = Raw(worker, town.url)
    clock.set(FIRST_OF_MARCH)
    await left(town, worker)
    officer = await town.device("police")
    with pytest.raises(Refused) as refused:
        await worker.sync()
    assert refused.value.code == "wiped"
    # On the old device nothing is left that anybody could read, and its keys open no answer.
    assert b"Nils" not in decrypted(worker._unlocked().store)
    assert (await keys.ask("POST", "/v1/pull", wire.Pull((), wire.MAX_PAGE_ENTRIES))).status == FORBIDDEN
    await keys.close()

    # A supervisor of the old agency sees whose drafts they are, and takes them in.
    assert {(row.report_id, row.alias) for row in await boss.quarantine()} == {(one.id, alias) for one in drafts}
    await colleague.sync()
    assert not any(find(colleague, one.id) for one in drafts)
    for one in drafts:
        assert await boss.countersign(one.id) == 1
    await boss.sync()
    await colleague.sync()
    for number, one in enumerate(drafts):
        read = colleague.get(one.id)
        assert read.situation == f"written in February, {number}"
        assert read.subject == [NILS]
        assert read.author is not None
        assert read.author.alias == alias
    assert await boss.quarantine() == []

    # The same person at another agency is another account: nothing goes with it.
    await officer.sync()
    stored = decrypted(officer.local.store)
    for one in (sent, *drafts):
        with pytest.raises(NotFound):
            officer.get(one.id)
        assert bytes(one.id) not in stored
    assert b"Nils" not in stored
    assert officer.person_id != person
    mine = officer.file(
        forms.OrderIncident(scene=CENTRAL, observed_at=clock.now(), sub_kind="threat", severity=2, situation="March"),
        confirm_text=True,
    )
    await officer.sync()
    assert [one.id for one in officer.reports()] == [mine.id]


async def test_without_contact_the_last_day_closes_what_the_old_device_has(town: Town) -> None:
    """The trap: nobody has to reach the device."""
    clock = town.clock
    clock.set(FIRST_OF_MARCH - timedelta(hours=9))
    worker, colleague = await town.device("social_services"), await town.device("social_services")
    theirs = colleague.file(contact(town, "a colleague's"), confirm_text=True)
    await colleague.sync()
    founder = town.founders["social_services"]
    await founder.registrar.change(worker.alias, valid_until=int(FIRST_OF_MARCH.timestamp()))
    await worker.sync()
    clock.set(FIRST_OF_MARCH - timedelta(seconds=30))
    assert worker.get(theirs.id).subject == [NILS]
    clock.set(FIRST_OF_MARCH + timedelta(seconds=1))
    assert (found := find(worker, theirs.id)) is None or not found.readable


async def test_that_both_accounts_are_one_person_is_seen_by_the_auditor_alone(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    town.clock.set(FIRST_OF_MARCH - timedelta(hours=9))
    worker, colleague = await town.device("social_services"), await town.device("social_services")
    boss = await town.device("social_services", "supervisors")
    worker.begin_shift(CENTRAL)
    await worker.sync()
    social, police = town.founders["social_services"], town.founders["police"]
    assert cli.run(["audit", "key", str(tmp_path / "key"), str(tmp_path / "public"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["public"] == str(tmp_path / "public")
    public = (tmp_path / "public").read_text()

    # Who leaves takes a code along, on paper; the new registrar notes it for whoever brings it.
    await left(town, worker)
    code, gone = social.registrar.audit_note(worker.alias, public)
    stays = social.registrar.audit_note(colleague.alias, public)[1]
    officer, police_boss = await town.device("police"), await town.device("police", "supervisors")
    same, came = police.registrar.audit_note(officer.alias, public, code.lower())
    assert same == code
    with pytest.raises(Invalid) as damaged:
        police.registrar.audit_note(officer.alias, public, code[:-1])
    assert damaged.value.code == "damaged_code"
    officer.begin_shift(CENTRAL)
    await officer.sync()

    # The auditor has the notes, the key and both ledgers.
    files = {"gone": gone, "stays": stays, "came": came}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    ledgers = []
    for agency in ("social_services", "police"):
        file = tmp_path / f"{agency}.ledger"
        assert town.server is not None
        assert town.server.run("ledger", "export", agency, str(file)).returncode == 0
        ledgers += ["--ledger", str(file)]
    notes = [str(tmp_path / name) for name in files]
    assert cli.run(["audit", "join", *notes, "--key", str(tmp_path / "key"), *ledgers, "--json"]) == 0
    [[was, now]] = json.loads(capsys.readouterr().out)
    assert (was["agency"], was["person"], was["alias"]) == ("social_services", worker.person_id.hex(), worker.alias)
    assert (now["agency"], now["person"], now["alias"]) == ("police", officer.person_id.hex(), officer.alias)
    assert (was["signed_by"], now["signed_by"]) == (social.local.keys.kid.hex(), police.local.keys.kid.hex())
    assert was["acts"] == now["acts"] == {"shift": 1}

    # Nobody else: another auditor opens no note, and neither agency nor the server has anything of the code.
    with pytest.raises(Invalid):
        auditnotes.opened(auditnotes.new_key()[0], gone)
    assert not {*gone.splitlines()[1:]} & {*came.splitlines()[1:]}
    secret = spoken.read(auditnotes.CODE, code)
    traces = [
        secret,
        hashlib.sha256(secret).digest(),
        secret.hex().encode(),
        code.encode(),
        "".join(code.split("-")[1:]).encode(),
    ]
    for device in (social, police, boss, police_boss, colleague, officer):
        await device.sync()
        kept = decrypted(device._unlocked().store)
        assert not any(trace in kept for trace in traces)
    assert town.server is not None
    for path in (one for one in town.server.data.rglob("*") if one.is_file()):
        data = path.read_bytes()
        assert not any(trace in data for trace in traces), path.name
