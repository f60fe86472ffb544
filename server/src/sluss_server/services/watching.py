"""What the server does for the ledgers without being asked: checkpoints, alarms about bulk opening, denials.

Whoever opens more within an hour than anybody's work asks for leaves an `alarm` in the ledger of the own agency, which
`sluss ledger review` shows to its auditor, and a task for its supervisors; nothing is stopped, because a search after a
missing child looks the same for an hour.
Once in every period of the pack the look at the ledger is such a task itself.
Source: docs/protocol.md section 7, docs/secrecy-rules.md B8.

> INVARIANT: one alarm for a person, a kind of opening and an hour, however many server processes look.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.codec import encode
from sluss_schemas.ids import Kid
from sluss_schemas.ledger import ALARM, DENY, READ, Act, Alarm, Content, Reading, read_content
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Raised
from sluss_server.services import background, raising, reviewing
from sluss_server.services.caller import Caller
from sluss_server.services.checkpoints import Checkpoints
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.recording import Recording
from sluss_server.storage import ledger
from sluss_server.storage.ledger import Leaf

LOOK_EVERY_S: Final = 5.0
HOUR_S: Final = 3_600
BULK: Final = {"open": ("bulk_open", 20), READ: ("bulk_read", 100)}
"""Action: the alarm, and how many within a clock hour are one person's work.

A supervisor who checks quality opens a handful of held rows; one opening needs a task or a reason, so twenty in an hour
is one every three minutes.
A first sync brings a few hundred reports, and somebody who prepares a shift reads the last days of one scene: a hundred
are more than anybody reads in an hour.
"""
REFUSALS: Final = frozenset({"not_allowed", "revoked_device"})
"""Problem codes that refuse a right, and so are recorded."""
_BATCH: Final = 1_000
_KEPT_HOURS: Final = 72
_Bucket = tuple[str, bytes, int]
"""An alarm's code, a person and the beginning of an hour."""


class _Watched:
    """What was seen of one ledger, up to a number."""

    def __init__(self) -> None:
        self.seq = 0
        self.opened: Counter[_Bucket] = Counter()
        self.seen: set[tuple[_Bucket, bytes]] = set()
        self.alarmed: set[_Bucket] = set()
        self.untold: list[Alarm] = []
        self.period: reviewing.Period | None = None

    def take(self, content: Content) -> None:
        """Count one leaf; a version that is read again within the hour counts once."""
        if isinstance(content, Alarm):
            self.alarmed.add((content.code, content.person, content.since))
            self.untold.append(content)
        elif isinstance(content, Reading) and content.person:
            self._count(content.action, content.person, content.time, content.digest)
        elif isinstance(content, Act) and content.action in BULK and content.who:
            self._count(content.action, content.who, content.time, content.what)

    def _count(self, action: str, who: bytes, at: int, digest: bytes) -> None:
        bucket = (BULK[action][0], who, at // HOUR_S * HOUR_S)
        if (bucket, digest) not in self.seen:
            self.seen.add((bucket, digest))
            self.opened[bucket] += 1

    def due(self) -> list[_Bucket]:
        """Return what there is to be an alarm about."""
        most = dict(BULK.values())
        return sorted(one for one, count in self.opened.items() if count > most[one[0]] and one not in self.alarmed)

    def forget(self, now: int) -> None:
        """Forget what is long past."""
        before = now - _KEPT_HOURS * HOUR_S
        self.opened = Counter({one: count for one, count in self.opened.items() if one[2] >= before})
        self.seen = {one for one in self.seen if one[0][2] >= before}
        self.alarmed = {one for one in self.alarmed if one[2] >= before}


class Watching:
    """The work in the background, and the denials of requests."""

    def __init__(self, core: Core, recording: Recording, checkpoints: Checkpoints) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._recording: Final = recording
        self._checkpoints: Final = checkpoints
        self._watched: Final[dict[bytes, _Watched]] = {}
        self._denied: Final[dict[tuple[bytes, str], int]] = {}

    def working(self) -> AbstractAsyncContextManager[None]:
        """Look after the ledgers while the block lasts."""
        return background.working(self.once, every_s=LOOK_EVERY_S, failed="ledgers_not_kept")

    async def once(self) -> None:
        """Make the checkpoints that are due, and the alarms."""
        for view, agency in await self._checkpoints.keep():
            await self._watch(view, agency)

    async def denied(self, caller: Caller, code: str, path: str) -> None:
        """Record that a request was refused for want of a right; of one device and code once an hour."""
        now = self._core.clock()
        if code not in REFUSALS or now - self._denied.get((caller.device, code), -HOUR_S) < HOUR_S:
            return
        self._denied[caller.device, code] = now
        directory = self._core.directories.known(caller.partnership).directories[caller.agency]
        person = directory.devices[Kid(caller.device)].person
        act = Act(DENY, b"", person, now, code, b"", path.encode()[:64])
        # The caller is told of the refusal, not of trouble with its record.
        with contextlib.suppress(Invalid):
            await self._recording.record(caller.partnership, Leaf(caller.agency, DENY, encode(act)))

    async def _watch(self, view: View, agency: bytes) -> None:
        watched = self._watched.setdefault(agency, _Watched())
        async with self._core.engine.read() as connection:
            await self._read(connection, view, agency, watched)
        now = self._core.clock()
        if watched.due():
            await self._core.writer.submit(lambda connection: self._alarm(connection, view, agency, watched))
            async with self._core.engine.read() as connection:
                await self._read(connection, view, agency, watched)
        if alarms := watched.untold:
            # Apart from the alarm itself: a push takes the feeds before the ledger, and this took the ledger.
            await self._open(view, agency, [raising.raised(agency, alarm) for alarm in alarms])
            watched.untold = []
        await self._look_due(view, agency, watched, now)
        watched.forget(now)

    async def _look_due(self, view: View, agency: bytes, watched: _Watched, now: int) -> None:
        """Open the task to look through the ledger of the period that has ended, where there is somebody to do it."""
        directory = view.directories[agency]
        period, to = reviewing.due(directory, self._core.rules, now), directory.audience_for("supervisors")
        if period is None or period == watched.period or to is None or to.recipient is None:
            return
        async with self._core.engine.read() as connection:
            task = await reviewing.task(connection, view.partnership, agency, period)
        await self._open(view, agency, [task])
        watched.period = period

    async def _open(self, view: View, agency: bytes, tasks: Sequence[Raised]) -> None:
        touched = await self._core.writer.submit(
            lambda connection: raising.open_tasks(connection, self._core, view, agency, tasks)
        )
        self._core.wake.tell(view.partnership, touched)

    async def _read(self, connection: AsyncConnection, view: View, agency: bytes, watched: _Watched) -> None:
        """Count what is new; who starts anew begins a batch before the end that reaches back far enough."""
        if not watched.seq:
            size = (await ledger.tree(connection, view.partnership, agency)).size
            watched.seq = await self._start(connection, view, agency, size)
        while leaves := await ledger.leaves_after(connection, view.partnership, agency, watched.seq, _BATCH):
            for leaf in leaves:
                if leaf.action in BULK or leaf.action == ALARM:
                    with contextlib.suppress(Invalid):
                        watched.take(read_content(leaf.action, leaf.content))
            watched.seq = leaves[-1].seq

    async def _start(self, connection: AsyncConnection, view: View, agency: bytes, size: int) -> int:
        """Return a number before which every leaf is older than two hours."""
        oldest = self._core.clock() - 2 * HOUR_S
        start = max(size - _BATCH, 0)
        while start:
            [first] = await ledger.leaves_after(connection, view.partnership, agency, start, 1)
            with contextlib.suppress(Invalid):
                content = read_content(first.action, first.content)
                if (content.received if isinstance(content, Reading) else content.time) < oldest:
                    break
            start = max(start - _BATCH, 0)
        return start

    async def _alarm(self, connection: AsyncConnection, view: View, agency: bytes, watched: _Watched) -> None:
        """Write the alarms that nobody else has written in between."""
        await ledger.tree(connection, view.partnership, agency, hold=True)
        await self._read(connection, view, agency, watched)
        now = self._core.clock()
        alarms = [
            Alarm(ALARM, code, who, since, watched.opened[code, who, since], now) for code, who, since in watched.due()
        ]
        leaves = [Leaf(agency, ALARM, encode(one)) for one in alarms]
        await ledger.append(connection, view.partnership, leaves, self._core.random)
