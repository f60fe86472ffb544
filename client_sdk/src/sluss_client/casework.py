"""Acts about a report that is filed already: a supervisor opens a row, an author answers a duty later.

Each is durable in the store before the call returns, and goes out with the next sync, byte for byte until answered.
`again` keeps what was answered, for a server that is restored.
Source: docs/protocol.md section 4.

> INVARIANT: a reason leaves the device sealed to the own supervisors; the server sees that there is one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sluss_client import crypto, filing, told
from sluss_client.errors import Refused, Untrusted
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.sealers import Moment
from sluss_client.sections import AuthorSection
from sluss_client.syncing import again
from sluss_client.syncing.receipts import RECEIPTED, check_receipt
from sluss_client.transport import Transport
from sluss_schemas import disclosure
from sluss_schemas import sync as wire
from sluss_schemas.agency import Audience
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import Digest, ReportId, slot
from sluss_schemas.manifest import read_manifest, section_context
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Open, Record, SignedRecord, record_message

ANSWERS: Final = frozenset({"send", "no"})
"""What an author may answer to a duty."""
_RECORDS: Final = "record"
_GRANTS: Final = "grant"
SPACES: Final = frozenset({_RECORDS, _GRANTS})
"""The store's spaces of what waits to be sent."""
_ROW_KEY_BYTES: Final = 20
_AUTHOR: Final = slot("AUT")
_REASON_LABEL: Final = b"sluss/reason"
_MAX_REASON_BYTES: Final = 4000


def open_row(local: Local, digest: bytes, reason: str | None, task: bytes | None, now: int) -> None:
    """File an `open` record for a row that the server holds back.

    Raises:
        Refused: `supervisor_only`, or `no_group_key` until the supervisors have one.
        Invalid: `missing_field` unless exactly one of reason and task is given; `too_long`.

    """
    supervisors = own_supervisors(local)
    if (not reason) == (task is None):
        raise Invalid("missing_field", "reason", "State a reason or name a task, one of the two.")
    sealed = None
    if reason:
        if len(reason.encode()) > _MAX_REASON_BYTES:
            raise Invalid("too_long", "reason")
        if supervisors.recipient is None or not crypto.usable(supervisors.recipient.kem_key):
            raise Refused("reason", code="no_group_key")
        sealed = crypto.seal(supervisors.recipient.kem_key, _REASON_LABEL + digest, crypto.pad(reason.encode()))
    file_record(local, digest, Open(os.urandom(16), digest, local.keys.kid, now, task, sealed))


def own_supervisors(local: Local) -> Audience:
    """Return the audience of the own supervisors, on the device of one of them; else `Refused` `supervisor_only`."""
    supervisors = local.trust.own.audience_for("supervisors")
    if supervisors is None or local.keys.kid not in supervisors.members:
        raise Refused("device", code="supervisor_only")
    return supervisors


def file_record(local: Local, about: bytes, record: Record) -> None:
    """Sign a record with this device's key and keep it until it is answered; one about the same takes its place."""
    data = encode(record)
    signed = SignedRecord(data, local.keys.sign.sign(record_message(data)))
    local.store.put(_RECORDS, about, encode(signed))


def answer(local: Local, row: Row, answers: Mapping[str, str]) -> None:
    """Answer duties of a filed report: "send" goes out as a grant of its own, "no" is kept.

    Raises:
        Invalid: `unknown_duty` for a duty that the form did not put, or one that was answered.

    """
    before = dict(row.duties)
    for code, said in answers.items():
        if code not in row.due or code in before or said not in ANSWERS:
            raise Invalid("unknown_duty", f"duties.{code}")
    sealed = row.digest is not None
    sent = tuple(code for code, said in answers.items() if said == "send")
    duties = tuple(sorted({**before, **answers}.items()))
    local.outbox.save(msgspec.structs.replace(row, duties=duties, unsent=row.unsent + (sent if sealed else ())))


async def push(local: Local, transport: Transport) -> None:
    """Send the grants and records that wait; what the server has answered is kept for a restore, and not sent again."""
    make_grants(local, transport.now())
    for batch in _batches(sorted(local.store.items(_GRANTS))):
        push = wire.Push((), grants=tuple(msgspec.Raw(data) for _, data in batch))
        answer = await transport.post("/v1/push", push, wire.PushAnswer)
        with local.store.transaction():
            _take_answers(local, _GRANTS, batch, answer.grants, transport.now())
    for batch in _batches(sorted(local.store.items(_RECORDS), key=_when)):
        push = wire.Push((), records=tuple(msgspec.Raw(data) for _, data in batch))
        answer = await transport.post("/v1/push", push, wire.PushAnswer)
        with local.store.transaction():
            _take_answers(local, _RECORDS, batch, answer.records, transport.now())


def _when(waiting: tuple[bytes, bytes]) -> int:
    """Return when a record was made: one may follow from another."""
    signed = decode(SignedRecord, waiting[1], "record")
    return decode(Record, signed.record, "record").time  # type: ignore[arg-type]  # a union is no class


def _batches(waiting: list[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield what fits into one push; one of them takes 10 KB at most, so the number is the bound."""
    for start in range(0, len(waiting), wire.MAX_PUSH_ITEMS):
        yield waiting[start : start + wire.MAX_PUSH_ITEMS]


def make_grants(local: Local, now: int) -> None:
    """Make the grants of answered duties once, and keep them to be pushed verbatim."""
    waiting = local.outbox.unsent()
    if not waiting:
        return
    moment = Moment(local.author(), local.trust, local.trust.pack_to_seal(now), now)
    for key in waiting:
        row = local.outbox.by_key(key)
        author = None if row.digest is None or row.state is not State.SENT else _author(local, row)
        if row.digest is None or author is None:
            continue
        left = []
        with local.store.transaction():
            for code in row.unsent:
                items = filing.late_grants(
                    Digest(row.digest), row.kind, code, dict(row.section_keys), moment, author=author, hold=row.hold
                )
                for number, item in enumerate(items):
                    local.store.put(_GRANTS, key + code.encode() + bytes([number]), encode(item))
                    told.remember_grant(local, item)
                if not items:
                    left.append(code)
            local.outbox.save(msgspec.structs.replace(row, unsent=tuple(left)))


def _author(local: Local, row: Row) -> AuthorSection | None:
    """Return the author section of an own filing, as it was sealed or as it came back; None where neither is here."""
    if (data := local.outbox.item(row)) and (key := dict(row.section_keys).get(_AUTHOR)) is not None:
        item = decode(wire.Item, data, "item")
        document, sealed = read_manifest(item.manifest), {one.slot: one.section for one in item.sections}[_AUTHOR]
        context = section_context(ReportId(row.report_id), document.author_ref, row.version, _AUTHOR)
        return decode(AuthorSection, crypto.decrypt_section(key, context, sealed), "author")
    received = local.replica.get(local.trust.own_id, row.report_id)
    for version in () if received is None else received.versions:
        if version.digest == row.digest and (section := dict(version.sections).get(_AUTHOR)) is not None:
            return decode(AuthorSection, section, "author")
    return None


def forget(local: Local, row: Row) -> None:
    """Let go of what waits to be sent about a row that is over."""
    for key, _ in list(local.store.items(_GRANTS)):
        if key.startswith(row.key):
            local.store.delete(_GRANTS, key)


def _take_answers(
    local: Local, space: str, sent: list[tuple[bytes, bytes]], outcomes: tuple[wire.Outcome, ...], now: int
) -> None:
    if len(sent) != len(outcomes):
        raise Untrusted("server_error", "push", "The server did not answer everything; all of it is kept.")
    for number, ((key, data), outcome) in enumerate(zip(sent, outcomes, strict=True)):
        if outcome.outcome is wire.OutcomeCode.RETRY:
            continue
        if outcome.outcome in RECEIPTED:
            check_receipt(outcome, _name_of(space, data), local.checkpoint)
        local.store.delete(space, key)
        if outcome.outcome in wire.STORED:
            again.keep(local, "grants" if space == _GRANTS else "records", data, outcome, (now, number))
            continue
        if space == _GRANTS and not local.wiped:
            # The duty was not told: it waits in `duties()` again, and is made again for the receivers of then.
            row = local.outbox.by_key(key[:_ROW_KEY_BYTES])
            code = key[_ROW_KEY_BYTES:-1].decode()
            local.outbox.save(msgspec.structs.replace(row, unsent=tuple(sorted({*row.unsent, code}))))
        if outcome.outcome is not wire.OutcomeCode.STALE_DIRECTORY:
            local.alarm(outcome.reason or str(outcome.outcome), outcome.digest)


def _name_of(space: str, data: bytes) -> bytes:
    """Return the digest by which a grant or a record is answered."""
    if space == _GRANTS:
        return disclosure.grant_digest(decode(disclosure.GrantItem, data, "grant").grant)
    return hashlib.sha256(decode(SignedRecord, data, "record").record).digest()
