"""Whether a duty has anything to tell of a form: to whom it is owed, and whether it is about a child.

For: asking an author only about duties that concern what they wrote.
Refuses: nothing; what is in doubt is asked. Whether anybody can be reached is not asked of a duty by law: it stays due
where no receiver is, and is told by telephone.

> INVARIANT: an age that is not known may be a child's.
> INVARIANT: nothing that agencies decide about each other takes a duty by law away.

Source: docs/secrecy-rules.md B7 10.
"""

from __future__ import annotations

from sluss_client import filing
from sluss_client.local import Local
from sluss_client.trust import local_day
from sluss_schemas import forms
from sluss_schemas.forms.ages import ages_on
from sluss_schemas.ids import COMPARTMENTS, Sector, slot
from sluss_schemas.policy.model import Pack


def concerned(local: Local, pack: Pack, code: str, now: int) -> frozenset[Sector]:
    """Return the sectors that a duty is owed to, reachable or not; of a recommendation those that can be reached."""
    if pack.gateways[code].duty:
        return frozenset(pack.gateways[code].receivers)
    return frozenset(to.receiver.sector for to in filing.duty_receiver(local.trust, pack, code, now))


def tells(local: Local, form: forms.Form, code: str, to: Sector, filled: int, pack: Pack) -> bool:  # noqa: PLR0917  # what it depends on
    """Tell whether a duty would tell a sector anything of what this form says."""
    owner, gateway = local.trust.own.sector, pack.gateways[code]
    if gateway.about_child and not pack.kinds[form.KIND].duty_itself and not _may_be_child(form, pack):
        return False
    cells = ((part, pack.cell(form.KIND, owner, part, to)) for part in COMPARTMENTS)
    return any(
        code in (*cell.duties, *(cell.gateways if gateway.recommended else ())) and filled >> slot(part) & 1
        for part, cell in cells
    )


def _may_be_child(form: forms.Form, pack: Pack) -> bool:
    """Tell whether anybody in the form may be a child: doubt protects, so an age that is not known may be one."""
    day = local_day(int(form.observed_at.timestamp()), pack.zone)
    youngest = [ages_on(person, day)[0] for person in forms.persons_of(form)]
    return any(age is None or age < pack.parameters.child_age for age in youngest)
