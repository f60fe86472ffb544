"""S15: the heads of agency sign that outreach workers may give guards the names of the people they meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
import pytest_asyncio

from sluss_client import forms
from sluss_client.agency.chain import Chain
from sluss_client.device import Device
from sluss_client.errors import Invalid
from sluss_client.testing import Town
from sluss_schemas import membership
from sluss_schemas.policy.answers import AgreedCell
from sluss_schemas.terms import AgreementSigned, terms_message

from tests.agreements.heads import NAMES, denials, digest_of, draft
from tests.scenarios.people import CENTRAL, find
from tests.secrecy.canaries import decrypted

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTIES: Final = ("security", "social_services")
RULE: Final = "K05.SOC.SUB.SEC"
SAID: Final = ("OSL 26:1", "consent (L01: OSL 10:1, OSL 12:2-3)", "(L17: BrB 24:4)", "what names nobody, as:")
NILS: Final = forms.Person(alias="Nils-of-the-agreement")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Town]:
    """Those who would agree, and the police, who are no party."""
    async with Town(agencies=("police", *PARTIES)) as built:
        yield built


def names(town: Town, agency: str) -> str:
    """Let a head draft the agreement, and return its id."""
    now, head = town.clock.now(), town.founders[agency]
    text = draft(now - timedelta(seconds=1), now + timedelta(days=30), NAMES, parties=PARTIES)
    row = head.agreements.draft(text)
    assert (row.state, [one.rule_id for one in row.refused]) == ("refused_below_floor", [RULE])
    assert head.agreements.gains(row.id) == []
    return row.id


def contact(town: Town) -> forms.OutreachContact:
    return forms.OutreachContact(
        scene=CENTRAL, observed_at=town.clock.now(), situation="A talk on a bench.", subject=[NILS]
    )


def part(head: Device, data: bytes) -> AgreementSigned:
    keys = head.local.keys
    return AgreementSigned(data, keys.kid, keys.sign.sign(terms_message(data)))


@pytest.mark.parametrize("agency", PARTIES)
async def test_whoever_signs_is_refused_with_the_rule_and_the_lawful_ways_and_the_attempt_is_logged(
    town: Town, agency: str
) -> None:
    head = town.founders[agency]
    agreement, before, seq = names(town, agency), len(denials(town, head)), head.local.trust.own.seq
    with pytest.raises(Invalid) as refused:
        await head.agreements.sign(agreement)
    await head.sync()

    assert (refused.value.code, refused.value.field) == ("below_floor", RULE)
    for said in SAID:
        assert said in refused.value.say
    # The trap: the refusal itself stands in the agency's log, by whom and about what.
    (noted,) = denials(town, head)[before:]
    assert (noted.code, noted.about, noted.who) == ("below_floor", bytes.fromhex(agreement), head.person_id)
    assert noted.what == digest_of(head.agreements.file_of(agreement))
    assert head.local.trust.own.seq == seq
    assert [one.state for one in head.agreements.rows() if one.id == agreement] == ["refused_below_floor"]


async def test_a_program_that_does_not_look_is_refused_by_the_server_which_logs_that_too(town: Town) -> None:
    head = town.founders["social_services"]
    data, before = head.agreements.file_of(names(town, "social_services")), len(denials(town, head))
    with pytest.raises(Invalid) as refused:
        await head.registrar.append([part(head, data)])
    assert (refused.value.code, refused.value.field) == ("below_floor", RULE)
    assert len(denials(town, head)) == before + 1


async def test_nothing_opens_for_guards_or_police_whatever_is_in_the_directories(town: Town) -> None:
    """The trap's other half: the floor is the pack's, and a directory with the agreement in it does not lower it."""
    worker, guard = await town.device("social_services"), await town.device("security")
    data = town.founders["social_services"].agreements.file_of(names(town, "social_services"))
    heads = [town.founders[slug] for slug in PARTIES]
    for device in (*heads, worker, guard):
        await device.sync()
    # A server that an administrator has changed lets it into both chains, and shows it to every device.
    for head in heads:
        chain = Chain(head.local.trust.own.copy())
        chain.add(part(head, data), head.local.keys.sign, head.now())
        given = membership.Chain(head.local.trust.own_id, head.local.trust.own.seq + 1, tuple(chain.entries))
        for device in (worker, guard):
            device.local.trust.extend(head.local.trust.own_id, given.first, given.entries)
    assert any(one.in_force(worker.now()) for one in worker.local.trust.agreements)
    assert worker.local.trust.agreed(worker.now())["security"] == (AgreedCell(5, "SUB", "SEC", "A"),)

    filed = worker.file(contact(town), confirm_text=True)
    assert {row.audience.split("/")[0] for row in worker.readers(filed)} == {"social_services"}
    assert "refused_below_floor" in {one.state for one in guard.agreements.rows()}


async def test_guards_and_police_have_no_name_and_the_workers_have_the_two_ways_that_the_law_gives(town: Town) -> None:
    worker, colleague = await town.device("social_services"), await town.device("social_services")
    guard, boss = await town.device("security"), await town.device("security", "supervisors")
    agreement = names(town, "social_services")
    with pytest.raises(Invalid):
        await town.founders["social_services"].agreements.sign(agreement)
    filed = worker.file(contact(town), confirm_text=True)
    for device in (worker, worker, colleague, guard, boss, town.founders["police"]):
        await device.sync()
    assert colleague.get(filed.id).subject == [NILS]
    for device in (guard, boss, town.founders["security"], town.founders["police"]):
        assert find(device, filed.id) is None
        assert b"Nils-of-the-agreement" not in decrypted(device.local.store)
    ways = {one.code for one in worker.offers(filed.id) if one.agency == "security" and "subject" in one.compartments}
    assert ways == {"L01", "L17"}
    # The rule that the refusal names stands on every device, because it is the pack's.
    for device in (worker, guard):
        assert device.pack.cells[5, "SOC", "SUB", "SEC"].code == "B:L01,L17"
