"""The registry: what agencies state, fetched from the server and verified here, one signature at a time.

Refuses: a statement that is not signed by a device of the agency named beside it, or not by one of a supervisor, now or
when it was made; what is older than what was here before.
Source: docs/protocol.md section 4.

> INVARIANT: nothing that the server says of a scene or an objective is shown unless a supervisor signed it.
> INVARIANT: what was seen once is not forgotten because the server leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

import msgspec

from sluss_client.errors import Invalid, Untrusted
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import records, statements
from sluss_schemas.codec import decode
from sluss_schemas.ids import AgencyId, Kid
from sluss_schemas.records import Case, CaseKind
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_schemas.statements import RegistryAnswer, RegistryAsk, Stated, Subject, Terms

_KEPT: Final = "stated"
"""The store's space of verified statements, by subject and agency."""
_CHAIN: Final = "chain"
_PAGES: Final = 500
SUPERVISORS: Final = "supervisors"


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A statement that was verified."""

    agency: bytes
    record: bytes
    time: int
    data: bytes

    @property
    def terms(self) -> Terms:
        """What it says."""
        return statements.read(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a look at the registry brought: statements that are new here, and such as were refused."""

    new: int
    refused: int


def kept(local: Local) -> list[Kept]:
    """Return the verified statements that hold, in the order of their subjects."""
    return [msgspec.msgpack.decode(data, type=Kept) for _, data in sorted(local.store.items(_KEPT))]


async def fetch(local: Local, transport: Transport, subjects: Sequence[Subject] = get_args(Subject)) -> Fetched:
    """Fetch what is stated now of some kinds of subjects and keep what holds together.

    Raises:
        Offline: no contact; nothing was changed.
        Refused: for whoever supervises nobody.
        Untrusted: `server_error` for pages without an end.

    """
    new, refused, then = 0, 0, dict[tuple[bytes, int], Directory]()
    for subject in subjects:
        after = b""
        for _ in range(_PAGES):
            answer = await transport.post("/v1/registry", RegistryAsk(subject, after), RegistryAnswer)
            with local.store.transaction():
                for one in answer.statements:
                    try:
                        new += _take(local, one, subject, transport.now(), then)
                    except Invalid:
                        refused += 1
            if not answer.after:
                break
            if answer.after <= after:
                raise Untrusted("server_error", "registry", "The server gave one page twice.")
            after = answer.after
        else:
            raise Untrusted("server_error", "registry", "The server gave pages without an end.")
    return Fetched(new=new, refused=refused)


def _take(local: Local, stated: Stated, subject: Subject, now: int, then: dict[tuple[bytes, int], Directory]) -> int:
    """Keep a statement; return 1 where it takes another's place, or is the first of its subject."""
    case = _checked(local, stated, now, then)
    terms = statements.read(case.terms)
    kind, name = statements.subject_of(terms)
    if kind != subject or kind != case.code:
        raise Invalid("malformed", "record.code")
    key = b":".join((kind.encode(), name, stated.agency))
    before = local.store.get(_KEPT, key)
    if before is not None:
        last = msgspec.msgpack.decode(before, type=Kept)
        if (last.time, last.record) >= (case.time, case.record):
            return 0
    local.store.put(_KEPT, key, msgspec.msgpack.encode(Kept(stated.agency, case.record, case.time, case.terms)))
    return 1


def _checked(local: Local, stated: Stated, now: int, then: dict[tuple[bytes, int], Directory]) -> Case:
    """Return a statement that its agency made; raises `Invalid` for any other."""
    case = records.read_record(stated.record.record)
    if not isinstance(case, Case) or case.kind is not CaseKind.STATEMENT or case.seals:
        raise Invalid("malformed", "record.kind")
    chain = local.trust.agency(stated.agency, now)
    device = None if chain is None else chain.devices.get(Kid(case.device))
    if chain is None or device is None:
        raise Invalid("unknown_device", "record.device")
    verify(device.sign_key, stated.record.signature, records.record_message(stated.record.record), "record")
    if device.revoked_at is not None and case.time > device.revoked_at:
        raise Invalid("not_allowed", "record.device")
    if _supervises(chain, Kid(case.device)):
        return case
    # Who has another function now may have been a supervisor then.
    key = (stated.agency, case.time)
    if key not in then:
        then[key] = _as_it_was(local, chain.agency, case.time)
    if not _supervises(then[key], Kid(case.device)):
        raise Invalid("not_allowed", "record.device")
    return case


def _supervises(chain: Directory, kid: Kid) -> bool:
    device = chain.devices.get(kid)
    return device is not None and SUPERVISORS in chain.persons[device.person].functions


def _as_it_was(local: Local, agency: AgencyId, at: int) -> Directory:
    """Return an agency's directory with what was entered up to a time."""
    rows = [(int.from_bytes(key[16:], "big"), data) for key, data in local.store.items(_CHAIN) if key[:16] == agency]
    found = Directory()
    for _, data in sorted(rows):
        signed = decode(d.SignedEntry, data, "directory")
        if decode(d.Entry, signed.entry, "directory").time > at:
            break
        found.append(signed)
    return found
