"""Below the floor nothing opens, whoever signs and whoever lets it in; what the heads meet stands in scenario 15."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from sluss_client import forms
from sluss_client.agency.chain import Chain
from sluss_client.device import Device
from sluss_client.errors import Invalid, Untrusted
from sluss_client.testing import Exchange, Town
from sluss_schemas import membership
from sluss_schemas.policy.answers import AgreedCell
from sluss_schemas.terms import AgreementSigned, terms_message

from tests.agreements.heads import CENTRAL, NAMES, agree, denials, draft, filed, find, patrol

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTIES = ("security", "social_services")


def names(town: Town) -> str:
    """Let the head of social services draft S15's agreement, and return its id."""
    now = town.clock.now()
    text = draft(now - timedelta(seconds=1), now + timedelta(days=30), NAMES, parties=PARTIES)
    row = town.founders["social_services"].agreements.draft(text)
    assert (row.state, [one.rule_id for one in row.refused]) == ("refused_below_floor", ["K05.SOC.SUB.SEC"])
    assert town.founders["social_services"].agreements.gains(row.id) == []
    return row.id


def contact(town: Town) -> forms.OutreachContact:
    return forms.OutreachContact(
        scene=CENTRAL,
        observed_at=town.clock.now(),
        situation="A talk on a bench.",
        subject=[forms.Person(alias="Nils")],
    )


def part(head: Device, data: bytes) -> AgreementSigned:
    keys = head.local.keys
    return AgreementSigned(data, keys.kid, keys.sign.sign(terms_message(data)))


async def test_the_server_refuses_it_from_a_program_that_does_not_look(town: Town) -> None:
    head = town.founders["social_services"]
    data = head.agreements.file_of(names(town))
    before = len(denials(town, head))

    with pytest.raises(Invalid) as refused:
        await head.registrar.append([part(head, data)])

    assert (refused.value.code, refused.value.field) == ("below_floor", "K05.SOC.SUB.SEC")
    assert len(denials(town, head)) == before + 1


async def test_where_a_server_lets_it_in_every_device_leaves_it_out(town: Town) -> None:
    worker, guard = await town.device("social_services"), await town.device("security")
    data = town.founders["social_services"].agreements.file_of(names(town))
    heads = [town.founders[slug] for slug in PARTIES]
    for device in (*heads, worker, guard):
        await device.sync()
    for head in heads:
        chain = Chain(head.local.trust.own.copy())
        chain.add(part(head, data), head.local.keys.sign, head.now())
        given = membership.Chain(head.local.trust.own_id, head.local.trust.own.seq + 1, tuple(chain.entries))
        for device in (worker, guard):
            device.local.trust.extend(head.local.trust.own_id, given.first, given.entries)

    trust = worker.local.trust
    (standing,) = [one for one in trust.agreements if one.in_force(worker.now())]
    assert trust.agreed(worker.now())["security"] == (AgreedCell(5, "SUB", "SEC", "A"),)
    assert not any(one.audience.startswith("security") for one in worker.readers(contact(town)))
    assert [one.state for one in guard.agreements.rows() if one.id == standing.terms.agreement.hex()] == [
        "refused_below_floor"
    ]


async def test_a_server_that_hides_one_partys_end_is_found_out_by_what_was_sealed_after_it(town: Town) -> None:
    police, worker = await town.device("police"), await town.device("social_services")
    agreement = await agree(town, 3600)
    head = town.founders["police"]
    await police.sync()
    report = await filed(police, patrol(town))
    await worker.sync()
    own, known = head.local.trust.own_id, worker.local.trust.chains[head.local.trust.own_id].head

    await head.agreements.end(agreement)
    await police.sync()

    def hide(exchange: Exchange) -> membership.DirectoryAnswer:
        answer: membership.DirectoryAnswer = exchange.answer
        chains = tuple(chain for chain in answer.chains if chain.agency != own)
        heads = tuple(known if one.agency == own else one for one in answer.heads)
        return msgspec.structs.replace(answer, chains=chains, heads=heads)

    town.hostile.on("/v1/directory/pull", hide, worker.local.keys.kid)
    later = await filed(police, patrol(town))
    incident = forms.OrderIncident(
        scene=CENTRAL, observed_at=town.clock.now(), sub_kind="threat", situation="A threat."
    )
    told = await filed(police, incident)
    with pytest.raises(Untrusted) as refused:
        await worker.sync()

    assert refused.value.code == "directory_withheld"
    # Nobody seals to the receiver any more, whatever its device was told; what other reports were sealed with names the
    # entry that was hidden.
    assert find(worker, later) is None
    assert find(worker, told) is None
    town.hostile.honest()
    await worker.sync()
    assert find(worker, told) is not None
    assert find(worker, report) is None
    assert find(worker, later) is None
