"""What a server's answers must keep to, whoever wrote what is in them: feeds, pages, and the directories behind them.

Signatures say who wrote a thing and never that nothing was left out, moved or dated back; this module says that much
from what the device has seen before.
Values in, codes out: it asks for no time and does no I/O.
Source: docs/protocol.md sections 2 and 6.

> INVARIANT: an honest server never gives a code, whatever its devices do at the same time.
> INVARIANT: nothing is believed because a server says so, not even that it was restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sluss_client.reading import Alarm, Opened
from sluss_client.trust import Trust
from sluss_schemas import sync as wire
from sluss_schemas.agency import EpochKeys
from sluss_schemas.ids import ID_BYTES, AgencyId, Kid
from sluss_schemas.manifest import Head, directories_digest
from sluss_schemas.replay import Directory

FORK = "directory_fork"
WITHHELD = "directory_withheld"
AHEAD = "directory_ahead"
"""Sealed with directories that a restored server has yet to get back from its devices: asked again, then an alarm."""
CONTRADICTIONS = frozenset({FORK, WITHHELD})
"""After one of these nothing is sealed: readers would be computed from directories that others do not see."""
LARGEST = 2**63 - 1
"""The largest number of an entry or a generation."""


# feeds and pages


@dataclass(frozen=True, slots=True)
class Feeds:
    """The feeds of this device, as its own directory says: its own one, and its audiences' at its person's scenes."""

    own: bytes
    audiences: dict[bytes, frozenset[int] | None]

    def has(self, feed: bytes) -> bool:
        """Tell whether a feed is one of them."""
        if feed == self.own:
            return True
        audience, scene = feed[:ID_BYTES], feed[ID_BYTES:]
        if audience not in self.audiences or len(scene) not in {0, 2}:
            return False
        scenes = self.audiences[audience]
        return not scene or scenes is None or int.from_bytes(scene, "big") in scenes


def feeds_of(own: Directory, kid: Kid) -> Feeds:
    """Return the feeds of a device of the own agency; only field staff have feeds by scene."""
    person = own.persons[own.devices[kid].person]
    audiences = {
        bytes(one.audience): person.scenes if one.function == "field" else frozenset[int]()
        for one in own.audiences.values()
        if kid in one.members
    }
    return Feeds(b"d" + kid, audiences)


def page_fault(page: wire.FeedPage, before: wire.Position | None, *, renewed: bool) -> str | None:
    """Return what is wrong with a page that is to follow a position: `feed_rewound`, `feed_gap`, or None.

    `renewed` says that the server's instance is another than when the position was reached, so that the feed may begin
    anew with a higher generation.
    """
    position = page.position
    if not all(0 <= number <= LARGEST for number in (position.generation, position.seq, position.below)):
        return "feed_gap"
    if before is not None and position.generation != before.generation:
        if not renewed or position.generation < before.generation:
            return "feed_rewound"
        before = None
    if before is None:
        # A feed that is new is read downwards from its head.
        before = wire.Position(position.feed, position.generation, position.seq, position.seq + 1)
    if position.seq < before.seq or any(entry.seq <= before.seq for entry in page.entries):
        return "feed_rewound"
    follows = all(entry.seq == seq for seq, entry in enumerate(page.entries, before.seq + 1))
    precedes = all(entry.seq == before.below - number for number, entry in enumerate(page.past, 1))
    below = before.below - len(page.past)
    if not follows or not precedes or position.seq != before.seq + len(page.entries) or (page.past and below < 1):
        return "feed_gap"
    if position.below != (below if below > 1 else 0) or (position.below > 0 and not page.more):
        return "feed_gap"
    return None


def twice(pages: Iterable[wire.FeedPage]) -> set[bytes]:
    """Return the feeds that one answer has more than one page of."""
    seen, found = set[bytes](), set[bytes]()
    for page in pages:
        (found if page.position.feed in seen else seen).add(page.position.feed)
    return found


# directories


def head_faults(trust: Trust, heads: Iterable[Head], *, restored: bool) -> Iterator[tuple[str, AgencyId]]:
    """Yield what is wrong with how far a server says that it has the chains, after all of them were pulled.

    `directory_fork` for another history, `directory_withheld` for entries that it has and did not give, and
    `directory_lost` for entries that are here and that it does not have, unless it was restored.
    """
    said = {AgencyId(head.agency): head for head in heads}
    for agency, chain in trust.chains.items():
        head = said.get(agency)
        if head is None or head.seq < chain.seq:
            if said and not restored:
                yield "directory_lost", agency
        elif head.seq > chain.seq:
            yield WITHHELD, agency
        if head is not None and contradicts(chain, head):
            yield FORK, agency


def contradicts(chain: Directory, head: Head) -> bool:
    """Tell whether a head is not of this history."""
    return head.seq <= chain.seq and chain.hashes[head.seq] != head.hash


class Histories:
    """The directory heads that the versions of one answer were sealed with, held against the own directories."""

    def __init__(self, trust: Trust, used: Sequence[tuple[Head, ...]], now: int, *, restored: bool) -> None:
        """Take the lists of an answer; one that names an agency twice is none."""
        self._trusted = {chain.agency: chain for chain in trust.agencies(now)}
        self._restored = restored
        self._lists = {
            directories_digest(heads): {AgencyId(head.agency): head for head in heads}
            for heads in used
            if len({head.agency for head in heads}) == len(heads)
        }
        self._found = {digest: self._codes(heads) for digest, heads in self._lists.items()}

    def behind(self) -> bool:
        """Tell whether somebody used a directory that goes on after the own one, so that it should be pulled again."""
        return any({AHEAD, WITHHELD} & codes for codes in self._found.values())

    def heads(self, digest: bytes) -> dict[AgencyId, Head]:
        """Return the heads that a version was sealed with, by agency.

        Raises:
            Alarm: `heads_missing` when the server did not give them.

        """
        heads = self._lists.get(digest)
        if heads is None:
            raise Alarm("heads_missing")
        return heads

    def contradiction(self, digest: bytes) -> str | None:
        """Return in what the heads that a version was sealed with contradict the own directories, or None."""
        codes = self._found.get(digest, set())
        return next((code for code in (FORK, WITHHELD, AHEAD) if code in codes), None)

    def _codes(self, heads: dict[AgencyId, Head]) -> set[str]:
        found = set[str]()
        for agency, chain in self._trusted.items():
            head = heads.get(agency)
            if head is not None and head.seq > chain.seq:
                found.add(AHEAD if self._restored else WITHHELD)
            elif head is not None and contradicts(chain, head):
                found.add(FORK)
        return found


# time


def check_when(opened: Opened, histories: Histories, own: AgencyId, closed_before: int | None) -> None:
    """Return quietly if a version was made with directories like the own ones, by keys that were in force in them.

    `closed_before` is given for what arrives as new: an epoch that was closed before that time can have signed nothing
    of it, and nothing of it can have been sealed to that epoch.

    Raises:
        Alarm: `heads_missing`, `directory_fork`, `directory_withheld`, `directory_ahead`, `epoch_not_current`,
            `old_epoch`.

    """
    heads = histories.heads(opened.directories)
    if (code := histories.contradiction(opened.directories)) is not None:
        raise Alarm(code)
    # A grant is made later, with other directories.
    sealed_to = opened.recipient if opened.grant is None else None
    for keys, agency in ((opened.signer, opened.agency), (sealed_to, own)):
        if keys is not None and (agency not in heads or not keys.current_at(heads[agency].seq)):
            raise Alarm("epoch_not_current")
    made = opened.signer if opened.granter is None else opened.granter
    for keys in (made, opened.recipient):
        if closed_before is not None and _closed(keys, closed_before):
            raise Alarm("old_epoch")


def _closed(keys: EpochKeys | None, before: int) -> bool:
    return keys is not None and keys.closed_at is not None and keys.closed_at < before
