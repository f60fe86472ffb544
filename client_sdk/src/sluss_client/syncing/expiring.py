"""What ends by itself goes from this device at its next sync, also without the server's word.

A grant ends at its time, what the pack shows for some hours after those, and with the pack in force and with agreements
what neither opens any more.
What a suspended agreement gave stays, though nothing of it is shown: the agreement may be resumed.
Refuses: to take anything away for what is only missing here, as an agency's directory or the pack.
Source: docs/protocol.md section 6; docs/secrecy-rules.md B6.

> INVARIANT: nothing is widened: what went here stays away until it is delivered anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from msgspec.structs import replace

from sluss_client import clock, visible
from sluss_client.local import Local
from sluss_client.replica import Hold, Version
from sluss_client.syncing import sync_core
from sluss_client.syncing.sync_core import Tally
from sluss_schemas.agreeing import standing
from sluss_schemas.disclosure import BASE_RELEASE
from sluss_schemas.ids import AgencyId
from sluss_schemas.policy import agreements
from sluss_schemas.replay import Directory


def run(local: Local, now: int, tally: Tally) -> None:
    """Let go of what has ended; `now` is the time by the server's clock.

    A grant and an agreement end by the later of both clocks. The hours of a warning end by the server's: what the own
    one alone takes for over is not shown, and comes back when that clock is put right.
    """
    latest, changed = clock.latest(now), []
    opens = _opening(local, now)
    for received in local.replica.reports():
        left = sync_core.expire(received, latest)
        # A pin that is over ends what agencies agreed on, and nothing of theirs is shown.
        owner = local.trust.chains.get(AgencyId(received.agency))
        if opens is not None and owner is not None:
            left = sync_core.narrow(left, partial(opens, owner))
        if left != received:
            changed.append(left)
            tally.dropped += len(received.versions) - len(left.versions)
    if changed:
        with local.store.transaction():
            local.replica.save(changed)
        local.store.scrub()


def _opening(local: Local, now: int) -> Callable[[Directory, Version, Hold], int] | None:
    """Return what tells the slots that are open through a hold, by the pack in force and the agreements that stand."""
    trust, latest, pack = local.trust, clock.latest(now), local.trust.pack(now)
    known = standing(trust.chains, suspended=True)
    if pack.stands_in:
        return None

    # A store has thousands of reports and a handful of these.
    @cache
    def bits(owner: AgencyId, kind: int, scene: int, function: str, *, named: bool) -> int:
        receiver = trust.receiver_of(trust.own_id, owner, function, named=named)
        if function == "field" and not named and not receiver.own:
            cells = agreements.agreed(known, owner, trust.own_id, trust.sectors, at=latest, scene=scene)
            receiver = replace(receiver, agreed=cells)
        got = trust.slots(pack, kind, trust.chains[owner].sector, receiver)
        return got.open | got.held

    def opens(owner: Directory, version: Version, hold: Hold) -> int:
        over = visible.until(local, hold, version, owner, pack)
        if over is not None and now >= over:
            return 0
        if hold.grant and hold.gateway != BASE_RELEASE:
            # What was decided ends with the decision; a release opens what the pack would have opened at filing.
            return hold.slots
        return bits(owner.agency, version.kind, version.scene, hold.function, named=hold.named)

    return opens
