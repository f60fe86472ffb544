"""What a screen may show that others see too: what is open by itself to everybody who is present, and nothing more.

For: a meeting in the common room.
Refuses: to show a guest anything, and to say that a report exists whose situation is not open to everybody.

> INVARIANT: what a grant opened to this person, and what another keeps back, is not shown to others who are present.
> INVARIANT: whether a part is closed follows from the pack and from who is present, never from what is in it.

Source: docs/secrecy-rules.md B7 23.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluss_client import clock, quoting
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_client.report import Reason, Report
from sluss_client.sections import AuthorBrief, plaintext
from sluss_schemas import brief, forms
from sluss_schemas.ids import COMPARTMENTS, AgencyId, Compartment, Function, Sector, bit, slot
from sluss_schemas.policy import decide, weakest
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack

GUESTS: Final = "guests"
"""Anybody without keys."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Staff that is present: a function of an agency."""

    agency: AgencyId
    function: Function


def audiences(local: Local, names: Sequence[str], now: int) -> list[Audience | None]:
    """Return who is present, by the names that `readers` has for audiences; None is a guest.

    Raises:
        Invalid: `unknown_agency` for a name that stands for nobody.

    """
    known = {one.label: Audience(one.agency, one.audience.function) for one in local.trust.audiences(now)}
    for name in names:
        if name != GUESTS and name not in known:
            raise Invalid("unknown_agency", "present", f"Name who is present: {', '.join([*known, GUESTS])}.")
    return [known.get(name) for name in names]


def all_shown(local: Local, reports: Iterable[Report], names: Sequence[str], pack: Pack, now: int) -> Iterator[Report]:
    """Return the reports that everybody of these names may know of, each as all of them may see it; raises at once."""
    present = audiences(local, names, now)
    found = (shown(local, report, present, pack, now) for report in reports)
    return (report for report in found if report is not None)


def shown(local: Local, report: Report, present: Sequence[Audience | None], pack: Pack, now: int) -> Report | None:
    """Return a report as everybody present may see it, or None where they may not know of it."""
    owner = next((chain for chain in local.trust.agencies(now) if chain.slug == report.agency), None)
    limits = report.quoted
    if owner is None or None in present or limits.until is not None:
        return None
    scene = local.trust.scene_numbers(now).get(report.scene or "", 0)
    staff = [one for one in present if one is not None]
    receivers = [
        local.trust.receiver_of(one.agency, owner.agency, one.function, at=now, latest=clock.latest(now), scene=scene)
        for one in staff
    ]
    kept_back = quoting.kept_back(local, report)
    everybody = weakest.open_to_all(pack, report.kind_number, owner.sector, receivers, embargo=kept_back)
    for one in staff:
        everybody = quoting.within(local, limits, one.agency, one.function, everybody, pack)
    bits = weakest.weaker([report.may, everybody])
    if not bits:
        return None
    reduced = [part for part in COMPARTMENTS if bits & bit(part, brief=True) and report.form_of(part) == "full"]
    made = _briefs(report, owner.sector, reduced, pack)
    return report.narrowed(bits, made, _Closed(pack, report, owner.sector, receivers, kept_back=kept_back))


def _briefs(report: Report, owner: Sector, parts: Sequence[Compartment], pack: Pack) -> Mapping[int, bytes]:
    """Return the briefs of parts that are open here in full: nobody has sealed one to this device."""
    made: dict[int, bytes] = {}
    full = report.full_arrays() if parts else {}
    if "SIT" in full:
        form = forms.rebuild(report.kind_number, full, pack)
        arrays = brief.briefs(form, owner, pack, parts)
        made = {slot(part, brief=True): plaintext(arrays[part]) for part in parts if part in arrays}
    if "AUT" in parts and (author := report.author) is not None:
        made[slot("AUT", brief=True)] = plaintext(AuthorBrief(author.function, author.alias))
    return made


class _Closed:
    """Why a part is closed: the rule for the first of those present to whom it is closed."""

    def __init__(
        self, pack: Pack, report: Report, owner: Sector, present: Sequence[Receiver], *, kept_back: bool
    ) -> None:
        self._pack = pack
        self._report = report
        self._owner = owner
        self._present = present
        self._kept_back = kept_back

    def __call__(self, part: Compartment) -> Reason:
        kind = self._report.kind_number
        for one in self._present:
            found = decide.open_to(self._pack, kind, self._owner, one, part, embargo=self._kept_back)
            if found.form is None:
                cell = self._pack.cells.get((kind, self._owner, part, decide.column(self._owner, one)))
                return Reason(found.rule_id, found.reason, cell.law if cell is not None else ())
        return self._report.why_closed(part)
