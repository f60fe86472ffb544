"""A wiped device: what it had not sent is sealed for its agency, and nothing that it still has opens anything in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluss_client import Device, Refused, crypto, forms, saving
from sluss_client import store as module
from sluss_client.cases import book
from sluss_client.crypto import CannotOpen
from sluss_client.keyring.keyshare import take_in
from sluss_client.local import Local
from sluss_client.outbox import State
from sluss_client.syncing import wiping
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.ids import ReportId
from sluss_schemas.policy.pack import builtin
from sluss_schemas.records import CaseKind

from tests.device.chain import PASSPHRASE, Agency, answer, own_wraps
from tests.faults.samples import sealed_rows

SAID = "A canary was seen at the fountain."


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agency]:
    """An agency with a pack and a scene; nobody is in it yet."""
    monkeypatch.setattr(module, "_MEMORY_KIB", 32)
    monkeypatch.setattr(module, "_PASSES", 1)
    made = Agency(tmp_path)
    made.append(d.PackInForce(builtin()[0].digest, 0), d.Scene(1, "square", "Square", "Torget", None, "confirmed"))
    yield made
    made.close()


def with_key(agency: Agency, *others: Local) -> Local:
    """Return a guard's device with the field group's key; the others get it, too."""
    guard = agency.device("field")
    wraps = agency.rotate("field", guard)
    for local in (guard, *others):
        take(local, wraps)
    return guard


def take(local: Local, wraps: membership.EpochSet) -> None:
    take_in(local, answer(wraps=own_wraps(wraps, local.keys.kid)))


def file(agency: Agency, local: Local, said: str = SAID) -> ReportId:
    report_id = ReportId(os.urandom(16))
    seen = datetime.fromtimestamp(agency.now, UTC) - timedelta(minutes=5)
    form = forms.OrderIncident(scene="square", observed_at=seen, sub_kind="threat", severity=2, situation=said)
    wish = saving.Wish(duties={}, source=f"{said} from a file")
    saving.save(local, form, saving.Version(report_id, 1), wish, agency.now)
    return report_id


def revoke(agency: Agency, local: Local) -> None:
    agency.append(d.DeviceRevoke(local.keys.kid, "lost"))
    wiping.wipe(local, agency.now)


def content(local: Local) -> bytes:
    """Return everything that whoever knows the passphrase finds in a store."""
    return b"".join(key + data for space in local.store.spaces() for key, data in local.store.items(space))


def files(local: Local) -> bytes:
    """Return what is on the disk of a store."""
    return b"".join(one.read_bytes() for one in local.store.path.parent.glob(f"{local.store.path.name}*"))


def test_nothing_is_wiped_without_the_directorys_word(agency: Agency) -> None:
    guard = with_key(agency)
    file(agency, guard)
    before = content(guard)

    with pytest.raises(Refused) as refused:
        wiping.wipe(guard, agency.now)

    assert refused.value.code == "not_allowed"
    assert (content(guard), guard.wiped) == (before, False)


def test_what_waits_is_sealed_and_everything_that_opens_it_is_gone(agency: Agency) -> None:
    guard = with_key(agency, agency.device("field"))
    report_id = file(agency, guard)
    secret = next(iter(guard.ring.epochs.values())).secret
    kem = guard.keys.kem.public
    assert SAID.encode() in content(guard)
    guard.store.scrub()
    before = sealed_rows(guard.store.path, "outbox", "epoch")
    assert all(one in files(guard) for one in before)

    revoke(agency, guard)

    assert guard.wiped
    (row,) = guard.outbox.rows()
    assert (row.report_id, row.state, row.values, row.section_keys) == (report_id, State.SEALED, b"", ())
    left = content(guard)
    assert SAID.encode() not in left
    assert secret not in left
    item = decode(wire.Item, guard.outbox.item(row), "item")
    assert item.recipients
    assert not {one.kid for one in item.recipients} & guard.ring.kems.keys()
    assert guard.ring.epochs == {}
    # Nothing was ever sealed to the key that the device has now.
    assert guard.keys.kem.public != kem
    # The very rows are gone from the disk, for whoever undeletes and knows the passphrase.
    assert not any(one in files(guard) for one in before)
    assert guard.store.spaces() == {"outbox", "pending", "item", "chain", "device"}


def test_what_was_answered_keeps_its_receipt_and_loses_its_words(agency: Agency) -> None:
    guard = with_key(agency)
    file(agency, guard)
    (row,) = guard.outbox.rows()
    sent = msgspec.structs.replace(
        row, state=State.SENT, digest=b"d" * 32, answered_at=agency.now, receipt=b"receipt", outcome="created",
        section_keys=((0, b"k" * 32),),
    )  # fmt: skip
    guard.outbox.save(sent, b"a sealed item")
    file(agency, guard, "an older one")
    older = guard.outbox.rows()[1]
    guard.outbox.save(msgspec.structs.replace(older, state=State.SENT, answered_at=1, digest=b"o" * 32))

    revoke(agency, guard)

    (kept,) = guard.outbox.rows()
    assert (kept.receipt, guard.outbox.item(kept), kept.values, kept.section_keys) == (
        *(b"receipt", b"a sealed item", b"", ()),
    )
    assert SAID.encode() not in content(guard)


def opened(local: Local, rescuer: Local) -> wiping.Rescued:
    """Open what a wiped device could seal to nobody else, as somebody of the agency with the device in their hands."""
    ((key, data),) = local.store.items(wiping.SPACE)
    for kid, sealed in msgspec.msgpack.decode(data, type=list[tuple[bytes, bytes]]):
        kem = rescuer.ring.kems.get(kid)  # type: ignore[call-overload]  # any 16 bytes
        if kem is not None:
            padded = kem.open(sealed, wiping.rescue_info(local.config.agency, key))
            return msgspec.msgpack.decode(crypto.unpad(padded), type=wiping.Rescued)
    raise CannotOpen


@pytest.mark.parametrize("refused", [False, True])
def test_what_cannot_be_sealed_is_there_for_the_supervisors_alone(agency: Agency, refused: bool) -> None:  # noqa: FBT001
    boss = agency.device("supervisors")
    take(boss, agency.rotate("supervisors", boss))
    guard = with_key(agency) if refused else agency.device("field")
    file(agency, guard)
    if refused:
        (row,) = guard.outbox.rows()
        guard.outbox.save(msgspec.structs.replace(row, state=State.REFUSED, reason="id_conflict", digest=b"d" * 32))

    revoke(agency, guard)

    assert SAID.encode() not in content(guard)
    rescued = opened(guard, boss)
    assert msgspec.msgpack.decode(rescued.values)["situation"] == SAID
    (row,) = guard.outbox.rows()
    assert (row.state, row.values) == (State.REFUSED if refused else State.FILED, b"")
    with pytest.raises(CannotOpen):
        opened(guard, guard)


def test_without_supervisors_it_is_there_for_the_registrars_and_without_them_for_any_colleague(agency: Agency) -> None:
    colleague = agency.device("field")
    guard = agency.device("field")
    file(agency, guard)
    revoke(agency, guard)
    assert msgspec.msgpack.decode(opened(guard, colleague).values)["situation"] == SAID

    registrar = agency.device("field", registrar=True)
    second = agency.device("field")
    file(agency, second)
    revoke(agency, second)
    assert msgspec.msgpack.decode(opened(second, registrar).values)["situation"] == SAID
    with pytest.raises(CannotOpen):
        opened(second, colleague)


def test_what_is_sealed_to_an_audience_that_nobody_is_left_in_is_there_for_others_too(agency: Agency) -> None:
    registrar = agency.device("supervisors", registrar=True)
    guard = with_key(agency)
    file(agency, guard)

    revoke(agency, guard)

    (row,) = guard.outbox.rows()
    assert (row.state, row.values) == (State.SEALED, b"")
    assert SAID.encode() not in content(guard)
    assert msgspec.msgpack.decode(opened(guard, registrar).values)["situation"] == SAID


@pytest.mark.parametrize("missing", [False, True])
def test_what_was_told_by_telephone_goes_out_also_without_the_pack_in_force(agency: Agency, missing: bool) -> None:  # noqa: FBT001
    boss = agency.device("supervisors")
    guard = with_key(agency, agency.device("field"), boss)
    report = file(agency, guard)
    book.file(guard, CaseKind.ORAL, now=agency.now, code="L14", row=guard.outbox.head(report), body=b"told", to=[])
    if missing:
        agency.append(d.PackInForce(os.urandom(32), agency.now // 86_400 - 1))
        assert guard.trust.pack(agency.now).stands_in
    revoke(agency, guard)
    # It waits to be sent; or, as the report has no name yet, with that for whoever holds the device in their hands.
    assert (guard.store.count(book.OUT), guard.store.count(wiping.SPACE)) == ((0, 1) if missing else (1, 0))
    if missing:
        assert opened(guard, boss).records == (("L14", b"told"),)


def test_what_stops_a_sealing_does_not_stop_the_wipe(agency: Agency) -> None:
    boss = agency.device("supervisors")
    take(boss, agency.rotate("supervisors", boss))
    guard = with_key(agency)
    file(agency, guard)
    (row,) = guard.outbox.rows()
    guard.outbox.save(msgspec.structs.replace(row, values=msgspec.msgpack.encode({"scene": "nowhere"})))

    revoke(agency, guard)

    assert guard.wiped
    assert msgspec.msgpack.decode(opened(guard, boss).values) == {"scene": "nowhere"}


REFUSED: dict[str, Callable[[Device], Any]] = {
    "local": lambda device: device.local,
    "alias": lambda device: device.alias,
    "agency": lambda device: device.agency,
    "pack": lambda device: device.pack,
    "people": lambda device: device.people(),
    "reports": lambda device: list(device.reports()),
    "get": lambda device: device.get("00" * 16),
    "duties": lambda device: device.duties(),
    "held": lambda device: device.held(),
    "scenes": lambda device: device.scenes(),
    "custody": lambda device: device.custody,
    "registrar": lambda device: device.registrar,
    "batch": lambda device: device.batch(),
}


@pytest.mark.parametrize("call", REFUSED)
async def test_a_wiped_device_refuses_every_call(agency: Agency, call: str) -> None:
    guard = with_key(agency)
    file(agency, guard)
    revoke(agency, guard)
    guard.store.close()

    async with await Device.open(guard.store.path, PASSPHRASE) as device:
        with pytest.raises(Refused) as refused:
            REFUSED[call](device)
        assert refused.value.code == "wiped"


async def test_a_wiped_device_still_says_what_waits(agency: Agency) -> None:
    guard = with_key(agency)
    report_id = file(agency, guard)
    revoke(agency, guard)
    guard.store.close()

    async with await Device.open(guard.store.path, PASSPHRASE) as device:
        (waits,) = device.waiting()
        assert (waits.report_id, waits.kind, waits.state) == (report_id, "order_incident", "sealed")
        assert device.path == guard.store.path
        with pytest.raises(Exception, match="offline"):
            await device.sync()
