"""Duties to tell in a report that the server keeps in quarantine: nobody has them until a supervisor countersigns.

For: an alarm with the author, who knows what is due, and with the supervisors, who can let it out; and the word that it
is out.
Refuses: to let it out by itself. What was signed without a right, or dated ahead, is for a supervisor to judge.
Source: docs/protocol.md section 6, "Quarantine".

> INVARIANT: a duty that waits in quarantine is never silent; it is told by telephone meanwhile.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.transport import Transport
from sluss_schemas import disclosure, manifest
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid

CODE: Final = "duty_in_quarantine"
_SPACE: Final = "stuck"
_LOOKED: Final = b"looked"
_LISTED: Final = b"listed"
_EVERY_S: Final = 3600
_TOLD: Final = frozenset({"no", "oral"})


def watch(local: Local) -> int:
    """Raise the author's alarm for own filings with a duty, and end it for what is out or was told; return the new."""
    before, new = {digest for digest, code in local.alarms() if code == CODE}, 0
    for row in list(local.outbox.rows()):
        if row.state is not State.QUARANTINED or row.digest is None:
            continue
        name = _name(b"author", row.digest)
        if _is_out(local, row):
            # It counts from now on as if the server had just received it, so its duties have a clock from here.
            local.outbox.save(msgspec.structs.replace(row, state=State.SENT, reason=None, field=None))
            local.calm(name)
        elif not _owes(row):
            local.calm(name)
        elif name not in before:
            local.alarm(CODE, name)
            new += 1
    return new


def _is_out(local: Local, row: Row) -> bool:
    received = local.replica.get(local.trust.own_id, row.report_id)
    return received is not None and any(version.digest == row.digest for version in received.versions)


def _owes(row: Row) -> bool:
    said = dict(row.duties)
    return any(said.get(code) not in _TOLD for code in {*row.due, *said})


async def supervise(local: Local, transport: Transport, pack: Pack, now: int) -> int:
    """Look into quarantine from a supervisor's device once an hour, and raise its alarms; return the new ones.

    A version has a duty where its author answered "send": the server sees that, and so does every supervisor.

    Raises:
        Offline: no contact.

    """
    supervisors, looked = local.trust.own.audience_for("supervisors"), local.store.get(_SPACE, _LOOKED)
    recent = looked is not None and 0 <= now - int.from_bytes(looked, "big") < _EVERY_S
    if supervisors is None or local.keys.kid not in supervisors.members or recent:
        return 0
    answer = await transport.get("/v1/quarantine", wire.QuarantineAnswer)
    found = {_name(b"supervisor", name) for one in answer.waiting if (name := _owing(one, pack)) is not None}
    data = local.store.get(_SPACE, _LISTED)
    before = set() if data is None else set(msgspec.msgpack.decode(data, type=list[bytes]))
    kept = found | before if answer.more else found
    with local.store.transaction():
        for name in before - kept:
            local.calm(name)
        for name in found - before:
            local.alarm(CODE, name)
        local.store.put(_SPACE, _LISTED, msgspec.msgpack.encode(sorted(kept)))
        local.store.put(_SPACE, _LOOKED, now.to_bytes(8, "big"))
    return len(found - before)


def countersigned(local: Local, digest: bytes) -> None:
    """End a supervisor's alarm about a version that they let out."""
    local.calm(_name(b"supervisor", digest))
    local.store.delete(_SPACE, _LOOKED)


def _owing(one: wire.Quarantined, pack: Pack) -> bytes | None:
    """Return the digest of a version with a duty that was to be sent; None for another, and for what is none."""
    try:
        item = decode(wire.Item, one.item, "item", limit=wire.MAX_PUSH_BYTES)
        codes = {disclosure.read_grant(grant.grant).gateway for grant in item.grants}
    except Invalid:
        return None
    owed = any(pack.gateways[code].duty for code in codes & pack.gateways.keys())
    return manifest.digest_of(item.manifest) if owed else None


def _name(whose: bytes, digest: bytes) -> bytes:
    return hashlib.sha256(CODE.encode() + whose + digest).digest()
