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

from sluss_client import clock
from sluss_client.answers import Held
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.replica import Hold, Received, Version
from sluss_client.report import Reason, Report
from sluss_client.sections import AuthorSection, plaintext
from sluss_schemas import disclosure, forms
from sluss_schemas.codec import encode
from sluss_schemas.ids import Compartment, ReportId, bitmap_of, slot
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy import decide
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


def of_row(local: Local, row: Row, form: forms.Form, pack: Pack) -> Report:
    """Return an own filing: its author may read all of it, also where the agency's other staff may not."""
    own = local.trust.own
    person = local.person
    sections = {slot(part): plaintext(array) for part, array in forms.sections(form, own.sector, pack).items()}
    sections[slot("AUT")] = encode(
        AuthorSection(
            person.functions[0] if person.functions else "",
            person.alias,
            person.person,
            local.keys.kid,
            bytes(32),
            bytes(64),
            row.filed_at,
            msgspec.Raw(encode(forms.author_extra(form, own.sector))),
        )
    )
    collected: set[Compartment] = {"AUT", *decide.collected(pack, row.kind, own.sector)}
    state = {State.SENT: "sent", State.QUARANTINED: "quarantined", State.REFUSED: "refused"}.get(row.state, "waiting")
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
        may=bitmap_of(slot(part) for part in collected),
        sections=sections,
        closed=lambda part: _not_collected(pack, row.kind, own, part),
    )


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
    may = 0
    for hold in head.holds:
        if not _locked(local, hold, owner, pack, now):
            may |= _opens(local, hold, head.kind, owner, pack)
    locked = not may
    scene = local.trust.registry(now).get(head.scene)
    return Report(
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
        sections={number: data for number, data in head.sections if may >> number & 1},
        closed=_LockedOut() if locked else _Closed(local, head, owner, pack),
    )


def _opens(local: Local, hold: Hold, kind: int, owner: Directory, pack: Pack) -> int:
    """Return the slots that one way of holding opens, by the pack alone and never by what is filled."""
    if hold.held:
        return 0
    receiver = local.trust.receiver_of(local.trust.own_id, owner.agency, hold.function, named=hold.named)
    got = local.trust.slots(pack, kind, owner.sector, receiver)
    if not hold.grant:
        return got.open | got.held
    if hold.gateway in got.duties:
        return got.duties[hold.gateway]
    # A gateway was decided for certain slots; a release opens what the pack would have opened at filing.
    return got.open if hold.gateway == disclosure.BASE_RELEASE else got.gateways.get(hold.gateway, 0) & hold.slots


def _locked(local: Local, hold: Hold, owner: Directory, pack: Pack, now: int) -> bool:
    """Tell whether a lease has run out: what cannot be re-confirmed is not shown."""
    if hold.not_after is not None and clock.latest(now) >= hold.not_after:
        return True
    parameters = pack.parameters
    if hold.gateway and hold.gateway not in _duties(pack):
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

    def __init__(self, local: Local, version: Version, owner: Directory, pack: Pack) -> None:
        self._local = local
        self._version = version
        self._owner = owner
        self._pack = pack

    def __call__(self, part: Compartment) -> Reason:
        hold = self._version.holds[0]
        trust = self._local.trust
        receiver = trust.receiver_of(trust.own_id, self._owner.agency, hold.function, named=hold.named)
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
        if row is not None and row.version > received.heads()[0].version:
            continue
        report = of_received(local, received, pack, now)
        if report is not None:
            if received.agency == local.trust.own_id:
                own.pop(received.report_id, None)
            yield report
    for row in own.values():
        yield of_row(local, row, forms.make(row.kind, msgspec.msgpack.decode(row.values)), pack)


def one_report(local: Local, report_id: ReportId, pack: Pack, now: int) -> Report | None:
    """Return one report in its latest version, or None."""
    row, received = local.outbox.head(report_id), local.received(report_id)
    if received is not None and (row is None or row.version <= received.heads()[0].version):
        report = of_received(local, received, pack, now)
        if report is not None:
            return report
    if row is None:
        return None
    return of_row(local, row, forms.make(row.kind, msgspec.msgpack.decode(row.values)), pack)


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
