"""A town on a real server core: agencies founded with codes, devices enrolled, epochs opened, all of it signed.

> INVARIANT: everything goes through `Services`; only a fault is ever set behind its back.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Raw, structs

from sluss_schemas import directory as d
from sluss_schemas import membership, sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import COMPARTMENTS, Function, Kid, Sector, bit
from sluss_schemas.invitation import Code
from sluss_schemas.policy import decide
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.pack import builtin
from sluss_schemas.replay import Directory
from sluss_server.services import Caller, Services
from sluss_server.storage.engine import Engine, open_engine
from sluss_server.storage.schema import current, migrate
from sluss_server.storage.writer import Writer

from tests.server.sealer import Draft, Epoch, KemKey, SealedReport, SignKey, seal, seal_report

PACK: Final = builtin()[-1]
NOW: Final = 1_790_000_000
"""In September 2026, when the pack is in force."""
AGENCIES: Final[tuple[tuple[str, Sector], ...]] = (
    ("police", "POL"),
    ("social_services", "SOC"),
    ("security", "SEC"),
    ("municipality", "MUN"),
    ("health", "HLT"),
)
INSTANCE: Final = b"i" * 16


@dataclass
class Clock:
    """Time as an argument."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(kw_only=True)
class Device:
    """A device and what it knows of itself."""

    agency: Agency
    person: bytes
    sign: SignKey = field(default_factory=SignKey)
    kem: KemKey = field(default_factory=KemKey)

    @property
    def kid(self) -> Kid:
        return self.sign.kid


@dataclass(kw_only=True)
class Agency:
    """An agency's secrets: its root, its directory as it made it, its epochs."""

    code: Code
    root: SignKey = field(default_factory=SignKey)
    next_root: SignKey = field(default_factory=SignKey)
    directory: Directory = field(default_factory=Directory)
    epochs: dict[Function, list[Epoch]] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)

    @property
    def id(self) -> bytes:
        return self.directory.agency

    def entry(self, body: d.Body, time: int = NOW) -> d.SignedEntry:
        """Sign the next entry with the root and take it into the own copy of the directory."""
        data = d.entry_bytes(self.directory.seq + 1, self.directory.hash, body, time)
        signed = d.SignedEntry(data, self.root.kid, self.root.sign(d.entry_message(data)))
        self.directory.append(signed)
        return signed

    def audience(self, function: Function) -> bytes:
        found = self.directory.audience_for(function)
        assert found is not None
        return found.audience

    def key(self, function: Function = "field") -> bytes:
        """The KEM public key of an audience now."""
        return self.epochs[function][-1].kem.public

    def group(self) -> SignKey:
        return self.epochs["field"][-1].sign


_EMPTY: Final[list[bytes]] = []


async def _empty(path: Path) -> bytes:
    """Return the file of a new database, which is migrated once for all tests: every migration takes a tenth second."""
    if not _EMPTY:
        first = path.with_name("empty.db")
        engine = open_engine(f"sqlite:///{first}")
        await migrate(engine)
        await engine.close()
        _EMPTY.append(first.read_bytes())
    return _EMPTY[0]


class Town:
    """A server core on a SQLite file, or on the database of an address, and the agencies on it."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self.clock = Clock()
        self.receipt_key = Ed25519PrivateKey.generate()
        self.instance = INSTANCE
        self.partnership = b""
        self.agencies: dict[str, Agency] = {}

    # the server

    async def open(self) -> Town:
        """Start the core; the second time on what is there."""
        if isinstance(self.path, Path) and not self.path.exists():
            self.path.write_bytes(await _empty(self.path))
        self.engine: Engine = open_engine(self.path if isinstance(self.path, str) else f"sqlite:///{self.path}")
        if isinstance(self.path, str) and await current(self.engine) is None:
            await migrate(self.engine)
        self.writer = Writer(self.engine)
        await self.writer.start()
        self.services = self.new_services()
        return self

    def new_services(self, engine: Engine | None = None, writer: Writer | None = None) -> Services:
        """Services as another process would make them."""
        return Services(
            engine=engine or self.engine,
            writer=writer or self.writer,
            clock=self.clock,
            receipt_key=self.receipt_key,
            packs=(PACK,),
            instance=self.instance,
        )

    async def close(self) -> None:
        await self.writer.close()
        await self.engine.close()

    # the agencies

    async def build(self, agencies: Sequence[tuple[str, Sector]] = AGENCIES) -> Town:
        """Found the agencies, each with two field devices and one supervisor's, and with its epochs open.

        The first field device's key is also a registrar's.
        """
        self.partnership, codes = await self.services.create_partnership("Sandvik", "https://example.org", agencies)
        for code in codes:
            agency = Agency(code=code)
            entries = self.founding_entries(agency)
            await self.services.found(founding(code, entries))
            self.agencies[agency.directory.slug] = agency
        for agency in self.agencies.values():
            await self.open_epochs(agency)
        return self

    def founding_entries(self, agency: Agency) -> list[d.SignedEntry]:
        code = agency.code
        assert code.founding is not None
        slug, sector, registry, checkpoint = code.founding
        next_root = hashlib.sha256(agency.next_root.public).digest()
        genesis = d.Genesis(
            self.partnership, slug, sector, slug, slug, registry, agency.root.public, next_root, checkpoint
        )
        entries = [agency.entry(genesis), agency.entry(d.PackInForce(PACK.digest, day_number(PACK.valid_from)))]
        if registry:
            entries += [
                agency.entry(d.Scene(number, f"scene-{number}", "Scene", "Plats", None, "confirmed"))
                for number in range(1, 5)
            ]
        functions: tuple[Function, ...] = ("field", "supervisors")
        entries += [agency.entry(d.AudienceCreate(os.urandom(16), one)) for one in functions]
        for alias, held in (("A", ("field",)), ("B", ("field",)), ("S", ("supervisors",))):
            entries += self.device_entries(agency, alias, cast("tuple[Function, ...]", held))
        return [*entries, agency.entry(d.RegistrarAdd(agency.devices[0].sign.public))]

    def device_entries(
        self,
        agency: Agency,
        alias: str,
        functions: tuple[Function, ...],
        *,
        scenes: tuple[int, ...] | None = None,
        valid_until: int | None = None,
        invite: bytes | None = None,
    ) -> list[d.SignedEntry]:
        """Make a person with one device, a member of the audiences of its functions."""
        person, name = os.urandom(16), invite or os.urandom(16)
        device = Device(agency=agency, person=person)
        message = d.enrolment_message(self.partnership, name, device.sign.public, device.kem.public)
        agency.devices.append(device)
        return [
            agency.entry(d.PersonAdd(person, alias, functions, scenes, valid_until)),
            agency.entry(d.DeviceAdd(person, name, device.sign.public, device.kem.public, device.sign.sign(message))),
            *(agency.entry(d.MemberAdd(agency.audience(one), device.kid, 1)) for one in functions),
        ]

    async def open_epochs(self, agency: Agency, functions: Iterable[Function] = ("field", "supervisors")) -> None:
        entries, sets = list[d.SignedEntry](), list[membership.EpochSet]()
        for function in functions:
            entry, wraps = self.epoch_entry(agency, function)
            entries.append(entry)
            sets.append(wraps)
        await self.append(agency, entries, sets)

    def epoch_entry(self, agency: Agency, function: Function) -> tuple[d.SignedEntry, membership.EpochSet]:
        epoch = Epoch()
        agency.epochs.setdefault(function, []).append(epoch)
        audience = next(one for one in agency.directory.audiences.values() if one.function == function)
        number = len(audience.epochs) + 1
        wraps = self.wraps(agency, function, number, sorted(audience.members))
        body = d.Epoch(
            audience.audience,
            number,
            2,
            epoch.kem.public,
            epoch.sign.public,
            d.wraps_digest(wraps),
            tuple(sorted(audience.members)),
        )
        return agency.entry(body, self.clock.now), membership.EpochSet(audience.audience, number, wraps)

    def wraps(
        self, agency: Agency, function: Function, number: int, devices: Iterable[bytes], *, whole: bool = True
    ) -> tuple[d.EpochWrap, ...]:
        secret = agency.epochs[function][number - 1].secret
        return tuple(
            d.EpochWrap(
                one,
                whole,
                seal(
                    agency.directory.devices[Kid(one)].kem_key,
                    d.epoch_info(agency.id, agency.audience(function), number, one, whole=whole),
                    secret,
                ),
            )
            for one in devices
        )

    async def append(
        self,
        agency: Agency,
        entries: Sequence[d.SignedEntry],
        sets: Sequence[membership.EpochSet] = (),
        shares: Sequence[d.SealedShare] = (),
        roster: bytes | None = None,
    ) -> membership.Appended:
        return await self.services.directory_append(
            await self.caller(agency.devices[0]),
            membership.DirectoryAppend(tuple(entries), tuple(sets), tuple(shares), roster),
        )

    # devices

    async def caller(self, device: Device) -> Caller:
        found = await self.services.identify(device.kid)
        assert found is not None
        return found

    def field(self, slug: str, number: int = 0) -> Device:
        return self.agencies[slug].devices[number]

    def supervisor(self, slug: str) -> Device:
        return self.agencies[slug].devices[2]

    def heads(self) -> tuple[Any, ...]:
        heads = (one.directory.head for one in self.agencies.values())
        return tuple(sorted(heads, key=lambda head: head.agency))

    def readers(self, owner: Agency, kind: int) -> dict[bytes, int]:
        """Every audience that the pack gives anything at filing, with its bitmap."""
        found: dict[bytes, int] = {}
        for agency in self.agencies.values():
            for function, epochs in agency.epochs.items():
                receiver = decide.Receiver(agency.directory.sector, function, agency is owner)
                bits = decide.allowed(PACK, kind, owner.directory.sector, receiver)
                if bits:
                    found[epochs[-1].kem.public] = bits
        return found

    def draft(self, slug: str, kind: int = 1, **more: Any) -> Draft:  # noqa: ANN401  # any field of a draft
        """Draft a report of an agency for everybody whom the pack names, with the sections that the kind collects."""
        agency = self.agencies[slug]
        has = decide.collected(PACK, kind, agency.directory.sector)
        named = [number for number, one in PACK.kinds.items() if number == kind] or [
            number for number, one in PACK.kinds.items() if not one.clear
        ]
        facts = PACK.kinds[named[0]].facts if kind else ()
        coded = sum(fact not in {"scene", "hour", "daypart", "day", "week"} for fact in facts)
        given: dict[str, Any] = {
            "kind": kind,
            "scene": 1 if "scene" in facts else None,
            "values": (1,) * coded if facts else None,
            "filled": tuple(
                2 * number + brief
                for number, one in enumerate(COMPARTMENTS)
                if one in has and one != "ATT"
                for brief in (0, 1)
            ),
            "readers": self.readers(agency, kind),
            "time": self.clock.now - 3600,
        }
        given |= {"agency": agency.id, "pack": PACK.digest, "group": agency.group(), "heads": self.heads()}
        draft = Draft(**{**given, **more})
        filled = sum(1 << number for number in draft.filled)
        draft.readers = {key: bits & filled for key, bits in draft.readers.items() if bits & filled}
        return draft

    def report(self, slug: str, kind: int = 1, **more: Any) -> SealedReport:  # noqa: ANN401  # as `draft`
        return seal_report(self.draft(slug, kind, **more))

    async def push(
        self,
        device: Device,
        *reports: SealedReport | bytes,
        grants: Sequence[bytes] = (),
        records: Sequence[bytes] = (),
        services: Services | None = None,
    ) -> sync.PushAnswer:
        items = tuple(Raw(one if isinstance(one, bytes) else one.raw) for one in reports)
        return await (services or self.services).push(
            await self.caller(device),
            sync.Push(items, tuple(Raw(one) for one in grants), tuple(Raw(one) for one in records)),
        )

    async def outcomes(
        self, device: Device, *reports: SealedReport | bytes
    ) -> list[tuple[str, str | None, str | None]]:
        answer = await self.push(device, *reports)
        return [(str(one.outcome), one.reason, one.field) for one in answer.items]

    async def pull(
        self, device: Device, cursor: Iterable[sync.Position] = (), *, limit: int = 500, wait: int = 0
    ) -> sync.PullAnswer:
        """Pull, and put what came downwards into the order of its feed."""
        answer = await self.services.pull(await self.caller(device), sync.Pull(tuple(cursor), limit, wait))
        pages = (structs.replace(page, entries=(*reversed(page.past), *page.entries), past=()) for page in answer.pages)
        return structs.replace(answer, pages=tuple(pages))

    async def entries(self, device: Device) -> list[sync.Entry]:
        """Everything that a device gets from the start, in the order of its feeds."""
        cursor, found, more = dict[bytes, sync.Position](), list[sync.Entry](), True
        while more:
            answer = await self.pull(device, cursor.values())
            cursor |= {one.position.feed: one.position for one in answer.pages}
            found += [entry for one in answer.pages for entry in one.entries]
            more = any(one.more for one in answer.pages)
        return found

    async def puts(self, device: Device) -> dict[bytes, sync.Put]:
        """What a device holds of reports in the end, by D."""
        held = dict[bytes, sync.Put]()
        for entry in await self.entries(device):
            if entry.put is not None:
                held[entry.digest] = entry.put
            elif entry.op is sync.Op.DROP:
                held.pop(entry.digest, None)
        return held


def founding(code: Code, entries: Sequence[d.SignedEntry], secret: bytes | None = None) -> membership.Founding:
    """Authenticate an agency's first entries with the founding code."""
    digest = hashlib.sha256(b"".join(one.entry for one in entries)).digest()
    mac = hmac.digest(secret or code.secret, digest, "sha256")
    return membership.Founding(code.partnership, code.invite, mac, tuple(entries))


def amended(town: Town, *parents: SealedReport, **more: Any) -> SealedReport:  # noqa: ANN401  # any field of a draft
    """The guards' version that follows these."""
    first = parents[0].manifest
    given: dict[str, Any] = {
        "report_id": first.report_id,
        "version": max(one.manifest.version for one in parents) + 1,
        "parents": tuple(one.digest for one in parents),
    }
    return town.report("security", **{**given, **more})


def slots(put: sync.Put) -> set[int]:
    """The slots whose sections came, which are those that have a wrap."""
    sections = {one.slot for one in put.sections}
    assert sections == {one.slot for one in put.wraps}
    return sections


def changed(report: SealedReport, **fields: Any) -> bytes:  # noqa: ANN401  # any field of an item
    """The bytes of a report's item with fields replaced and nothing signed again."""
    return encode(structs.replace(report.item, **fields))


def bits(*names: str) -> int:
    """The bitmap of sections such as `SIT` and `ENF.brief`."""
    found = 0
    for name in names:
        code, _, form = name.partition(".")
        found |= bit(cast("Any", code), brief=form == "brief")
    return found
