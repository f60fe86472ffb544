"""What is on the device, as reports that a person may read: own filings and received ones, one view of each.

Source: docs/contract.md, "The SDK".

> INVARIANT: what is open follows from the pack in force now and from how a version is held, at every call.
> INVARIANT: what could not be confirmed within its lease is locked, also without the server's word.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from sluss_client import clock, copies, visible
from sluss_client.answers import Held
from sluss_client.disclosing import ages
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.replica import Hold, Received, Version
from sluss_client.report import Because, Reason, Report
from sluss_client.sections import AuthorSection, plaintext
from sluss_schemas import disclosure, forms
from sluss_schemas.codec import encode
from sluss_schemas.ids import COMPARTMENTS, Column, Compartment, ReportId, Sector, bit, bitmap_of, slot
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy import decide
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import CATALOGUE, Invalid
from sluss_schemas.replay import Directory

_HOUR_S: Final = 3600
_LOCKED: Final = Reason("", CATALOGUE["lease_ended"][1], code="lease_ended")


def as_id(report_id: ReportId | str) -> ReportId:
    """Return the 16 bytes of an id given as bytes or hex.

    Raises:
        Invalid: `wrong_type`.

    """
    try:
        data = bytes.fromhex(report_id) if isinstance(report_id, str) else bytes(report_id)
    except (ValueError, TypeError):
        data = b""
    if len(data) != 16:  # noqa: PLR2004  # ids.ID_BYTES
        raise Invalid("wrong_type", "report_id", "A report's id is 32 hexadecimal digits.")
    return ReportId(data)


def moment(at: int, pack: Pack) -> datetime:
    """Return a Unix time in the pack's zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(pack.zone))


# own filings


def of_row(local: Local, row: Row, form: forms.Form, pack: Pack, now: int) -> Report:
    """Return an own filing: its author may read all of it, also where the agency's other staff may not."""
    own = local.trust.own
    person = local.person
    arrays = forms.sections(form, own.sector, pack, event=row.event)
    sections = {slot(part): plaintext(array) for part, array in arrays.items()}
    sections[slot("AUT")] = encode(
        AuthorSection(
            person.functions[0] if person.functions else "",
            person.alias,
            person.person,
            local.keys.kid,
            bytes(32),
            bytes(64),
            row.filed_at,
            msgspec.Raw(encode(_extra(row, form, own.sector, pack))),
        )
    )
    collected: set[Compartment] = {"AUT", *decide.collected(pack, row.kind, own.sector)}
    state = {State.SENT: "sent", State.QUARANTINED: "quarantined", State.REFUSED: "refused"}.get(row.state, "waiting")
    over = row.quoted.over(clock.latest(now))
    return Report(
        report_id=ReportId(row.report_id),
        kind=row.kind,
        agency=own.slug,
        version=row.version,
        forked=False,
        state=state,
        scene=form.scene,
        time=int(form.observed_at.timestamp()),
        pack=pack,
        may=0 if over else bitmap_of(slot(part) for part in collected),
        sections={} if over else sections,
        closed=copies.closed if over else lambda part: _not_collected(pack, row.kind, own, part),
    )


def _extra(row: Row, form: forms.Form, owner: Sector, pack: Pack) -> list[object] | None:
    return forms.author_extra(form, owner, pack, place_stays=row.place_stays, hold=row.hold, quoted=row.quoted.array())


def _not_collected(pack: Pack, kind: int, own: Directory, part: Compartment) -> Reason:
    cell = pack.cell(kind, own.sector, part, own.sector)
    return Reason(cell.rule_id, cell.why, cell.law)


# received ones


def of_received(local: Local, received: Received, pack: Pack, now: int) -> Report | None:
    """Return a received report as it may be read now, or None while it is only held back."""
    heads = received.heads()
    head = heads[0]
    if all(hold.held for hold in head.holds):
        return None
    owner = local.trust.agency(received.agency, now)
    if owner is None:
        return None
    given = [(hold, _opens(local, hold, head, owner, pack, now)) for hold in head.holds]
    if not any(bits for _, bits in given):
        # What it rested on is over, as an agreement that has ended: it is as if it had never come.
        return None
    unlocked = [(hold, bits) for hold, bits in given if not _locked(local, hold, owner, pack, now)]
    may, sections = _contents(head, unlocked)
    over = copies.quoted(local, received, head).over(clock.latest(now))
    may, sections = (0, {}) if over else (may, sections)
    locked = not may
    name = ReportId(received.report_id)
    scene = local.trust.registry(now).get(head.scene)
    report = Report(
        report_id=ReportId(received.report_id),
        kind=head.kind,
        agency=owner.slug,
        version=head.version,
        forked=len(heads) > 1,
        state="received",
        scene=None if scene is None else scene.slug,
        time=read_manifest(head.manifest).time,
        pack=pack,
        may=may,
        sections=sections,
        closed=copies.closed if over else _LockedOut() if locked else _Closed(local, head, owner, pack, now),
    )
    report.digest = head.digest
    report.explained(lambda part: because(local, name, part, pack, now))
    return report


def _contents(version: Version, given: list[tuple[Hold, int]]) -> tuple[int, dict[int, bytes]]:
    """Return the slots that are open and what is in them: an excerpt where nothing gives the whole."""
    whole, bits = 0, 0
    parts = dict[int, bytes]()
    for hold, opens in given:
        bits |= opens
        whole |= opens & hold.whole
        # Where two decisions gave excerpts of one part, the later one says what it says now.
        parts |= {number: data for number, data in hold.excerpts if opens >> number & 1}
    return bits, parts | {number: data for number, data in version.sections if whole >> number & 1}


def open_slots(local: Local, version: Version, pack: Pack, now: int) -> int:
    """Return the slots of a version of the own agency that are open to this person now, and not locked."""
    own, bits = local.trust.own, 0
    for hold in version.holds:
        if not _locked(local, hold, own, pack, now):
            bits |= _opens(local, hold, version, own, pack, now) & hold.whole
    return bits


def because(local: Local, report_id: ReportId, part: Compartment, pack: Pack, now: int) -> tuple[Because, ...]:
    """Return through what a part of a received report is open now: the first gives the most; none where it is closed.

    It follows from the pack and the holds, never from what is in the part.
    """
    received = local.received(report_id)
    owner = None if received is None else local.trust.agency(received.agency, now)
    if received is None or owner is None:
        return ()
    head = received.heads()[0]
    cell = pack.cells.get((head.kind, owner.sector, part, _column(local, head, owner, now)))
    found = []
    for hold in head.holds:
        bits = 0 if _locked(local, hold, owner, pack, now) else _opens(local, hold, head, owner, pack, now)
        full = bool(bits & bit(part))
        if full or bits & bit(part, brief=True):
            gateway = pack.gateways.get(hold.gateway)
            rule, law = ("", ()) if cell is None else (cell.rule_id, cell.law)
            law = gateway.law if gateway is not None else law
            excerpt = any(number // 2 == COMPARTMENTS.index(part) for number, _ in hold.excerpts)
            found.append(
                Because(
                    rule=rule,
                    law=law,
                    gateway=hold.gateway,
                    grant=hold.grant,
                    until=hold.not_after,
                    full=full,
                    excerpt=excerpt,
                )
            )
    return tuple(sorted(found, key=lambda one: (not one.full, one.excerpt, bool(one.grant), one.grant)))


def _column(local: Local, version: Version, owner: Directory, now: int) -> Column:
    return decide.column(owner.sector, _receiver(local, version.holds[0], version, owner, now))


def _receiver(local: Local, hold: Hold, version: Version, owner: Directory, now: int) -> Receiver:
    """Return as whom this device holds a version: with what agreements open at this second and no longer."""
    return local.trust.receiver_of(
        local.trust.own_id,
        owner.agency,
        hold.function,
        named=hold.named,
        at=now,
        latest=clock.latest(now),
        scene=version.scene,
    )


def _opens(local: Local, hold: Hold, version: Version, owner: Directory, pack: Pack, now: int) -> int:  # noqa: PLR0917
    """Return the slots that one way of holding opens, by pack and agreements alone and never by what is filled."""
    if hold.held or visible.hidden(local, hold, version, owner, pack, now):
        return 0
    if pack.stands_in and owner.agency != local.trust.own_id:
        return 0
    receiver = _receiver(local, hold, version, owner, now)
    got = local.trust.slots(pack, version.kind, owner.sector, receiver)
    if not hold.grant:
        return got.open | got.held
    if hold.gateway in got.duties:
        return got.duties[hold.gateway]
    # A gateway was decided for certain slots; a release opens what the pack would have opened at filing.
    if hold.gateway == disclosure.BASE_RELEASE:
        return got.open
    return 0 if _outgrown(hold, version, pack, now) else got.gateways.get(hold.gateway, 0) & hold.slots


def _outgrown(hold: Hold, version: Version, pack: Pack, now: int) -> bool:
    """Tell whether somebody whom a decision is about has had the birthday that ends its ground, whatever it says."""
    gateway = pack.gateways.get(hold.gateway)
    number = slot("SUB")
    data = dict(hold.excerpts).get(number) or dict(version.sections).get(number)
    if gateway is None or gateway.age is None or data is None or not hold.slots >> number & 1:
        return False
    persons = forms.read(version.kind, "SUB", msgspec.msgpack.decode(data, type=list[object]), pack)
    noted = read_manifest(version.manifest).time
    return isinstance(persons, list) and ages.over(persons, gateway, pack, noted=noted, now=clock.latest(now))


def _locked(local: Local, hold: Hold, owner: Directory, pack: Pack, now: int) -> bool:
    """Tell whether a lease has run out, or this person's last day: what cannot be re-confirmed is not shown."""
    last = local.person.valid_until
    if last is not None and clock.latest(now) >= last:
        return True
    if hold.not_after is not None and clock.latest(now) >= hold.not_after:
        return True
    parameters = pack.parameters
    if hold.gateway and hold.gateway not in {disclosure.BASE_RELEASE, *_duties(pack)}:
        hours = parameters.lease_gateway_h
    elif owner.agency != local.trust.own_id:
        hours = parameters.lease_across_h
    else:
        hours = parameters.lease_within_h
    return local.lapsed(hours * _HOUR_S, now)


def _duties(pack: Pack) -> frozenset[str]:
    return frozenset(code for code, gateway in pack.gateways.items() if gateway.duty)


class _LockedOut:
    """Why everything is closed: the lease has ended."""

    def __call__(self, _part: Compartment) -> Reason:
        return _LOCKED


class _Closed:
    """Why a compartment is closed, asked only when somebody reads it."""

    def __init__(self, local: Local, version: Version, owner: Directory, pack: Pack, now: int) -> None:
        self._local = local
        self._version = version
        self._owner = owner
        self._pack = pack
        self._now = now

    def __call__(self, part: Compartment) -> Reason:
        hold = self._version.holds[0]
        receiver = _receiver(self._local, hold, self._version, self._owner, self._now)
        decision = decide.open_to(self._pack, self._version.kind, self._owner.sector, receiver, part)
        column = decide.column(self._owner.sector, receiver)
        cell = self._pack.cells.get((self._version.kind, self._owner.sector, part, column))
        return Reason(decision.rule_id, decision.reason, cell.law if cell is not None else ())


# all of them


def all_reports(local: Local, pack: Pack, now: int) -> Iterator[Report]:
    """Yield every report that may be read, each once, in its latest version."""
    own = {row.report_id: row for row in local.outbox.rows()}
    for received in local.replica.reports():
        row = own.get(received.report_id) if received.agency == local.trust.own_id else None
        if row is not None and _newer(local, row, received, pack, now):
            continue
        report = of_received(local, received, pack, now)
        if report is not None:
            if received.agency == local.trust.own_id:
                own.pop(received.report_id, None)
            yield report
    for row in own.values():
        if visible.hidden_row(local, row, pack, now):
            continue
        yield of_row(local, row, forms.make(row.kind, msgspec.msgpack.decode(row.values)), pack, now)


def _newer(local: Local, row: Row, received: Received, pack: Pack, now: int) -> bool:
    """Tell whether an own filing says more than what has come back: later, or the same without what its quotes keep."""
    head = received.heads()[0]
    same = bool(row.quoted.quotes) and row.digest == head.digest
    locked = all(_locked(local, hold, local.trust.own, pack, now) for hold in head.holds)
    return row.version > head.version or (same and not locked)


def one_report(local: Local, report_id: ReportId, pack: Pack, now: int) -> Report | None:
    """Return one report in its latest version, or None."""
    row, received = local.outbox.head(report_id), local.received(report_id)
    if received is not None and (row is None or not _newer(local, row, received, pack, now)):
        report = of_received(local, received, pack, now)
        if report is not None:
            return report
    if row is None or visible.hidden_row(local, row, pack, now):
        return None
    return of_row(local, row, forms.make(row.kind, msgspec.msgpack.decode(row.values)), pack, now)


def held(local: Local, pack: Pack) -> list[Held]:
    """Return the rows that the server holds back until they are opened for a task or a reason, newest first."""
    found = []
    for received in local.replica.reports():
        head = received.heads()[0]
        if received.agency == local.trust.own_id and all(hold.held for hold in head.holds):
            name = pack.kinds[head.kind].name if head.kind else ""
            time = read_manifest(head.manifest).time
            found.append(Held(ReportId(received.report_id), head.version, name, time))
    return sorted(found, key=lambda one: one.time, reverse=True)
