"""Saying which places are protected, and closing reports of the own agency that turn out to lie in one.

Health's supervisors file the list; every device that may hold it looks at what was filed on it, whenever the list
changes and whenever something was sent, and says of a report that its place is protected.
From then on the server treats the report as one of a protected place; out of protection again needs two people.
Refuses: to tell anybody else of a place, by what is filed or by what is not.

> INVARIANT: the list leaves sealed to audiences of the sectors that the pack names, and to nobody else.
> INVARIANT: a device says it of a report and a place once, and again of one that comes later or comes again, since two
> people may have opened the report in between; whoever was told of it loses it by the ordinary end.

Source: docs/secrecy-rules.md ("Protected places"), B7 13, 14 and 18.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from sluss_client import places, saving
from sluss_client.cases import book
from sluss_client.errors import Invalid, NotFound, Refused, SlussError
from sluss_client.local import Local
from sluss_client.outbox import ANSWERED, Row
from sluss_schemas import forms, protected
from sluss_schemas.codec import Document, decode, encode
from sluss_schemas.ids import ReportId
from sluss_schemas.manifest import U32, Id16
from sluss_schemas.records import Case, CaseKind
from sluss_schemas.replay import Directory

OUT_AGAIN: Final = "unprotected"
_CHECKED: Final = "places_checked"
_AROUND: Final = "places_around"
"""The store's space of the places because of which it was said of a report, by its id."""


class _Around(msgspec.Struct, frozen=True, array_like=True):
    """A place in which a report lies, by what does not change of it, and whether it was in force at the last look."""

    name: bytes
    in_force: bool


class About(Document, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a `reclassify` record tells those whom it is sealed to: which report, and which version of it."""

    report_id: Id16
    version: U32


# health's list


def protect(local: Local, place: protected.ProtectedPlace, now: int) -> bytes:
    """File the list with a place added, or put in the stead of one of its name; return the record's id.

    A place ends by an `until` that has passed.

    Raises:
        Refused: `not_allowed` in an agency that protects no places, `supervisor_only`.
        Invalid: what is wrong with the place.

    """
    pack, own = local.trust.pack(now), local.trust.own
    if own.sector not in pack.filing.protects:
        raise Refused("device", code="not_allowed")
    listed = {one.name: one for one in _own_list(local)} | {place.name: protected.checked(place)}
    holders = [chain for chain in local.trust.agencies(now) if chain.sector in pack.filing.holds_places]
    to = [key for chain in holders for key in book.agency(chain, "field", "supervisors")]
    return _give(local, protected.PROTECTED, protected.ProtectedPlaces(tuple(listed.values())), to, now)


def list_public(local: Local, scenes: Mapping[str, Iterable[str]], now: int) -> bytes:
    """File the list of public places by scene; return the record's id.

    Raises:
        Refused: `not_allowed` in an agency that may give no such list, `supervisor_only`.
        Invalid: `unknown_scene`; `malformed`.

    """
    pack, numbers = local.trust.pack(now), local.trust.scene_numbers(now)
    if not places.may_give(local.trust.own, protected.PUBLIC, pack):
        raise Refused("device", code="not_allowed")
    if not set(scenes) <= set(numbers):
        raise Invalid("unknown_scene", "scene")
    body = protected.PublicPlaces(tuple(sorted((numbers[scene], tuple(names)) for scene, names in scenes.items())))
    holders = [chain for chain in local.trust.agencies(now) if chain.sector in pack.filing.listed_places]
    to = [key for chain in (local.trust.own, *holders) for key in book.agency(chain, "field", "supervisors")]
    return _give(local, protected.PUBLIC, body, list(dict(to).items()), now)


def _give(local: Local, code: str, listed: Document, to: list[book.Addressee], now: int) -> bytes:
    body, mine = encode(listed), [one for one in book.everything(local, CaseKind.PLACES) if one.own]
    # The newest list counts: one is later than the one before, also within a second.
    now = max([now, *(one.case.time + 1 for one in mine)])
    with local.store.transaction():
        record = book.file(local, CaseKind.PLACES, now=now, code=code, to=to, body=body)
        places.take(local, local.trust.own_id, code, places.Kept(now, record, body), now)
    return record


def _own_list(local: Local) -> tuple[protected.ProtectedPlace, ...]:
    known = [one for one in book.everything(local, CaseKind.PLACES) if one.agency == local.trust.own_id]
    bodies = [one.body for one in known if one.case.code == protected.PROTECTED and one.body]
    return protected.read_protected(bodies[-1]).places if bodies else ()


def take_in(local: Local, now: int) -> None:
    """Keep the lists that have come in records; one that is none is left out with an alarm."""
    for one in book.received(local, CaseKind.PLACES):
        kept = places.Kept(one.case.time, one.case.record, one.body)
        try:
            places.take(local, one.agency, one.case.code, kept, now)
        except Invalid:
            local.alarm("malformed_record", one.case.record)


# reports that lie in one


def recheck(local: Local, now: int) -> int:
    """File that a report lies in a protected place, for every one that was filed here and does; return how many.

    What stayed in the agency at filing is among them, because nothing may count it either; what was told with its
    scene alone is not.
    """
    if not local.approved:
        return 0
    take_in(local, now)
    if not places.protected_places(local, now):
        return 0
    known, filed = places.fingerprint(local, now), 0
    for row in _latest(local):
        if local.store.get(_CHECKED, row.key) == known:
            continue
        with local.store.transaction():
            filed += _check(local, row, now)
            local.store.put(_CHECKED, row.key, known)
    return filed


def _latest(local: Local) -> list[Row]:
    """Return the latest version of each report here that the server has."""
    latest = {row.report_id: row for row in local.outbox.rows() if row.state in ANSWERED and row.digest is not None}
    return list(latest.values())


def _check(local: Local, row: Row, now: int) -> bool:
    form, said = _form(local, row, now), bool(_said(local, row.report_id))
    known = {one.name: one.in_force for one in _known(local, row.report_id)}
    around = [_Around(_name(one), protected.in_force(one, now)) for one in places.around(local, form, now)]
    # A place that has ended and comes again is another one.
    new = [one for one in around if one.name not in known or (one.in_force and not known[one.name])]
    _know(local, row.report_id, known, around, now)
    if row.place_stays or not (new or (row.hold == protected.PROTECTED and not said)):
        return False
    about = encode(About(row.report_id, row.version))
    to = _both_supervisors(local, now)
    book.file(local, CaseKind.RECLASSIFY, now=now, code=protected.PROTECTED, digest=row.digest, to=to, body=about)
    return True


def _form(local: Local, row: Row, now: int) -> forms.Form:
    """Return the report as it is now, where this device can read all of it; else as it was written here."""
    received = local.replica.get(local.trust.own_id, row.report_id)
    if received is not None and received.heads()[0].version > row.version:
        with suppress(SlussError):
            return saving.form_of(local, ReportId(row.report_id), now)[0]
    return forms.make(row.kind, msgspec.msgpack.decode(row.values))


def _name(place: protected.ProtectedPlace) -> bytes:
    """Return what stays of a place that is called something else besides, or for longer."""
    return hashlib.sha256(encode((place.name, place.polygon, place.buffer_m, place.not_before))).digest()


def _known(local: Local, report_id: bytes) -> list[_Around]:
    data = local.store.get(_AROUND, report_id)
    return [] if data is None else msgspec.msgpack.decode(data, type=list[_Around])


def _know(local: Local, report_id: bytes, known: Mapping[bytes, bool], around: Iterable[_Around], now: int) -> None:
    """Keep in which of the places that are listed a report lies, and whether they were in force at this look."""
    listed = {_name(one): protected.in_force(one, now) for one in places.protected_places(local, now)}
    kept = {name: listed[name] for name in known if name in listed} | {one.name: one.in_force for one in around}
    local.store.put(_AROUND, report_id, msgspec.msgpack.encode([_Around(*one) for one in sorted(kept.items())]))


def say(local: Local, report_id: ReportId, now: int) -> bytes:
    """Say that a report of the own agency lies in a protected place, as somebody who was there and has no list.

    Raises:
        NotFound: no such report of the own agency here, or none that the server has.

    """
    received = local.replica.get(local.trust.own_id, report_id)
    if received is None:
        raise NotFound("report_id")
    head = received.heads()[0]
    about, to = encode(About(report_id, head.version)), _both_supervisors(local, now)
    return book.file(
        local, CaseKind.RECLASSIFY, now=now, code=protected.PROTECTED, digest=head.digest, to=to, body=about
    )


def closed(local: Local, report_id: ReportId) -> bool:
    """Tell whether it was said on this device, or told it, that a report lies in a protected place, and still holds."""
    found = False
    for case in _said(local, report_id):
        if case.code == protected.PROTECTED or case.follows is not None:
            found = case.code == protected.PROTECTED
    return found


def opened_again(local: Local, report_id: ReportId) -> bool:
    """Tell whether two people have said, the last of it as this device knows, that a report lies in no such place."""
    confirmed = any(case.follows is not None for case in _said(local, report_id))
    return confirmed and not closed(local, report_id)


def _said(local: Local, report_id: bytes) -> list[Case]:
    """Return what was said of where a report lies, the oldest first; in one second the word that closes is the last."""
    said = [one.case for one in book.everything(local, CaseKind.RECLASSIFY) if _about(one) == report_id]
    return sorted(said, key=lambda case: (case.time, case.code == protected.PROTECTED))


def _about(one: book.Known) -> bytes | None:
    try:
        return decode(About, one.body, "record").report_id if one.body else None
    except Invalid:
        return None


# out of protection again: two people


def unprotect(local: Local, report_id: ReportId, now: int) -> bytes:
    """Say, as the owner's supervisor, that a report lies in no protected place; health's has to confirm it.

    Raises:
        Refused: `supervisor_only`.
        NotFound: nobody said of such a report that its place is protected.

    """
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
    said = [one for one in book.everything(local, CaseKind.RECLASSIFY) if _about(one) == report_id]
    closed = [one for one in said if one.case.code == protected.PROTECTED and one.agency == local.trust.own_id]
    if not closed:
        raise NotFound("report_id")
    last, to = closed[-1], _both_supervisors(local, now)
    return book.file(
        local, CaseKind.RECLASSIFY, now=now, code=OUT_AGAIN, digest=last.case.digest, to=to, body=last.body
    )


def to_confirm(local: Local) -> list[book.Known]:
    """Return what other people say lies in no protected place and nobody has confirmed yet, the oldest first."""
    said = book.everything(local, CaseKind.RECLASSIFY)
    done = {one.case.follows for one in said}
    return [
        one
        for one in said
        if one.case.code == OUT_AGAIN and one.case.follows is None and one.case.record not in done and not one.own
    ]


def confirm(local: Local, record: bytes, now: int) -> bytes:
    """Confirm, as a supervisor of health, that a report lies in no protected place; return the record's id.

    Raises:
        Refused: `not_allowed` in an agency that protects no places, `supervisor_only`.
        NotFound: nothing of this id waits for a confirmation.

    """
    if local.trust.own.sector not in local.trust.pack(now).filing.protects:
        raise Refused("device", code="not_allowed")
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
    found = next((one for one in to_confirm(local) if one.case.record == record), None)
    if found is None:
        raise NotFound("record")
    owner = local.trust.agency(found.agency, now)
    to = book.own(local, "supervisors") + ([] if owner is None else book.agency(owner, "supervisors"))
    to = list(dict(to).items())
    return book.file(local, CaseKind.RECLASSIFY, now=now, code=OUT_AGAIN, follows=record, to=to, body=found.body)


def _both_supervisors(local: Local, now: int) -> list[book.Addressee]:
    """Return the own supervisors' keys, and those of the agencies that such places belong to."""
    protects = local.trust.pack(now).filing.protects
    chains: list[Directory] = [chain for chain in local.trust.agencies(now) if chain.sector in protects]
    return list(dict(key for chain in (local.trust.own, *chains) for key in book.agency(chain, "supervisors")).items())
