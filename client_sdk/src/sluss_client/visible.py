"""What this device shows no longer, because the pack names hours for its kind and they are over.

It goes from the device at the next sync; one that never meets the server again shows it no longer all the same.
Refuses: to hide what a supervisor of the own agency opened, for which they have stated why.

> INVARIANT: what is over here needs no word of the server's, and the later of the device's clocks decides.

Source: docs/secrecy-rules.md B8; docs/protocol.md section 6.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from sluss_client import clock
from sluss_client.coarse import coarse_time
from sluss_client.local import Local
from sluss_client.outbox import ANSWERED, Row
from sluss_client.replica import Hold, Version
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.ids import ReportId
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy import visible
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory


def hidden(local: Local, hold: Hold, version: Version, owner: Directory, pack: Pack, now: int) -> bool:  # noqa: PLR0917  # what it depends on
    """Tell whether one way of holding a version shows nothing of it any more."""
    over = until(local, hold, version, owner, pack)
    return over is not None and clock.latest(now) >= over


def until(local: Local, hold: Hold, version: Version, owner: Directory, pack: Pack) -> int | None:
    """Return when one way of holding a version shows nothing of it any more; None for never."""
    if owner.agency == local.trust.own_id and hold.function == "supervisors" and not hold.grant:
        return None
    observed = read_manifest(version.manifest).time if _has_end(pack, version.kind) else 0
    return visible.until(pack, version.kind, owner.sector, observed=observed, received_at=version.received_at)


def hidden_row(local: Local, row: Row, pack: Pack, now: int) -> bool:
    """Tell whether an own filing is shown no longer; what the server has not acknowledged is its author's still."""
    over = _end_of_row(local, row, pack, now)
    return row.state in ANSWERED and over is not None and clock.latest(now) >= over


def end(local: Local, report_id: ReportId, pack: Pack, now: int) -> int | None:
    """Return when a report that is shown here will be shown no longer, which a copy of it inherits; None for never."""
    row, ends = local.outbox.head(report_id), list[int | None]()
    if row is not None:
        ends.append(_end_of_row(local, row, pack, now))
    received = local.received(report_id)
    owner = None if received is None else local.trust.agency(received.agency, now)
    if received is not None and owner is not None:
        head = received.heads()[0]
        observed, at = read_manifest(head.manifest).time, head.received_at
        ends.append(visible.until(pack, head.kind, owner.sector, observed=observed, received_at=at))
    # A supervisor who opened what was over has it without an end.
    return min((one for one in ends if one is not None and one > clock.latest(now)), default=None)


def _end_of_row(local: Local, row: Row, pack: Pack, now: int) -> int | None:
    if not _has_end(pack, row.kind):
        return None
    owner = local.trust.own.sector
    happened = int(forms.make(row.kind, msgspec.msgpack.decode(row.values)).observed_at.timestamp())
    observed = coarse_time(happened, pack, row.kind, owner)
    return visible.until(pack, row.kind, owner, observed=observed, received_at=received_at(row, now))


def received_at(row: Row, now: int) -> int:
    """Return when the server had a version, by its receipt."""
    with suppress(Invalid):
        return decode(wire.Receipt, row.receipt or b"", "receipt").time
    return now if row.answered_at is None else row.answered_at


def _has_end(pack: Pack, kind: int) -> bool:
    known = pack.kinds.get(kind)
    return known is not None and known.retention is not None and known.retention.visible_hours is not None
