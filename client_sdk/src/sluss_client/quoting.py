"""A report that quotes others: who may get it besides what its own kind says, and until when.

For: saying at filing what is quoted, and leaving out of every seal what the quoted reports' own rules would not give
its receiver. What a decision opened for a time stays with the author's own devices, and is locked when that time ends.
Refuses: to keep a duty back; what a statute has its author tell goes out, whatever is quoted.

> INVARIANT: a quote takes readers away and never adds one, and the next version keeps its limits.
> INVARIANT: what is quoted is named to nobody outside the own agency, and to its server not at all.

Source: docs/secrecy-rules.md B7 24.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sluss_client import holding, views, visible
from sluss_client.errors import NotFound, Refused
from sluss_client.local import Local
from sluss_client.report import Report
from sluss_schemas import disclosure
from sluss_schemas.ids import COMPARTMENTS, AgencyId, Function, ReportId
from sluss_schemas.policy import weakest
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack
from sluss_schemas.quoting import NARROWEST, Quote, Quoted, together

AUTHOR: Final = "author"
"""The label of a report's readers where they are its author's own devices alone."""


def quoted(local: Local, quotes: Sequence[ReportId | str], pack: Pack, now: int) -> Quoted:
    """Return what a report that quotes these is limited by.

    Raises:
        NotFound: one of them is not on this device.
        Refused: `lease_ended` for one that is locked.
        Invalid: `wrong_type` for what is no id.

    """
    return together([_of_one(local, views.as_id(each), pack, now) for each in quotes])


def _of_one(local: Local, report_id: ReportId, pack: Pack, now: int) -> Quoted:
    report = views.one_report(local, report_id, pack, now)
    owner = None if report is None else _owner(local, report, now)
    if report is None or owner is None:
        raise NotFound("quotes")
    if not report.readable:
        raise Refused("quotes", code="lease_ended")
    kind = report.kind_number
    ends = [one for one in (_end(report), visible.end(local, report_id, pack, now)) if one is not None]
    mine = Quoted((Quote(owner, kind, kept_back(local, report)),), min(ends, default=None))
    # A colleague's report may be a copy, and says of what in a part that is not open here: then nobody gets the next.
    unread = report.agency == local.trust.own.slug and not report.limits_known
    return together([mine, NARROWEST if unread else report.quoted])


def _owner(local: Local, report: Report, now: int) -> AgencyId | None:
    return next((chain.agency for chain in local.trust.agencies(now) if chain.slug == report.agency), None)


def _end(report: Report) -> int | None:
    """Return the earliest end among the decisions without which something of a report would not be read here."""
    ends = []
    for part in COMPARTMENTS:
        ways = report.because(part)
        lasting = [one for one in ways if one.until is None]
        if not any(one.full and not one.excerpt for one in lasting):
            ends += [one.until for one in ways if one.until is not None and (one.full or not lasting)]
    return min(ends, default=None)


def kept_back(local: Local, report: Report) -> bool:
    """Tell whether the owner may keep a report back from others to whom the pack would open it; doubt says yes."""
    if report.agency == local.trust.own.slug:
        return not report.limits_known or bool(report.hold)
    received = local.received(report.id)
    holds = () if received is None else received.heads()[0].holds
    # Whoever was only told it by a duty or a decision does not know that anybody else has it.
    return not any(hold.gateway in {"", disclosure.BASE_RELEASE} and not hold.held for hold in holds)


def narrowed(local: Local, limits: Quoted, shown: Mapping[str, int], pack: Pack, now: int) -> dict[str, int]:
    """Return of the readers shown those to whom the rules of everything quoted give the same parts by themselves."""
    if not limits.quotes:
        return dict(shown)
    named: tuple[AgencyId, Function] = (local.trust.own_id, "field")
    where = {one.label: (one.agency, one.audience.function) for one in local.trust.audiences(now)}
    found = {label: within(local, limits, *where.get(label, named), bits, pack) for label, bits in shown.items()}
    return {label: bits for label, bits in found.items() if bits or label == holding.NAMED}


def within(local: Local, limits: Quoted, agency: AgencyId, function: Function, bits: int, pack: Pack) -> int:  # noqa: PLR0917
    """Return what stays of one audience's slots; staff that is named gets what the own field would."""
    chains = local.trust.chains
    rules = []
    for one in limits.quotes:
        if one.agency not in chains or agency not in chains:
            return 0
        # What is kept back leaves in no copy, not even to its owner, who could not tell that theirs is in it.
        if one.held and agency != local.trust.own_id:
            return 0
        receiver = Receiver(chains[agency].sector, function, own=agency == one.agency)
        got = weakest.automatic(pack, one.kind, chains[AgencyId(one.agency)].sector, receiver, embargo=one.held)
        rules.append(got.open | got.held)
    return weakest.narrowed(bits, rules)


def only_author(limits: Quoted, shown: Mapping[str, int], everything: int) -> dict[str, int]:
    """Return the readers of a copy: its author's devices, where it is for a time or nobody else is left."""
    alone = limits.until is not None or (limits.quotes and not any(shown.values()))
    return {AUTHOR: everything} if alone else dict(shown)


def whole(local: Local, limits: Quoted, kind: int, pack: Pack) -> bool:
    """Tell whether the own field has every part of a report of a kind, whatever it quotes."""
    owner = local.trust.own.sector
    own = local.trust.slots(pack, kind, owner, Receiver(owner, "field", own=True, named=True)).open
    return within(local, limits, local.trust.own_id, "field", own, pack) == own
