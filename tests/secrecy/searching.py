"""The search for what the model forbids: in what a device would be given, in its store, and with the server's host.

Source: docs/protocol.md sections 3, 4 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import Final

import msgspec

from sluss_client.device import Device
from sluss_client.errors import NotFound, SlussError
from sluss_client.report import Report
from sluss_schemas import manifest
from sluss_schemas import sync as wire
from sluss_schemas.ids import Digest
from sluss_schemas.records import SignedRecord, read_raised, read_record

from tests.secrecy.acting import Stored, Twins
from tests.secrecy.canaries import CORE, cells, databases, decrypted, files, leaks, needles
from tests.secrecy.flows import Flow
from tests.secrecy.marks import marks, readable, slot_of
from tests.secrecy.model import Slot, Who
from tests.secrecy.raw import asking, entries
from tests.secrecy.taking import Opening, Taken

_RECORDED: Final = re.compile(r"recorded_at=datetime\.datetime\([^)]*\)\)")
_OK: Final = 200
_RECORD: Final = 3
"""How much is to be seen of an entry that is a record, or the end of something."""
_DISGUISED: Final = [needle for name, needle in needles(CORE).items() if name != "utf-8"]
Found = list[str]


class Search:
    """Looks through what a flow has left; what was tried once with a key is not tried again."""

    def __init__(self, flow: Flow, opening: Opening) -> None:
        """Look for what this flow wrote."""
        self.flow = flow
        self.opening = opening
        self.town = flow.cast.square.town
        self.opened = 0
        self.compared = 0
        """How many sections were opened that may be, and twins compared: nothing is proven where there are none."""

    async def pulled(self, *people: Who) -> Found:
        """Open all that these people would be given from nothing, with every key that they have."""
        found = Found()
        stored = {one.digest: one for one in self.flow.stored()}
        for who in people:
            for digest, given in _by_version(await self._given(who)).items():
                if (one := stored.get(digest)) is not None:
                    taken = self.opening.take(given, self.flow.device(who).local.ring.kems)
                    found += self._taken(who, one, taken)
        return found

    async def _given(self, who: Who) -> list[wire.Entry]:
        """Return all that the server would give somebody from nothing."""
        async with asking(self.flow.device(who), self.town.url) as raw:
            answers = await raw.pull()
        assert leaks((one.asked, one.body) for one in answers) == []
        return list(entries(answers))

    def _taken(self, who: Who, one: Stored, taken: Taken) -> Iterator[str]:
        twins = one.twins
        allowed = self.flow.model.may(twins.filed, one.version, who, self.town.clock.now())
        name = f"{who} opens of {_name(one)}"
        for _, number in taken.opened:
            slot = slot_of(number)
            if slot in allowed or slot._replace(form="cut") in allowed:
                self.opened += 1
            else:
                yield f"{name}: {slot}"
            if slot not in allowed and one.keys.get(slot) in taken.keys[twins.ids[one.twin], number]:
                yield f"{name}: the key of {slot}"
        legible = readable(one.number, twins.hidden, one.twin, allowed)
        said = set().union(*(marks(plain) for plains in taken.plain.values() for plain in plains))
        yield from (f"{name}: the text {text}" for text in sorted(said - legible))

    def stores(self, people: Iterable[Who]) -> Iterator[str]:
        """Read each store with its own key: no text and no section's key that its person might not have at last."""
        stored = list(self.flow.stored())
        numbers = {number for twins in self.flow.reports for number in twins.numbers} | self.flow.notes.keys()
        for who in people:
            data = decrypted(self.flow.device(who).local.store)
            yield from (f"{who} keeps a disguised canary" for needle in _DISGUISED if needle in data)
            legible = set(self._legible(who))
            mine = {text for text in marks(data) if text[0] in numbers}
            yield from (f"{who} keeps the text {text}" for text in sorted(mine - legible))
            for one in stored:
                allowed = self._had(who, one)
                for slot, key in one.keys.items():
                    if slot not in allowed and key in data:
                        yield f"{who} keeps the key of {slot} of {_name(one)}"

    def _had(self, who: Who, one: Stored) -> frozenset[Slot]:
        """Return what somebody may have had when they last met the server; who wrote it has it in any case."""
        if who == one.version.by:
            return self.flow.model.may(one.twins.filed, one.version, who, self.town.clock.now())
        return self.flow.had.get(who, {}).get(one.number, frozenset())

    def _legible(self, who: Who) -> Iterator[tuple[int, str, str]]:
        for twins in self.flow.reports:
            for number, version in zip(twins.numbers, twins.filed.versions, strict=True):
                for twin in range(2):
                    one = Stored(twins, twin, version, number, Digest(b""), {})
                    yield from readable(number, twins.hidden, twin, self._had(who, one))
        for number, people in self.flow.notes.items():
            if who in people:
                yield from ((number, part, twin) for part in ("RSN", "CNS") for twin in "AB")

    async def gone(self) -> Found:
        """Look at devices that are nobody's any more: what they keep, are given, and could open of what others get."""
        found, stored = Found(), {one.digest: one for one in self.flow.stored()}
        for gone in self.flow.gone:
            async with asking(gone.device, self.town.url) as raw:
                answer = await raw.ask("POST", "/v1/pull", wire.Pull((), wire.MAX_PAGE_ENTRIES))
            if answer.status == _OK:
                found.append(f"{gone.who}, gone, is answered")
            local = gone.device.local
            keys = dict(local.ring.kems)
            with suppress(SlussError):
                await gone.device.sync()
            data = decrypted(local.store)
            mine = {number for number, _ in gone.had} | {number for one in self.flow.reports for number in one.numbers}
            found += [f"{gone.who}, gone, keeps the text {text}" for text in sorted(marks(data)) if text[0] in mine]
            for digest, given in _by_version(await self._given(gone.who)).items():
                one = stored.get(digest)
                for _, number in () if one is None else self.opening.take(given, keys).opened:
                    assert one is not None
                    had, slot = gone.had.get((one.number, one.twin), frozenset()), slot_of(number)
                    if slot not in had and slot._replace(form="cut") not in had:
                        found.append(f"{gone.who}, gone, could open of {_name(one)}: {slot}")
        return found

    def copies(self) -> Iterator[str]:
        """Read what quotes something whose time is over, on the device on which it was written."""
        now = self.town.clock.now()
        for twins in self.flow.reports:
            until, author = twins.filed.until, twins.filed.author
            if until is None or now < until:
                continue
            for report_id in twins.ids:
                with suppress(NotFound):
                    report = self.flow.device(author).get(report_id)
                    yield from (f"{author} reads a copy after its time: {name}" for name in report.readable)

    def host(self) -> Iterator[str]:
        """Look through everything that the server's host has."""
        yield from leaks(files(self.town.folder, without=".sluss"))
        if self.flow.cast.dump is not None:
            yield from leaks([("the database", self.flow.cast.dump())])
            return
        for database in databases(self.town):
            yield from leaks(cells(database))

    async def twins(self, people: Iterable[Who]) -> Found:
        """Compare the twins, for everybody to whom what is different was never open."""
        found = Found()
        for who in people:
            device, pairs = self.flow.device(who), [one for one in self.flow.reports if self._blind(who, one)]
            if not pairs:
                continue
            given, rows = await self._given(who), _rows(device)
            self.compared += len(pairs)
            for twins in pairs:
                found += [f"{who} {told}" for told in self._differ(twins, device, given, rows)]
        return found

    def _differ(
        self, twins: Twins, device: Device, given: list[wire.Entry], rows: list[tuple[str, bytes]]
    ) -> Iterator[str]:
        """Tell what a device could make out between two twins."""
        name = f"K{twins.filed.kind:02d} of {twins.filed.owner}"
        seen = []
        for twin, report_id in enumerate(twins.ids):
            digests = {bytes(one.digest) for one in self.flow.stored() if one.twins is twins and one.twin == twin}
            shapes = _in_order([_shape(one) for one in given if _about(one) in digests])
            seen.append((shapes, _sizes(rows, [bytes(report_id), *digests]), said(device, report_id)))
        yield from self._links(twins, device, name)
        for what, one, other in zip(("is given", "has rows", "is told"), *seen, strict=True):
            if one != other:
                yield f"{what} differently of {name}: {one} {other}"

    def _links(self, twins: Twins, device: Device, name: str) -> Iterator[str]:
        """Tell whether a device knows of a link to a report of which it was never to have the whole situation."""
        who = next(one for one, known in self.flow.cast.devices.items() if known is device)
        if twins.event is None or Slot("SIT", "full") in self.flow.model.ever(twins.event.filed, who):
            return
        with suppress(NotFound):
            if device.get(twins.ids[0]).linked:
                yield f"knows of what {name} is linked to"

    def _blind(self, who: Who, twins: Twins) -> bool:
        ever = self.flow.model.ever(twins.filed, who)
        return not any(slot.part in twins.hidden for slot in ever)


def _name(one: Stored) -> str:
    filed = one.twins.filed
    return f"K{filed.kind:02d} of {filed.owner}, number {one.number}{'AB'[one.twin]}"


def _by_version(given: Iterable[wire.Entry]) -> dict[Digest, list[wire.Entry]]:
    found: dict[Digest, list[wire.Entry]] = {}
    for entry in given:
        if entry.put is not None:
            found.setdefault(manifest.digest_of(entry.put.manifest), []).append(entry)
    return found


def _about(entry: wire.Entry) -> bytes:
    """Return the version that an entry is about, as far as it says so."""
    if entry.record is None:
        return entry.digest[:32]
    data = msgspec.msgpack.decode(entry.record, type=SignedRecord).record
    # What a server asks its supervisors to look at is about no report.
    return b"" if read_raised(data) is not None else read_record(data).digest or b""


def _in_order(shapes: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Return what was given in its order, but records in a row by size: within one second chance orders them."""
    runs = groupby(shapes, key=lambda shape: len(shape) == _RECORD)
    return [one for _, run in runs for one in sorted(run, key=repr)]


def _shape(entry: wire.Entry) -> tuple[object, ...]:
    """Return all of an entry that ciphertexts and digests leave to see."""
    put = entry.put
    if put is None:
        return entry.op, len(entry.digest), len(entry.record or b"")
    document = manifest.read_manifest(put.manifest)
    return (
        entry.op,
        len(put.manifest),
        (document.kind, document.version, document.time, len(document.parents), len(document.recipients)),
        [(one.slot, len(one.section)) for one in put.sections],
        len(put.seal or b""),
        [(one.slot, len(one.wrap)) for one in put.wraps],
        [None if tier is None else tier.tier for tier in put.tiers],
        None if put.grant is None else len(put.grant.grant),
    )


def _rows(device: Device) -> list[tuple[str, bytes]]:
    store = device.local.store
    return [(space, key + b" " + data) for space in store.spaces() for key, data in store.items(space)]


def _sizes(rows: Iterable[tuple[str, bytes]], names: list[bytes]) -> list[tuple[str, int]]:
    """Return the sizes of the rows in which any of these stands."""
    return sorted((space, len(data)) for space, data in rows if any(name in data for name in names))


def said(device: Device, report_id: bytes) -> list[str]:
    """Return what the SDK says of a report, without its id and the second in which it was written down."""
    found = [repr([(row.version, row.kind, row.time) for row in device.held() if row.report_id == report_id])]
    found.append(repr(sorted((one.code, one.state, one.how) for one in device.tasks() if one.report_id == report_id)))
    try:
        report = device.get(report_id.hex())
    except NotFound:
        return [*found, "nothing"]
    found += [repr((report.readable, report.kind_number, report.scene, report.time, report.version, report.forked))]
    found += [f"{name}: {_part(report, name)}" for name in report.readable]
    return [_RECORDED.sub("then", one) for one in found]


def _part(report: Report, name: str) -> str:
    try:
        return repr(getattr(report, name))
    except SlussError as problem:
        return f"{problem.code} {problem.field}"
