"""The case records of a device: those that its person filed, and those that came for it.

Filing seals at once to the addressees' keys of now; where the server calls one of them stale it is sealed again, under
the same id.
What came is taken in when its signature, its rule and its addressees hold, and opens with the keys of this device.
Refuses: to let go of what was filed before the server has answered it.
Source: docs/protocol.md section 4.

> INVARIANT: what `file` returned is on disk, sealed, and stays there until the server has acknowledged it.
> INVARIANT: a record that came goes when the last feed that gave it is closed to this device.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.errors import Refused
from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_client.reading import Alarm
from sluss_schemas import records
from sluss_schemas.agency import Device, EpochKeys, Person
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import AgencyId, Kid
from sluss_schemas.problems import Invalid
from sluss_schemas.records import RULES, Case, CaseKind, RecordSeal, SignedRecord
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify

OUT: Final = "case_out"
"""The store's space of what waits to be sent, by the record's id: signed bytes, nothing in clear but what leaves so."""
LATER: Final = "case_later"
_OWN: Final = "case_own"
_CAME: Final = "case_came"
Addressee = tuple[Kid, bytes]
"""A KEM key's id and the key: an audience's epoch or a device."""


class Own(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A record that was filed here; `state` is `waiting`, `sent` or `refused`, with the server's reason."""

    data: bytes
    body: bytes
    to: tuple[bytes, ...]
    state: str = "waiting"
    reason: str = ""
    field: str = ""


class Later(msgspec.Struct, frozen=True, array_like=True):
    """A record about a report that is not sealed yet, and so has no name: it is filed as soon as it has one."""

    case: bytes
    kept: Own
    report_id: bytes
    version: int


class Came(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A record that came, and the feeds that gave it; `body` is None where it does not open here."""

    data: bytes
    agency: bytes
    body: bytes | None
    received_at: int
    feeds: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A record as this device knows it.

    Attributes:
        case: the record.
        agency: the filer's agency.
        body: its plaintext; empty where there is none or where it does not open here.
        received_at: when it came, or was made on this device, in Unix seconds.
        person: the filer, as their directory has them now.
        own: whether it was filed on this device.
        state: for an own one `waiting`, `sent` or `refused`; else `received`.

    """

    case: Case
    agency: AgencyId
    body: bytes
    received_at: int
    person: Person | None
    own: bool = False
    state: str = "received"


# addressees


def own(local: Local, *functions: str) -> list[Addressee]:
    """Return the keys of the own agency's audiences of these functions, as far as they have one."""
    return agency(local.trust.own, *functions)


def agency(chain: Directory, *functions: str) -> list[Addressee]:
    """Return the keys of an agency's audiences of these functions, as far as they have one."""
    audiences = (chain.audience_for(function) for function in functions)  # type: ignore[arg-type]  # a function's name
    epochs = (None if one is None else one.recipient for one in audiences)
    return [(one.kem_kid, one.kem_key) for one in epochs if one is not None and crypto.usable(one.kem_key)]


def devices(chain: Directory, kids: Iterable[bytes]) -> list[Addressee]:
    """Return the KEM keys of an agency's devices by their ids, as far as they are not revoked."""
    known = (chain.devices.get(Kid(kid)) for kid in kids)
    return [(one.kem_kid, one.kem_key) for one in known if one is not None and one.revoked_at is None]


def person(chain: Directory, who: bytes) -> list[Addressee]:
    """Return the KEM keys of a person's devices that are not revoked."""
    return devices(chain, [kid for kid, one in chain.devices.items() if one.person == who])


# filing


def file(
    local: Local,
    kind: CaseKind,
    *,
    now: int,
    code: str = "",
    digest: bytes | None = None,
    row: Row | None = None,
    follows: bytes | None = None,
    until: int | None = None,
    terms: bytes = b"",
    to: Sequence[Addressee] = (),
    body: bytes = b"",
) -> bytes:
    """Sign a record and keep it until the server has answered; return its id. No network.

    `row` is the version in the outbox that it is about, where `digest` does not say it: sealed or not.
    A body that nobody is addressed by stays on this device.

    Raises:
        Refused: `supervisor_only` or `not_allowed` where this person's functions may not file the kind.
        Invalid: `too_long` for the body.

    """
    allowed = {*RULES[kind].files, "supervisors"}
    if not allowed & set(local.person.functions):
        raise Refused("device", code="supervisor_only" if allowed == {"supervisors"} else "not_allowed")
    if len(body) > records.MAX_BODY_BYTES // 2:
        raise Invalid("too_long", "text")
    name = os.urandom(16)
    digest = row.digest if row is not None else digest
    case = Case(name, kind, local.keys.kid, now, digest, follows, code, until, terms, (), b"")
    keep = Own(data=b"", body=body, to=tuple(kid for kid, _ in to))
    if row is not None and digest is None:
        data = encode(case)
        later = Later(data, msgspec.structs.replace(keep, data=data), row.report_id, row.version)
        local.store.put(LATER, name, msgspec.msgpack.encode(later))
    else:
        _seal(local, case, keep)
    return name


def settle(local: Local) -> None:
    """File what was about a report without a name, for those that have one by now."""
    for name, data in list(local.store.items(LATER)):
        later = msgspec.msgpack.decode(data, type=Later)
        row = local.outbox.get(later.report_id, later.version)
        if row is None or row.digest is None:
            continue
        with local.store.transaction():
            _seal(local, msgspec.structs.replace(_case_of(later.case), digest=row.digest), later.kept)
            local.store.delete(LATER, name)


def seal_again(local: Local, name: bytes) -> bool:
    """Seal a waiting record to its addressees' keys of now; tell whether anything changed."""
    data = local.store.get(_OWN, name)
    if data is None:
        return False
    kept = msgspec.msgpack.decode(data, type=Own)
    before = local.store.get(OUT, name)
    _seal(local, _case_of(kept.data), kept)
    return local.store.get(OUT, name) != before


def _seal(local: Local, case: Case, kept: Own) -> None:
    targets = _targets(local, kept.to) if kept.body else []
    key = crypto.random_key()
    sealed = msgspec.structs.replace(
        case,
        seals=tuple(
            RecordSeal(kid, crypto.seal(public, records.seal_info(case.record, kid), key)) for kid, public in targets
        ),
        body=crypto.encrypt_section(key, records.body_context(case.record), kept.body) if targets else b"",
    )
    data = encode(sealed)
    signed = SignedRecord(data, local.keys.sign.sign(records.record_message(data)))
    with local.store.transaction():
        local.store.put(_OWN, case.record, msgspec.msgpack.encode(msgspec.structs.replace(kept, data=data)))
        local.store.put(OUT, case.record, encode(signed))


def _targets(local: Local, kids: Iterable[bytes]) -> list[Addressee]:
    """Return whom key ids stand for now: the audience's epoch in force for an epoch, a device that is in use."""
    found = dict[Kid, bytes]()
    for kid in kids:
        for chain in local.trust.chains.values():
            keys = chain.by_kem_kid.get(Kid(kid))
            if isinstance(keys, EpochKeys):
                keys = chain.audiences[keys.audience].recipient
            elif isinstance(keys, Device) and keys.revoked_at is not None:
                keys = None
            if keys is not None and crypto.usable(keys.kem_key):
                found[keys.kem_kid] = keys.kem_key
    return sorted(found.items())


def answered(local: Local, name: bytes, state: str, reason: str = "", field: str = "") -> None:
    """Note the server's final answer to a record that was filed here."""
    local.store.delete(OUT, name)
    data = local.store.get(_OWN, name)
    if data is not None:
        kept = msgspec.msgpack.decode(data, type=Own)
        kept = msgspec.structs.replace(kept, state=state, reason=reason, field=field)
        local.store.put(_OWN, name, msgspec.msgpack.encode(kept))


# taking in


def take(local: Local, data: bytes | None, digest: bytes, feed: bytes, now: int) -> bool:
    """Keep a record that a feed gave; tell whether it is new.

    Raises:
        Alarm: `entry_differs`, `malformed_record`, `unknown_agency`, `unknown_signer`, `record_not_allowed`,
            `cannot_open`.

    """
    if data is None:
        raise Alarm("malformed_record")
    try:
        signed = decode(SignedRecord, data, "record")
        case = records.read_record(signed.record)
    except Invalid as problem:
        raise Alarm("malformed_record") from problem
    if records.record_digest(signed.record) != digest:
        raise Alarm("entry_differs")
    if not isinstance(case, Case):
        raise Alarm("record_not_allowed")
    came = local.store.get(_CAME, digest)
    if came is not None:
        before = msgspec.msgpack.decode(came, type=Came)
        _keep(local, digest, msgspec.structs.replace(before, feeds=tuple(sorted({*before.feeds, feed}))))
        return False
    chain = _signed_by(local, case, signed, now)
    _keep(
        local,
        digest,
        Came(data=signed.record, agency=chain.agency, body=_open(local, case), received_at=now, feeds=(feed,)),
    )
    return True


def _signed_by(local: Local, case: Case, signed: SignedRecord, now: int) -> Directory:
    """Return the agency whose device signed a record, if that person may file it."""
    for chain in local.trust.agencies(now):
        device = chain.devices.get(Kid(case.device))
        if device is None:
            continue
        try:
            verify(device.sign_key, signed.signature, records.record_message(signed.record))
        except Invalid as problem:
            raise Alarm("unknown_signer") from problem
        if device.revoked_at is not None and case.time > device.revoked_at:
            raise Alarm("unknown_signer")
        functions = set(chain.persons[device.person].functions)
        rule = RULES[case.kind]
        # Who has left since may have had the function then; the server judged that.
        if functions and not functions & {*rule.files, "supervisors"}:
            raise Alarm("record_not_allowed")
        if chain.agency != local.trust.own_id and not rule.across:
            raise Alarm("record_not_allowed")
        return chain
    raise Alarm("unknown_agency")


def _open(local: Local, case: Case) -> bytes | None:
    for seal in case.seals:
        key = local.ring.kems.get(Kid(seal.kid))
        if key is None:
            continue
        try:
            secret = key.open(seal.seal, records.seal_info(case.record, seal.kid))
            return crypto.decrypt_section(secret, records.body_context(case.record), case.body)
        except crypto.CannotOpen:
            raise Alarm("cannot_open") from None
    if case.seals:
        raise Alarm("cannot_open")
    return b""


def _keep(local: Local, digest: bytes, came: Came) -> None:
    local.store.put(_CAME, digest, msgspec.msgpack.encode(came))


def close(local: Local, feed: bytes) -> bool:
    """Let go of what came through a feed that is closed; tell whether anything went."""
    gone = False
    for digest, data in list(local.store.items(_CAME)):
        came = msgspec.msgpack.decode(data, type=Came)
        left = tuple(one for one in came.feeds if one != feed)
        if left == came.feeds:
            continue
        gone = True
        if left:
            _keep(local, digest, msgspec.structs.replace(came, feeds=left))
        else:
            local.store.delete(_CAME, digest)
    return gone


def erase(local: Local, digest: bytes) -> bool:
    """Let go of a record that is over, unless the server has yet to answer it; tell whether anything went."""
    gone = local.store.get(_CAME, digest) is not None
    if gone:
        local.store.delete(_CAME, digest)
    for name, data in list(local.store.items(_OWN)):
        kept = msgspec.msgpack.decode(data, type=Own)
        if kept.state != "waiting" and records.record_digest(kept.data) == digest:
            local.store.delete(_OWN, name)
            gone = True
    return gone


# reading


def filed(local: Local, kind: CaseKind | None = None) -> list[Known]:
    """Return the records that were filed here, the oldest first."""
    found = []
    rows = [msgspec.msgpack.decode(data, type=Own) for _, data in local.store.items(_OWN)]
    rows += [msgspec.msgpack.decode(data, type=Later).kept for _, data in local.store.items(LATER)]
    for kept in rows:
        case = _case_of(kept.data)
        if kind is None or case.kind is kind:
            found.append(
                Known(
                    case=case,
                    agency=local.trust.own_id,
                    body=kept.body,
                    received_at=case.time,
                    person=local.person,
                    own=True,
                    state=kept.state,
                )
            )
    return sorted(found, key=_order)


def received(local: Local, kind: CaseKind | None = None) -> list[Known]:
    """Return the records that came from others, the oldest first."""
    found, mine = [], {name for name, _ in local.store.items(_OWN)}
    for _, data in local.store.items(_CAME):
        came = msgspec.msgpack.decode(data, type=Came)
        case = _case_of(came.data)
        if case.record in mine or (kind is not None and case.kind is not kind):
            continue
        agency_id = AgencyId(came.agency)
        chain = local.trust.chains.get(agency_id)
        device = None if chain is None else chain.devices.get(Kid(case.device))
        who = None if chain is None or device is None else chain.persons[device.person]
        found.append(
            Known(case=case, agency=agency_id, body=came.body or b"", received_at=came.received_at, person=who)
        )
    return sorted(found, key=_order)


def everything(local: Local, kind: CaseKind | None = None) -> list[Known]:
    """Return what was filed here and what came, the oldest first; what was refused is left out."""
    mine = [one for one in filed(local, kind) if one.state != "refused"]
    return sorted([*mine, *received(local, kind)], key=_order)


def _order(one: Known) -> tuple[int, bytes]:
    return one.case.time, one.case.record


def _case_of(data: bytes) -> Case:
    case = records.read_record(data)
    assert isinstance(case, Case)  # noqa: S101  # nothing else is kept here
    return case
