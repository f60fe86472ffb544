"""The look at the own agency's ledger: who opened, read, filed, told and was denied what since a day.

The leaves come from the server and are shown only once they, and nothing else, lead from what this device had proven
before that day to the checkpoint that it proved at its last sync: one that was left out, changed or put in does not
fit. A device that had not proven the ledger by then has the server's signed word for where the day begins.
Refuses everybody who is not a supervisor of the agency; who looks stands in the ledger too.
Source: docs/protocol.md section 7; docs/secrecy-rules.md B8.

> INVARIANT: nothing is returned before all of it is proven, and nothing of it is kept on the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sluss_client import casework, views
from sluss_client.errors import Invalid, NotFound, Untrusted
from sluss_client.local import Local
from sluss_client.syncing import witnessing
from sluss_client.syncing.pushing import Progress
from sluss_client.syncing.witnessing import Seen
from sluss_client.transport import Transport
from sluss_schemas import checkpoint as notes
from sluss_schemas.checkpoint import Checkpoint
from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, AgencyId, PersonId, slots_of
from sluss_schemas.ledger import (
    Act,
    Alarm,
    Begin,
    Content,
    Delivery,
    Forgotten,
    LeavesAnswer,
    LeavesAsk,
    Reading,
    ShownLeaf,
    read_content,
    who_of,
)
from sluss_schemas.merkle import Frontier
from sluss_schemas.policy.model import Pack

_DAYS: Final = 31
"""How far back the look goes where the pack asks for none."""
_FIRST: Final = date(2000, 1, 1)
_ALARM: Final = b"look"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One act.

    Attributes:
        time: when the server had it, in the pack's zone.
        action: `open`, `read`, `collect`, `amend`, `disclose`, `recall`, `deny`, `export`, `look`, `alarm`, a case
            record's kind, and the like.
        person: the alias of whoever did it; None where the ledger names nobody of the own agency: whoever filed stands
            in it by a reference that the report alone resolves, and some acts are the server's.
        agency: the slug of the agency of whoever did it, where the ledger says it; of a reading by another agency it
            says no more.
        report_id: which report, where a version of it is on this device.
        kind: its kind, where this device knows it.
        parts: what was opened, read or given, as `subject` or `subject brief`; what was filled, where it was filed.
        code: the gateway, the reason of a refusal, a record's own code.
        count: of an alarm, how many were opened within the hour.

    """

    time: datetime
    action: str
    person: str | None
    agency: str
    report_id: bytes | None = None
    kind: str | None = None
    parts: tuple[str, ...] = ()
    code: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the ledger says since a time.

    Attributes:
        since: the first moment.
        until: when the checkpoint was made up to which all of it is proven.
        entries: the acts, the oldest first, without deliveries.
        deliveries: how many pages were delivered to devices.
        witnessed: whether this device itself knows that nothing of the time is missing; else it begins where the server
            signed that it does.
        erased: how many leaves have no content any more, as other leaves say.
        unread: how many say what this program cannot read: a newer one can.

    """

    since: datetime
    until: datetime
    entries: tuple[LogEntry, ...]
    deliveries: int
    erased: int
    unread: int
    witnessed: bool


async def look(local: Local, transport: Transport, pack: Pack, since: date | None, tell: Progress) -> Log:
    """Fetch and prove the ledger since the first moment of a day; without one for as long as the pack's look goes back.

    Raises:
        Refused: `supervisor_only`.
        NotFound: no checkpoint has been proven here yet; sync first.
        Invalid: `out_of_range` for a day that is yet to come, or of another century.
        Untrusted: `ledger_unproven`; the leaves do not lead to what was proven.
        Offline: no contact.

    """
    casework.own_supervisors(local)
    proven, zone = witnessing.checkpoint_of(local), ZoneInfo(pack.zone)
    if proven is None:
        raise NotFound("checkpoint")
    today = datetime.fromtimestamp(transport.now(), zone).date()
    day = since or today - timedelta(days=pack.parameters.log_review_days or _DAYS)
    if day > today or day < _FIRST:
        raise Invalid("out_of_range", "since", "Give a day that has come.")
    start = datetime.combine(day, time(), zone)
    before = witnessing.seen_before(local, int(start.timestamp()))
    first, leaves = await _proven(local, transport, proven, before, int(start.timestamp()), tell)
    reports = dict(_reports(local))
    said = [one for one in map(_content, leaves) if one is not None]
    new = [one for one in said if _time(one) >= start.timestamp()]
    erased = sum(not leaf.content for leaf in leaves)
    return Log(
        since=start,
        until=datetime.fromtimestamp(proven.time, zone),
        entries=tuple(_entry(local, one, pack, reports) for one in new if not isinstance(one, Delivery)),
        deliveries=sum(isinstance(one, Delivery) for one in new),
        erased=erased,
        unread=len(leaves) - len(said) - erased,
        witnessed=before is not None or first == 0,
    )


async def _proven(  # noqa: PLR0917  # from what, to what
    local: Local, transport: Transport, proven: Checkpoint, before: Seen | None, since: int, tell: Progress
) -> tuple[int, list[ShownLeaf]]:
    """Return after how many leaves a time begins, and the leaves from there up to a checkpoint.

    Raises:
        Untrusted: `ledger_unproven`, which is an alarm too until a look holds.

    """
    found = list[ShownLeaf]()
    answer = await _ask(transport, LeavesAsk(since, None if before is None else before.size))
    tree = _begun(local, answer.begin, before, since)
    first = 0 if tree is None else tree.size
    # A server that was still writing has more than was proven; the next look has it.
    while tree is not None and tree.size < proven.size and answer.leaves:
        new = answer.leaves[: proven.size - tree.size]
        tree.extend(leaf.hash for leaf in new)
        found += new
        tell("ledger", len(found), len(found) + proven.size - tree.size)
        if tree.size < proven.size:
            answer = await _ask(transport, LeavesAsk(None, tree.size))
    holds = tree is not None and (tree.size, tree.root) == (proven.size, proven.root) and _accounted(first, found)
    with local.store.transaction():
        if holds:
            local.calm(_ALARM)
        else:
            local.alarm("ledger_unproven", _ALARM)
    if not holds:
        raise Untrusted("ledger_unproven", "ledger")
    return first, found


async def _ask(transport: Transport, ask: LeavesAsk) -> LeavesAnswer:
    """Return the answer; none of the leaves where the server says that there are no such."""
    try:
        return await transport.post("/v1/ledger/leaves", ask, LeavesAnswer)
    except Invalid:
        return LeavesAnswer(())


def _accounted(first: int, leaves: Sequence[ShownLeaf]) -> bool:
    """Tell whether every leaf without content was erased by an act that is among them."""
    forgotten = [one for one in map(_content, leaves) if isinstance(one, Forgotten)]
    return all(
        leaf.content or any(start <= number <= end for one in forgotten for start, end in one.ranges)
        for number, leaf in enumerate(leaves, first + 1)
    )


def _begun(local: Local, begin: Begin | None, before: Seen | None, since: int) -> Frontier | None:
    """Return the tree before the first leaf; None where it is not what was proven here, or signed, before that time."""
    if begin is None:
        return None
    try:
        tree = Frontier.read(begin.size, begin.peaks)
        if before is None and tree.size:
            signed = notes.read(begin.note, local.config.partnership, local.config.agency, local.checkpoint)
            before = Seen(signed.size, signed.root, signed.time, signed.instance)
    except (ValueError, Invalid):
        return None
    fits = not tree.size or (before is not None and (before.size, before.root) == (tree.size, tree.root))
    return tree if fits and (before is None or before.time < since) else None


def _content(leaf: ShownLeaf) -> Content | None:
    try:
        return read_content(leaf.action, leaf.content)
    except Invalid:
        return None


def _time(content: Content) -> int:
    """Return the server's time of an act."""
    return content.received if isinstance(content, Reading) else content.time


def _reports(local: Local) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
    """Yield the report and the kind of every version that is on this device."""
    for received in local.replica.reports():
        for version in received.versions:
            yield version.digest, (received.report_id, version.kind)
    for row in local.outbox.rows():
        if row.digest is not None:
            yield row.digest, (row.report_id, row.kind)


def _entry(local: Local, content: Content, pack: Pack, reports: dict[bytes, tuple[bytes, int]]) -> LogEntry:
    agency, digest, bits, code, count = b"", b"", 0, "", None
    if isinstance(content, Act):
        digest, bits, code = content.what, content.slots, content.code
    elif isinstance(content, Reading):
        agency, digest, bits = content.agency, content.digest, content.slots
    elif isinstance(content, Alarm):
        code, count = content.code, content.count
    who = local.trust.own.persons.get(PersonId(who_of(content)))
    chain = local.trust.own if who is not None else local.trust.chains.get(AgencyId(agency))
    report, kind = reports.get(digest, (None, 0))
    return LogEntry(
        time=views.moment(_time(content), pack),
        action=content.action,
        person=None if who is None else who.alias,
        agency="" if chain is None else chain.slug,
        report_id=report,
        kind=pack.kinds[kind].name if kind in pack.kinds else None,
        parts=tuple(_part(number) for number in slots_of(bits)),
        code=code,
        count=count,
    )


def _part(number: int) -> str:
    name = COMPARTMENT_NAMES[COMPARTMENTS[number // 2]]
    return f"{name} brief" if number % 2 else name
