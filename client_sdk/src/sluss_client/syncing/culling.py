"""The device's own copies of what was filed here go when the pack's time for them has run out.

What came from the server goes by its `erase`; this is about what never came back, or stands in the outbox beside it.
What the pack shows for some hours only goes from here after those.
Refuses: to take a server's word for it. The pack of the own agency, the time of the receipt and the device's corrected
clock decide, so that nobody has a device forget what was filed yesterday.
Source: docs/protocol.md section 6; docs/secrecy-rules.md B8.

> INVARIANT: what the server has not acknowledged stays, however old it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client import casework, told, visible
from sluss_client.disclosing import kept
from sluss_client.local import Local
from sluss_client.outbox import ANSWERED, Row
from sluss_schemas.policy.model import Pack

_DAY_S: Final = 86_400
_CULLED: Final = "culled"
"""Why an amendment was refused that came after its report had gone; it stays for its author to write anew."""


def sweep(local: Local, now: int) -> int:
    """Let go of own reports that are over; return how many."""
    rows = dict[bytes, list[Row]]()
    for row in local.outbox.rows():
        rows.setdefault(row.report_id, []).append(row)
    pack = local.trust.pack(now)
    if pack.stands_in:
        # Without the pack in force nobody says how long anything is kept.
        return 0
    over = [some for some in rows.values() if _is_over(local, pack, some, now)]
    if over:
        with local.store.transaction():
            for some in over:
                _forget(local, some)
        local.store.scrub()
    return len(over)


def _is_over(local: Local, pack: Pack, rows: list[Row], now: int) -> bool:
    """Tell whether the time of a report has run out, as far as this device knows of it."""
    if any(row.state not in ANSWERED and row.reason != _CULLED for row in rows):
        return False
    rows = [row for row in rows if row.state in ANSWERED]
    if rows and visible.hidden_row(local, max(rows, key=lambda row: row.version), pack, now):
        # Its author has it no longer than others; the own supervisors get it from the server.
        return True
    days = None if not rows else pack.kept_days(pack.clear_kind(rows[0].kind), local.trust.own.sector)
    if days is None:
        return False
    before = now - days * _DAY_S
    if any(visible.received_at(row, now) > before for row in rows):
        return False
    # A colleague may have amended it since.
    received = local.replica.get(local.trust.own_id, rows[0].report_id)
    mine = {row.digest for row in rows}
    others = () if received is None else [one for one in received.versions if one.digest not in mine]
    return all(one.received_at <= before for one in others)


def _forget(local: Local, rows: list[Row]) -> None:
    """Remove what was filed of a report, and what stands beside it for as long as it is here."""
    for row in rows:
        if row.state not in ANSWERED:
            continue
        local.outbox.remove(row)
        casework.forget(local, row)
        if row.digest is not None:
            told.forget(local, row.digest)
    for one in kept.all_of(local):
        if one.report_id == rows[0].report_id and one.state not in kept.OPEN:
            # The decision stays with its reasons; what it disclosed does not.
            kept.save(local, msgspec.structs.replace(one, draft=None, item=b""))
