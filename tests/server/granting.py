"""Grounds as these tests need them: a report on which each can be used, and a grant with everything it demands."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final

from sluss_schemas import disclosure
from sluss_schemas.codec import encode
from sluss_schemas.ids import Function, bitmap_of, slots_of
from sluss_schemas.policy import decide
from sluss_schemas.policy.decide import Receiver
from sluss_schemas.policy.model import Gateway
from sluss_schemas.records import Case, CaseKind

from tests.server.cases import CREATED, DAY, Answer, case, consent, said, send, shift
from tests.server.sealer import SealedReport, make_grant
from tests.server.town import AGENCIES, NOW, PACK, Device, Town

SLUGS: Final = {sector: slug for slug, sector in AGENCIES}
SCENE: Final = 1


@dataclass(frozen=True, kw_only=True)
class Use:
    """One way to use a ground: on whose report of which kind, for whom, and what it gives at most."""

    code: str
    kind: int
    owner: str
    to: str
    named: bool
    function: Function
    bits: int

    def __str__(self) -> str:
        return f"{self.code} {'by a decision' if self.named else 'as a duty'}"

    @property
    def gateway(self) -> Gateway:
        return PACK.gateways[self.code]

    @property
    def decides(self) -> str:
        return (self.named and self.gateway.decides_case) or self.gateway.decides

    @property
    def longest(self) -> int:
        return (self.gateway.max_hours or 24) * 3600


def gives(code: str, kind: int, owner: str, receiver: Receiver) -> int:
    """The slots that a ground gives a receiver."""
    sectors = dict(AGENCIES)
    found = decide.slots(PACK, PACK.clear_kind(kind), sectors[owner], receiver)
    return (found.gateways if receiver.named else found.duties).get(code, 0)


def uses() -> list[Use]:
    """Each ground that the pack offers to anybody by keys, as a decision and as a duty, where it gives most."""
    found = list[Use]()
    for code, gateway in sorted(PACK.gateways.items()):
        # The town has no reception.
        function = gateway.receiver_fallback or gateway.receiver_function
        for named in (True, False):
            rows = [
                Use(
                    code=code,
                    kind=kind,
                    owner=SLUGS[owner],
                    to=SLUGS[to],
                    named=named,
                    function="field" if named else function,
                    bits=bits,
                )
                for kind, one in sorted(PACK.kinds.items())
                for owner in gateway.owners
                for to in gateway.receivers
                if one.clear and owner in one.owners and to != owner
                for receiver in [Receiver(to, "field" if named else function, own=False, named=named)]
                if (bits := gives(code, kind, SLUGS[owner], receiver))
            ]
            found += sorted(rows, key=lambda row: -row.bits.bit_count())[:1]
    return found


def use_of(code: str, *, named: bool = True) -> Use:
    """How a ground is used."""
    return next(use for use in uses() if use.code == code and use.named is named)


@dataclass(kw_only=True)
class Ready:
    """A report in the town, and everything that its owner needs to use a ground."""

    town: Town
    use: Use
    report: SealedReport
    by: Device
    approver: Device | None = None
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def bits(self) -> int:
        return self.use.bits & bitmap_of(self.report.keys)

    @property
    def receivers(self) -> list[Device]:
        """Everybody who gets it."""
        devices = self.town.agencies[self.use.to].devices
        if self.use.named:
            return devices[:1]
        return devices[:2] if self.use.function == "field" else devices[2:3]

    def key(self, to: str | None = None) -> bytes:
        """The KEM public key of the receiver, or of an agency's in its place."""
        slug = to or self.use.to
        if self.use.named:
            return self.town.field(slug).kem.public
        return self.town.agencies[slug].key(self.use.function)

    def item(self, now: int = NOW, **more: Any) -> disclosure.GrantItem:  # noqa: ANN401  # any argument of a grant
        approvers = [] if self.approver is None else [self.approver.sign]
        wanted = {"receivers": {self.key(): self.bits}, "approvers": approvers, **self.given, **more}
        return make_grant(self.report, wanted.pop("receivers"), self.use.code, now, **wanted)

    def grant(self, now: int = NOW, **more: Any) -> bytes:  # noqa: ANN401  # as `item`
        return encode(self.item(now, **more))

    async def answer(self, grant: bytes, by: Device | None = None) -> Answer:
        [found] = said((await self.town.push(by or self.by, grants=[grant])).grants)
        return found


async def ready(town: Town, use: Use) -> Ready:
    """File a report and prepare what the ground demands."""
    report = town.report(use.owner, use.kind)
    assert await town.outcomes(town.field(use.owner), report) == [CREATED]
    by = town.supervisor(use.owner) if use.decides == "supervisors" else town.field(use.owner)
    found = Ready(town=town, use=use, report=report, by=by)
    if use.named:
        found.given["not_after"] = NOW + use.longest
    if use.gateway.approval != "none":
        found.approver = await colleague(town, use.owner)
    if use.gateway.basis == "consent":
        found.given |= {"basis": await consented(found), "not_after": NOW + DAY}
    if use.gateway.on_shift:
        await begin_shift(town, town.field(use.to))
    return found


async def colleague(town: Town, slug: str) -> Device:
    """Another supervisor."""
    agency = town.agencies[slug]
    await town.append(agency, town.device_entries(agency, "S2", ("supervisors",)))
    return agency.devices[-1]


async def consented(found: Ready, **more: Any) -> bytes:  # noqa: ANN401  # any field of a record
    """Record a consent that covers what the grant gives; return its id."""
    terms = consent([found.town.agencies[found.use.to].id], tuple(slots_of(found.bits)))
    given = {"digest": found.report.digest, "code": "given", "until": NOW + DAY, "terms": terms, **more}
    made = case(found.by, CaseKind.CONSENT, NOW, **given)
    assert await send(found.town, found.by, made) == [CREATED]
    return made.record


async def begin_shift(town: Town, device: Device, scene: int = SCENE, until: int | None = None) -> Case:
    """Let a device be on shift at a scene; return the record."""
    now = town.clock.now
    made = case(device, CaseKind.SHIFT, now, until=until or now + 8 * 3600, terms=shift(scene), record=os.urandom(16))
    assert await send(town, device, made) == [CREATED]
    return made
