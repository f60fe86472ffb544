"""The second implementation reads what the product writes, which is random and so never the same twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature

from sluss_client import crypto, filing, keys
from sluss_client.agency import founding
from sluss_client.crypto import SignKey
from sluss_client.keyring import roster, rotation, splitting
from sluss_client.local import Local
from sluss_client.sealers import Author, Moment
from sluss_schemas import directory as d
from sluss_schemas import forms, invitation, records
from sluss_schemas.codec import encode
from sluss_schemas.ids import AgencyId, AudienceId, ReportId

from tests.device.chain import Agency
from tests.vectors import deliveries, values, world
from tests.vectors.files import device, epoch, trust
from tests.vectors.second import code as code_text
from tests.vectors.second import custody, replay, wire
from tests.vectors.second import primitives as p
from tests.vectors.second import report as r

TOWN: Final = deliveries.TOWN
COUNT_KEY: Final = p.sha256(b"the count key of a roster")
FORM: Final = forms.OrderIncident(
    scene="central-square",
    observed_at=datetime.fromtimestamp(world.NOW - 7200, UTC),
    situation="Fight outside the kiosk. Över tjugo personer.",
    place="The kiosk",
    sub_kind="assault",
    severity=2,
    subject=[forms.Person(age_band="12-14", description="Blue cap.")],
    care="Bleeding lip, ambulance called.",
    safety=["armed_knife"],
)


def moment(slug: str, name: str, form: forms.Form = FORM) -> tuple[Moment, filing.Sealable]:
    """Return what a person of the town seals a form with, to every reader whom they would be shown."""
    believed, one = trust(slug), device(name)
    own = believed.own
    author = Author(
        person=own.persons[own.devices[one.kid].person],
        function="field",
        device=one,
        group=SignKey(epoch(f"{slug}/field").sign_seed()),
        count_key=COUNT_KEY,
    )
    pack = believed.pack(world.NOW)
    filled = filing.filled_slots(form, own.sector, pack)
    shown = filing.shown_readers(believed, pack, form, filled, world.NOW)
    report_id, event = ReportId(crypto.random_key()[:16]), bytes(range(16))
    work = filing.Sealable(form, report_id, 1, (), world.NOW, shown, (), event=event)
    return Moment(author, believed, pack, world.NOW), work


def items(sealing: filing.Sealing) -> dict[bytes, r.Put]:
    """Return what an item gives to each of its recipients, by KEM key id; a grant's receivers too."""
    manifest, signature, sections, recipients, tiers, grants, heads, counts = wire.read(sealing.item)
    assert counts is None
    assert wire.read(manifest)[9] == r.directories_digest(tuple(tuple(head) for head in heads))
    assert heads == sorted(heads)
    given: list[tuple[Any, tuple[bytes, bytes] | None]] = [(sealed, None) for sealed in recipients]
    for grant, proof, _, _, sealed, _ in grants:
        assert wire.read(grant)[11] == p.sha256(wire.write(sealed))
        given += [(one, (grant, proof)) for one in sealed]
    found = {}
    for (kid, seal, wraps), grant in given:
        found[kid] = r.Put(
            manifest=manifest,
            signature=signature,
            sections=dict(sections),
            seal=seal,
            wraps=dict(wraps),
            tiers=[None if tier is None else (tier[0], tier[1]) for tier in tiers],
            grant=grant,
        )
    return found


def opened(found: dict[bytes, r.Put], reader: str, group: str) -> r.Opened:
    seed = TOWN.kem_seeds()[reader]
    return r.open_put(found[p.kid(p.kem_public(seed))], seed, TOWN.groups[group].sign_public)


def test_what_the_product_seals_opens_for_each_of_its_readers() -> None:
    found = items(filing.seal(moment("security", "guard")[1], moment("security", "guard")[0]))
    own, across = (opened(found, reader, "security/field") for reader in ("security/field", "police/field"))

    assert set(own.sections) == {0, 2, 4, 6, 10, 12}
    assert set(across.sections) == {0, 2, 10, 13}
    assert wire.read(own.sections[0])[:3] == [1, world.NOW - 7200, FORM.situation]
    assert wire.read(own.sections[0])[4:] == [bytes(range(16))]
    assert own.sections[0] == across.sections[0]
    assert wire.read(across.sections[13]) == ["field", "S-1"]
    readers = ("security/field", "security/supervisors", "police/field", "social_services/field")
    assert list(found) == sorted(p.kid(deliveries.kem(reader)) for reader in readers)


def test_the_author_section_of_the_product_names_and_binds_its_author() -> None:
    found = items(filing.seal(moment("security", "guard")[1], moment("security", "guard")[0]))
    own = opened(found, "security/field", "security/field")
    guard, manifest = TOWN.people["guard"], wire.read(next(iter(found.values())).manifest)

    function, alias, person, kid, salt, signature, recorded_at, _ = wire.read(own.sections[12])

    assert (function, alias, person, kid, recorded_at) == ("field", "S-1", guard.person, guard.device, world.NOW)
    assert manifest[11] == p.mac(salt, guard.device)[:16]
    p.verify(p.sign_public(guard.sign_seed), signature, r.author_message(manifest))
    with pytest.raises(InvalidSignature):
        p.verify(p.sign_public(guard.sign_seed), signature, r.author_message([*manifest[:12], 0, *manifest[13:]]))


def test_a_duty_of_the_product_opens_for_its_receiver_alone() -> None:
    now, work = moment("security", "guard")
    plain = items(filing.seal(work, now))
    found = items(filing.seal(filing.Sealable(**{**_fields(work), "duties": ("L11",)}), now))

    receiver = opened(found, "social_services/reception", "security/field")

    assert len(found) == len(plain) + 1
    assert set(receiver.sections) == {0, 2, 4, 6, 10, 13}


def _fields(work: filing.Sealable) -> dict[str, Any]:
    return {name: getattr(work, name) for name in filing.Sealable.__slots__}


def test_a_report_for_case_staff_opens_on_their_device_alone() -> None:
    form = forms.AbsentPersonConcern(observed_at=FORM.observed_at, situation="Not seen for two weeks.")
    now, work = moment("social_services", "fieldworker", form)
    found = items(filing.seal(work, now))

    named = opened(found, "fieldworker", "social_services/field")

    assert p.kid(p.kem_public(TOWN.kem_seeds()["social_services/field"])) not in found
    assert wire.read(found[p.kid(deliveries.kem("fieldworker"))].manifest)[2] == 0
    assert wire.read(named.sections[0])[0] == 6


def test_facts_of_the_product_stand_under_their_digests() -> None:
    found = items(filing.seal(moment("security", "guard")[1], moment("security", "guard")[0]))
    put = next(iter(found.values()))
    manifest, (first, second) = wire.read(put.manifest), put.tiers
    assert first is not None
    assert second is not None

    time, _, contributor = wire.read(second[1])

    assert [p.sha256(*first), p.sha256(*second)] == manifest[15]
    assert wire.read(first[1]) == [1]
    assert time == manifest[12]
    week = datetime.fromtimestamp(world.NOW - 7200, UTC).strftime("%G-%V")
    assert contributor == p.mac(COUNT_KEY, TOWN.people["guard"].person + week.encode())[:8]


def test_a_directory_that_the_product_founds_is_followed() -> None:
    code = invitation.Code("", bytes(16), b"i" * 16, b"s" * 16, None, None, ("police", "POL", False, bytes(32)))
    founded = founding.found(code, device("officer"), ("field",), world.NOW)
    entries = [(one.entry, one.signer, one.signature) for one in founded.entries]

    followed = replay.follow(entries)
    bodies = followed.bodies

    assert bodies["genesis"][0][:3] == [bytes(16), "police", "POL"]
    assert [body[1] for body in bodies["audience_create"]] == ["field", "supervisors"]
    assert bodies["device_add"][0][2] == device("officer").sign.public
    assert p.sha256(entries[0][0])[:16] == founded.agency
    assert [one.function for one in followed.audiences.values() if one.members] == ["field"]


def test_the_chains_of_the_vectors_are_followed_by_both() -> None:
    for one in TOWN.chains.values():
        assert replay.follow(one.entries).hash == one.hash


@pytest.mark.parametrize("form", [True, False])
def test_a_wrap_of_an_epoch_that_the_product_makes_opens(form: bool) -> None:  # noqa: FBT001  # a row of the table
    held = keys.HeldEpoch(values.AUDIENCE, 3, values.SECRET, whole=True)
    public = p.kem_public(values.DEVICE_SEED)

    wrap = keys.wrap_epoch(held, AgencyId(values.AGENCY), device("guard").kid, public, whole=form)

    label = b"sluss/epoch" if form else b"sluss/group"
    info = values.epoch_info(label, values.AGENCY, values.AUDIENCE, 3, device("guard").kid)
    group = r.Group(secret=values.SECRET)
    assert p.hpke_open(values.DEVICE_SEED, info, wrap.wrap) == (group.secret if form else group.sign_seed)
    assert AudienceId(values.AUDIENCE) == held.audience


def test_an_epochs_wraps_have_one_digest_in_whatever_order_they_came() -> None:
    wraps = tuple(d.EpochWrap(bytes([n // 2]) * 16, bool(n % 2), bytes(1168)) for n in (3, 0, 2, 1))
    ordered = [[bytes([n // 2]) * 16, bool(n % 2), bytes(1168)] for n in range(4)]

    assert d.wraps_digest(wraps) == p.sha256(wire.write(ordered))


def test_a_code_that_the_product_writes_is_read() -> None:
    for array in (values.COLLEAGUE, values.FOUNDING):
        code = invitation.read_code(code_text.write_code(array))
        assert code_text.read_code(invitation.write_code(code)) == array


# what wanders between the devices of an agency


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    """An agency with real stores and real keys, and no server."""
    made = Agency(tmp_path)
    yield made
    made.close()


def opens(local: Local, sealed: bytes, info: bytes) -> bytes:
    """Return what is sealed to a device, as the second implementation opens it with the device's seed."""
    seeds = msgspec.msgpack.decode(local.store.get("device", b"seeds") or b"", type=keys.DeviceSeeds)
    return p.hpke_open(seeds.kem, info, sealed)


def test_an_epoch_that_the_product_proposes_gives_every_member_the_keys_that_it_names(agency: Agency) -> None:
    one, other = agency.device("field"), agency.device("field")
    boss = agency.device("supervisors")
    audience = agency.audience("field").audience

    array = wire.read(encode(rotation.propose(one, agency.audience("field"))))

    named, number, suite, kem_key, sign_key, wraps, maker, signature = array
    assert (named, number, suite, maker) == (audience, 1, 2, one.keys.kid)
    p.verify(one.keys.sign.public, signature, custody.proposal_message(b"sluss/proposal", array))
    groups = {
        device: r.Group(secret=opens(local, wrap, _info(agency, device, b"sluss/epoch")))
        for local in (one, other)
        for device, whole, wrap in wraps
        if whole and device == local.keys.kid
    }
    assert groups.keys() == {one.keys.kid, other.keys.kid}
    assert {(group.kem_public, group.sign_public) for group in groups.values()} == {(kem_key, sign_key)}
    ((kid, seed),) = [(device, wrap) for device, whole, wrap in wraps if not whole]
    assert kid == boss.keys.kid
    assert p.sign_public(opens(boss, seed, _info(agency, kid, b"sluss/group"))) == sign_key


def _info(agency: Agency, device: bytes, label: bytes) -> bytes:
    return values.epoch_info(label, agency.directory.agency, agency.audience("field").audience, 1, device)


def test_a_split_of_the_product_gives_its_secret_back_to_any_two_custodians(agency: Agency) -> None:
    maker = agency.device("field")
    three = [agency.device() for _ in range(3)]
    agency.append(d.CustodianSet(tuple(one.keys.kid for one in three)))
    audience = agency.audience("field").audience
    held = keys.HeldEpoch(audience, 1, values.SECRET, whole=True)

    array = wire.read(encode(splitting.propose(maker, held)))

    p.verify(maker.keys.sign.public, array[4], custody.proposal_message(b"sluss/split", array))
    shares = {}
    for number, (local, (named, epoch_, custodian, device_, digest, sealed)) in enumerate(
        zip(three, array[2], strict=True)
    ):
        assert (named, epoch_, custodian, device_) == (audience, 1, local.keys.kid, local.keys.kid)
        info = custody.share_info(agency.directory.agency, audience, 1, custodian, device_)
        shares[number] = opens(local, sealed, info)
        assert p.sha256(shares[number]) == digest
    for one, two in values.PAIRS:
        assert custody.combine({one: shares[one], two: shares[two]}) == values.SECRET


def test_a_roster_of_the_product_opens_for_a_registrar(agency: Agency) -> None:
    boss = agency.device("field", registrar=True)
    person = boss.person.person
    roster.set_name(boss, person, "Åsa Öberg")

    sealed, entry = roster.make_roster(boss)

    seeds = msgspec.msgpack.decode(boss.store.get("device", b"seeds") or b"", type=keys.DeviceSeeds)
    _, count_key, names = custody.open_roster(agency.directory.agency, sealed, seeds.kem)
    assert entry.digest == p.sha256(sealed)
    assert (len(count_key), names) == (32, [[person, "Åsa Öberg"]])


@pytest.mark.parametrize("pads", [(0, 1, 2), (2, 2, 2)])
def test_a_split_with_given_pads_is_the_same_in_both(pads: tuple[int, int, int]) -> None:
    first, second, third = (p.sha256(bytes([pad])) for pad in pads)

    shares = splitting.split(values.SECRET, (first, second, third))

    assert shares == custody.split(values.SECRET, first, second, third)
    for one, two in values.PAIRS:
        assert custody.combine({one: shares[one], two: shares[two]}) == values.SECRET


def test_a_record_that_the_product_writes_begins_with_its_name() -> None:
    for record in (
        records.Open(bytes(16), bytes(32), bytes(16), 1, None, b"r"),
        records.Countersign(bytes(16), bytes(32), bytes(16), 1),
    ):
        array = wire.read(encode(record))

        assert array[:5] == [type(record).__name__.lower(), bytes(16), bytes(32), bytes(16), 1]
