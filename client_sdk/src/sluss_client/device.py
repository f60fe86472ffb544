"""The calls that an app makes: file, read, amend, sync.

`file`, `reports`, `get`, `readers`, `waiting`, `duties`, `held` and `people` never touch the network; `amend` and
`inspect` return when they are durable; `sync` does everything else.
Source: docs/contract.md, "The SDK".

> INVARIANT: what `file` returned is on disk, sealed, and stays there until the server has acknowledged it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from sluss_client import casework, filing, registrar, views
from sluss_client import sync as driver
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.keys import DeviceKeys, DeviceSeeds
from sluss_client.local import Config, Local
from sluss_client.outbox import WAITING, Row, Shown, State
from sluss_client.report import Report
from sluss_client.store import Store
from sluss_client.sync import Progress
from sluss_client.transport import Transport
from sluss_client.trust import Reachable, local_day
from sluss_client.views import Held
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.ids import COMPARTMENTS, Function, PersonId, ReportId, slot
from sluss_schemas.invitation import Code, read_code
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.readers import AgencyView, duties_due, readers
from sluss_schemas.problems import CATALOGUE

_ANSWERS: Final = frozenset({"send", "no"})
_SOURCE: Final = "source"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one sync did, in numbers of report versions; `waiting` are on this device alone, `alarms` were kept out."""

    sent: int
    received: int
    dropped: int
    quarantined: int
    waiting: int
    alarms: int


class ReaderRow(NamedTuple):
    """One compartment that one audience will read, and the rule behind it."""

    audience: str
    compartment: str
    form: str
    rule: str
    reason: str
    law: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version that the server has not acknowledged; `reason` is a problem code where it refused."""

    report_id: ReportId
    kind: str
    version: int
    state: str
    filed_at: int
    reason: str | None
    field: str | None
    say: str


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that the form put to the author and that nobody has answered yet."""

    report_id: ReportId
    version: int
    code: str
    name: str
    since: int


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person of the partnership as the directories know them: an alias, never a name."""

    id: PersonId
    alias: str
    agency: str
    functions: tuple[str, ...]


class Device:
    """One staff member's device; open it with `open` or `enrol`, and use it in an `async with`."""

    def __init__(self, local: Local) -> None:
        """Take a loaded store."""
        self._local = local
        self._transport = Transport(local.config.server, local.keys, local.config.offset)

    # opening

    @classmethod
    async def open(cls, path: Path | str, passphrase: str) -> Self:
        """Open a device's store.

        Raises:
            StoreError: `store_missing`, `wrong_passphrase`, `store_damaged`, `store_locked`.

        """
        return cls(Local(Store.open(Path(path), passphrase)))

    @classmethod
    async def enrol(
        cls, path: Path | str, code: str, passphrase: str, *, functions: Sequence[Function] = ("supervisors",)
    ) -> Self:
        """Make a device's store and keys and announce them with a code.

        A colleague's code gives the functions that its registrar chose, once the registrar's device has synced.
        A founding code founds the agency on this device, whose person then has `functions` and is its registrar.

        Raises:
            Invalid: `damaged_code`, `unknown_invite`, `invite_used`, `invite_expired`.
            StoreError: `store_exists`, `disk_full`.
            Offline: no contact; nothing was kept, so the code can be used again.

        """
        path, said = Path(path), read_code(code)
        seeds = DeviceSeeds.new()
        keys = DeviceKeys.of(seeds)
        transport = Transport(said.server, keys)
        if path.exists():
            Store.open(path, passphrase).close()  # the right passphrase, or that error first
            Store.create(path, passphrase)
        founded = registrar.found(said, keys, functions, transport.now()) if said.founding is not None else None
        config = Config(
            said.server,
            said.partnership,
            founded.agency if founded else said.agency or b"",
            founded.root if founded else said.root or b"",
        )
        local = Local.create(path, passphrase, seeds, config)
        try:
            await _announce(said, keys, founded, transport)
        except BaseException:
            local.store.close()
            for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                with suppress(OSError):
                    name.unlink()
            raise
        finally:
            await transport.close()
        if founded is not None:
            registrar.Registrar.keep(local, founded)
            local.extend(wire.Chain(founded.agency, 0, founded.entries))
        return cls(local)

    async def close(self) -> None:
        """Close the connection and the store."""
        await self._transport.close()
        self._local.store.close()

    async def __aenter__(self) -> Self:
        """Use the device."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    # who and where

    @property
    def local(self) -> Local:
        """The device's state, for the registrar's and the doctor's commands."""
        return self._local

    @property
    def path(self) -> Path:
        """Where the store is."""
        return self._local.store.path

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
    def person_id(self) -> PersonId:
        """This person's id."""
        return self._local.person.person

    @property
    def registrar(self) -> registrar.Registrar:
        """The registrar's acts; `Refused` on any other device."""
        return registrar.Registrar(self._local, self._transport)

    def now(self) -> int:
        """Return the time, corrected by what the server said, in Unix seconds."""
        return self._transport.now()

    def scenes(self) -> list[tuple[str, str, str]]:
        """Return the scenes as (slug, English label, Swedish label)."""
        registry = self._local.trust.registry(self.now())
        return [(scene.slug, scene.label_en, scene.label_sv) for _, scene in sorted(registry.items())]

    def people(self) -> list[Colleague]:
        """Return the people of the own agency and its peers, by alias."""
        return [
            Colleague(person.person, person.alias, chain.slug, person.functions)
            for chain in self._local.trust.agencies(self.now())
            for person in sorted(chain.persons.values(), key=lambda one: one.alias)
            if person.active(self.now())
        ]

    # filing

    def file(self, form: forms.Form, duties: Mapping[str, str] | None = None, *, source: str | None = None) -> Report:
        """Save a report, durable and encrypted, and return it; no network.

        Args:
            form: what the person filled in.
            duties: answers to the duties that the form puts: `{"L14": "send"}`, or `"no"` where it does not apply.
            source: a key under which the same thing is never filed twice, for imports.

        Raises:
            Invalid: what is wrong with the form, by code and field; `unknown_duty`.
            Refused: `waiting_for_approval`.
            StoreError: `disk_full`; what was saved before is safe.

        """
        if source is not None and (known := self._local.store.get(_SOURCE, source.encode())) is not None:
            return self.get(ReportId(known[:16]))
        return self._save(form, ReportId(os.urandom(16)), 1, duties or {}, source=source)

    async def amend(
        self,
        report_id: ReportId | str,
        *,
        duties: Mapping[str, str] | None = None,
        source: str | None = None,
        **changes: object,
    ) -> Report:
        """Save the next version of a report with some fields changed; returns when it is durable.

        Raises:
            NotFound: no such report here.
            Refused: `cannot_amend` unless every filled part is open and the report is the own agency's.
            Invalid: as `file`; `unknown_field` for a field that the form does not have.

        """
        wanted = views.as_id(report_id)
        if source is not None and self._local.store.get(_SOURCE, source.encode()) is not None:
            return self.get(wanted)
        row, received = self._local.outbox.head(wanted), self._local.replica.get(wanted)
        heads = () if received is None else received.heads()
        if row is None and not heads:
            raise NotFound("report_id")
        form = self._form_of(wanted)
        for name in changes:
            if name not in form.__struct_fields__:
                raise Invalid("unknown_field", name)
        changed = msgspec.structs.replace(form, **changes)
        top = max([row.version if row else 0, *(head.version for head in heads)])
        after = row is not None and row.version == top and row.digest is None
        parents: tuple[bytes, ...] = ()
        if not after:
            digests = {head.digest for head in heads if head.version == top}
            digests |= {row.digest} if row is not None and row.version == top and row.digest else set()
            parents = tuple(sorted(digests))
        return self._save(changed, wanted, top + 1, duties or {}, source=source, parents=parents, after=after)

    def _save(
        self,
        form: forms.Form,
        report_id: ReportId,
        version: int,
        duties: Mapping[str, str],
        *,
        source: str | None,
        parents: tuple[bytes, ...] = (),
        after: bool = False,
    ) -> Report:
        local, now = self._local, self.now()
        person, pack, owner = local.person, self._pack(), local.trust.own.sector
        forms.check(
            form, owner=owner, now=views.moment(now, pack), scenes=set(local.trust.scene_numbers(now)), pack=pack
        )
        if form.scene is not None and not person.at_scene(local.trust.scene_numbers(now)[form.scene]):
            raise Invalid("unknown_scene", "scene", "You are not assigned to this scene; choose one of yours.")
        filled = filing.filled_slots(form, owner, pack)
        offered, due = self._duties(form, filled, pack)
        for code, answer in duties.items():
            if code not in offered or answer not in _ANSWERS:
                raise Invalid("unknown_duty", f"duties.{code}")
        shown = filing.shown_readers(local.trust, pack, form, filled, now)
        row = Row(
            report_id=report_id,
            version=version,
            number=local.outbox.next_number(),
            kind=form.KIND,
            values=msgspec.msgpack.encode(forms.to_values(form)),
            filed_at=now,
            shown=tuple(Shown(label, bits) for label, bits in sorted(shown.items())),
            duties=tuple(sorted(duties.items())),
            due=tuple(due),
            parents=parents,
            after=after,
        )
        with local.store.transaction():
            local.outbox.save(row)
            if source is not None:
                local.store.put(_SOURCE, source.encode(), report_id)
        return views.of_row(local, row, form, pack)

    def _duties(self, form: forms.Form, filled: int, pack: Pack) -> tuple[list[str], list[str]]:
        """Return the duties that the author may answer, and those among them that are due.

        A duty about parts that this report leaves empty has nothing to tell.
        """
        local, now = self._local, self.now()
        owner, day = local.trust.own.sector, local_day(int(form.observed_at.timestamp()), pack.zone)
        agencies, own = self._agency_views(), local.trust.own.slug
        # A duty uses the pack of the event; before the oldest pack none is due, but the author may still tell.
        offered = [
            code
            for code in duties_due(pack, form.KIND, owner, agencies, max(day, pack.valid_from), own=own)
            if any(
                self._tells(pack, form, code, to, filled) for to in filing.duty_receiver(local.trust, pack, code, now)
            )
        ]
        due = set(duties_due(pack, form.KIND, owner, agencies, day, own=own))
        return offered, [code for code in offered if code in due]

    def _tells(self, pack: Pack, form: forms.Form, code: str, to: Reachable, filled: int) -> bool:
        owner = self._local.trust.own.sector
        column = to.receiver.sector
        cells = ((c, pack.cell(form.KIND, owner, c, column)) for c in COMPARTMENTS)
        return any(code in cell.duties and filled >> slot(c) & 1 for c, cell in cells)

    def _agency_views(self) -> list[AgencyView]:
        return [
            (chain.slug, chain.sector, tuple(audience.function for audience in chain.audiences.values()))
            for chain in self._local.trust.agencies(self.now())
        ]

    def readers(self, what: forms.Form | Report, duties: Mapping[str, str] | None = None) -> list[ReaderRow]:
        """Return who will read a form, or who was to read a report: the own agency first; no network.

        Raises:
            NotFound: the report is not on this device.
            Refused: `cannot_amend` for another agency's report, whose readers are not this agency's to know.

        """
        local, pack = self._local, self._pack()
        if isinstance(what, Report):
            row = local.outbox.head(what.id)
            duties = dict(row.duties) if row is not None and duties is None else duties
            form = self._form_of(what.id)
        else:
            form = what
        owner = local.trust.own.sector
        sent = [code for code, answer in (duties or {}).items() if answer == "send"]
        filled = filing.filled_slots(form, owner, pack)
        rows = readers(
            pack,
            form.KIND,
            owner,
            self._agency_views(),
            own=local.trust.own.slug,
            duties_sent=sent,
            filled=[code for code in COMPARTMENTS if filled >> slot(code) & 1],
        )
        return [
            ReaderRow(row.audience, row.compartment, row.form, row.rule_id, row.reason, "; ".join(row.law))
            for row in rows
        ]

    def batch(self) -> AbstractContextManager[None]:
        """Make several `file` calls one durable step, for imports."""
        return self._local.store.transaction()

    # reading

    def reports(self, scene: str | None = None, kind: str | None = None) -> Iterator[Report]:
        """Yield what this person may read, newest first, from this device alone."""
        found = views.all_reports(self._local, self._pack(), self.now())
        wanted = (
            report
            for report in found
            if (scene is None or report.scene == scene) and (kind is None or report.kind == kind)
        )
        return iter(sorted(wanted, key=lambda report: (report.observed_at, report.id), reverse=True))

    def get(self, report_id: ReportId | str) -> Report:
        """Return one report.

        Raises:
            NotFound: it is not on this device, or this person may not know of it: the two look alike.

        """
        found = views.one_report(self._local, views.as_id(report_id), self._pack(), self.now())
        if found is None:
            raise NotFound("report_id")
        return found

    def _form_of(self, report_id: ReportId) -> forms.Form:
        """Return the form of the latest version, which takes every filled part of it."""
        row, received = self._local.outbox.head(report_id), self._local.replica.get(report_id)
        top = max((version.version for version in received.versions), default=0) if received is not None else 0
        if row is not None and row.version >= top:
            return forms.make(row.kind, msgspec.msgpack.decode(row.values))
        report = self.get(report_id)
        if report.agency != self.agency or report.form_of("AUT") != "full":
            raise Refused("report", code="cannot_amend")
        return forms.rebuild(report.kind_number, report.full_arrays(), self._pack(), report.author_extra())

    def waiting(self) -> list[Waiting]:
        """Return what the server has not acknowledged, in the order of filing, with the reason where it refused."""
        pack = self._pack()
        return [
            Waiting(
                ReportId(row.report_id),
                pack.kinds[row.kind].name,
                row.version,
                str(row.state),
                row.filed_at,
                row.reason,
                row.field,
                CATALOGUE[row.reason][1] if row.reason in CATALOGUE else "",
            )
            for row in self._local.outbox.rows()
            if row.state in WAITING or row.state is State.QUARANTINED
        ]

    def duties(self) -> list[Duty]:
        """Return the duties that wait for an answer, oldest first."""
        pack = self._pack()
        latest = {row.report_id: row for row in self._local.outbox.rows()}
        return [
            Duty(ReportId(row.report_id), row.version, code, pack.gateways[code].en, row.filed_at)
            for row in latest.values()
            for code in row.due
            if code not in dict(row.duties)
        ]

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
        received = self._local.replica.get(views.as_id(report_id))
        if received is None:
            raise NotFound("report_id")
        casework.open_row(self._local, received.heads()[0].digest, reason, task, self.now())

    # syncing

    async def sync(self, progress: Progress | None = None) -> SyncResult:
        """Pull directories, pass on keys, seal and push what waits, pull what is new.

        Raises:
            Offline: no contact; whatever was done before stays done, and what was filed waits.
            Untrusted: the server showed a directory that does not hold together.
            Refused: `waiting_for_approval`, `revoked_device`.

        """
        tally = await driver.run(self._local, self._transport, progress)
        waiting = sum(row.state in WAITING for row in self._local.outbox.rows())
        return SyncResult(tally.sent, tally.received, tally.dropped, tally.quarantined, waiting, tally.alarms)

    def sync_now(self, progress: Progress | None = None) -> SyncResult:
        """Sync from code without an event loop; raises as `sync`."""

        async def once() -> SyncResult:
            try:
                return await self.sync(progress)
            finally:
                # The connections belong to this call's loop.
                await self._transport.close()

        return asyncio.run(once())

    def _pack(self) -> Pack:
        if not self._local.approved:
            raise Refused("device", code="waiting_for_approval")
        return self._local.trust.pack(self.now())


async def _announce(said: Code, keys: DeviceKeys, founded: registrar.Founded | None, transport: Transport) -> None:
    if founded is None:
        await transport.post_unsigned("/v1/enrolments", registrar.enrolment_of(said, keys), type(None))
        return
    mac = registrar.founding_mac(said, founded.entries)
    founding = wire.Founding(said.partnership, said.invite, mac, founded.entries)
    await transport.post_unsigned("/v1/found", founding, wire.Appended)
