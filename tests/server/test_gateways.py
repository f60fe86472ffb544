"""Every ground of the pack: what is complete opens exactly what it gives, and what is not opens nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from msgspec import structs

from sluss_schemas import directory as d
from sluss_schemas import disclosure, sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import Function, slots_of
from sluss_schemas.policy.decide import Receiver
from sluss_schemas.records import CaseKind

from tests.server.cases import CREATED, DAY, HOUR, Answer, case, consent, feeds, gained, said, send
from tests.server.granting import Ready, Use, consented, gives, ready, use_of, uses
from tests.server.sealer import SignKey, make_grant
from tests.server.town import AGENCIES, NOW, PACK, Device, Town, bits, slots

USES: Final = uses()
UNUSED: Final = sorted(PACK.gateways.keys() - {use.code for use in USES})


def test_every_ground_is_tried_that_keys_are_given_for() -> None:
    # Feedback is a record, new substances are a note to an agency without keys, and supervision needs no grant.
    assert UNUSED == ["L18", "L20", "L22"]
    assert {use.code for use in USES if not use.named} == {"L11", "L12", "L13", "L14"}


# what is missing or wrong, and what the answer's field says

Break = Callable[[Ready], "bytes | None"]
"""Makes a grant that is to be refused; None where the ground has nothing of the kind."""


def _tests(change: Callable[[list[disclosure.Test]], list[disclosure.Test]]) -> Break:
    def build(one: Ready) -> bytes:
        return one.grant(tests=change(list(disclosure.read_grant(one.item().grant).tests)))

    return build


def _denied(found: list[disclosure.Test]) -> list[disclosure.Test]:
    return [*found[:-1], disclosure.Test(found[-1].code, met=False)]


def _offence(*codes: str) -> Break:
    """These in the place of the offence, where the ground asks for one."""

    def build(one: Ready) -> bytes | None:
        affirmed = [disclosure.Test(test.code, met=True) for test in one.use.gateway.tests]
        named = [disclosure.Test(code, met=True) for code in codes]
        return None if one.use.gateway.offence == "none" else one.grant(tests=[*affirmed, *named])

    return build


def _unwritten(one: Ready) -> bytes | None:
    written = any(test.written for test in one.use.gateway.tests)
    return one.grant(reasons=b"") if written else None


def _too_long(one: Ready) -> bytes | None:
    hours = one.use.gateway.max_hours
    return None if hours is None else one.grant(not_after=NOW + hours * HOUR + 1)


def _endless(one: Ready) -> bytes | None:
    gateway = one.use.gateway
    ends = one.use.named and (gateway.max_hours is not None or gateway.age is not None)
    return one.grant(not_after=None) if ends else None


def _to_another_agency(one: Ready) -> bytes | None:
    """To an agency whose row does not have the ground."""
    for slug, sector in AGENCIES:
        receiver = Receiver(sector, one.use.function, own=False, named=one.use.named)
        if slug != one.use.owner and not gives(one.use.code, one.use.kind, one.use.owner, receiver):
            return one.grant(receivers={one.key(slug): one.bits})
    return None


def _to_the_other_kind(one: Ready) -> bytes | None:
    """To an audience where persons are to be named, and to a person's device where an audience is."""
    town, use = one.town, one.use
    receiver = Receiver(dict(AGENCIES)[use.to], use.function, own=False, named=not use.named)
    if gives(use.code, use.kind, use.owner, receiver):
        return None
    key = town.agencies[use.to].key() if use.named else town.field(use.to).kem.public
    return one.grant(receivers={key: one.bits})


def _to_another_function(one: Ready) -> bytes | None:
    if one.use.named:
        return None
    other: Function = "supervisors" if one.use.function == "field" else "field"
    return one.grant(receivers={one.town.agencies[one.use.to].key(other): one.bits})


def _to_both(one: Ready) -> bytes:
    town, to = one.town, one.use.to
    return one.grant(receivers={town.agencies[to].key(): one.bits, town.field(to).kem.public: one.bits})


def _approval(make: Callable[[Ready], dict[str, Any]]) -> Break:
    return lambda one: None if one.approver is None else one.grant(**make(one))


def _approvals(*approvals: disclosure.Approval) -> dict[str, Any]:
    return {"approvals": approvals, "approvers": []}


def _approved_elsewhere(one: Ready) -> dict[str, Any]:
    """An approval of another grant."""
    assert one.approver is not None
    return _approvals(*disclosure.read_grant(one.item().grant).approvals)


def _group(one: Ready) -> dict[str, Any]:
    """Signed by the group's key in a colleague's name."""
    assert one.approver is not None
    return _approvals(disclosure.Approval(one.approver.kid, SignKey().sign(b"")))


BREAKS: Final[dict[str, tuple[str, Break]]] = {
    "no test": ("tests", _tests(lambda found: found[1:])),
    "a test denied": ("tests", _tests(_denied)),
    "a test twice": ("tests", _tests(lambda found: [found[0], *found])),
    "a test of nobody's": ("tests", _tests(lambda found: [*found, disclosure.Test("x", met=True)])),
    "no offence": ("offence", _offence()),
    "an offence of nobody's": ("offence", _offence("offence:nothing_that_is_listed")),
    "two offences": ("offence", _offence("offence:narcotics_gross", "offence:assault_gross")),
    "an offence that is not of this form": ("tests", _offence("narcotics_gross")),
    "no reasons": ("reasons", _unwritten),
    "other reasons": ("reasons", lambda one: encode(structs.replace(one.item(), reasons=b"others"))),
    "too long": ("not_after", _too_long),
    "no end": ("not_after", _endless),
    "over": ("not_after", lambda one: one.grant(NOW - HOUR, not_after=NOW)),
    "another agency": ("receivers", _to_another_agency),
    "a receiver of the other kind": ("receivers", _to_the_other_kind),
    "another function": ("receivers", _to_another_function),
    "an audience and a device": ("receivers", _to_both),
    "the own agency": ("receivers", lambda one: one.grant(receivers={one.key(one.use.owner): one.bits})),
    "not approved": ("approvals", _approval(lambda _: {"approvers": []})),
    "approved by oneself": ("approvals", _approval(lambda one: {"approvers": [one.by.sign]})),
    "approved without the function": (
        "approvals",
        _approval(lambda one: {"approvers": [one.town.field(one.use.owner, 1).sign]}),
    ),
    "approved by another agency": (
        "approvals",
        _approval(lambda one: {"approvers": [one.town.supervisor(one.use.to).sign]}),
    ),
    "another grant approved": ("approvals", _approval(_approved_elsewhere)),
    "a forged approval": ("approvals", _approval(_group)),
    "a basis that it has no use for": (
        "basis",
        lambda one: None if one.use.gateway.basis == "consent" else one.grant(basis=os.urandom(16)),
    ),
}


@pytest.mark.parametrize("use", USES, ids=str)
async def test_a_ground(town: Town, use: Use) -> None:
    one = await ready(town, use)
    before = await feeds(town)

    wrong = {name: (field, build(one)) for name, (field, build) in BREAKS.items()}
    answers = {name: await one.answer(grant) for name, (_, grant) in wrong.items() if grant is not None}

    covered = {"another agency", "the own agency"} if use.gateway.basis == "consent" else set()
    assert answers == {
        # A consent names its agencies, so that is what is missing first.
        name: ("refused", "not_allowed", f"grant.{use.code}.{'basis' if name in covered else wrong[name][0]}")
        for name in answers
    }
    early = one.grant(NOW + 301, not_after=NOW + HOUR)
    assert await one.answer(early) == ("refused", "out_of_range", "grant.not_before")
    assert await one.answer(one.grant(pack=bytes(32))) == ("refused", "unknown_pack", "grant.pack")
    if use.decides == "supervisors":
        other = town.field(use.owner)
        assert await one.answer(one.grant(), other) == ("refused", "not_allowed", f"grant.{use.code}.decides")
    assert await gained(town, before) == {}

    item = one.item()
    assert await one.answer(encode(item)) == CREATED
    await town.services.sweeping.once()

    assert await gained(town, before) == {device.kid: [("put", one.report.digest)] for device in one.receivers}
    for device in one.receivers:
        put = await granted(town, device)
        assert put.grant == sync.GrantProof(item.grant, item.signature)
        assert slots(put) == set(slots_of(one.bits))


async def granted(town: Town, device: Device) -> sync.Put:
    """What a device was given by a grant."""
    [found] = [one.put for one in await town.entries(device) if one.put is not None and one.put.grant is not None]
    return found


@pytest.mark.parametrize("code", UNUSED)
async def test_a_ground_without_keys_opens_nothing(town: Town, code: str) -> None:
    report = town.report("social_services")
    await town.outcomes(town.field("social_services"), report)
    before = await feeds(town)

    for key in (town.agencies["social_services"].key("supervisors"), town.supervisor("police").kem.public):
        grant = encode(make_grant(report, {key: 1}, code, NOW, not_after=NOW + HOUR))
        [(outcome, reason, field)] = said((await town.push(town.supervisor("social_services"), grants=[grant])).grants)
        assert (outcome, reason) == ("refused", "not_allowed")
        assert field is not None
        assert field.startswith(f"grant.{code}")

    assert await gained(town, before) == {}


class TestOffence:
    """What weighs enough for a ground that asks for an offence; a ground that asks for none takes none."""

    @pytest.mark.parametrize(
        ("code", "named", "answer"),
        [
            ("L07", "offence:narcotics_sale", CREATED),
            ("L07", "attempt:narcotics_gross", CREATED),
            # Six months are enough for the offence, and not for an attempt at it.
            ("L07", "attempt:narcotics_sale", ("refused", "not_allowed", "grant.L07.offence")),
            ("L07", "offence:narcotics_minor", ("refused", "not_allowed", "grant.L07.offence")),
            ("L08", "offence:narcotics_minor", CREATED),
            ("L03", "offence:narcotics_gross", ("refused", "not_allowed", "grant.L03.tests")),
            # The right chapters, whatever the scale; and for serious violence no lighter penalty than a year.
            ("L05", "attempt:threat", CREATED),
            ("L05", "offence:narcotics_gross", ("refused", "not_allowed", "grant.L05.offence")),
            ("L16", "offence:violation_gross", CREATED),
            ("L16", "offence:threat_gross", ("refused", "not_allowed", "grant.L16.offence")),
            ("L16", "attempt:murder", ("refused", "not_allowed", "grant.L16.offence")),
            ("L16", "offence:robbery", ("refused", "not_allowed", "grant.L16.offence")),
        ],
    )
    async def test_weighs_enough_or_opens_nothing(self, town: Town, code: str, named: str, answer: Answer) -> None:
        one = await ready(town, use_of(code))
        before = await feeds(town)
        affirmed = [disclosure.Test(test.code, met=True) for test in one.use.gateway.tests]

        assert await one.answer(one.grant(tests=[*affirmed, disclosure.Test(named, met=True)])) == answer
        assert bool(await gained(town, before)) is (answer == CREATED)

    async def test_that_is_denied_is_no_offence(self, town: Town) -> None:
        one = await ready(town, use_of("L07"))
        affirmed = [disclosure.Test(test.code, met=True) for test in one.use.gateway.tests]
        denied = disclosure.Test("offence:narcotics_gross", met=False)

        answer = await one.answer(one.grant(tests=[*affirmed, denied]))

        assert answer == ("refused", "not_allowed", "grant.L07.tests")


class TestWhoMayNotKnow:
    """Whoever may not know of a report is answered as if it were not there, whatever is wrong with the grant."""

    async def answers(self, one: Ready, by: Device) -> set[tuple[Answer, bool]]:
        """The answers to good and bad grants, for the report that is there and for one that is not."""
        unknown = Ready(town=one.town, use=one.use, report=one.town.report(one.use.owner), by=by, given=one.given)
        wrong: tuple[dict[str, Any], ...] = ({}, {"tests": []}, {"pack": bytes(32)})
        made = [each.grant(**more) for each in (one, unknown) for more in wrong]
        found = (await one.town.push(by, grants=made)).grants
        return {(answer, each.receipt is None) for answer, each in zip(said(found), found, strict=True)}

    @pytest.mark.parametrize("code", ["L03", "L17"])
    async def test_another_agency(self, town: Town, code: str) -> None:
        one = await ready(town, use_of(code))
        to = town.field(one.use.to)
        assert await one.answer(one.grant()) == CREATED

        for by in (to, town.supervisor("health")):
            assert await self.answers(one, by) == {(("retry", "not_found", "grant.digest"), True)}

    async def test_a_colleague_to_whom_it_was_not_sealed(self, town: Town) -> None:
        key, to = town.agencies["security"].key("supervisors"), town.field("security", 0)
        report = town.report("security", 12, readers={key: bits("SIT.brief"), to.kem.public: bits("SIT", "PLC")})
        await town.outcomes(town.field("security"), report)
        use = Use(code="L14", kind=12, owner="security", to="police", named=False, function="field", bits=1)
        one = Ready(town=town, use=use, report=report, by=town.supervisor("security"))

        assert await self.answers(one, town.field("security", 1)) == {(("retry", "not_found", "grant.digest"), True)}
        assert await one.answer(one.grant(tests=[])) == ("refused", "not_allowed", "grant.L14.tests")

    async def test_somebody_who_is_suspended(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        await town.append(one.by.agency, [one.by.agency.entry(d.PersonSuspend(one.by.person))])

        assert await self.answers(one, one.by) == {(("refused", "not_allowed", "device"), True)}


class TestReceivers:
    async def test_a_suspended_person_gets_nothing(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        to = town.field(one.use.to)
        await town.append(to.agency, [to.agency.entry(d.PersonSuspend(to.person))])

        assert await one.answer(one.grant()) == ("refused", "not_allowed", "grant.L03.receivers")
        both = {town.field(one.use.to, number).kem.public: one.bits for number in (0, 1)}
        assert await one.answer(one.grant(receivers=both)) == ("trimmed", "not_allowed", "recipients")

    async def test_a_revoked_device_has_to_be_left_out(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        to = town.field(one.use.to)
        await town.append(to.agency, [to.agency.entry(d.DeviceRevoke(to.kid, "lost"), NOW)])

        assert await one.answer(one.grant()) == ("stale_directory", "stale_directory", "recipients")

    async def test_what_the_ground_does_not_give_or_the_report_does_not_have_is_trimmed(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        more = one.bits | bits("AUT", "ATT", "SAF.brief")

        assert await one.answer(one.grant(receivers={one.key(): more})) == ("trimmed", "not_allowed", "recipients")

        assert slots(await granted(town, town.field(one.use.to))) == set(slots_of(one.bits))


class TestConsent:
    async def one(self, town: Town) -> Ready:
        return await ready(town, use_of("L01"))

    REFUSED: Final = ("refused", "not_allowed", "grant.L01.basis")

    async def test_is_demanded_and_may_come_later(self, town: Town) -> None:
        one = await self.one(town)

        assert await one.answer(one.grant(basis=None)) == self.REFUSED
        assert await one.answer(one.grant(basis=os.urandom(16))) == ("retry", "not_found", "grant.basis")

    async def test_has_to_cover_receiver_sections_time_and_report(self, town: Town) -> None:
        one = await self.one(town)
        other = town.report(one.use.owner, one.use.kind)
        await town.outcomes(town.field(one.use.owner), other)
        own = [town.agencies[one.use.to].id]
        wrong: dict[str, dict[str, Any]] = {
            "receiver": {"terms": consent([town.agencies["municipality"].id], tuple(slots_of(one.bits)))},
            "sections": {"terms": consent(own, (0, 2, 14))},
            "beginning": {"terms": consent(own, tuple(slots_of(one.bits)), NOW + 60)},
            "end": {"until": NOW + DAY - 1},
            "report": {"digest": other.digest},
        }

        found = {name: await one.answer(one.grant(basis=await consented(one, **more))) for name, more in wrong.items()}

        assert found == dict.fromkeys(wrong, self.REFUSED)

    @pytest.mark.parametrize("code", ["withdrawn", "invalid"])
    async def test_that_was_taken_back_opens_nothing(self, town: Town, code: str) -> None:
        one = await self.one(town)
        digest, root = one.report.digest, one.given["basis"]
        taken = case(one.by, CaseKind.CONSENT, NOW, digest=digest, follows=root, code=code)
        assert await send(town, one.by, taken) == [CREATED]

        assert await one.answer(one.grant()) == self.REFUSED

    async def test_that_is_over_opens_nothing(self, town: Town) -> None:
        one = await self.one(town)
        town.clock.now = NOW + DAY

        assert await one.answer(one.grant(NOW + DAY, not_after=NOW + DAY + HOUR)) == self.REFUSED


class TestExcerpt:
    async def test_stands_in_for_its_section_alone(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        item = one.item(excerpts={4: b"only the first name" + bytes(100)})

        assert await one.answer(encode(item)) == CREATED

        put = await granted(town, town.field(one.use.to))
        came, whole = {each.slot: each.section for each in put.sections}, dict(_sections(one))
        assert came[4] == item.excerpts[0].section != whole[4]
        assert {slot: section for slot, section in came.items() if slot != 4} == {
            slot: whole[slot] for slot in came.keys() - {4}
        }

    async def test_has_to_be_the_one_that_is_signed(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        item = one.item(excerpts={4: bytes(100)})
        [cut] = item.excerpts
        malformed = ("refused", "malformed", "grant.excerpts")

        for excerpts in ((), (structs.replace(cut, section=cut.section + b"x"),), (cut, structs.replace(cut, slot=6))):
            assert await one.answer(encode(structs.replace(item, excerpts=excerpts))) == malformed
        plain = one.item()
        assert await one.answer(encode(structs.replace(plain, excerpts=(cut,)))) == malformed
        assert await one.answer(one.grant(excerpts={4: bytes(200_000)})) == (
            "refused",
            "out_of_range",
            "grant.excerpts",
        )

    async def test_of_what_the_ground_does_not_give_is_not_delivered(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        more = {one.key(): one.bits | bits("AUT")}

        assert (await one.answer(one.grant(excerpts={12: bytes(100)}, receivers=more)))[0] == "trimmed"

        assert 12 not in slots(await granted(town, town.field(one.use.to)))


def _sections(one: Ready) -> list[tuple[int, bytes]]:
    return [(each.slot, each.section) for each in one.report.item.sections]


class TestRelease:
    """`BASE`: what the pack gives by itself, given later."""

    async def embargoed(self, town: Town, slug: str = "police", kind: int = 1) -> Ready:
        """A report that was sealed to its own agency only."""
        own = [epochs[-1].kem.public for epochs in town.agencies[slug].epochs.values()]
        readers = {key: has for key, has in town.readers(town.agencies[slug], kind).items() if key in own}
        report = town.report(slug, kind, readers=readers)
        assert await town.outcomes(town.field(slug), report) == [CREATED]
        use = Use(code="BASE", kind=kind, owner=slug, to="security", named=False, function="field", bits=0)
        return Ready(town=town, use=use, report=report, by=town.supervisor(slug))

    def open(self, one: Ready, to: str = "security") -> int:
        return one.town.readers(one.town.agencies[one.use.owner], one.use.kind)[one.town.agencies[to].key()]

    async def test_gives_what_a_base_seal_would_have_and_no_more(self, town: Town) -> None:
        one = await self.embargoed(town)
        before, key, open_ = await feeds(town), town.agencies["security"].key(), self.open(one)

        answer = await one.answer(one.grant(receivers={key: open_ | bits("SUB", "ENF", "SAF")}))

        assert answer == ("trimmed", "not_allowed", "recipients")
        put = await granted(town, town.field("security"))
        assert slots(put) == set(slots_of(open_))
        devices = town.agencies["security"].devices[:2]
        assert await gained(town, before) == {each.kid: [("put", one.report.digest)] for each in devices}

    async def test_is_the_supervisors(self, town: Town) -> None:
        one = await self.embargoed(town)
        grant = one.grant(receivers={town.agencies["security"].key(): self.open(one)})

        assert await one.answer(grant, town.field("police")) == ("refused", "not_allowed", "grant.BASE.decides")
        assert await one.answer(grant) == CREATED

    async def test_is_for_audiences_and_never_what_is_closed_to_them(self, town: Town) -> None:
        one = await self.embargoed(town)
        refused = ("refused", "not_allowed", "grant.BASE.receivers")

        assert await one.answer(one.grant(receivers={town.field("security").kem.public: 1})) == refused
        for key in (town.agencies["security"].key(), town.agencies["security"].key("supervisors")):
            assert await one.answer(one.grant(receivers={key: bits("SUB", "CAR")})) == refused

    async def test_does_not_open_a_kind_that_is_closed(self, town: Town) -> None:
        one = await self.embargoed(town, "social_services", 0)
        key = town.agencies["police"].key()

        answer = await one.answer(one.grant(receivers={key: bits("SIT", "SIT.brief", "PLC.brief")}))

        assert answer == ("refused", "not_allowed", "grant.BASE.receivers")
