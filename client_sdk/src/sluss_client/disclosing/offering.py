"""Which grounds are formally open for a report, and what each asks of whoever decides.

Refuses to weigh anything: an offer says what the statute demands, and a person answers.

> INVARIANT: what this person cannot read is not offered, and nothing is offered that the pack does not give.

Source: docs/secrecy-rules.md, "Who decides what", B4 and B6.
"""

from __future__ import annotations

from collections.abc import Iterator

from sluss_client.disclosing import ages
from sluss_client.disclosing.answers import Asked, Offence, Offer
from sluss_client.disclosing.material import Material, latest
from sluss_client.filing import duty_receiver
from sluss_client.local import Local
from sluss_schemas.ids import COMPARTMENT_NAMES, COMPARTMENTS, Compartment, ReportId, Sector, slot
from sluss_schemas.policy import decide
from sluss_schemas.policy.answers import Receiver, Slots
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.policy.offences import weighs_enough
from sluss_schemas.replay import Directory


def offers(local: Local, report_id: ReportId, now: int) -> list[Offer]:
    """Return the grounds for the latest version of a report, by agency and code; raises as `material.latest`."""
    pack = local.trust.pack(now)
    material = latest(local, report_id, pack, now)
    others = (chain for chain in local.trust.agencies(now) if chain.agency != local.trust.own_id)
    return [offer for chain in others for offer in _to(local, chain, material, pack, now)]


def _to(local: Local, chain: Directory, material: Material, pack: Pack, now: int) -> Iterator[Offer]:
    for code, gateway in sorted(pack.gateways.items()):
        parts = parts_of(local, pack, material.kind, chain, code, now)
        if not parts or gateway.held:
            continue
        able = [part for part in parts if readable(material, part)]
        if able:
            judged = ages.judge(material.persons, gateway, pack, noted=material.noted, now=now)
            yield _offer(local, chain, gateway, able, judged.reason, _offences(pack, gateway))


def parts_of(local: Local, pack: Pack, kind: int, chain: Directory, code: str, now: int) -> tuple[Compartment, ...]:  # noqa: PLR0917
    """Return the parts of an own report that a ground may give to an agency, by decision or because it obliges."""
    owner, gateway = local.trust.own.sector, pack.gateways.get(code)
    if gateway is None:
        return ()
    named = is_named(gateway)
    got = slots_for(local, pack, kind, chain, gateway, now)
    if code not in (got.gateways if named else got.duties):
        return ()
    cells = ((part, pack.cell(kind, owner, part, chain.sector)) for part in COMPARTMENTS)
    return tuple(part for part, cell in cells if code in (cell.gateways if named else cell.duties))


def is_named(gateway: Gateway) -> bool:
    """Tell whether a ground is decided case by case for named persons; else a statute obliges, and audiences get it.

    What its author answers at filing may besides be decided later, where a cell says so.
    """
    return gateway.at_filing or not gateway.duty


def slots_for(  # noqa: PLR0917  # what a bitmap follows from
    local: Local, pack: Pack, kind: int, chain: Directory, gateway: Gateway, now: int, *, embargo: bool = False
) -> Slots:
    """Return what the receivers of a ground in an agency may hold of an own report of this kind."""
    owner: Sector = local.trust.own.sector
    if is_named(gateway):
        receiver = Receiver(chain.sector, "field", own=False, named=True)
    else:
        found = [one for one in duty_receiver(local.trust, pack, gateway.code, now) if one.agency == chain.agency]
        if not found:
            return Slots()
        receiver = found[0].receiver
    return decide.slots(pack, kind, owner, receiver, embargo=embargo)


def readable(material: Material, part: Compartment) -> bool:
    """Tell whether this device can give a part: it has its key, or what was written and has yet to be sealed."""
    return material.filled >> slot(part) & 1 == 1


def may_decide(local: Local, gateway: Gateway | None) -> bool:
    """Tell whether this device's person may decide on a ground; what field staff decide, supervisors may too."""
    return bool(deciders(gateway) & set(local.person.functions))


def deciders(gateway: Gateway | None) -> set[str]:
    """Return the functions of which the one who decides has one; a release is the supervisors'."""
    if gateway is None:
        return {"supervisors"}
    function = (gateway.decides_case or gateway.decides) if is_named(gateway) else gateway.decides
    return {function, "supervisors"} if function == "field" else {function}


def _offences(pack: Pack, gateway: Gateway) -> tuple[Offence, ...]:
    """Return the offences that weigh enough for a ground that asks for one."""
    if gateway.offence == "none":
        return ()
    return tuple(
        Offence(code, one.en, one.sv, weighs_enough(pack, gateway, code, attempt=True))
        for code, one in pack.offences.items()
        if weighs_enough(pack, gateway, code)
    )


def _offer(  # noqa: PLR0917  # what an offer says
    local: Local,
    chain: Directory,
    gateway: Gateway,
    parts: list[Compartment],
    excluded: str,
    offences: tuple[Offence, ...],
) -> Offer:
    return Offer(
        agency=chain.slug,
        code=gateway.code,
        en=gateway.en,
        sv=gateway.sv,
        law=gateway.law,
        duty=not is_named(gateway),
        decides=(gateway.decides_case or gateway.decides) if is_named(gateway) else gateway.decides,
        may_decide=may_decide(local, gateway),
        tests=tuple(Asked(test.code, test.en, test.sv, test.written) for test in gateway.tests),
        compartments=tuple(COMPARTMENT_NAMES[part] for part in parts),
        max_hours=gateway.max_hours,
        approval=gateway.approval,
        consent=gateway.basis == "consent",
        review_hours=gateway.review_hours,
        excluded=excluded,
        offences=offences,
    )
