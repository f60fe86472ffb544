"""A ledger for people: written to a file that proves itself, and counted for a supervisor's monthly look.

Reads alone, on one snapshot, while the server serves.
Source: docs/protocol.md section 7, docs/operating.md.

> INVARIANT: a review shows ids of the agency's own directory and numbers; it opens nothing and names nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import ledgerfile
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import Act, Alarm, Content, Delivery, raised_id, read_content, who_of
from sluss_schemas.ledgerfile import Line
from sluss_schemas.merkle import Node
from sluss_schemas.problems import Invalid
from sluss_schemas.records import CaseKind
from sluss_schemas.replay import Directory
from sluss_server.services import reviewing
from sluss_server.services.directories import Directories, View
from sluss_server.storage import checkpoints, ledger
from sluss_server.storage import directory as chains
from sluss_server.storage.engine import Engine

_BATCH: Final = 1_000
_BEFORE_ALL: Final = Node(0, -1)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """How often a person did something on a day; `person` is an id of the directory, empty where no leaf names one."""

    day: str
    person: str
    alias: str
    action: str
    count: int
    bulk: bool


class Raised(Row, frozen=True, kw_only=True):
    """An alarm, and who ended the task that it opened, on which day; both empty while nobody has."""

    ended_by: str
    ended_on: str


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger says of a time: rows by day, person and action, and the alarms.

    `looked_by` is the supervisor who last ended the task to look through it, `looked_on` the day; both empty before.
    """

    agency: str
    since: str
    looked_by: str
    looked_on: str
    rows: tuple[Row, ...]
    alarms: tuple[Raised, ...]


async def ledger_of(engine: Engine, slug: str, partnership: bytes | None) -> tuple[View, Directory]:
    """Return the agency of a slug.

    Raises:
        Invalid: `not_found`, or `missing_field` where several partnerships have one of that slug.

    """
    async with engine.read() as connection:
        known = await chains.partnership_ids(connection)
    directories, found = Directories(engine), list[tuple[View, Directory]]()
    for one in known:
        if partnership in {None, one}:
            view = await directories.refresh(one)
            found += [(view, directory) for directory in view.directories.values() if directory.slug == slug]
    if not found:
        raise Invalid("not_found", slug, "There is no agency of this name; `sluss doctor` shows what there is.")
    if len(found) > 1:
        raise Invalid("missing_field", "partnership", "Several partnerships have this agency; give --partnership.")
    return found[0]


async def exported(connection: AsyncConnection, view: View, directory: Directory, now: int) -> AsyncIterator[Line]:
    """Yield a ledger's file, line by line."""
    partnership, agency = view.partnership, bytes(directory.agency)
    [genesis] = await chains.entries(connection, partnership, agency, 0, 1)
    yield ledgerfile.Header(ledgerfile.FORMAT, partnership.hex(), agency.hex(), directory.slug, now, genesis.entry)
    for stored in await checkpoints.every(connection, partnership, agency):
        yield ledgerfile.Note(stored.note.decode())
    tree = await ledger.tree(connection, partnership, agency)
    seq = -1
    while leaves := await ledger.leaves_after(connection, partnership, agency, seq, _BATCH):
        for leaf in leaves:
            yield ledgerfile.Row(*leaf)
        seq = leaves[-1].seq
    node = _BEFORE_ALL
    while nodes := await ledger.nodes_after(connection, partnership, agency, node, _BATCH):
        for node, made in nodes:
            yield ledgerfile.Inner(*node, made)
    yield ledgerfile.End(tree.size, bytes(tree))


async def reviewed(connection: AsyncConnection, view: View, directory: Directory, since: int) -> Review:
    """Count what a ledger says since a time."""
    counts, bulk = Counter[tuple[str, bytes, str]](), set[tuple[str, bytes]]()
    alarms, ends = dict[bytes, Alarm](), dict[bytes, Act]()
    partnership, agency = view.partnership, bytes(directory.agency)
    earlier = [one for one in await checkpoints.every(connection, partnership, agency) if one.made_at < since]
    seq = earlier[-1].size if earlier else 0
    while leaves := await ledger.leaves_after(connection, partnership, agency, seq, _BATCH):
        for leaf in leaves:
            with suppress(Invalid):
                content = read_content(leaf.action, leaf.content)
                if content.time < since:
                    continue
                person = _person(content, directory)
                counts[_day(content.time), person, content.action] += 1
                if isinstance(content, Alarm):
                    alarms[raised_id(leaf.content)] = content
                    bulk.add((_day(content.since), content.person))
                elif isinstance(content, Act) and content.action == CaseKind.DONE:
                    ends[content.what] = content
        seq = leaves[-1].seq
    rows = (
        _row(directory, day, person, action, count, bulk=(day, person) in bulk)
        for (day, person, action), count in sorted(counts.items())
    )
    raised = (
        _alarm(directory, one, ends.get(task))
        for task, one in sorted(alarms.items(), key=lambda found: (found[1].since, found[1].person))
    )
    looked = await reviewing.last_look(connection, partnership, agency)
    return Review(
        agency=directory.slug,
        since=_day(since),
        looked_by="" if looked is None else _device(directory, looked[0]),
        looked_on="" if looked is None else _day(looked[1]),
        rows=tuple(rows),
        alarms=tuple(raised),
    )


def _row(directory: Directory, day: str, person: bytes, action: str, count: int, *, bulk: bool) -> Row:
    alias = _alias(directory, person)
    return Row(day=day, person=person.hex(), alias=alias, action=action, count=count, bulk=bulk)


def _alarm(directory: Directory, alarm: Alarm, end: Act | None) -> Raised:
    return Raised(
        day=_day(alarm.since),
        person=alarm.person.hex(),
        alias=_alias(directory, alarm.person),
        action=alarm.code,
        count=alarm.count,
        bulk=True,
        ended_by="" if end is None else _alias(directory, end.who) or end.who.hex(),
        ended_on="" if end is None else _day(end.time),
    )


def _device(directory: Directory, device: bytes) -> str:
    """Return the alias of a device's person, or the key id of one that the directory has no more."""
    known = directory.devices.get(Kid(device))
    return device.hex() if known is None else _alias(directory, known.person)


def _alias(directory: Directory, person: bytes) -> str:
    return next((one.alias for id_, one in directory.persons.items() if id_ == person), "")


def _person(content: Content, directory: Directory) -> bytes:
    """Return the person of the own agency whom a leaf names, or nothing."""
    if isinstance(content, Delivery):
        device = directory.devices.get(Kid(content.device))
        return b"" if device is None else device.person
    who = who_of(content)
    return who if who in directory.persons else b""


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
