"""The pull half of a sync: pages of feeds, held against what came before, taken in, and the cursor with them.

A page that does not follow its feed is refused whole and its cursor stays; a delivery that does not hold together is
kept out alone and asked for again.
What was withheld, moved or broken on the way so arrives once the server is honest.
Source: docs/protocol.md section 6.

> INVARIANT: a page and its cursor are one transaction.
> INVARIANT: nothing is taken in that `reading` and `noticing` do not let pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import reading
from sluss_client.cases import book, raised
from sluss_client.errors import Invalid, Offline
from sluss_client.local import Local
from sluss_client.replica import Received
from sluss_client.syncing import expiring, notes, noticing, sync_core
from sluss_client.syncing.noticing import Histories
from sluss_client.syncing.sync_core import Tally
from sluss_client.transport import Transport
from sluss_schemas import sync as wire
from sluss_schemas.manifest import Head, read_manifest

_FIRST_PAGE: Final = 200
_ASK_AGAIN: Final = 8
_ROOM: Final = 50
_DAY_S: Final = 86_400
_UNKNOWN: Final = frozenset({"unknown_signer", "unknown_agency", "cannot_open"})
_NIL: Final = msgspec.Raw(b"\xc0")


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """An entry whose body is decoded by itself, so that a malformed one costs itself alone."""

    seq: int
    op: wire.Op
    digest: bytes
    put: msgspec.Raw = _NIL
    record: bytes | None = None


class _Page(msgspec.Struct, frozen=True, array_like=True):
    position: wire.Position
    entries: tuple[_Entry, ...]
    more: bool
    past: tuple[_Entry, ...] = ()


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    pages: tuple[_Page, ...]
    closed: tuple[bytes, ...]
    heads: tuple[Head, ...]
    time: int
    used: tuple[tuple[Head, ...], ...] = ()


@dataclass(slots=True)
class _Taking:
    """What one answer is taken in with, and what it changes."""

    local: Local
    histories: Histories
    tally: Tally
    now: int
    closed_before: int | None
    restored: bool
    touched: dict[bytes, Received]
    alarmed: set[bytes]


async def run(
    local: Local,
    transport: Transport,
    tally: Tally,
    tell: Callable[[str, int, int], None],
    directories: Callable[[], Awaitable[None]],
) -> None:
    """Pull until nothing is left; `directories` are pulled once more where somebody used newer ones.

    Raises:
        Offline: no contact, or more was promised than is given.
        Untrusted: as `directories`.

    """
    more, asked_anew = True, False
    while more:
        cursor = local.cursor()
        # A new device's first page is short, so that the newest reports are readable at once.
        limit = wire.MAX_PAGE_ENTRIES if cursor else _FIRST_PAGE
        whole = await _ask(transport, cursor, limit)
        if not asked_anew and _behind(local, whole, transport.now()):
            asked_anew = True
            await directories()
        answer = checked(local, whole, tally)
        if take_in(local, answer, transport.now(), tally):
            local.store.scrub()
        tell("pull", tally.received, 0)
        more = any(page.more for page in answer.pages)
        nothing = not any(page.entries or page.past for page in answer.pages)
        if more and (nothing or local.cursor() == cursor):
            raise Offline("server_error", "pull", "The server promised more and gave nothing.")
    with local.store.transaction():
        tally.alarms += notes.missed(local, noticing.feeds_of(local.trust.own, local.keys.kid))
    expiring.run(local, transport.now(), tally)


async def ask_again(local: Local, transport: Transport, tally: Tally) -> None:
    """Ask again for deliveries that were kept out, some at a time; raises as `run`."""
    for one in notes.to_ask_again(local, _ASK_AGAIN):
        others = [position for position in local.cursor() if position.feed != one.feed]
        before = wire.Position(one.feed, one.generation, one.seq - 1)
        answer = await _ask(transport, (*others, before), _ROOM)
        _take_again(local, answer, one, transport.now(), tally)


async def _ask(transport: Transport, cursor: Iterable[wire.Position], limit: int) -> wire.PullAnswer:
    """Return an answer in which a `put` that is malformed has no body."""
    raw = await transport.post("/v1/pull", wire.Pull(tuple(cursor), limit), _Answer)
    pages = tuple(
        wire.FeedPage(page.position, _entries(page.entries), page.more, _entries(page.past)) for page in raw.pages
    )
    return wire.PullAnswer(pages, raw.closed, raw.heads, raw.time, raw.used)


def _entries(raw: tuple[_Entry, ...]) -> tuple[wire.Entry, ...]:
    return tuple(wire.Entry(one.seq, one.op, one.digest, _put(one.put), one.record) for one in raw)


def _put(data: msgspec.Raw) -> wire.Put | None:
    try:
        return msgspec.msgpack.decode(data, type=wire.Put | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _histories(local: Local, answer: wire.PullAnswer, now: int) -> Histories:
    return Histories(local.trust, answer.used, now, restored=notes.restored(local, now))


def _behind(local: Local, answer: wire.PullAnswer, now: int) -> bool:
    """Tell whether anybody, or the server, knows more of a directory than this device."""
    ours = {bytes(chain.agency): chain.seq for chain in local.trust.agencies(now)}
    said = any(head.seq > ours.get(head.agency, head.seq) for head in answer.heads)
    return said or _histories(local, answer, now).behind()


def checked(local: Local, answer: wire.PullAnswer, tally: Tally) -> wire.PullAnswer:
    """Return an answer without the pages that do not follow their feeds, and without closings that are not true.

    A feed that the own directory does not give this device is closed, whether the server says so or not.
    """
    feeds = noticing.feeds_of(local.trust.own, local.keys.kid)
    cursor = {position.feed: position for position in local.cursor()}
    doubled = noticing.twice(answer.pages)
    pages = []
    with local.store.transaction():
        for page in answer.pages:
            feed = page.position.feed
            renewed = notes.may_begin_anew(local, feed)
            if not feeds.has(feed):
                fault: str | None = "feed_foreign"
            elif feed in doubled:
                fault = "feed_gap"
            else:
                fault = noticing.page_fault(page, cursor.get(feed), renewed=renewed)
            if fault is not None:
                tally.alarms += 1
                local.alarm(fault, feed)
                notes.went_back(local, page.position, cursor.get(feed))
                continue
            local.calm(feed)
            pages.append(page)
        for feed in answer.closed:
            if feeds.has(feed):
                tally.alarms += 1
                local.alarm("feed_closed", feed)
    closed = tuple(feed for feed in sorted({*answer.closed, *cursor}) if not feeds.has(feed))
    return msgspec.structs.replace(answer, pages=tuple(pages), closed=closed)


def take_in(local: Local, answer: wire.PullAnswer, now: int, tally: Tally) -> bool:
    """Take in one answer; tell whether anything was purged."""
    taking = _taking(local, answer, now, tally, _closed_before(local, now))
    purge = _Purge(local, taking.touched)
    begun = {position.feed: position.generation for position in local.cursor()}
    with local.store.transaction():
        for feed in answer.closed:
            tally.dropped += purge.close(feed)
            purge.happened = any((book.close(local, feed), raised.close(local, feed), purge.happened))
            local.forget_feed(feed)
        for page in answer.pages:
            generation = begun.get(page.position.feed)
            if generation != page.position.generation:
                notes.begun(local, page.position.feed)
            was_read = notes.known_to(local, page.position.feed) > 0
            _take_page(taking, page, purge, again=was_read or generation not in {None, page.position.generation})
        came = (entry for page in answer.pages for entry in (*page.past, *page.entries))
        notes.came_back(local, {entry.digest for entry in came if entry.op is not wire.Op.SKIP})
        local.move_cursor(page.position for page in answer.pages)
        local.replica.save(list(taking.touched.values()))
    return purge.happened


def _taking(local: Local, answer: wire.PullAnswer, now: int, tally: Tally, closed_before: int | None) -> _Taking:
    alarmed = {digest for digest, _ in local.alarms()}
    restored = notes.restored(local, now) or notes.says_restored(local)
    return _Taking(local, _histories(local, answer, now), tally, now, closed_before, restored, {}, alarmed)


def _take_page(taking: _Taking, page: wire.FeedPage, purge: _Purge, *, again: bool) -> None:
    """Take in one page; `again` says that the feed was read before, so that its past is not new to this device."""
    local, feed, generation = taking.local, page.position.feed, page.position.generation
    # A `drop` in the past is of no use: the `put` that it ended is delivered as a `skip`.
    for entry in page.past:
        closed_before = taking.closed_before if again else None
        _take(taking, notes.KeptOut(feed, generation, entry.seq, entry.digest, closed_before=closed_before), entry)
    known_to = notes.known_to(local, feed)
    for entry in page.entries:
        new = entry.seq > known_to
        place = notes.KeptOut(feed, generation, entry.seq, entry.digest, "", 0, new, taking.closed_before)
        _take(taking, place, entry)
        if entry.op is wire.Op.DROP:
            taking.tally.dropped += purge.drop(feed, entry.digest)
        elif entry.op is wire.Op.ERASE:
            taking.tally.dropped += purge.erase(entry.digest)


def _take(taking: _Taking, place: notes.KeptOut, entry: wire.Entry) -> bool:
    """Take in what one entry brings, if it brings anything; tell whether it was as it should be."""
    if entry.op is wire.Op.RECORD:
        return _take_record(taking, place, entry)
    return _take_put(taking, place, entry)


def _take_record(taking: _Taking, place: notes.KeptOut, entry: wire.Entry) -> bool:
    """Take in a case record; one that does not hold together is kept out with an alarm, and asked for again."""
    local = taking.local
    try:
        if not raised.take(local, entry.record, entry.digest, place.feed):
            book.take(local, entry.record, entry.digest, place.feed, taking.now)
    except reading.Alarm as alarm:
        notes.keep_out(local, msgspec.structs.replace(place, code=alarm.code))
        taking.tally.alarms += 1
        return False
    if entry.digest in taking.alarmed:
        local.calm(entry.digest)
    return True


def _closed_before(local: Local, now: int) -> int | None:
    """Return the time before which an epoch must have been closed to have no part in what arrives as new.

    What was made with it was with the server while it was in force, and so came with an earlier sync. None where there
    was no such sync, or where a restore that the registrar confirmed lets old things arrive again.
    """
    confirmed = local.config.confirmed_at
    if not confirmed or notes.restored(local, now):
        return None
    return confirmed - local.trust.pack(now).parameters.quarantine_closed_epoch_days * _DAY_S


def _take_again(local: Local, answer: wire.PullAnswer, wanted: notes.KeptOut, now: int, tally: Tally) -> None:
    """Take in one delivery that was kept out, if it is among what came."""
    entries = (entry for page in answer.pages if page.position.feed == wanted.feed for entry in page.entries)
    entry = next((entry for entry in entries if entry.seq == wanted.seq), None)
    taking = _taking(local, answer, now, tally, wanted.closed_before)
    with local.store.transaction():
        if entry is None:
            notes.keep_out(local, wanted)
        elif _take(taking, wanted, entry):
            notes.let_in(local, wanted)
        local.replica.save(list(taking.touched.values()))


def _take_put(taking: _Taking, place: notes.KeptOut, entry: wire.Entry) -> bool:
    """Take in one entry as far as it is a `put`; tell whether it was as it should be."""
    if entry.op is not wire.Op.PUT:
        return True
    local = taking.local
    try:
        opened, before = _open(taking, entry, place)
    except reading.Alarm as alarm:
        notes.keep_out(local, msgspec.structs.replace(place, code=alarm.code))
        taking.tally.alarms += alarm.code != noticing.AHEAD
        return False
    known = before is not None and any(one.digest == opened.digest for one in before.versions)
    taking.touched[opened.agency + opened.report_id] = sync_core.merge(before, opened, place.feed, taking.now)
    taking.tally.received += not known
    if opened.digest in taking.alarmed:
        local.calm(opened.digest)
    return True


def _open(taking: _Taking, entry: wire.Entry, place: notes.KeptOut) -> tuple[reading.Opened, Received | None]:
    """Return one delivery, opened and held against what is here, with the report as it is held until now."""
    local = taking.local
    if entry.put is None:
        raise reading.Alarm("malformed_put")
    try:
        opened = reading.open_put(entry.put, local.ring.kems, local.trust, taking.now)
    except reading.Alarm as alarm:
        raise reading.Alarm(_because(taking.histories, entry.put, alarm.code)) from alarm
    if opened.digest != entry.digest:
        raise reading.Alarm("entry_differs")
    name = opened.agency + opened.report_id
    before = taking.touched.get(name) or local.replica.get(opened.agency, opened.report_id)
    here = None if before is None else next((one for one in before.versions if one.digest == opened.digest), None)
    # What is here came while its epochs were in force: a supervisor may open a row years later.
    closed_before = place.closed_before if here is None else None
    noticing.check_when(opened, taking.histories, local.trust.own_id, closed_before)
    if place.new and here is not None and not taking.restored and sync_core.repeats(here, opened, place.feed):
        raise reading.Alarm("entry_repeated")
    return opened, before


def _because(histories: Histories, put: wire.Put, code: str) -> str:
    """Return a better reason: who signed with a key that is not known here may have had other directories."""
    if code not in _UNKNOWN:
        return code
    try:
        return histories.contradiction(read_manifest(put.manifest).directories) or code
    except Invalid:
        return code


class _Purge:
    """Removals by digest or feed; reports are looked up by digest only when something is really removed."""

    def __init__(self, local: Local, touched: dict[bytes, Received]) -> None:
        self._local = local
        self._touched = touched
        self._by_digest: dict[bytes, Received] | None = None
        self.happened = False

    def _reports(self) -> list[Received]:
        stored = {one.key: one for one in self._local.replica.reports()}
        return list((stored | self._touched).values())

    def _holder(self, digest: bytes) -> Received | None:
        for received in self._touched.values():
            if any(version.digest == digest for version in received.versions):
                return received
        if self._by_digest is None:
            self._by_digest = {
                version.digest: received for received in self._local.replica.reports() for version in received.versions
            }
        held = self._by_digest.get(digest)
        return None if held is None else self._touched.get(held.key, held)

    def _replace(self, before: Received, after: Received) -> int:
        if after == before:
            return 0
        self.happened = True
        self._touched[before.key] = after
        return len(before.versions) - len(after.versions)

    def drop(self, feed: bytes, digest: bytes) -> int:
        held = self._holder(sync_core.named(digest)[0])
        return 0 if held is None else self._replace(held, sync_core.drop(held, feed, digest))

    def erase(self, digest: bytes) -> int:
        self.happened = book.erase(self._local, digest) or self.happened
        held = self._holder(digest)
        return 0 if held is None else self._replace(held, sync_core.erase(held, digest))

    def close(self, feed: bytes) -> int:
        return sum(self._replace(held, sync_core.drop(held, feed)) for held in self._reports())
