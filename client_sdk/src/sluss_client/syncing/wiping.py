"""What a revoked device does: it seals what it has not sent, forgets the rest, and goes on sending.

Refuses to forget anything on a server's word: only the own agency's directory, verified here, says that a device was
revoked.
What was filed is sealed as ever, with the keys of the moment before.
What cannot be sealed that way any more (no group key, a version before it that the server refused), or only to an
audience in which nobody else is left, is sealed as plain values to the own supervisors' key, else to the registrars'
devices, else to any other device of the agency, under a label of its own; it is sent nowhere, and stays on the device
for whoever of them holds it in their hands.
An agency in which no other device is left has nobody to seal to; then these values go, too.
The device's signing key stays, so that sealed items are pushed at every contact until they are answered.
Source: docs/protocol.md section 6.

> INVARIANT: sealing and forgetting are one transaction, so a kill leaves a device that has everything and is wiped at
> its next contact, or a wiped one that has lost nothing unsent.
> INVARIANT: afterwards nothing in the store opens anything in it: what stays is sealed to others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from sluss_client import casework, crypto, outbox
from sluss_client.cases import book, sending
from sluss_client.errors import Refused, StoreError, Untrusted
from sluss_client.local import Local
from sluss_client.outbox import ANSWERED, Row, State
from sluss_client.syncing import again, pushing
from sluss_client.syncing.sync_core import Tally
from sluss_client.transport import Transport
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import Kid
from sluss_schemas.records import Case
from sluss_schemas.replay import Directory

SPACE: Final = "rescued"
"""The store's space of plain values that could only be sealed to somebody in the agency, by the row's key."""
LABEL: Final = b"sluss/rescue"
_STAYS: Final = outbox.SPACES | again.SPACES | casework.SPACES | {book.OUT, SPACE, "device", "chain"}


class Rescued(msgspec.Struct, frozen=True, array_like=True):
    """What was filed and could not be sealed as a report: padded, and sealed under `rescue_info`.

    `records` are the case records about it that had no name to be filed by: the code of each and its body.
    """

    kind: int
    filed_at: int
    values: bytes
    parents: tuple[bytes, ...]
    duties: tuple[tuple[str, str], ...]
    records: tuple[tuple[str, bytes], ...] = ()


def rescue_info(agency: bytes, key: bytes) -> bytes:
    """Return the HPKE info under which a row's plain values are sealed; `key` is report id and version (20 bytes)."""
    return LABEL + agency + key


def wipe(local: Local, now: int) -> None:
    """Seal what is not sent and forget everything else, in one durable step; nothing without the directory's proof.

    Raises:
        Refused: `not_allowed` where the own directory does not say that this device was revoked.
        StoreError: `disk_full`; nothing was changed.

    """
    if not local.revoked:
        raise Refused("device", code="not_allowed")
    with local.store.transaction():
        _seal(local, now)
        for row in local.outbox.rows():
            if row.state in ANSWERED and not local.outbox.item(row):
                local.outbox.remove(row)
            else:
                _blank(local, row, now)
        _forget(local, now)
    local.store.scrub()
    local.load()


async def contact(local: Local, transport: Transport, tally: Tally) -> None:
    """Send what a wiped device still has; what the server does not answer for good stays for the next time."""
    # A kill may have come between the transaction and the end of the log that still had the old pages.
    local.store.scrub()
    with suppress(Refused, Untrusted):
        known = membership.DirectoryPull(local.known())
        answer = await transport.post("/v1/directory/pull", known, membership.DirectoryAnswer)
        _take_instance(local, answer.instance, transport.now())
    await again.push(local, transport)
    await pushing.push_sealed(local, transport, tally, lambda _stage, _done, _total: None)
    await casework.push(local, transport)
    await sending.push(local, transport)


def _take_instance(local: Local, instance: bytes, now: int) -> None:
    """Push again on the server's word: this device cannot see its agency accept an instance, and all is sealed."""
    before = local.server_instance()
    if instance in {b"", before}:
        return
    with local.store.transaction():
        local.told_instance(instance)
        if before:
            again.mark(local, now)


def _seal(local: Local, now: int) -> None:
    """Seal every row that can be sealed, and the grants of duties that were answered since."""
    with _as_far_as_it_goes():
        moment = pushing.moment_of(local, now)
        for key in local.outbox.pending():
            with _as_far_as_it_goes():
                pushing.seal_row(local, local.outbox.by_key(key), moment)
        casework.make_grants(local, now)
    with _as_far_as_it_goes():
        book.settle(local)


@contextmanager
def _as_far_as_it_goes() -> Iterator[None]:
    """Let nothing but the store itself stop the wipe: what could not be sealed is rescued."""
    try:
        yield
    except StoreError:
        raise
    except Exception:  # noqa: BLE001, S110  # what it was makes no difference to what has to be done
        pass


def _blank(local: Local, row: Row, now: int) -> None:
    """Take what can be read out of a row, after sealing it for others where nothing else holds it."""
    unsealed = row.state in {State.FILED, State.REFUSED}
    # A duty that was answered and could not be sent goes the same way.
    if unsealed or row.unsent or (row.state is State.SEALED and not _opens_for_others(local, row)):
        whole = Rescued(row.kind, row.filed_at, row.values, row.parents, row.duties, _recorded(local, row))
        padded = crypto.pad(encode(whole))
        info = rescue_info(local.trust.own_id, row.key)
        sealed = [(kid, crypto.seal(key, info, padded)) for kid, key in _rescuers(local.trust.own, local.keys.kid)]
        local.store.put(SPACE, row.key, encode(sealed))
    kind = 0
    with suppress(Untrusted, KeyError):
        kind = local.trust.pack(now).clear_kind(row.kind)
    local.outbox.save(
        msgspec.structs.replace(
            row, kind=kind, values=b"", shown=(), duties=(), due=(), unsent=(), section_keys=(), field=None, event=b""
        )
    )


def _recorded(local: Local, row: Row) -> tuple[tuple[str, bytes], ...]:
    """Return what was recorded about a report that has no name to file it by."""
    waiting = (msgspec.msgpack.decode(data, type=book.Later) for _, data in local.store.items(book.LATER))
    mine = (one for one in waiting if (one.report_id, one.version) == (row.report_id, row.version))
    return tuple((decode(Case, one.case, "record").code, one.kept.body) for one in mine)


def _opens_for_others(local: Local, row: Row) -> bool:
    """Tell whether a sealed item is sealed to anybody of the own agency who is left, this device aside."""
    own = local.trust.own
    for recipient in decode(wire.Item, local.outbox.item(row), "item").recipients:
        keys = own.by_kem_kid.get(Kid(recipient.kid))
        if isinstance(keys, EpochKeys) and own.audiences[keys.audience].members.keys() - {local.keys.kid}:
            return True
        if isinstance(keys, Device) and keys.revoked_at is None and keys.kid != local.keys.kid:
            return True
    return False


def _rescuers(own: Directory, this: Kid) -> list[tuple[Kid, bytes]]:
    """Return the KEM keys that plain values are sealed to: the first of the three kinds of which there is one."""
    supervisors = own.audience_for("supervisors")
    current = [] if supervisors is None or supervisors.recipient is None else [supervisors.recipient]
    others = [device for kid, device in own.devices.items() if device.revoked_at is None and kid != this]
    registrars = [device for device in others if device.kid in own.registrars]
    for some in (current, registrars, others):
        keys = [(one.kem_kid, one.kem_key) for one in some if crypto.usable(one.kem_key)]
        if keys:
            return keys
    return []


def _forget(local: Local, now: int) -> None:
    """Empty every space but those that hold only sealed things, the own chain and the device's own name."""
    for space in sorted(local.store.spaces() - _STAYS):
        local.store.clear(space)
    local.empty(crypto.random_key(), now)
