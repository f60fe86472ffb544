"""Tasks that the server opened: an alarm in the own agency's ledger, who opened so much, and the look when it is due.

They come with the supervisors' feed and the server's signature; nothing is sealed in what the server itself says.
Refuses: to let the person whom an alarm names end it, here as on the server.
Source: docs/protocol.md section 4 (`Raised`).

> INVARIANT: kept only once the signature, the agency and the name of the feed's entry hold.
"""

from __future__ import annotations

import msgspec

from sluss_client.errors import Invalid, Refused
from sluss_client.local import Local
from sluss_schemas.codec import decode
from sluss_schemas.records import Raised, SignedRecord, read_raised, record_digest, record_message
from sluss_schemas.signing import verify

_SPACE = "case_raised"


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A task, and the feeds that gave it."""

    data: bytes
    feeds: tuple[bytes, ...]


def take(local: Local, data: bytes | None, digest: bytes, feed: bytes) -> bool:
    """Keep a task that a feed gave; tell whether it was one, so that what is none is looked at by somebody else."""
    try:
        signed = decode(SignedRecord, data or b"", "record")
        found = read_raised(signed.record)
        if found is None or found.agency != local.trust.own_id or record_digest(signed.record) != digest:
            return False
        verify(local.checkpoint, signed.signature, record_message(signed.record))
    except Invalid:
        return False
    before = local.store.get(_SPACE, digest)
    feeds = set() if before is None else set(msgspec.msgpack.decode(before, type=_Kept).feeds)
    kept = _Kept(signed.record, tuple(sorted({*feeds, feed})))
    local.store.put(_SPACE, digest, msgspec.msgpack.encode(kept))
    return True


def close(local: Local, feed: bytes) -> bool:
    """Let go of what came through a feed that is closed; tell whether anything went."""
    gone = False
    for digest, data in list(local.store.items(_SPACE)):
        kept = msgspec.msgpack.decode(data, type=_Kept)
        left = tuple(one for one in kept.feeds if one != feed)
        if left == kept.feeds:
            continue
        gone = True
        if left:
            local.store.put(_SPACE, digest, msgspec.msgpack.encode(_Kept(kept.data, left)))
        else:
            local.store.delete(_SPACE, digest)
    return gone


def everything(local: Local) -> list[Raised]:
    """Return the tasks that this device knows of, the oldest first; one that a restored server opened again once."""
    rows = (msgspec.msgpack.decode(data, type=_Kept).data for _, data in local.store.items(_SPACE))
    found = {one.record: one for data in rows if (one := read_raised(data)) is not None}
    return sorted(found.values(), key=lambda one: (one.time, one.record))


def may_end(local: Local, task: bytes, how: str) -> None:
    """Return quietly unless this is such a task, and not this person's to end in this way.

    Raises:
        Refused: `about_yourself`, `supervisor_only`.
        Invalid: `unknown_code` for anything but `done`.

    """
    found = next((one for one in everything(local) if one.record == task), None)
    if found is None:
        return
    if found.person == local.person.person:
        raise Refused("task", code="about_yourself")
    if "supervisors" not in local.person.functions:
        raise Refused("task", code="supervisor_only")
    if how != "done":
        raise Invalid("unknown_code", "how")
