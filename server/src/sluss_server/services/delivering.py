"""What a device gets of a stored entry, decided again at the moment of delivery.

Source: docs/protocol.md section 6, docs/secrecy-rules.md B6.

> INVARIANT: a ciphertext without a wrap for the asker is never delivered, and what may not be delivered any more, or is
> older than the asker's history, is a salted commitment and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import msgpack

from sluss_schemas import sync
from sluss_schemas.agency import EpochKeys
from sluss_schemas.codec import encode
from sluss_schemas.disclosure import Wrap
from sluss_schemas.ids import NO_SCENE, Sector, bitmap_of
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy import visible
from sluss_schemas.policy.decide import Receiver, Slots
from sluss_schemas.policy.model import Pack
from sluss_schemas.records import SignedRecord
from sluss_server.services.directories import View
from sluss_server.services.gateways import EARLY_S
from sluss_server.services.placing import Feeds
from sluss_server.services.recipients import PLACE, given
from sluss_server.services.rules import NOTHING, Rules
from sluss_server.storage.feeds import GRANT, OPENED, StoredEntry, commitment

_ENTRY_BYTES: Final = 64
"""About what an entry costs beside its body."""
# These bytes were canonical when they came in, so they are decoded once, not checked again.
_wraps: Final = msgpack.Decoder(tuple[Wrap, ...])
_sections: Final = msgpack.Decoder(tuple[sync.Section, ...])
_facts: Final = msgpack.Decoder(tuple[int])
_tiers: Final = msgpack.Decoder(tuple[sync.Tier | None, sync.Tier | None])


@dataclass(frozen=True, slots=True)
class Asker:
    """Whom a page is for, and the state of things that it is made from."""

    view: View
    agency: bytes
    feeds: Feeds
    now: int


class Delivering:
    """Makes the entries of pages."""

    def __init__(self, rules: Rules) -> None:
        """Decide by these rules."""
        self._rules: Final = rules

    def entry(self, asker: Asker, stored: StoredEntry) -> tuple[sync.Entry, int]:
        """Return an entry as this device gets it, and about how many bytes that is."""
        if stored.op == sync.Op.RECORD:
            return _case(asker, stored)
        if stored.op != sync.Op.PUT:
            return sync.Entry(stored.seq, sync.Op(stored.op), stored.digest), _ENTRY_BYTES
        put = None if stored.ended else self._put(asker, stored)
        if put is None:
            seen = commitment(stored.salt, stored.digest, stored.op)
            return sync.Entry(stored.seq, sync.Op.SKIP, seen), _ENTRY_BYTES
        size = len(put.manifest) + sum(len(one.section) for one in put.sections) + 60 * len(put.wraps)
        return sync.Entry(stored.seq, sync.Op.PUT, stored.digest, put), _ENTRY_BYTES + size + len(put.seal or b"")

    def _put(self, asker: Asker, stored: StoredEntry) -> sync.Put | None:
        """Return the body of a `put`, or None where nothing of it may be delivered."""
        open_, held = (0, 0) if _older(asker, stored) else self._allowed(asker, stored)
        wraps = tuple(wrap for wrap in _wraps.decode(stored.wraps) if open_ >> wrap.slot & 1)
        own = stored.agency == asker.agency
        tiers = _tiers.decode(stored.tiers)
        if not wraps:
            if not held:
                return None
            # The supervisors' own row: it is counted and listed, and opens with a record.
            first = tiers[0] if held & PLACE else None
            return sync.Put(stored.manifest, stored.signature, (), None, (), (first, tiers[1]))
        has = bitmap_of(wrap.slot for wrap in wraps)
        sections = _sections_of(stored, has)
        first = tiers[0] if (has | held) & PLACE else None
        grant = None
        if stored.grant_bytes is not None and stored.grant_signature is not None:
            grant = sync.GrantProof(stored.grant_bytes, stored.grant_signature)
        second = tiers[1] if own else None
        return sync.Put(stored.manifest, stored.signature, sections, stored.seal, wraps, (first, second), grant)

    def _allowed(self, asker: Asker, stored: StoredEntry) -> tuple[int, int]:
        """Return the bitmap of what is open to this device now, and of what is held back from it."""
        owner = asker.view.directories.get(stored.agency)
        scene = _scene(stored) if asker.view.agreements else NO_SCENE
        receiver = asker.view.as_receiver(stored.recipient, stored.agency, asker.now, scene)
        pack = None if owner is None else self._rules.now(owner.packs, asker.now)
        if owner is None or receiver is None or pack is None:
            return 0, 0
        slots = self._rules.slots(pack, stored.kind, owner.sector, receiver)
        if stored.via != OPENED and _shown_no_longer(asker.now, stored, owner.sector, self._rules.pack(pack), receiver):
            return 0, 0
        if stored.via == GRANT:
            over = stored.grant_ended is not None or not _begun(asker.now, stored)
            if over or (stored.not_after is not None and asker.now >= stored.not_after):
                return 0, 0
            return given(self._rules, pack, slots, receiver, stored.gateway or ""), 0
        if stored.via == OPENED:
            return self._opened(asker, stored, receiver, slots), 0
        return slots.open, slots.held

    def _opened(self, asker: Asker, stored: StoredEntry, receiver: Receiver, slots: Slots = NOTHING) -> int:
        """Return what a supervisor's record opens, as long as the device is with the supervisors."""
        found = asker.view.receiver(stored.recipient)
        if found is None or not receiver.own or not isinstance(found[1], EpochKeys):
            return 0
        return slots.open | slots.held if found[1].audience == asker.feeds.supervises else 0


def _shown_no_longer(now: int, stored: StoredEntry, owner: Sector, pack: Pack | None, receiver: Receiver) -> bool:
    """Tell whether the hours are over for which the pack shows such a report, to all but the own supervisors."""
    kind = None if pack is None else pack.kinds.get(stored.kind)
    if pack is None or kind is None or kind.retention is None or stored.received_at is None:
        return False
    if receiver.own and receiver.function == "supervisors":
        return False
    observed = read_manifest(stored.manifest).time
    end = visible.until(pack, stored.kind, owner, observed=observed, received_at=stored.received_at)
    return end is not None and now >= end


def _begun(now: int, stored: StoredEntry) -> bool:
    """Tell whether what a grant gave has begun; a decider's clock may be as far ahead as a request's."""
    return stored.grant_begins is None or now >= stored.grant_begins - EARLY_S


def _sections_of(stored: StoredEntry, has: int) -> tuple[sync.Section, ...]:
    """Return the sections of these slots; an excerpt stands in for the section of its slot."""
    whole = tuple(one for one in _sections.decode(stored.sections) if has >> one.slot & 1)
    if stored.grant_excerpts is None:
        return whole
    excerpts = {one.slot: one for one in _sections.decode(stored.grant_excerpts) if has >> one.slot & 1}
    return tuple(one for _, one in sorted({**{one.slot: one for one in whole}, **excerpts}.items()))


def _scene(stored: StoredEntry) -> int:
    """Return the scene of a report, which an agreement may be limited to."""
    first = _tiers.decode(stored.tiers)[0]
    return NO_SCENE if first is None else int(_facts.decode(first.tier)[0])


def _case(asker: Asker, stored: StoredEntry) -> tuple[sync.Entry, int]:
    """Return the entry of a case record, and about how many bytes that is."""
    if stored.record is None or stored.record_signature is None or _older(asker, stored):
        seen = commitment(stored.salt, stored.digest, stored.op)
        return sync.Entry(stored.seq, sync.Op.SKIP, seen), _ENTRY_BYTES
    record = encode(SignedRecord(stored.record, stored.record_signature))
    return sync.Entry(stored.seq, sync.Op.RECORD, stored.digest, None, record), _ENTRY_BYTES + len(record)


def _older(asker: Asker, stored: StoredEntry) -> bool:
    """Tell whether an entry was sealed to an epoch before the asker's first: the device could not open it anyhow."""
    found = asker.view.receiver(stored.recipient)
    if found is None or not isinstance(found[1], EpochKeys):
        return False
    return found[1].epoch < asker.feeds.since.get(found[1].audience, 0)
