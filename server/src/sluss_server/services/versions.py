"""How the versions of a report follow each other: parents, heads, forks, and what an amendment takes back.

Works on what the transaction has read, and on what earlier items of the same transaction added.
Source: docs/protocol.md sections 3 and 6.

> INVARIANT: nothing is overwritten: a version that does not follow a head is kept beside it. A version in quarantine is
> no head and takes no head away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from sluss_schemas.ids import DIGEST_BYTES, KIND_SECRET
from sluss_schemas.sync import Outcome, OutcomeCode
from sluss_server.services.checking import Checked
from sluss_server.storage.feeds import BASE, NewEntry, Placed
from sluss_server.storage.reports import Version

Report = tuple[bytes, bytes]
"""An agency and a report id; what agencies file under one id does not meet."""
HasFeed = Callable[[bytes, bytes], bool]
"""Tells whether a feed, the second, is of an agency."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new version stands: how many of its number are there, and whether it follows heads only."""

    fork: int = 0
    forked: bool = False
    quarantine: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A version that is stored, or will be with this transaction."""

    version: int
    kind: int
    head: bool
    quarantine: str | None
    parents: tuple[bytes, ...]


class Versions:
    """The versions of every report that a transaction touches, and the feeds that hold them."""

    def __init__(self, stored: Iterable[Version], placed: Iterable[Placed], has_feed: HasFeed) -> None:
        """Begin with what is stored; `placed` gives each feed's entries in their order."""
        self._has_feed: Final = has_feed
        self._given: Final[dict[bytes, set[bytes]]] = {}
        self._owners: Final[dict[bytes, set[bytes]]] = {}
        self._reports: Final[dict[Report, dict[bytes, _Known]]] = {}
        self._holds: Final[dict[bytes, set[bytes]]] = {}
        self.ended: Final[list[bytes]] = []
        for one in stored:
            parents = tuple(one.parents[at : at + DIGEST_BYTES] for at in range(0, len(one.parents), DIGEST_BYTES))
            known = _Known(one.version, one.kind, one.head, one.quarantine, parents)
            self._reports.setdefault((one.agency, one.report_id), {})[one.digest] = known
            self._owners.setdefault(one.report_id, set()).add(one.agency)
        for feed, op, digest, via in placed:
            self._given.setdefault(digest, set()).add(feed)
            if op == "put" and via == BASE:
                self._holds.setdefault(digest, set()).add(feed)
            elif op != "put":
                self._holds.get(digest, set()).discard(feed)

    def place(self, new: Checked) -> Place | Outcome:
        """Return where a version stands, or the outcome that stores nothing."""
        manifest = new.manifest
        known = self._reports.get((manifest.agency, manifest.report_id), {})
        if manifest.version == 1:
            if known or self._is_anothers(manifest.agency, manifest.report_id):
                return Outcome(new.digest, OutcomeCode.ID_CONFLICT, "id_conflict", "manifest.report_id")
            return Place()
        return _follow(new, known)

    def release(self, held: Checked) -> Place | Outcome:
        """Return where a version in quarantine will stand, or why it cannot be taken out."""
        manifest = held.manifest
        known = self._reports.get((manifest.agency, manifest.report_id), {})
        own = known.get(held.digest)
        if own is None or own.quarantine is None:
            # Somebody else was quicker.
            return Outcome(held.digest, OutcomeCode.REFUSED, "not_found", "record.digest")
        place = _follow(held, known) if manifest.parents else Place()
        if isinstance(place, Place) and place.quarantine is not None:
            return Outcome(held.digest, OutcomeCode.RETRY, place.quarantine[0], "manifest.parents")
        return place

    def add(self, new: Checked, place: Place, *, live: bool) -> None:
        """Take a version in; one in quarantine (`live` False) leaves the heads alone."""
        manifest = new.manifest
        known = self._reports.setdefault((manifest.agency, manifest.report_id), {})
        self._owners.setdefault(manifest.report_id, set()).add(manifest.agency)
        quarantine = None if live else (new.quarantine or place.quarantine or ("", ""))[0]
        known[new.digest] = _Known(manifest.version, manifest.kind, live, quarantine, manifest.parents)
        if live:
            for digest in manifest.parents:
                if known[digest].head:
                    known[digest] = replace(known[digest], head=False)
                    self.ended.append(digest)

    def give(self, entries: Iterable[NewEntry]) -> None:
        """Take in that feeds will hold these entries."""
        for entry in entries:
            self._given.setdefault(entry.digest, set()).add(entry.feed)

    def _is_anothers(self, agency: bytes, report_id: bytes) -> bool:
        """Tell whether an agency was ever given another's report of this id.

        Only then may the answer differ: it never tells that a report exists which the agency was not given, nor of a
        kind whose existence is secret.
        """
        return any(
            one.kind != KIND_SECRET and any(self._has_feed(agency, feed) for feed in self._given.get(digest, ()))
            for owner in self._owners.get(report_id, ())
            if owner != agency
            for digest, one in self._reports[owner, report_id].items()
        )

    def drops(self, new: Checked) -> list[NewEntry]:
        """Return what a new version takes back, after it was added: its ancestors, where it does not follow them.

        All ancestors, because a feed that is read from its start would otherwise bring an older one back.
        What a grant or a supervisor's record gave is about one version and stays until its own end.
        """
        self._holds[new.digest] = gets = {entry.feed for entry in new.entries if entry.via == BASE}
        known = self._reports[new.manifest.agency, new.manifest.report_id]
        ancestors, waiting = set[bytes](), list(new.manifest.parents)
        while waiting:
            digest = waiting.pop()
            if digest in known and digest not in ancestors:
                ancestors.add(digest)
                waiting.extend(known[digest].parents)
        found = list[NewEntry]()
        for digest in sorted(ancestors, key=lambda one: (known[one].version, one)):
            lost = self._holds.get(digest, set()) - gets
            found += [NewEntry(feed, "drop", digest) for feed in sorted(lost)]
            self._holds.get(digest, set()).difference_update(lost)
        return found


def _follow(new: Checked, known: dict[bytes, _Known]) -> Place | Outcome:
    """Return where a later version stands among those of its report."""
    manifest = new.manifest
    parents = [known[digest] for digest in manifest.parents if digest in known]
    if len(parents) != len(manifest.parents):
        return Outcome(new.digest, OutcomeCode.RETRY, None, "manifest.parents")
    if any(parent.kind != manifest.kind for parent in parents):
        return Outcome(new.digest, OutcomeCode.REFUSED, "malformed", "manifest.kind")
    if manifest.version != max(parent.version for parent in parents) + 1:
        return Outcome(new.digest, OutcomeCode.REFUSED, "malformed", "manifest.version")
    held = next((parent.quarantine for parent in parents if parent.quarantine is not None), None)
    return Place(
        fork=sum(one.version == manifest.version for one in known.values()),
        forked=not all(parent.head for parent in parents),
        # Its readers would not have what it amends.
        quarantine=None if held is None else (held, "manifest.parents"),
    )
