"""A report that was kept back goes out: to everybody to whom the pack opens it by itself, now or at a time.

Refuses: a report that nothing keeps back, one whose place is protected, and whoever is no supervisor.
Source: docs/protocol.md section 3 ("embargo"); docs/secrecy-rules.md B6 4.

> INVARIANT: nothing is released by time alone: a supervisor who reads the report has said so.
"""

from __future__ import annotations

import os
from typing import Final

from sluss_client.disclosing.kept import OPEN, Decision, State, all_of, save
from sluss_client.disclosing.material import latest
from sluss_client.errors import Invalid, Refused
from sluss_client.local import Local
from sluss_schemas.disclosure import BASE_RELEASE
from sluss_schemas.ids import ReportId

_RELEASABLE: Final = frozenset({"embargo", "review"})


def release(local: Local, report_id: ReportId, at: int | None, now: int) -> Decision:
    """Decide that a report goes out, from a time on or at once; sealed and sent by the next sync.

    Raises:
        NotFound: no such report of the own agency here.
        Refused: `supervisor_only`, `not_held` where nothing keeps it back, `protected_place`, `closed`, `lease_ended`.
        Invalid: `out_of_range` for a time that has passed.

    """
    if "supervisors" not in local.person.functions:
        raise Refused("report", code="supervisor_only")
    found = latest(local, report_id, local.trust.pack(now), now)
    if found.hold == "protected":
        raise Refused("report", code="protected_place")
    before = [one for one in all_of(local) if (one.report_id, one.version) == (report_id, found.version)]
    gone = any(one.gateway == BASE_RELEASE and one.state in OPEN | {State.RELEASED} for one in before)
    if found.hold not in _RELEASABLE or gone:
        raise Refused("report", code="not_held")
    if at is not None and at <= now:
        raise Invalid("out_of_range", "at")
    return save(
        local,
        Decision(
            grant_id=os.urandom(16),
            report_id=report_id,
            version=found.version,
            digest=found.digest,
            gateway=BASE_RELEASE,
            people=(),
            agencies=(),
            compartments=(),
            tests=(),
            reasons=(),
            decided_at=now,
            not_before=at,
        ),
    )
