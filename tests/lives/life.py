"""One life of an agency, on a real server with real devices, beside a model that knows nothing of keys."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sluss_client import Device, forms
from sluss_client.agency.registrar import root_seeds
from sluss_client.crypto import CannotOpen, KemKey
from sluss_client.testing import PASSPHRASE, Town
from sluss_schemas.ids import NO_GRANT, Kid
from sluss_schemas.manifest import digest_of, read_manifest, seal_info

from tests.lives.model import Model

AGENCY: Final = "security"
BOSS: Final = "boss"
"""The founder: registrar, field and supervisors; the office's registrar and the custodians are in no audience."""


@dataclass
class Life:
    """The devices of an agency by the name of their telephone, and the model beside them."""

    town: Town
    model: Model = field(default_factory=Model)
    devices: dict[str, Device] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    offline: set[str] = field(default_factory=set)
    copied: dict[str, dict[Kid, KemKey]] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    custodians: list[Device] = field(default_factory=list)
    backup: int | None = None
    number: int = 0

    async def begin(self) -> None:
        """Found: one member who is a registrar, a registrar without any audience, three custodians."""
        boss = self.town.founders[AGENCY]
        self.devices[BOSS], self.aliases[BOSS] = boss, boss.alias
        self.model.joins(BOSS, BOSS)
        self.office = await self._enrol(await boss.registrar.invite([]), boss)
        seeds = root_seeds(boss.local)
        assert seeds is not None
        await boss.roots.add_registrar(seeds[0], self.office.alias)
        for _ in range(3):
            self.custodians.append(await self._enrol(await boss.registrar.invite([]), boss))
        await boss.registrar.custodians([one.alias for one in self.custodians])
        await self.settle()

    async def _enrol(self, code: str, registrar: Device) -> Device:
        self.number += 1
        device = await Device.enrol(self.town.folder / f"{self.number}.sluss", code, PASSPHRASE)
        await registrar.sync()
        await device.sync()
        return device

    @property
    def online(self) -> list[str]:
        return [name for name, phone in self.model.phones.items() if phone.there and name not in self.offline]

    @property
    def away(self) -> list[str]:
        return sorted(self.offline)

    async def end(self) -> None:
        """Close every device that was enrolled here."""
        mine = [device for name, device in self.devices.items() if name != BOSS]
        for device in [*mine, *self.custodians, self.office]:
            await device.close()

    async def settle(self) -> None:
        """Everybody with coverage meets the server, and the office's registrar in between, until all is passed on."""
        for _ in range(3):
            for name in self.online:
                await self.devices[name].sync()
                self.model.sends(name)
            await self.office.sync()

    # what happens

    async def join(self) -> None:
        name = f"p{len(self.model.phones)}"
        device = await self._enrol(await self.office.registrar.invite(["field"]), self.office)
        self.devices[name], self.aliases[name] = device, device.alias
        self.model.joins(name, name)

    async def file(self, who: str) -> None:
        text = f"report {len(self.ids)}"
        form = forms.OrderIncident(
            scene="central-square", observed_at=self._now(), sub_kind="threat", severity=2, situation=text
        )
        self.ids[text] = self.devices[who].file(form).id
        self.model.writes(text, who)

    def _now(self) -> datetime:
        return self.town.clock.now()

    async def go_offline(self, who: str) -> None:
        self.offline.add(who)

    async def come_back(self, who: str) -> None:
        self.offline.discard(who)

    def _gone(self, who: str) -> None:
        """Keep the keys that a finder or a former colleague may have copied before the device forgot them."""
        self.copied[who] = dict(self.devices[who].local.ring.kems)
        self.offline.discard(who)

    async def leave(self, who: str) -> None:
        person = self.model.phones[who].person
        for name, phone in self.model.phones.items():
            if phone.person == person and phone.there:
                self._gone(name)
        await self.office.sync()
        await self.office.registrar.leave(self.aliases[person])
        self.model.leaves(person)

    async def lose(self, who: str) -> None:
        """A telephone is lost, and its person gets another one."""
        person = self.model.phones[who].person
        self._gone(who)
        await self.office.sync()
        await self.office.registrar.revoke(self.devices[who].local.keys.kid.hex(), "lost")
        self.model.loses(who)
        if any(self.model.phones[name].there for name in self.model.phones):
            await self.replace(person)

    async def replace(self, person: str) -> None:
        name = f"{person}+{len(self.model.phones)}"
        code = await self.office.registrar.invite_again(self.aliases[person])
        self.devices[name] = await self._enrol(code, self.office)
        self.model.joins(name, person)

    async def ninety_days(self) -> None:
        self.town.clock.advance(days=91)
        self.backup = None

    async def everything_lost(self) -> None:
        """Every telephone of the group is lost on one evening; two custodians let the next one in."""
        for name in self.away:
            self.offline.discard(name)
        await self.settle()
        for device in self.custodians:
            await device.sync()
        lost = self.online
        for name in lost[1:]:
            self._gone(name)
            await self.office.sync()
            await self.office.registrar.revoke(self.devices[name].local.keys.kid.hex(), "stolen")
            self.model.loses(name)
        last = self.model.phones[lost[0]].person
        self._gone(lost[0])
        await self.office.sync()
        await self.office.registrar.revoke(self.devices[lost[0]].local.keys.kid.hex(), "stolen")
        self.model.loses(lost[0])
        await self.replace(last)
        new = self.devices[next(reversed(self.devices))]
        for device in self.custodians[:2]:
            await device.sync()
            await device.custody.give(new.local.keys.kid.hex())
        await new.sync()
        await new.custody.recover()

    async def back_up(self) -> None:
        assert self.town.server is not None
        file = self.town.folder / f"backup-{self.number}-{self.model.now}"
        done = self.town.server.run("backup", str(file))
        assert done.returncode == 0, done.stderr
        self.backup, self.saved = self.model.now, file

    async def restore(self) -> None:
        """The server burns down; the last backup comes back, and what was sent since is pushed again."""
        server = self.town.server
        assert server is not None
        if self.backup is None or self._senders_gone():
            return
        server.kill()
        shutil.rmtree(server.data)
        done = server.run("restore", str(self.saved))
        assert done.returncode == 0, done.stderr
        server.start()
        self.offline.clear()
        for device in [*(self.devices[name] for name in self.online), self.office]:
            await device.sync()
        await self.office.sync()
        await self.office.registrar.restored()
        self.backup = None

    def _senders_gone(self) -> bool:
        """Tell whether somebody who has sent something since the backup has no telephone here to send it again."""
        return any(
            report.sent is not None and report.sent > (self.backup or 0) and not self.model.phones[report.phone].there
            for report in self.model.reports.values()
        )

    # what must be true

    def check(self) -> None:
        """Hold what everybody with coverage is shown, and what every key ever copied opens, against the model."""
        names = {report: text for text, report in self.ids.items()}
        for name in self.online:
            shown = {names[report.id] for report in self.devices[name].reports()}
            assert shown == self.model.shows(name), name
            assert self.openable(dict(self.devices[name].local.ring.kems)) == self.model.opens(name), name
        for name, keys in self.copied.items():
            assert self.openable(keys) <= self.model.opens(name), name

    def openable(self, keys: dict[Kid, KemKey]) -> set[str]:
        """Return the reports on the server's disk that these keys open, whoever the server would give them to."""
        names = {report: text for text, report in self.ids.items()}
        found = set()
        for report, manifest, recipient, seal in self.stored():
            key = keys.get(Kid(recipient))
            if key is None or report not in names:
                continue
            try:
                key.open(seal, seal_info(digest_of(manifest), Kid(recipient), NO_GRANT))
            except CannotOpen:
                continue
            found.add(names[report])
        return found

    def stored(self) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
        """Yield report id, manifest, recipient and seal of everything in the feeds."""
        assert self.town.server is not None
        query = (
            "SELECT r.report_id, r.manifest, f.recipient, f.seal FROM reports r JOIN feed_entries f"
            " ON r.partnership_id = f.partnership_id AND r.digest = f.digest WHERE f.op = 'put' AND f.seal IS NOT NULL"
        )
        with closing(sqlite3.connect(self.town.server.data / "sluss.sqlite")) as database:
            rows = database.execute(query).fetchall()
        for report, manifest, recipient, seal in rows:
            assert read_manifest(manifest).report_id == report
            yield report, manifest, recipient, seal
