"""The product reads what the second implementation wrote: all that is good, and nothing that is not."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from sluss_client import crypto, keys, reading, sections
from sluss_client.agency import founding
from sluss_client.crypto import CannotOpen, KemKey, SignKey
from sluss_client.keyring import rotation, splitting
from sluss_client.reading import Alarm
from sluss_schemas import directory as d
from sluss_schemas import disclosure, forms, invitation, ledger, manifest, membership, records, signing, statements
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import (
    COMPARTMENTS,
    AgencyId,
    AudienceId,
    Compartment,
    Digest,
    GrantId,
    Kid,
    PersonId,
    bitmap_of,
    kid_of,
)
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.sync import Receipt

from tests.vectors import deliveries, generate, values
from tests.vectors.files import FOLDER, Json, agency_of, load, put, ring, signed, trust, unhex, whole
from tests.vectors.second import replay

DELIVERIES: Final = load("deliveries")
GOOD: Final[dict[str, Json]] = {one["name"]: one for one in DELIVERIES["good"]}
CHAINS: Final[dict[str, list[Json]]] = load("directories")["chains"]
VALUES: Final = load("values")
MESSAGES: Final[dict[str, Any]] = VALUES["messages"]


def named(rows: list[Json]) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in rows]


def opened(delivery: Json, reader: str) -> reading.Opened:
    return reading.open_put(put(delivery), ring(reader), trust(agency_of(reader)), load("world")["now"])


# the files


@pytest.mark.parametrize(("name", "text"), [pytest.param(*each, id=each[0]) for each in generate.made()])
def test_every_file_comes_out_of_its_seeds_again_byte_for_byte(name: str, text: str) -> None:
    assert text == (FOLDER / name).read_text(encoding="ascii")


def test_no_file_of_vectors_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {name for name, _ in generate.made()}


def test_the_second_implementation_shares_no_code_with_the_first() -> None:
    second = [*sorted((FOLDER / "second").glob("*.py")), *(FOLDER / f"{name}.py" for name in WRITERS)]
    for path in second:
        assert foreign(path) == set(), path.name


WRITERS: Final = ("world", "deliveries", "directories", "values", "generate")


def foreign(path: Path) -> set[str]:
    """Return what a module imports that would make it the same implementation."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        names |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
    recipes = ("cobblestone", "hpke", "hkdf")
    return {
        name
        for name in names
        if name.split(".")[0] in {"sluss_schemas", "sluss_client", "sluss_server", "msgspec"}
        or any(recipe in name for recipe in recipes)
    }


# deliveries


@pytest.mark.parametrize("vector", named(DELIVERIES["good"]))
def test_a_good_delivery_opens(vector: Json) -> None:
    expect = vector["expect"]
    plain = {int(slot): unhex(data) for slot, data in expect["sections"].items()}

    found = opened(vector["put"], vector["reader"])

    assert found.sections == plain
    assert found.slots == bitmap_of(plain)
    assert (found.digest.hex(), found.report_id.hex()) == (expect["digest"], expect["report_id"])
    told = (found.version, found.kind, found.scene, found.function, found.named, found.held)
    assert told == tuple(expect[name] for name in ("version", "kind", "scene", "function", "named", "held"))


@pytest.mark.parametrize("vector", named(DELIVERIES["bad"]))
def test_a_bad_delivery_is_refused_with_its_code(vector: Json) -> None:
    base = GOOD[vector["base"]]

    with pytest.raises(Alarm) as refused:
        opened(whole(base["put"], vector["put"]), base["reader"])

    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", named(DELIVERIES["bad"]))
def test_a_bad_delivery_is_good_without_its_fault(vector: Json) -> None:
    base = GOOD[vector["base"]]

    assert vector["put"]
    assert opened(base["put"], base["reader"]).sections


def test_the_names_of_deliveries_are_used_once() -> None:
    names = [one["name"] for one in (*DELIVERIES["good"], *DELIVERIES["bad"])]
    assert len(set(names)) == len(names)


def test_a_report_of_the_vectors_is_a_form_again() -> None:
    found = opened(GOOD["own_field"]["put"], "security/field")
    arrays: dict[Compartment, list[object]] = {
        COMPARTMENTS[slot // 2]: decode(list[Any], data) for slot, data in found.sections.items() if slot != 12
    }

    form = forms.rebuild(found.kind, arrays, trust("security").pack(load("world")["now"]))

    assert (form.scene, form.situation) == ("central-square", "Quarrel at the fountain, six persons, nobody hurt.")
    assert forms.event_in(arrays["SIT"]) == deliveries.EVENT


# directories


def test_a_directory_with_every_kind_of_entry_is_followed() -> None:
    expect, directory = load("directories")["expect"], Directory()
    seen = {type(directory.append(signed(entry))) for entry in CHAINS["full"]}

    assert seen == set(d.BODIES.values())
    assert (directory.agency.hex(), directory.seq, directory.hash.hex()) == (
        expect["agency"],
        expect["seq"],
        expect["hash"],
    )
    assert state(directory) == {name: expect[name] for name in expect if name not in {"agency", "seq", "hash", "time"}}


def state(directory: Directory) -> Json:
    """Return what the product says is true, as the vectors say it."""
    custodians = directory.custodians
    (shares,) = directory.shares.values()
    return {
        "root": directory.root.hex(),
        "registrars": sorted(kid.hex() for kid in directory.registrars),
        "revoked": sorted(kid.hex() for kid, one in directory.devices.items() if one.revoked_at is not None),
        "custodians": [kid.hex() for kid in custodians],
        "shares": shares.shares[0][1].hex(),
        "roster": (directory.roster or b"").hex(),
        "instance": directory.instance.hex(),
        "agreements": {agreement.hex(): one.state for agreement, one in directory.agreements.items()},
        "audiences": {
            one.function: {
                "members": {kid.hex(): first for kid, first in sorted(one.members.items())},
                "history": {person.hex(): first for person, first in sorted(one.history.items())},
                "epochs": [[kid.hex() for kid in epoch.devices] for epoch in one.epochs],
                "left": sorted(kid.hex() for kid in one.left),
                "entitled": sorted([kid.hex(), whole] for kid, whole in directory.entitled(one, len(one.epochs))),
                "due": one.rotation_due(load("directories")["expect"]["time"]),
            }
            for one in directory.audiences.values()
        },
    }


@pytest.mark.parametrize("vector", named(load("directories")["bad"]))
def test_an_entry_that_does_not_follow_is_refused_with_its_code_and_changes_nothing(vector: Json) -> None:
    directory = Directory()
    for entry in CHAINS[vector["chain"]][: vector["after"]]:
        directory.append(signed(entry))
    before = repr(vars(directory))

    with pytest.raises(Invalid) as refused:
        directory.append(signed(vector))

    assert refused.value.code == vector["code"]
    assert refused.value.field.endswith(f":{vector['after']}")
    assert repr(vars(directory)) == before


@pytest.mark.parametrize("vector", named(load("directories")["bad"]))
def test_the_second_implementation_refuses_it_with_the_same_code(vector: Json) -> None:
    chain = replay.follow([raw(entry) for entry in CHAINS[vector["chain"]][: vector["after"]]])

    with pytest.raises(replay.Refused) as refused:
        chain.append(raw(vector))

    assert refused.value.code == vector["code"]


def raw(entry: Json) -> tuple[bytes, bytes, bytes]:
    return unhex(entry["entry"]), unhex(entry["signer"]), unhex(entry["signature"])


def test_the_names_of_bad_entries_are_used_once() -> None:
    names = [one["name"] for one in load("directories")["bad"]]
    assert len(set(names)) == len(names)


# values


@pytest.mark.parametrize("row", VALUES["padding"])
def test_padding(row: dict[str, int]) -> None:
    assert len(crypto.pad(bytes(row["length"]))) == row["size"]


def test_keys_of_an_epoch() -> None:
    expect = VALUES["keys"]
    held = keys.HeldEpoch(bytes(16), 1, unhex(expect["secret"]), whole=True)
    kem, sign = KemKey(held.kem_seed()), SignKey(held.sign_seed())

    assert held.kem_seed().hex() == expect["kem_seed"]
    assert held.sign_seed().hex() == expect["sign_seed"]
    assert (kem.public.hex(), kid_of(kem.public).hex()) == (expect["kem_public"], expect["kem_kid"])
    assert (sign.public.hex(), kid_of(sign.public).hex()) == (expect["sign_public"], expect["sign_kid"])


def wrapped_for() -> tuple[keys.DeviceKeys, AgencyId, AudienceId]:
    row = VALUES["epoch_wraps"]
    kem, sign = KemKey(unhex(row["device_kem_seed"])), SignKey(bytes(32))
    device = keys.DeviceKeys(sign, kem, Kid(unhex(row["device"])), kid_of(kem.public))
    return device, AgencyId(unhex(row["agency"])), AudienceId(unhex(row["audience"]))


@pytest.mark.parametrize(("form", "secret"), [("whole", "secret"), ("group", "sign_seed")])
def test_a_wrap_of_an_epoch_opens(form: str, secret: str) -> None:
    row = VALUES["epoch_wraps"]
    device, agency, audience = wrapped_for()
    wrap = d.EpochWrap(device.kid, form == "whole", unhex(row[form]))

    held = keys.open_epoch(device, agency, audience, row["epoch"], wrap)

    assert held.secret.hex() == VALUES["keys"][secret]
    assert held.sign_seed().hex() == VALUES["keys"]["sign_seed"]


@pytest.mark.parametrize("name", sorted(VALUES["epoch_wraps"]["bad"]))
def test_a_wrap_of_an_epoch_that_was_made_for_something_else_does_not_open(name: str) -> None:
    row = VALUES["epoch_wraps"]
    device, agency, audience = wrapped_for()
    wrap = d.EpochWrap(device.kid, whole=True, wrap=unhex(row["bad"][name]))

    with pytest.raises(CannotOpen):
        keys.open_epoch(device, agency, audience, row["epoch"], wrap)


# shares and rosters


@pytest.mark.parametrize("row", VALUES["splits"])
def test_a_secret_is_split_and_any_two_shares_give_it_back(row: Json) -> None:
    secret, pads = unhex(row["secret"]), [unhex(pad) for pad in row["pads"]]

    shares = splitting.split(secret, (pads[0], pads[1], pads[2]))

    assert [share.hex() for share in shares] == row["shares"]
    assert [hashlib.sha256(share).hexdigest() for share in shares] == row["digests"]
    for pair in values.PAIRS:
        first, second = ((number, shares[number]) for number in pair)
        assert splitting.combine(first, second) == splitting.combine(second, first) == secret


@pytest.mark.parametrize("name", ["to_device", "to_custodian"])
def test_a_sealed_share_opens_for_the_device_that_it_names(name: str) -> None:
    row = VALUES["shares"]
    key, sealed = KemKey(unhex(row["device_kem_seed"])), decode(d.SealedShare, unhex(row[name]))
    info = d.share_info(unhex(row["agency"]), sealed.audience, sealed.epoch, sealed.custodian, sealed.device)

    share = key.open(sealed.sealed, info)

    assert share.hex() == row["share"]
    assert hashlib.sha256(share).digest() == sealed.share
    assert sealed.device.hex() == row[name.removeprefix("to_")]


@pytest.mark.parametrize("name", sorted(VALUES["shares"]["bad"]))
def test_a_share_that_was_sealed_for_another_use_does_not_open(name: str) -> None:
    row = VALUES["shares"]
    key = KemKey(unhex(row["device_kem_seed"]))
    parts = (unhex(row[part]) for part in ("agency", "audience", "custodian", "device"))
    agency, audience, custodian, device = parts

    with pytest.raises(CannotOpen):
        key.open(unhex(row["bad"][name]), d.share_info(agency, audience, row["epoch"], custodian, device))


def said(row: Json, sealed: bytes, number: int) -> d.RosterContent:
    """Return what a roster says to one of the two that it is sealed to, as the product opens it."""
    agency, key = unhex(row["agency"]), KemKey(unhex(row["kem_seeds"][number]))
    document = decode(d.SealedRoster, sealed)
    seal = next(one for one in document.seals if one.kid == kid_of(key.public))
    secret = key.open(seal.seal, d.roster_info(agency, seal.kid, document.content))
    return decode(d.RosterContent, crypto.decrypt_section(secret, d.roster_context(agency), document.content))


@pytest.mark.parametrize("number", [0, 1])
def test_a_roster_opens_for_everybody_whom_it_is_sealed_to(number: int) -> None:
    row = VALUES["rosters"]
    sealed = unhex(row["sealed"])

    content = said(row, sealed, number)

    assert d.roster_digest(sealed).hex() == row["digest"]
    assert content.count_key.hex() == row["count_key"]
    assert [[one.person.hex(), one.name] for one in content.names] == row["names"]


@pytest.mark.parametrize("name", sorted(VALUES["rosters"]["bad"]))
def test_a_roster_with_one_thing_wrong_does_not_open(name: str) -> None:
    row = VALUES["rosters"]

    with pytest.raises(CannotOpen):
        said(row, unhex(row["bad"][name]), 0)


def test_proposals_are_signed_over_everything_before_the_signature() -> None:
    row = VALUES["proposals"]
    epoch, split = (
        decode(membership.EpochProposal, unhex(row["epoch"])),
        decode(membership.ShareProposal, unhex(row["split"])),
    )

    for proposal, message in ((epoch, rotation.proposal_message(epoch)), (split, splitting.split_message(split))):
        signing.verify(unhex(row["public"]), proposal.signature, message)
        assert kid_of(unhex(row["public"])) == proposal.maker
    assert rotation.proposal_message(epoch) != rotation.proposal_message(
        msgspec.structs.replace(epoch, wraps=epoch.wraps[:1])
    )


@pytest.mark.parametrize("row", VALUES["hpke"])
def test_a_message_of_the_second_implementation_opens(row: dict[str, str]) -> None:
    key = KemKey(unhex(row["seed"]))

    assert key.open(unhex(row["sealed"]), unhex(row["info"])).hex() == row["plaintext"]


@pytest.mark.parametrize("row", VALUES["sections"], ids=lambda row: str(row["length"]))
def test_a_section_of_any_length_opens(row: Json) -> None:
    _, _, plaintext, _ = values.section_parts(row["length"])
    section = values.section(row["length"])

    assert (len(section), crypto.decrypt_section(unhex(row["key"]), unhex(row["context"]), section)) == (
        row["size"],
        plaintext,
    )


CHUNK: Final = 16 * 1024 + 16
HEAD: Final = 24 + 32


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("cut at the end of a chunk", lambda data: data[: HEAD + CHUNK]),
        ("cut within a chunk", lambda data: data[:-1]),
        ("cut to its head", lambda data: data[:HEAD]),
        ("cut within its head", lambda data: data[: HEAD - 1]),
        ("cut to nothing", lambda _: b""),
        ("one byte more", lambda data: data + b"\x00"),
        (
            "chunks exchanged",
            lambda data: data[:HEAD] + data[HEAD + CHUNK : HEAD + 2 * CHUNK] + data[HEAD : HEAD + CHUNK],
        ),
        ("first chunk left out", lambda data: data[:HEAD] + data[HEAD + CHUNK :]),
        ("salt changed", lambda data: bytes([data[0] ^ 1]) + data[1:]),
        ("commitment changed", lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:]),
        ("tag changed", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    ],
)
def test_a_damaged_section_does_not_open(name: str, damage: Any) -> None:  # noqa: ANN401  # a lambda of the table
    key, context, _, _ = values.section_parts(40_000)

    with pytest.raises(CannotOpen):
        crypto.decrypt_section(key, context, damage(values.section(40_000)))
    assert name


def test_digests_and_commitments() -> None:
    row = MESSAGES["D"]
    assert manifest.digest_of(unhex(row["manifest"])).hex() == row["out"]
    row = MESSAGES["commitment"]
    assert manifest.commitment(unhex(row["secret"]), row["bitmap"]).hex() == row["out"]
    row = MESSAGES["tier"]
    assert manifest.tier_digest(unhex(row["salt"]), unhex(row["tier"])).hex() == row["out"]
    row = MESSAGES["directories"]
    heads = tuple(manifest.Head(unhex(agency), seq, unhex(hash_)) for agency, seq, hash_ in row["heads"])
    assert manifest.directories_digest(heads).hex() == row["out"]


def test_what_names_an_author_to_those_who_may_know() -> None:
    row = MESSAGES["author_ref"]
    assert sections.author_ref(unhex(row["salt"]), Kid(unhex(row["device"]))).hex() == row["out"]
    row = MESSAGES["contributor"]
    person = PersonId(unhex(row["person"]))
    assert sections.contributor(unhex(row["count_key"]), person, row["week"]).hex() == row["out"]


def test_a_wrap_of_a_section_key_opens_and_comes_out_the_same() -> None:
    row = MESSAGES["wrap"]
    secret, key = unhex(row["secret"]), unhex(row["key"])
    info = manifest.wrap_info(Digest(unhex(row["digest"])), row["slot"], GrantId(unhex(row["grant"])))

    assert crypto.wrap(secret, info, key).hex() == row["out"]
    assert crypto.unwrap(secret, info, unhex(row["out"])) == key


def test_an_enrolment_and_a_founding_are_proved_alike() -> None:
    row = MESSAGES["enrolment"]
    code = invitation.Code("", unhex(row["partnership"]), unhex(row["invite"]), unhex(row["secret"]), None, None, None)
    device = keys.DeviceKeys.of(keys.DeviceSeeds(unhex(row["sign_seed"]), unhex(row["kem_seed"])))

    made = founding.enrolment_of(code, device)

    assert (made.signature.hex(), made.mac.hex()) == (row["signature"], row["mac"])
    row = MESSAGES["founding"]
    entries = [d.SignedEntry(unhex(entry), bytes(16), bytes(64)) for entry in row["entries"]]
    assert founding.founding_mac(code, entries).hex() == row["out"]


def test_receipts_and_records_verify() -> None:
    row = MESSAGES["receipt"]
    receipt = unhex(row["receipt"])
    signing.verify(unhex(row["public"]), unhex(row["out"]), signing.RECEIPT_LABEL + receipt)
    assert encode(decode(Receipt, receipt)) == receipt
    for row in MESSAGES["records"]:
        signing.verify(unhex(row["public"]), unhex(row["out"]), records.record_message(unhex(row["record"])))


def test_a_records_tag_says_which_it_is() -> None:
    read: list[records.Record] = [
        decode(records.Record, unhex(row["record"]))  # type: ignore[arg-type]  # a union is no class
        for row in MESSAGES["records"]
    ]
    open_, countersign = read

    assert isinstance(open_, records.Open)
    assert (open_.task, open_.reason) == (None, b"reason")
    assert isinstance(countersign, records.Countersign)
    assert countersign.digest == open_.digest


def test_a_reading_verifies() -> None:
    row = MESSAGES["reading"]
    read = unhex(row["read"])

    signing.verify(unhex(row["public"]), unhex(row["out"]), ledger.read_message(read))
    assert decode(ledger.Read, read).slots == 0x0415


def test_an_approval_is_over_the_grant_as_it_was_before_anybody_approved() -> None:
    row = MESSAGES["approval"]
    grant = disclosure.read_grant(unhex(row["grant"]))

    signing.verify(unhex(row["public"]), unhex(row["out"]), disclosure.approval_message(grant))
    assert len(grant.approvals) == 1


def case_of(document: bytes, seed: bytes) -> bytes:
    """Return what a case record says to one of the two that it is sealed to, as the product opens it."""
    record, key = records.read_record(document), KemKey(seed)
    assert isinstance(record, records.Case)
    seal = next(one for one in record.seals if one.kid == kid_of(key.public))
    secret = key.open(seal.seal, records.seal_info(record.record, seal.kid))
    return crypto.decrypt_section(secret, records.body_context(record.record), record.body)


@pytest.mark.parametrize("number", [0, 1])
def test_a_case_record_opens_for_everybody_whom_it_is_sealed_to(number: int) -> None:
    row = VALUES["case_records"]

    assert case_of(unhex(row["record"]), unhex(row["kem_seeds"][number])).hex() == row["plaintext"]
    record = records.read_record(unhex(row["record"]))
    assert isinstance(record, records.Case)
    assert record.kind is records.CaseKind.CONSENT
    assert decode(records.ConsentTerms, record.terms).slots == (4, 6)


@pytest.mark.parametrize("name", sorted(VALUES["case_records"]["bad"]))
def test_a_case_record_with_one_thing_wrong_does_not_open(name: str) -> None:
    row = VALUES["case_records"]
    with pytest.raises(CannotOpen):
        case_of(unhex(row["bad"][name]), unhex(row["kem_seeds"][0]))


@pytest.mark.parametrize("row", named(VALUES["statements"]))
def test_a_statement_is_read_as_it_was_signed(row: Json) -> None:
    record = records.read_record(unhex(row["record"]))
    signing.verify(unhex(row["public"]), unhex(row["signature"]), records.record_message(unhex(row["record"])))

    assert isinstance(record, records.Case)
    assert (record.kind, record.seals, record.body) == (records.CaseKind.STATEMENT, (), b"")
    terms = statements.read(record.terms)
    assert statements.subject_of(terms) == (record.code, unhex(row["subject"]))
    assert encode(terms) == record.terms


@pytest.mark.parametrize("row", VALUES["codes"]["good"])
def test_a_code_is_read_however_it_was_typed(row: Json) -> None:
    code = invitation.read_code(row["text"])

    assert encode(code).hex() == row["array"]
    assert invitation.read_code(invitation.write_code(code)) == code


@pytest.mark.parametrize("row", named(VALUES["codes"]["bad"]))
def test_a_code_with_a_fault_is_refused(row: Json) -> None:
    with pytest.raises(Invalid) as refused:
        invitation.read_code(row["text"])

    assert refused.value.code == row["code"]
