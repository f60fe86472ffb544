"""Whether a duty has anything to tell of a form: to whom it is owed, and whether it is about a child.

For: asking an author only about duties that concern what they wrote.
Refuses: nothing; what is in doubt is asked.

> INVARIANT: an age that is not known may be a child's.

Source: docs/secrecy-rules.md B7 10.
"""

from __future__ import annotations

from sluss_client.local import Local
from sluss_client.trust import Reachable, local_day
from sluss_schemas import forms
from sluss_schemas.forms.ages import ages_on
from sluss_schemas.ids import COMPARTMENTS, slot
from sluss_schemas.policy.model import Pack


def tells(local: Local, form: forms.Form, code: str, to: Reachable, filled: int, pack: Pack) -> bool:  # noqa: PLR0917  # what it depends on
    """Tell whether a duty would tell its receiver anything of what this form says."""
    owner, gateway = local.trust.own.sector, pack.gateways[code]
    if gateway.about_child and not pack.kinds[form.KIND].duty_itself and not _may_be_child(form, pack):
        return False
    cells = ((part, pack.cell(form.KIND, owner, part, to.receiver.sector)) for part in COMPARTMENTS)
    return any(
        code in (*cell.duties, *(cell.gateways if gateway.recommended else ())) and filled >> slot(part) & 1
        for part, cell in cells
    )


def _may_be_child(form: forms.Form, pack: Pack) -> bool:
    """Tell whether anybody in the form may be a child: doubt protects, so an age that is not known may be one."""
    day = local_day(int(form.observed_at.timestamp()), pack.zone)
    youngest = [ages_on(person, day)[0] for person in forms.persons_of(form)]
    return any(age is None or age < pack.parameters.child_age for age in youngest)
