"""The calls that an app makes: file, read, amend, sync.

`file`, `reports`, `get`, `readers`, `waiting`, `duties`, `held` and `people` never touch the network; `amend`,
`inspect` and `countersign` return when they are durable; `sync` and `quarantine` do everything else.
Source: docs/contract.md, "The SDK".

> INVARIANT: what `file` returned is on disk, sealed, and stays there until the server has acknowledged it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Self

from sluss_client import (
    announcing,
    casework,
    clock,
    counts,
    extracting,
    launching,
    linking,
    lists,
    logbook,
    quarantine,
    screen,
    views,
)
from sluss_client.agency import agreements, registrar, roots
from sluss_client.answers import Colleague, Duty, Held, Quarantined, SyncResult, Waiting
from sluss_client.cases.acts import Cases
from sluss_client.cases.registering import Registering
from sluss_client.disclosing.acts import Disclosing
from sluss_client.errors import NotFound, Refused
from sluss_client.keyring.custody import Custody
from sluss_client.local import Local
from sluss_client.opened import load
from sluss_client.outbox import WAITING
from sluss_client.report import Report
from sluss_client.syncing import driver, reads, witnessing
from sluss_client.syncing.pushing import Progress
from sluss_client.writing import Filing
from sluss_schemas.ids import Function, PersonId, ReportId, Sector
from sluss_schemas.invitation import read_code
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack


class Device(Filing, Disclosing, Cases, Registering):
    """One staff member's device; open it with `open` or `enrol`, and use it in an `async with`."""

    # opening

    @classmethod
    async def open(cls, path: Path | str, passphrase: str, lock_after_s: float | None = None) -> Self:
        """Open a device's store; it locks itself when for so many seconds nothing but a sync was asked of it.

        Raises:
            StoreError: `store_missing`, `wrong_passphrase`, `passphrase_wait`, `store_damaged`, `store_locked`.

        """
        return cls(load(Path(path), passphrase), lock_after_s)

    @classmethod
    async def enrol(
        cls, path: Path | str, code: str, passphrase: str, *, functions: Sequence[Function] = ("supervisors",)
    ) -> Self:
        """Make a device's store and keys and announce them with a code.

        A colleague's code gives the functions that its registrar chose, once the registrar's device has synced.
        A founding code founds the agency on this device, whose person then has `functions` and is its registrar.
        Where an earlier call got no answer, the same code at the same path announces the very same keys again.

        Raises:
            Invalid: `damaged_code`, `unknown_invite`, `invite_used`, `invite_expired`; no store is left.
            StoreError: `store_exists`, `disk_full`.
            Offline: no contact, or no answer; the store was kept, so that the same call can be made again.

        """
        path, said = Path(path), read_code(code)
        if path.exists():
            local = announcing.resume(path, passphrase, said)
        else:
            local = announcing.prepare(path, passphrase, said, functions, clock.now())
        await announcing.announce(local)
        return cls(local)

    # who and where

    @property
    def local(self) -> Local:
        """The device's state, for the registrar's and the doctor's commands."""
        return self._local

    @property
    def approved(self) -> bool:
        """Whether a registrar has approved this device."""
        return self._local.approved

    @property
    def agency(self) -> str:
        """The own agency's slug."""
        return self._local.trust.own.slug

    @property
    def alias(self) -> str:
        """This person's alias."""
        return self._local.person.alias

    @property
    def functions(self) -> tuple[str, ...]:
        """This person's functions, in order."""
        return self._local.person.functions

    @property
    def sector(self) -> Sector:
        """The own agency's sector."""
        return self._local.trust.own.sector

    @property
    def pack(self) -> Pack:
        """The policy pack in force for the own agency."""
        return self._pack()

    def seen_by(self, agency: str) -> Receiver:
        """Return how an agency that owns a report sees this device's person, for explaining a rule."""
        function = self._local.person.functions[0]
        return Receiver(self.sector, function, own=agency == self.agency)

    @property
    def person_id(self) -> PersonId:
        """This person's id."""
        return self._local.person.person

    @property
    def registrar(self) -> registrar.Registrar:
        """The registrar's acts; `Refused` on any other device."""
        return registrar.Registrar(self._local, self._transport)

    @property
    def agreements(self) -> agreements.Agreements:
        """What heads of agencies agree on, and what of it is in force."""
        return agreements.Agreements(self._local, self._transport)

    @property
    def roots(self) -> roots.Roots:
        """What the root key from the safe is for; on any enrolled device of the agency."""
        return roots.Roots(self._local, self._transport)

    @property
    def custody(self) -> Custody:
        """What custodians do, and who recovers with their help."""
        return Custody(self._local, self._transport)

    @property
    def checkpoint(self) -> bytes | None:
        """The last checkpoint of the own agency's ledger that this device has proven, as a signed note."""
        last = witnessing.kept(self._local)
        return None if last is None else last.note

    def now(self) -> int:
        """Return the time, corrected by what the server said, in Unix seconds."""
        return self._transport.now()

    def scenes(self) -> list[tuple[str, str, str]]:
        """Return the scenes as (slug, English label, Swedish label)."""
        registry = self._local.trust.registry(self.now())
        return [(scene.slug, scene.label_en, scene.label_sv) for _, scene in sorted(registry.items())]

    def people(self) -> list[Colleague]:
        """Return the people of the own agency and its peers, by alias."""
        return lists.people(self._local, self.now())

    # reading

    def reports(
        self, scene: str | None = None, kind: str | None = None, *, present: Sequence[str] = ()
    ) -> Iterator[Report]:
        """Yield what this person may read, newest first, from this device alone.

        With others `present`, as `readers` names audiences (`police/field`) or `guests`, only what all of them may see.

        Raises:
            Invalid: `unknown_agency` for somebody present who is nobody.

        """
        found = views.all_reports(self._local, self._pack(), self.now())
        if present:
            found = screen.all_shown(self._local, found, present, self._pack(), self.now())
        wanted = (
            linking.among(self._local, report, self.now(), present)
            for report in found
            if (scene is None or report.scene == scene) and (kind is None or report.kind == kind)
        )
        return iter(sorted(wanted, key=lambda report: (report.observed_at, report.id), reverse=True))

    def get(self, report_id: ReportId | str, *, present: Sequence[str] = ()) -> Report:
        """Return one report; with others `present`, as for `reports`, what all of them may see of it.

        Raises:
            NotFound: it is not on this device, or this person or others present may not know of it: all look alike.
            Invalid: as `reports`.

        """
        found = views.one_report(self._local, views.as_id(report_id), self._pack(), self.now())
        if present:
            several = screen.all_shown(self._local, [] if found is None else [found], present, self._pack(), self.now())
            found = next(several, None)
        if found is None:
            raise NotFound("report_id")
        if found.digest:
            # What is opened of it stands in the owner's ledger.
            found.watched(lambda slot: reads.opened(self._local, found.digest, slot, self.now()))
        return linking.among(self._local, found, self.now(), present)

    def extract(self, name: str) -> extracting.Extract:
        """Return what the own agency tells a person of this name or alias who asks, and what it leaves out; no network.

        It is made of the reports that are open here; each of them is told to the agency's ledger as read.

        Raises:
            Refused: `supervisor_only`; `closed` where the pack does not say what is told.
            Invalid: `missing_field` without a name.

        """
        return extracting.extract(self._local, name, self._pack(), self.now())

    def waiting(self) -> list[Waiting]:
        """Return what the server has not acknowledged, in the order of filing, with the reason where it refused."""
        local = self._unlocked()
        return lists.waiting(local, _pack_of(local, self.now()))

    def duties(self) -> list[Duty]:
        """Return the duties that wait for an answer, or for somebody who can receive them, oldest first."""
        return lists.duties(self._local, self._pack(), self.now())

    def held(self) -> list[Held]:
        """Return the rows of the own agency that this supervisor may open, newest first."""
        return views.held(self._local, self._pack())

    async def inspect(self, report_id: ReportId | str, *, reason: str | None = None, task: bytes | None = None) -> None:
        """Open a held row for a task or a reason; durable when it returns, readable after the next two-way sync.

        Raises:
            NotFound: no such row is held for this device.
            Refused: `supervisor_only`.
            Invalid: `missing_field` unless exactly one of reason and task is given.

        """
        received = self._local.replica.get(self._local.trust.own_id, views.as_id(report_id))
        if received is None:
            raise NotFound("report_id")
        casework.open_row(self._local, received.heads()[0].digest, reason, task, self.now())

    async def quarantine(self) -> list[Quarantined]:
        """Fetch what waits in quarantine for this supervisor's agency, oldest first.

        Raises:
            Refused: `supervisor_only`.
            Offline: no contact.

        """
        return await quarantine.listed(self._local, self._transport, self._pack(), self.now())

    async def counts(
        self, first: str, last: str, kinds: Sequence[str] = (), *, present: Sequence[str] = ()
    ) -> counts.Counts:
        """Fetch a supervisor's counts of ISO weeks (`2026-W06`): the own agency's exactly, others' as published.

        With other agencies `present` (`police`), what a screen may show that all of them look at.

        Raises:
            Refused: `supervisor_only`.
            Invalid: `unknown_kind`, `unknown_agency`, `out_of_range`.
            Offline: no contact.

        """
        return await counts.fetch(self._local, self._transport, self._pack(), first, last, kinds, present)

    async def log(self, since: date | None = None, progress: Progress | None = None) -> logbook.Log:
        """Sync, and fetch what the own agency's ledger says that people did since a day, for a supervisor.

        Without a day it goes back as far as the pack's regular look does. All of it is proven, up to the last
        checkpoint, which may be a minute old.

        Raises:
            Refused: `supervisor_only`; as `sync`.
            NotFound: no sync has proven a checkpoint yet.
            Invalid: `out_of_range` for a day that is yet to come.
            Untrusted: `ledger_unproven`; as `sync`.
            Offline: no contact.

        """
        casework.own_supervisors(self._local)
        await self.sync(progress)
        return await logbook.look(self._local, self._transport, self._pack(), since, progress or _silent)

    async def launch(self) -> str:
        """Return a link that signs one browser in to the overview, once and within a minute, as this supervisor.

        Raises:
            Refused: `supervisor_only`.
            Offline: no contact.

        """
        return await launching.link(self._local, self._transport)

    async def countersign(self, report_id: ReportId | str) -> int:
        """Take a report that `quarantine` listed out of it; durable when it returns, sent at the next sync.

        Returns how many versions that were.

        Raises:
            NotFound: no such report was listed.
            Refused: `supervisor_only`.

        """
        return quarantine.countersign(self._local, views.as_id(report_id), self.now())

    # syncing

    async def sync(self, progress: Progress | None = None) -> SyncResult:
        """Pull directories, pass on keys, seal and push what waits, pull what is new.

        Raises:
            Offline: no contact; whatever was done before stays done, and what was filed waits.
            Untrusted: the server showed a directory that does not hold together.
            Refused: `waiting_for_approval`, `locked`, `revoked_device` and `not_allowed`, which still send what waits,
                into quarantine; `wiped`, which does the same and ends every other call.

        """
        # One after the other: a second sync would find the directories moved under its feet.
        async with self._syncing:
            local, transport = self._unlocked(), self._transport
            present = registrar.Registrar.present(local)
            register = registrar.Registrar(local, transport).work if present else None
            try:
                tally = await driver.run(local, transport, progress, register)
                waiting = sum(row.state in WAITING for row in local.outbox.rows())
            finally:
                self._finish_lock()
        return SyncResult(tally.sent, tally.received, tally.dropped, tally.quarantined, waiting, tally.alarms)

    def sync_now(self, progress: Progress | None = None) -> SyncResult:
        """Sync from code without an event loop; raises as `sync`."""

        async def once() -> SyncResult:
            try:
                return await self.sync(progress)
            finally:
                # The connections belong to this call's loop.
                await self._connection.close()

        return asyncio.run(once())

    def _pack(self) -> Pack:
        return _pack_of(self._local, self.now())


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody how far it has come."""


def _pack_of(local: Local, now: int) -> Pack:
    if not local.approved:
        raise Refused("device", code="waiting_for_approval")
    return local.trust.pack(now)
