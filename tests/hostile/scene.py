"""What the tests of attacks stand on: who files, who reads, what an attacker could open, and that nothing was lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from sluss_client import Device, Report, forms
from sluss_client.crypto import CannotOpen, KemKey, SignKey
from sluss_client.keyring import rotation
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.outbox import State
from sluss_client.testing import Exchange, Town
from sluss_schemas import directory as d
from sluss_schemas import disclosure, manifest, membership
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.ids import NO_GRANT, AgencyId, Digest, GrantId, Kid, kid_of
from sluss_schemas.problems import SlussError
from sluss_schemas.replay import Directory

AGENCIES: Final = ("security", "police")
SQUARE: Final = "central-square"


@dataclass
class Scene:
    """A town behind a hostile server, with a guard who files and a police officer who reads."""

    town: Town
    guard: Device
    police: Device
    number: int = 0

    def file(self, device: Device | None = None, **changes: Any) -> Report:  # noqa: ANN401  # fields of the form
        """File an incident with a text of its own."""
        self.number += 1
        device = device or self.guard
        seen = self.town.clock.now() - timedelta(minutes=5)
        form = forms.OrderIncident(
            scene=SQUARE, observed_at=seen, sub_kind="threat", severity=2, situation=f"incident {self.number}"
        )
        return device.file(msgspec.structs.replace(form, **changes))

    def settle(self) -> None:
        """Let the server be honest, and the devices forget what they noticed."""
        self.town.hostile.honest()
        for device in (self.guard, self.police):
            for digest, _ in device.local.alarms():
                device.local.calm(digest)

    @contextmanager
    def lying(self, path: str, lie: Callable[[Exchange], Any], *to: Device) -> Iterator[None]:
        """Let the server lie about a path while the block lasts, to these devices or to all."""
        with self.town.hostile.lying(path, lie, *(one.local.keys.kid for one in to)):
            yield


async def refuses(device: Device) -> str:
    """Sync a device that must refuse what it is shown; return the code by which it names it."""
    with pytest.raises(SlussError) as problem:
        await device.sync()
    return problem.value.code


def codes(device: Device) -> set[str]:
    """Return the codes of the alarms that stand on a device."""
    return {code for _, code in device.local.alarms()}


def reads(device: Device, report: Report) -> bool:
    """Tell whether a device can read a report."""
    return any(one.id == report.id and one.situation for one in device.reports())


def waits(device: Device, report: Report) -> bool:
    """Tell whether a report is in a device's outbox as its author left it, to be sent or sent again."""
    row = device.local.outbox.head(report.id)
    return row is not None and row.state in {State.FILED, State.SEALED} and bool(device.get(report.id).situation)


# what an attacker has


def stranger() -> DeviceKeys:
    """Return the keys of a device that nobody enrolled."""
    return DeviceKeys.of(DeviceSeeds.new())


def kems(keys: DeviceKeys) -> dict[Kid, KemKey]:
    """Return the ring of a device that holds nothing but its own key."""
    return {keys.kem_kid: keys.kem}


def opened(town: Town, ring: dict[Kid, KemKey], since: int = 0) -> list[str]:
    """Return what these keys open of all that ever went over the wire and of all that is in the server's database."""
    seals = [*_sent(town.hostile.seen[since:]), *_stored(town, "SELECT item FROM reports WHERE item IS NOT NULL")]
    found = [
        name for kid, info, sealed, name in seals if (key := ring.get(kid)) is not None and _opens(key, info, sealed)
    ]
    for agency, audience, epoch, wrap in _wraps(town.hostile.seen[since:]):
        for key in ring.values():
            info = d.epoch_info(agency, audience, epoch, wrap.device, whole=wrap.whole)
            found += ["epoch"] if _opens(key, info, wrap.wrap) else []
    return found


def _opens(key: KemKey, info: bytes, sealed: bytes) -> bool:
    try:
        key.open(sealed, info)
    except CannotOpen:
        return False
    return True


Seal = tuple[Kid, bytes, bytes, str]


def _sent(seen: Iterable[Exchange]) -> Iterator[Seal]:
    for exchange in seen:
        if isinstance(exchange.asked, wire.Push):
            for raw in exchange.asked.items:
                yield from _seals(decode(wire.Item, bytes(raw), "item"))
            for raw in exchange.asked.grants:
                yield from _granted(decode(disclosure.GrantItem, bytes(raw), "grant"))


def _stored(town: Town, statement: str) -> Iterator[Seal]:
    connection = sqlite3.connect(f"file:{town.hostile.database}?mode=ro", uri=True)
    try:
        rows = connection.execute(statement).fetchall()
    finally:
        connection.close()
    for (item,) in rows:
        yield from _seals(decode(wire.Item, item, "item"))


def _seals(item: wire.Item) -> Iterator[Seal]:
    digest = manifest.digest_of(item.manifest)
    for one in item.recipients:
        yield Kid(one.kid), manifest.seal_info(digest, Kid(one.kid), NO_GRANT), one.seal, "report"
    for grant in item.grants:
        yield from _granted(grant)


def _granted(item: disclosure.GrantItem) -> Iterator[Seal]:
    grant = disclosure.read_grant(item.grant)
    for one in item.recipients:
        info = manifest.seal_info(Digest(grant.digest), Kid(one.kid), GrantId(grant.grant_id))
        yield Kid(one.kid), info, one.seal, "grant"


def _wraps(seen: Iterable[Exchange]) -> Iterator[tuple[AgencyId, bytes, int, d.EpochWrap]]:
    agencies = {
        AgencyId(chain.agency)
        for exchange in seen
        if isinstance(exchange.answer, membership.DirectoryAnswer)
        for chain in exchange.answer.chains
    }
    for exchange in seen:
        asked = exchange.asked
        sets: tuple[membership.EpochSet, ...] = ()
        if isinstance(asked, membership.KeysOffer):
            sets = (*asked.wraps, *(membership.EpochSet(one.audience, one.epoch, one.wraps) for one in asked.proposals))
        elif isinstance(asked, membership.DirectoryAppend):
            sets = asked.wraps
        for agency in agencies:
            for one in sets:
                yield from ((agency, one.audience, one.epoch, wrap) for wrap in one.wraps)


# entries that nobody with the right has signed, or that somebody with the right signed for an attacker


def entries_after(head: Directory, key: SignKey, *bodies: d.Body, time: int | None = None) -> tuple[d.SignedEntry, ...]:
    """Return entries that follow a chain in form, signed with any key; what they mean is nobody's concern here."""
    seq, prev, found = head.seq, bytes(head.hash), []
    for body in bodies:
        seq += 1
        data = d.entry_bytes(seq, prev, body, head.latest if time is None else time)
        found.append(d.SignedEntry(data, kid_of(key.public), key.sign(d.entry_message(data))))
        prev = d.entry_hash(data)
    return tuple(found)


def device_add(town: Town, keys: DeviceKeys, person: bytes) -> d.DeviceAdd:
    """Return the entry that would add a device with these keys."""
    invite = os.urandom(16)
    partnership = town.founders[AGENCIES[0]].local.config.partnership
    message = d.enrolment_message(partnership, invite, keys.sign.public, keys.kem.public)
    return d.DeviceAdd(person, invite, keys.sign.public, keys.kem.public, keys.sign.sign(message))


async def append(device: Device, *bodies: d.Body, key: SignKey | None = None) -> None:
    """Sign entries on a registrar's device, or with another key that its agency's chain knows, and have them stored."""
    local = device.local
    await device.sync()
    given = entries_after(local.trust.own, key or local.keys.sign, *bodies, time=device.now())
    await device._transport.post("/v1/directory", membership.DirectoryAppend(given), membership.Appended)
    local.extend(membership.Chain(local.config.agency, local.trust.own.seq + 1, given))


async def rotate(founder: Device, *others: Device) -> None:
    """Open the next epoch of the field audience: a member who is a registrar makes it and signs it."""
    audience = founder.local.trust.own.audience_for("field")
    assert audience is not None
    before = len(audience.epochs)
    rotation.request(founder.local, audience)
    for device in (founder, founder, *others):
        await device.sync()
    audience = founder.local.trust.own.audience_for("field")
    assert audience is not None
    assert len(audience.epochs) > before


# deliveries that no honest server would make


def items(exchange: Exchange) -> list[wire.Item]:
    """Return the reports that a device pushed in one exchange."""
    if not isinstance(exchange.asked, wire.Push):
        return []
    return [decode(wire.Item, bytes(raw), "item") for raw in exchange.asked.items]


def delivers(item: wire.Item, to: Device) -> Callable[[Exchange], Any]:
    """Put a report into the feed of the square, as new for a member of the field audience that it is sealed to."""
    ring, own = to.local.ring.kems, to.local.trust.own
    sealed = next(one for one in item.recipients if one.kid in ring and one.kid in own.by_kem_kid)
    audience = own.audience_for("field")
    assert audience is not None
    feed = audience.audience + b"\x00\x01"
    has = {wrap.slot for wrap in sealed.wraps}
    put = wire.Put(
        item.manifest,
        item.signature,
        tuple(one for one in item.sections if one.slot in has),
        sealed.seal,
        sealed.wraps,
        (item.tiers[0], None),
    )
    digest = manifest.digest_of(item.manifest)

    def lie(exchange: Exchange) -> Any:  # noqa: ANN401  # an answer, as `Hostile` takes it
        position = next((one for one in exchange.asked.cursor if one.feed == feed), wire.Position(feed, 1, 0))
        mine = [page for page in exchange.answer.pages if page.position.feed == feed]
        before = mine[0] if mine else wire.FeedPage(position, (), more=False)
        entry = wire.Entry(before.position.seq + 1, wire.Op.PUT, digest, put)
        page = msgspec.structs.replace(
            before,
            position=msgspec.structs.replace(before.position, seq=entry.seq),
            entries=(*before.entries, entry),
        )
        others = tuple(page for page in exchange.answer.pages if page.position.feed != feed)
        used = (item.heads, *exchange.answer.used)
        return msgspec.structs.replace(exchange.answer, pages=(*others, page), used=used)

    return lie
