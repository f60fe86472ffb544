"""What time brings about: releases, shifts, and other packs, each written when it happens and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
from msgspec import structs
from sqlalchemy import func, select

from sluss_schemas import directory as d
from sluss_schemas.codec import encode
from sluss_schemas.disclosure import ended, read_grant
from sluss_schemas.ids import Digest, slots_of
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.cells import Cell
from sluss_schemas.policy.model import CellKey, Pack
from sluss_schemas.records import CaseKind
from sluss_schemas.terms import AgreementEnd, AgreementSigned, Terms, TermsCell, read_terms, terms_bytes, terms_message
from sluss_server.services import Services
from sluss_server.storage import tables

from tests.server.cases import CREATED, DAY, HOUR, case, feeds, gained, send, shift
from tests.server.granting import Ready, Use, begin_shift, ready, use_of
from tests.server.sealer import SealedReport
from tests.server.test_ending import leaves
from tests.server.town import INSTANCE, NOW, PACK, Town, amended, bits, slots


class TestRelease:
    async def planned(self, town: Town, at: int) -> tuple[Ready, bytes]:
        """A report kept back by the police, to be released to the guards at a time; and how its end is named."""
        police = town.agencies["police"]
        own = {epochs[-1].kem.public for epochs in police.epochs.values()}
        readers = {key: has for key, has in town.readers(police, 1).items() if key in own}
        report = town.report("police", readers=readers)
        assert await town.outcomes(town.field("police"), report) == [CREATED]
        key = town.agencies["security"].key()
        use = Use(
            code="BASE",
            kind=1,
            owner="police",
            to="security",
            named=False,
            function="field",
            bits=town.readers(police, 1)[key],
        )
        one = Ready(town=town, use=use, report=report, by=town.supervisor("police"))
        item = one.item(at)
        assert await one.answer(encode(item)) == CREATED
        return one, ended(report.digest, read_grant(item.grant).grant_id)

    async def test_comes_at_its_second_and_not_before(self, town: Town) -> None:
        before = await feeds(town)
        one, _ = await self.planned(town, NOW + DAY)
        own = {device.kid for device in town.agencies["police"].devices}

        town.clock.now = NOW + DAY - 1
        await town.services.sweeping.once()
        assert (await gained(town, before)).keys() == own

        town.clock.now = NOW + DAY
        for _ in range(2):
            await town.services.sweeping.once()
            found = {kid: new for kid, new in (await gained(town, before)).items() if kid not in own}
            assert found == {device.kid: [("put", one.report.digest)] for device in one.receivers}
        [put] = (await town.puts(town.field("security"))).values()
        assert slots(put) == set(slots_of(one.bits))

    async def test_that_was_taken_back_never_comes(self, town: Town) -> None:
        one, name = await self.planned(town, NOW + DAY)
        before = await feeds(town)
        recall = case(one.by, CaseKind.RECALL, NOW, follows=name[32:], code="recalled")
        assert await send(town, one.by, recall) == [CREATED]

        town.clock.now = NOW + DAY
        await town.services.sweeping.once()

        assert await gained(town, before) == {}

    async def test_gives_nothing_of_what_has_become_a_protected_place(self, town: Town) -> None:
        one, _ = await self.planned(town, NOW + DAY)
        before = await feeds(town)
        by = town.field("police")
        closed = case(by, CaseKind.RECLASSIFY, NOW, digest=one.report.digest, code="protected")
        assert await send(town, by, closed) == [CREATED]

        town.clock.now = NOW + DAY
        await town.services.sweeping.once()

        assert await gained(town, before) == {}


class TestShift:
    """A warning about a person is with those who are on shift at the scene, while they are."""

    async def warned(self, town: Town) -> tuple[Ready, bytes]:
        one = await ready(town, use_of("L02"))
        town.clock.now = NOW + 8 * HOUR  # the first shift is over
        item = one.item(town.clock.now, not_after=NOW + 3 * DAY)
        assert await one.answer(encode(item)) == CREATED
        return one, ended(one.report.digest, read_grant(item.grant).grant_id)

    async def test_brings_it_and_takes_it_away(self, town: Town) -> None:
        one, name = await self.warned(town)
        [device] = one.receivers
        start, before = town.clock.now, await feeds(town)
        await town.services.sweeping.once()
        assert await gained(town, before) == {}

        await begin_shift(town, device, until=start + HOUR)
        for _ in range(2):
            await town.services.sweeping.once()
            assert await gained(town, before) == {device.kid: [("put", one.report.digest)]}

        # Over to the second, whether anybody has looked or not.
        town.clock.now = start + HOUR
        assert not any(entry.put is not None and entry.put.grant for entry in await town.entries(device))
        before = await feeds(town)
        for _ in range(2):
            await town.services.sweeping.once()
            assert await gained(town, before) == {device.kid: [("drop", name)]}

    async def test_that_follows_another_at_once_keeps_it(self, town: Town) -> None:
        one, name = await self.warned(town)
        [device] = one.receivers
        start = town.clock.now
        await begin_shift(town, device, until=start + HOUR)
        await town.services.sweeping.once()
        town.clock.now = start + HOUR - 60
        await begin_shift(town, device, until=start + 2 * HOUR)
        town.clock.now = start + HOUR
        before = await feeds(town)

        await town.services.sweeping.once()

        assert await gained(town, before) == {device.kid: [("drop", name), ("put", one.report.digest)]}
        assert [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant is not None]

    async def test_that_is_ended_takes_it_away_with_the_record(self, town: Town) -> None:
        one, name = await self.warned(town)
        [device] = one.receivers
        begun = [await begin_shift(town, device, until=town.clock.now + hours * HOUR) for hours in (2, 3)]
        await town.services.sweeping.once()
        before = await feeds(town)
        end = partial(case, code="ended", until=begun[0].until, follows=begun[0].record)
        stranger = town.field(one.use.to, 1)
        town.clock.now += HOUR
        now = town.clock.now

        # Somebody else's shift, one that lasts otherwise, a beginning that ends something, and an end of nothing.
        wrong = [
            (stranger, end(stranger, CaseKind.SHIFT, now)),
            (device, end(device, CaseKind.SHIFT, now, until=now + 60)),
            (device, end(device, CaseKind.SHIFT, now, code="", terms=shift())),
            (device, end(device, CaseKind.SHIFT, now, follows=None)),
        ]
        assert [await send(town, by, made) for by, made in wrong] == [
            [("retry", "not_found", "record.follows")],
            [("refused", "out_of_range", "record.until")],
            [("refused", "malformed", "record.follows")],
            [("refused", "malformed", "record.follows")],
        ]
        assert await send(town, device, end(device, CaseKind.SHIFT, now)) == [CREATED]
        # The second shift goes on.
        await town.services.sweeping.once()
        assert await gained(town, before) == {}

        last = end(device, CaseKind.SHIFT, now, until=begun[1].until, follows=begun[1].record)
        assert await send(town, device, last) == [CREATED]
        assert await gained(town, before) == {device.kid: [("drop", name)]}
        assert not any(entry.put is not None and entry.put.grant for entry in await town.entries(device))
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("drop", name)]}

        # Another shift brings it again; when the longer of two is ended, it stays as long as the shorter one.
        before = await feeds(town)
        longer = await begin_shift(town, device)
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("put", one.report.digest)]}
        shorter = await begin_shift(town, device, until=now + HOUR)
        over = end(device, CaseKind.SHIFT, now, until=longer.until, follows=longer.record)
        assert await send(town, device, over) == [CREATED]
        await town.services.sweeping.once()
        town.clock.now = now + HOUR - 1
        assert [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant]
        town.clock.now = shorter.until or 0
        assert not [entry for entry in await town.entries(device) if entry.put is not None and entry.put.grant]

    async def test_is_not_waited_for_where_nothing_is_about_a_person(self, town: Town) -> None:
        one, _ = await self.warned(town)
        before = await feeds(town)
        calm = one.bits & ~bits("SUB", "SUB.brief", "SAF", "SAF.brief")
        grant = one.grant(town.clock.now, receivers={one.key(): calm}, not_after=NOW + 3 * DAY)

        assert await one.answer(grant) == CREATED

        assert await gained(town, before) == {one.receivers[0].kid: [("put", one.report.digest)]}

    async def test_elsewhere_or_of_another_device_brings_nothing(self, town: Town) -> None:
        one, _ = await self.warned(town)
        before = await feeds(town)

        await begin_shift(town, one.receivers[0], scene=2)
        await begin_shift(town, town.field(one.use.to, 1))
        await town.services.sweeping.once()

        assert await gained(town, before) == {}

    async def test_of_a_grant_that_is_over_brings_nothing(self, town: Town) -> None:
        one, _ = await self.warned(town)
        town.clock.now = NOW + 3 * DAY
        await begin_shift(town, one.receivers[0])
        before = await feeds(town)

        await town.services.sweeping.once()

        assert await gained(town, before) == {}
        async with town.engine.read() as connection:
            waiting = await connection.execute(select(func.count()).select_from(tables.pending_entries))
            assert waiting.scalar_one() == 0


MIDNIGHT: Final = 1_790_028_000
"""The midnight after `NOW` where the pack is in force."""


def narrower(change: Callable[[CellKey, Cell], Cell]) -> Pack:
    """The pack with other cells, in force from the next midnight on."""
    cells = {key: change(key, cell) for key, cell in PACK.cells.items()}
    return structs.replace(
        PACK,
        id="SE-2026-12-31",
        valid_from=PACK.valid_from.replace(month=9, day=22),
        cells=cells,
        digest=Digest(os.urandom(32)),
    )


def _without_l03(_: CellKey, cell: Cell) -> Cell:
    return structs.replace(cell, gateways=tuple(code for code in cell.gateways if code != "L03"))


def _nothing_about_safety_for_the_police(key: CellKey, cell: Cell) -> Cell:
    _, owner, compartment, column = key
    closed = owner == "SEC" and column == "POL" and compartment == "SAF"
    return structs.replace(cell, automatic="X", gateways=(), duties=()) if closed else cell


class TestAnotherPack:
    async def adopted(self, town: Town, pack: Pack, slug: str) -> Services:
        """A server that knows the pack, which an agency has taken into use."""
        services = Services(
            engine=town.engine,
            writer=town.writer,
            clock=town.clock,
            receipt_key=town.receipt_key,
            packs=(PACK, pack),
            instance=INSTANCE,
        )
        town.services = services
        await services.sweeping.once()
        agency = town.agencies[slug]
        await town.append(agency, [agency.entry(d.PackInForce(pack.digest, day_number(pack.valid_from)))])
        before = await feeds(town)
        town.clock.now = MIDNIGHT - 1
        await services.sweeping.once()
        assert await gained(town, before) == {}
        town.clock.now = MIDNIGHT
        return services

    async def test_at_midnight_ends_the_grants_that_it_does_not_know(self, town: Town) -> None:
        one = await ready(town, use_of("L03"))
        item = one.item()
        assert await one.answer(encode(item)) == CREATED
        name = ended(one.report.digest, read_grant(item.grant).grant_id)
        before = await feeds(town)
        services = await self.adopted(town, narrower(_without_l03), one.use.owner)

        for _ in range(2):
            await services.sweeping.once()
            assert await gained(town, before) == {one.receivers[0].kid: [("drop", name)]}

        assert [act.about for act in await leaves(town, "expire")] == [name[32:]]

    async def test_takes_back_a_part_by_a_drop_and_a_put(self, town: Town) -> None:
        report = town.report("security")
        await town.outcomes(town.field("security"), report)
        before = await feeds(town)
        had = slots((await town.puts(town.field("police")))[report.digest])
        services = await self.adopted(town, narrower(_nothing_about_safety_for_the_police), "security")

        for _ in range(2):
            await services.sweeping.once()
            field = [device.kid for device in town.agencies["police"].devices[:2]]
            new = [("drop", report.digest), ("put", report.digest)]
            assert await gained(town, before) == dict.fromkeys(field, new)

        assert slots((await town.puts(town.field("police")))[report.digest]) == had - {10}

    async def test_is_what_a_decision_names_but_a_duty_may_name_that_of_its_report(self, town: Town) -> None:
        duty, decision = await ready(town, use_of("L14", named=False)), await ready(town, use_of("L17"))
        decision.given["not_after"] = MIDNIGHT + HOUR
        pack = narrower(lambda _, cell: cell)
        for slug in {duty.use.owner, decision.use.owner}:
            services = await self.adopted(town, pack, slug)
            town.clock.now = NOW
        town.clock.now = MIDNIGHT

        async def said(one: Ready, pack: bytes) -> tuple[str, str | None]:
            answer = await town.push(one.by, grants=[one.grant(MIDNIGHT, pack=pack)], services=services)
            return str(answer.grants[0].outcome), answer.grants[0].field

        assert await said(decision, PACK.digest) == ("refused", "grant.pack")
        assert await said(duty, os.urandom(32)) == ("refused", "grant.pack")
        assert [await said(one, pack.digest) for one in (decision, duty)] == [("created", None)] * 2
        assert await said(duty, PACK.digest) == ("created", None)

    async def test_or_none_moves_nothing(self, town: Town) -> None:
        first = town.report("security")
        await town.outcomes(town.field("security"), first, amended(town, first))
        before = await feeds(town)

        await town.services.sweeping.once()

        assert await gained(town, before) == {}


class TestAgreement:
    """The police open the situation and place of their activity log to social services, in brief."""

    async def agreed(self, town: Town, until: int) -> tuple[SealedReport, bytes]:
        """A report that went to social services by an agreement, and the agreement's id."""
        police, social = town.agencies["police"], town.agencies["social_services"]
        cells = tuple(TermsCell(13, police.id, part, social.id, "R") for part in ("PLC", "SIT"))
        parties = tuple(sorted((police.id, social.id)))
        terms = terms_bytes(Terms(os.urandom(16), parties, cells, None, "To know.", "S", NOW, until))
        for own, other in ((police, social), (social, police)):
            head = own.devices[2]
            pin = d.Peer(other.id, other.directory.root_fingerprint, "", None)
            part = AgreementSigned(terms, head.kid, head.sign.sign(terms_message(terms)))
            await town.append(own, [own.entry(pin), own.entry(part)])
        readers = town.readers(police, 13) | {social.key(): bits("SIT.brief", "PLC.brief")}
        report = town.report("police", 13, readers=readers)
        assert await town.outcomes(town.field("police"), report) == [CREATED]
        assert slots((await town.puts(town.field("social_services")))[report.digest]) == {1, 3}
        return report, read_terms(terms).agreement

    async def test_that_is_over_takes_back_what_it_gave(self, town: Town) -> None:
        report, _ = await self.agreed(town, NOW + HOUR)
        before = await feeds(town)
        await town.services.sweeping.once()

        town.clock.now = NOW + HOUR - 1
        await town.services.sweeping.once()
        assert await gained(town, before) == {}

        town.clock.now = NOW + HOUR
        for _ in range(2):
            await town.services.sweeping.once()
            field = town.agencies["social_services"].devices[:2]
            assert await gained(town, before) == {device.kid: [("drop", report.digest)] for device in field}

    @pytest.mark.parametrize("ended", ["by its terms", "by a head"])
    async def test_that_begins_and_ends_between_two_looks_takes_back_what_it_gave(self, town: Town, ended: str) -> None:
        await town.services.sweeping.once()
        report, name = await self.agreed(town, NOW + HOUR)
        social, before = town.agencies["social_services"], await feeds(town)

        if ended == "by a head":
            await town.append(social, [social.entry(AgreementEnd(name, "terminated"))])
        else:
            town.clock.now = NOW + HOUR
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("drop", report.digest)] for device in social.devices[:2]}

    @pytest.mark.parametrize("how", ["not begun", "one signature"])
    async def test_that_was_known_before_it_was_in_force_takes_back_what_it_gave(self, town: Town, how: str) -> None:
        police, social = town.agencies["police"], town.agencies["social_services"]
        cells = tuple(TermsCell(13, police.id, part, social.id, "R") for part in ("PLC", "SIT"))
        parties, begins = tuple(sorted((police.id, social.id))), NOW + 10 if how == "not begun" else NOW
        terms = terms_bytes(Terms(os.urandom(16), parties, cells, None, "To know.", "S", begins, NOW + HOUR))
        for own, other in ((police, social), (social, police)):
            if how == "one signature":
                await town.services.sweeping.once()
            head = own.devices[2]
            part = AgreementSigned(terms, head.kid, head.sign.sign(terms_message(terms)))
            pin = d.Peer(other.id, other.directory.root_fingerprint, "", None)
            await town.append(own, [own.entry(pin), own.entry(part)])
        if how == "not begun":
            await town.services.sweeping.once()
        town.clock.now = NOW + 10
        readers = town.readers(police, 13) | {social.key(): bits("SIT.brief", "PLC.brief")}
        report = town.report("police", 13, readers=readers)
        assert await town.outcomes(town.field("police"), report) == [CREATED]
        assert slots((await town.puts(town.field("social_services")))[report.digest]) == {1, 3}

        before = await feeds(town)
        await town.append(social, [social.entry(AgreementEnd(read_terms(terms).agreement, "terminated"))])
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("drop", report.digest)] for device in social.devices[:2]}

    async def test_that_is_suspended_withholds_until_it_is_resumed_or_ended(self, town: Town) -> None:
        report, name = await self.agreed(town, NOW + DAY)
        social, before = town.agencies["social_services"], await feeds(town)
        await town.services.sweeping.once()

        for state, given in (("suspended", False), ("resumed", True)):
            await town.append(social, [social.entry(AgreementEnd(name, state))])  # type: ignore[arg-type]  # literals
            await town.services.sweeping.once()
            assert await gained(town, before) == {}
            assert (report.digest in await town.puts(town.field("social_services"))) is given

        await town.append(social, [social.entry(AgreementEnd(name, "terminated"))])
        await town.services.sweeping.once()
        assert await gained(town, before) == {device.kid: [("drop", report.digest)] for device in social.devices[:2]}
