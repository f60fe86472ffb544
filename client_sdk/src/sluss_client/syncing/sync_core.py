"""The steps of a sync that need no network, no file and no clock: values in, values out.

Source: docs/protocol.md section 6.

> INVARIANT: a version is held as long as one feed holds it, and not a moment longer.
> INVARIANT: no answer of a server removes an outbox row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client.outbox import Row, State
from sluss_client.reading import Opened
from sluss_client.replica import Hold, Received, Version
from sluss_schemas import sync as wire
from sluss_schemas.ids import DIGEST_BYTES
from sluss_schemas.problems import CATALOGUE

_FIELD: Final = re.compile(r"[\w.]{1,80}", re.ASCII)


@dataclass(slots=True)
class Tally:
    """What a sync did, counted as it goes."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    quarantined: int = 0
    alarms: int = 0


def hold_of(opened: Opened, feed: bytes) -> Hold:
    """Return how a delivery is held."""
    grant = opened.grant
    return Hold(
        feed,
        opened.function,
        opened.named,
        opened.slots,
        opened.held,
        b"" if grant is None else grant.grant_id,
        "" if grant is None else grant.gateway,
        None if grant is None else grant.not_after,
        tuple(sorted(opened.excerpts.items())),
        None if grant is None else grant.not_before,
    )


def merge(before: Received | None, opened: Opened, feed: bytes, now: int) -> Received:
    """Return a report with one delivery taken in; delivered twice is the same as once."""
    received = before or Received(opened.report_id, opened.agency, ())
    hold = hold_of(opened, feed)
    old = next((one for one in received.versions if one.digest == opened.digest), None)
    if old is None:
        version = Version(
            opened.digest,
            opened.version,
            opened.manifest,
            opened.kind,
            tuple(sorted(opened.sections.items())),
            (hold,),
            opened.scene,
            now,
            tuple(sorted(opened.keys.items())),
        )
    else:
        same = [one for one in old.holds if (one.feed, one.grant) == (hold.feed, hold.grant)]
        if hold.held and any(not one.held for one in same):
            # What was opened is not closed by being told that it is held back; a `drop` does that.
            return received
        others = tuple(one for one in old.holds if one not in same)
        version = msgspec.structs.replace(
            old,
            kind=opened.kind or old.kind,
            sections=tuple(sorted({**dict(old.sections), **opened.sections}.items())),
            scene=opened.scene or old.scene,
            keys=tuple(sorted({**dict(old.keys), **opened.keys}.items())),
        )
        # What came before under a wider pack is not kept.
        version = _narrowed(version, (*others, hold))
    kept = tuple(one for one in received.versions if one.digest != opened.digest)
    versions = tuple(sorted((*kept, version), key=lambda one: (one.version, one.digest)))
    return msgspec.structs.replace(received, versions=versions)


def repeats(here: Version, opened: Opened, feed: bytes) -> bool:
    """Tell whether a delivery of a version that is here brings nothing: one that a feed has once is not put again.

    A supervisor may open a row more than once.
    """
    hold = hold_of(opened, feed)
    return opened.function != "supervisors" and any(
        (one.feed, one.grant, one.held) == (hold.feed, hold.grant, hold.held) for one in here.holds
    )


def drop(received: Received, feed: bytes, digest: bytes | None = None) -> Received:
    """Return a report without what was held through a feed.

    With a digest that is one version's base seal, since what a grant gave lasts until the grant's own end; with a
    digest and a grant's id (48 bytes) it is that grant's; without either the feed is closed, and everything held
    through it goes.
    """
    about, grant = (None, b"") if digest is None else named(digest)

    def ends(hold: Hold) -> bool:
        return hold.feed == feed and (digest is None or hold.grant == grant)

    return _without(received, about, ends)


def named(digest: bytes) -> tuple[bytes, bytes]:
    """Return the version and the grant that a `drop` names; no grant for a base seal."""
    return digest[:DIGEST_BYTES], digest[DIGEST_BYTES:]


def recall(received: Received, grant: bytes) -> Received:
    """Return a report without what one grant gave, through whatever feed it came."""
    return _without(received, None, lambda hold: hold.grant == grant)


def _without(received: Received, digest: bytes | None, ends: Callable[[Hold], bool]) -> Received:
    """Return a report without some holds of one version, or of all; a version that nothing holds any more is gone."""
    versions = []
    for version in received.versions:
        holds = tuple(hold for hold in version.holds if not ends(hold))
        if (digest is not None and version.digest != digest) or holds == version.holds:
            versions.append(version)
        elif holds:
            versions.append(_narrowed(version, holds))
    return msgspec.structs.replace(received, versions=tuple(versions))


def erase(received: Received, digest: bytes) -> Received:
    """Return a report without one version, however it was held."""
    versions = tuple(one for one in received.versions if one.digest != digest)
    return msgspec.structs.replace(received, versions=versions)


def expire(received: Received, now: int) -> Received:
    """Return a report without what grants that have ended gave."""
    return _without(received, None, lambda hold: hold.not_after is not None and now >= hold.not_after)


def narrow(received: Received, opens: Callable[[Version, Hold], int]) -> Received:
    """Return a report with what is still open of it through each hold; a hold that opens nothing is gone."""
    versions = []
    for version in received.versions:
        holds = []
        for hold in version.holds:
            # What the server holds back has given nothing yet.
            left = hold.slots if hold.held else hold.slots & opens(version, hold)
            if left or hold.held:
                cut = tuple(one for one in hold.excerpts if left >> one[0] & 1)
                holds.append(msgspec.structs.replace(hold, slots=left, excerpts=cut))
        if tuple(holds) == version.holds:
            versions.append(version)
        elif holds:
            versions.append(_narrowed(version, tuple(holds)))
    return msgspec.structs.replace(received, versions=tuple(versions))


def _narrowed(version: Version, holds: tuple[Hold, ...]) -> Version:
    left = 0
    for hold in holds:
        left |= hold.whole
    sections, keys = (
        tuple((number, data) for number, data in some if left >> number & 1)
        for some in (version.sections, version.keys)
    )
    return msgspec.structs.replace(version, holds=holds, sections=sections, keys=keys)


def _known(reason: str | None) -> str | None:
    """Return a server's reason where it is a code; free text of a server's is shown to nobody."""
    return reason if reason in CATALOGUE else None


def answered(row: Row, outcome: wire.Outcome, now: int) -> Row:
    """Return an outbox row after the server's answer to it."""
    code = outcome.outcome
    if code is wire.OutcomeCode.RETRY:
        return row
    if code is wire.OutcomeCode.STALE_DIRECTORY:
        # The one answer that permits sealing again, to the members of now.
        return msgspec.structs.replace(row, state=State.FILED, digest=None, section_keys=())
    if code is wire.OutcomeCode.QUARANTINED:
        state = State.QUARANTINED
    elif code in wire.STORED or code is wire.OutcomeCode.GONE:
        state = State.SENT
    else:
        state = State.REFUSED
    return msgspec.structs.replace(
        row,
        state=state,
        reason=_known(outcome.reason) or (str(code) if state is State.REFUSED else None),
        field=outcome.field if _FIELD.fullmatch(outcome.field or "") else None,
        outcome=str(code),
        receipt=outcome.receipt,
        receipt_signature=outcome.receipt_signature,
        answered_at=now,
    )
