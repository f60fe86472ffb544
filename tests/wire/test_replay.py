"""What each kind of entry demands and ends: a table for each, with the exact refusal."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pytest

from sluss_schemas import directory as d
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.terms import AgreementEnd, Terms, TermsCell

from tests.wire.scribe import (
    FIELD,
    NOW,
    SUPERVISORS,
    agreement,
    append,
    device,
    epoch,
    genesis,
    hashed,
    id16,
    key,
    kid,
    person,
    root_rotate,
    seen,
    shares,
    signed,
    terms,
)

ANOTHER: Final = b"a" * 16


def town() -> Directory:
    """Return an agency after its first weeks.

    Anna has two telephones, one of them lost; Bo's function was taken away, Cecilia is suspended, Disa and Erik are in
    no audience.
    """
    directory = Directory()
    append(directory, genesis(), "root")
    append(directory, d.RegistrarAdd(key("registrar").public), "root")
    bodies: tuple[d.Body, ...] = (
        d.AudienceCreate(FIELD, "field"),
        d.AudienceCreate(SUPERVISORS, "supervisors"),
        d.Scene(1, "square", "Square", "Torget", None, "confirmed"),
        person("anna", "field"),
        person("bo", "field"),
        person("cecilia", "field", "supervisors"),
        person("disa", "supervisors"),
        person("erik"),
        *(device(name, name) for name in ("anna", "bo", "cecilia", "disa", "erik")),
        device("anna", "anna's lost one"),
        *(d.MemberAdd(FIELD, kid(name), 1) for name in ("anna", "anna's lost one", "bo", "cecilia")),
        epoch(1, "anna", "anna's lost one", "bo", "cecilia"),
        d.CustodianSet((kid("anna"), kid("bo"), kid("disa"))),
        person("bo"),
        d.PersonSuspend(id16("cecilia")),
        d.DeviceRevoke(kid("anna's lost one"), "lost"),
    )
    for body in bodies:
        append(directory, body)
    for name, *states in (("standing",), ("suspended", "suspended"), ("ended", "terminated")):
        append(directory, agreement(terms(directory.agency, name)))
        for state in states:
            append(directory, AgreementEnd(id16(f"agreement {name}"), state))  # type: ignore[arg-type]  # its literals
    return directory


TOWN: Final = town()


class Case(NamedTuple):
    """An entry that a town's registrar or root signs, and the sentence that refuses it; None where it is taken."""

    what: str
    body: d.Body
    says: str | None = None
    signer: str = "registrar"
    code: str = "directory_refused"


_NO_RIGHT: Final = "The signer has no right to make this entry."
_USED: Final = "The device or its invitation is in the directory already."
_SCENE: Final = "A scene keeps its number and its slug."
_CUSTODIANS: Final = "Custodians are devices of three persons, none of them revoked."
_SHARES: Final = "Shares are for exactly the custodians of now, in their order."
_HISTORY: Final = "History begins with an epoch that there is, or with the next one."
_MEMBERS: Final = "The epoch must be wrapped for exactly the members of now."
_FUNCTION: Final = "The person does not have this function, or is suspended."
_HEAD: Final = "An agreement is signed by a supervisor of the agency."
_STATE: Final = "There is no such agreement, or it is in another state."
_UNVERIFIED: Final = "Sign with the key that the directory names; nothing was stored."
_DATES: Final = "An agreement begins, and ends within five years."
OTHER: Final = id16("another agency")


def agreed(name: str = "new", **changes: Any) -> Terms:  # noqa: ANN401  # any field
    return terms(TOWN.agency, name, **changes)


def cell(code: str, receiver: bytes = OTHER) -> TermsCell:
    return TermsCell(13, TOWN.agency, "SIT", receiver, code)  # type: ignore[arg-type]  # its literals


CASES: Final = (
    Case("a second genesis", genesis(), "A directory begins with its one genesis.", "root"),
    Case("a new scene", d.Scene(2, "park", "Park", "Parken", None, "candidate")),
    Case("a scene's new label", d.Scene(1, "square", "The square", "Torget", None, "closed")),
    Case("a scene's number for another slug", d.Scene(1, "park", "Park", "Parken", None, "candidate"), _SCENE),
    Case("a scene's slug under another number", d.Scene(2, "square", "S", "T", None, "candidate"), _SCENE),
    Case("the next root, by itself", root_rotate("next root", "third root"), None, "next root"),
    Case("the next root, by the old one", root_rotate("next root", "third root"), _NO_RIGHT, "root"),
    Case("the next root, by a registrar", root_rotate("next root", "third root"), _NO_RIGHT),
    Case("a root of somebody's own", root_rotate("somebody's root", "third root"),
         "The new root is not the one that was committed to.", "somebody's root"),
    Case("a device as registrar", d.RegistrarAdd(key("anna").public), None, "root"),
    Case("a key that is to be a device's", d.RegistrarAdd(key("frida").public), None, "root"),
    Case("a registrar by a registrar", d.RegistrarAdd(key("anna").public), _NO_RIGHT),
    Case("a registrar by the next root", d.RegistrarAdd(key("anna").public), _NO_RIGHT, "next root"),
    Case("a revoked device as registrar", d.RegistrarAdd(key("anna's lost one").public), "The device was revoked.",
         "root"),
    Case("a suspended person's device as registrar", d.RegistrarAdd(key("cecilia").public), "The person is suspended.",
         "root"),
    Case("a registrar's end", d.RegistrarRemove(kid("registrar")), None, "root"),
    Case("a registrar's end by themselves", d.RegistrarRemove(kid("registrar")), _NO_RIGHT),
    Case("the end of no registrar", d.RegistrarRemove(kid("anna")), "No such registrar.", "root"),
    Case("a new person", person("frida", "field")),
    Case("a person changed", person("anna", "field", "supervisors")),
    Case("a person under another's alias", person("frida", "field", alias="anna"),
         "The alias belongs to another person."),
    Case("functions in another order", person("frida", "supervisors", "field"),
         "Functions are sorted and named once."),
    Case("a function twice", person("frida", "field", "field"), "Functions are sorted and named once."),
    Case("a suspension", d.PersonSuspend(id16("anna"))),
    Case("nobody's suspension", d.PersonSuspend(id16("frida")), "No such person."),
    Case("a new device", device("anna", "anna's next one")),
    Case("nobody's device", device("frida", "frida"), "The device's person is not in the directory."),
    Case("a device twice", device("anna", "anna", invite="another", kem_of="another"), _USED),
    Case("a device with another's KEM key", device("anna", "next", kem_of="bo"), _USED),
    Case("a device with an epoch's KEM key", device("anna", "next", kem_of=f"epoch 1 of {FIELD.hex()}"), _USED),
    Case("a device with an epoch's signing key", device("anna", f"epoch 1 of {FIELD.hex()}", kem_of="next"), _USED),
    Case("an invitation twice", device("anna", "next", invite="bo"), _USED),
    Case("a device that another signed", device("anna", "next", signer="bo"), _UNVERIFIED, code="bad_signature"),
    Case("a revocation", d.DeviceRevoke(kid("anna"), "stolen")),
    Case("a revocation of what is none", d.DeviceRevoke(kid("frida"), "lost"), "No such device."),
    Case("a revocation twice", d.DeviceRevoke(kid("anna's lost one"), "lost"), "The device was revoked before."),
    Case("a new audience", d.AudienceCreate(ANOTHER, "reception")),
    Case("a function's second audience", d.AudienceCreate(ANOTHER, "field"), "The audience exists already."),
    Case("an audience's id twice", d.AudienceCreate(FIELD, "reception"), "The audience exists already."),
    Case("a member", d.MemberAdd(SUPERVISORS, kid("disa"), 1)),
    Case("a member with the whole history", d.MemberAdd(FIELD, kid("anna"), 1)),
    Case("a member without any", d.MemberAdd(FIELD, kid("anna"), 2)),
    Case("a member with history before all", d.MemberAdd(FIELD, kid("anna"), 0), _HISTORY),
    Case("a member with history from later on", d.MemberAdd(FIELD, kid("anna"), 3), _HISTORY),
    Case("a member of nothing", d.MemberAdd(ANOTHER, kid("anna"), 1), "No such audience."),
    Case("a member that is no device", d.MemberAdd(FIELD, kid("frida"), 1), "No such device."),
    Case("a revoked member", d.MemberAdd(FIELD, kid("anna's lost one"), 1), "No such device."),
    Case("a member without the function", d.MemberAdd(SUPERVISORS, kid("anna"), 1), _FUNCTION),
    Case("a member whose function was taken away", d.MemberAdd(FIELD, kid("bo"), 1), _FUNCTION),
    Case("a suspended member", d.MemberAdd(FIELD, kid("cecilia"), 1), _FUNCTION),
    Case("a member's end", d.MemberRemove(FIELD, kid("anna"))),
    Case("the end of no member", d.MemberRemove(FIELD, kid("bo")), "The device is not a member."),
    Case("a member's end in nothing", d.MemberRemove(ANOTHER, kid("anna")), "No such audience."),
    Case("the next epoch", epoch(2, "anna")),
    Case("an epoch of nothing", epoch(1, "anna", audience=ANOTHER), "No such audience."),
    Case("an epoch too early", epoch(3, "anna"), "Epochs follow each other without a gap."),
    Case("an epoch twice", epoch(1, "anna", keys="others"), "Epochs follow each other without a gap."),
    Case("an epoch with a stranger", epoch(2, "anna", "disa"), _MEMBERS),
    Case("an epoch with one who was suspended", epoch(2, "anna", "cecilia"), _MEMBERS),
    Case("an epoch without its member", epoch(2, "bo"), _MEMBERS),
    Case("an epoch with keys of another", epoch(2, "anna", keys=f"epoch 1 of {FIELD.hex()}"),
         "The epoch's keys were used before."),
    Case("an epoch with a device's keys", epoch(2, "anna", keys="disa"), "The epoch's keys were used before."),
    Case("shares", shares(1, "anna", "bo", "disa")),
    Case("shares again", shares(1, "anna", "bo", "disa")),
    Case("shares of nothing", shares(1, "anna", "bo", "disa", audience=ANOTHER), "No such audience."),
    Case("shares of the next epoch", shares(2, "anna", "bo", "disa"), "No such epoch."),
    Case("shares of epoch 0", shares(0, "anna", "bo", "disa"), "No such epoch."),
    Case("shares for others", shares(1, "anna", "bo", "erik"), _SHARES),
    Case("shares in another order", shares(1, "bo", "anna", "disa"), _SHARES),
    Case("a pack", d.PackInForce(hashed("pack"), 65_535)),
    Case("a peer", d.Peer(ANOTHER, hashed("root"), "", None)),
    Case("an instance", d.Instance(ANOTHER)),
    Case("other custodians", d.CustodianSet((kid("erik"), kid("anna"), kid("disa")))),
    Case("custodians of two persons", d.CustodianSet((kid("anna"), kid("anna"), kid("disa"))), _CUSTODIANS),
    Case("a custodian who is no device", d.CustodianSet((kid("anna"), kid("bo"), kid("frida"))), _CUSTODIANS),
    Case("a custodian who was revoked", d.CustodianSet((kid("anna's lost one"), kid("bo"), kid("disa"))), _CUSTODIANS),
    Case("a roster", d.Roster(hashed("roster"))),
    Case("an agreement", agreement(agreed())),
    Case("an agreement's terms again", agreement(agreed("standing")), "The agreement is in the directory already."),
    Case("an agreement by one who is no supervisor", agreement(agreed(), "anna"), _HEAD),
    Case("an agreement by a suspended supervisor", agreement(agreed(), "cecilia"), _HEAD),
    Case("an agreement by no device", agreement(agreed(), "frida"), _HEAD),
    Case("an agreement that another signed", agreement(agreed(), signer="anna"), _UNVERIFIED, code="bad_signature"),
    Case("an agreement of others", agreement(agreed(parties=tuple(sorted((OTHER, id16("third")))))),
         "The agency is no party of the agreement."),
    Case("an agreement with a party twice", agreement(agreed(parties=tuple(sorted((TOWN.agency, OTHER, OTHER))))),
         "Parties are sorted and named once."),
    Case("an agreement with unsorted parties", agreement(agreed(parties=tuple(sorted((TOWN.agency, OTHER)))[::-1])),
         "Parties are sorted and named once."),
    Case("an agreement with a part twice", agreement(agreed(cells=(cell("R"), cell("A")))),
         "Parts are sorted and named once."),
    Case("an agreement with unsorted scenes", agreement(agreed(scenes=(2, 1))), "Scenes are sorted and named once."),
    Case("an agreement for somebody who has not signed", agreement(agreed(cells=(cell("R", id16("third")),))),
         "A part is opened by a party to a party."),
    Case("an agreement with oneself", agreement(agreed(cells=(cell("R", TOWN.agency),))),
         "Nobody opens a part to themselves."),
    Case("an agreement without a second in it", agreement(agreed(not_before=NOW + 9, not_after=NOW + 9)), _DATES),
    Case("an agreement for six years", agreement(agreed(not_after=NOW + 6 * 366 * 86_400)), _DATES),
    Case("an agreement that is over", agreement(agreed(not_after=NOW)), "The agreement was over before it was signed."),
    Case("an agreement suspended", AgreementEnd(id16("agreement standing"), "suspended")),
    Case("an agreement ended", AgreementEnd(id16("agreement standing"), "terminated")),
    Case("a suspended agreement resumed", AgreementEnd(id16("agreement suspended"), "resumed")),
    Case("a suspended agreement ended", AgreementEnd(id16("agreement suspended"), "terminated")),
    Case("the end of no agreement", AgreementEnd(ANOTHER, "terminated"), _STATE),
    Case("a standing agreement resumed", AgreementEnd(id16("agreement standing"), "resumed"), _STATE),
    Case("an ended agreement resumed", AgreementEnd(id16("agreement ended"), "resumed"), _STATE),
    Case("an ended agreement suspended", AgreementEnd(id16("agreement ended"), "suspended"), _STATE),
    Case("an ended agreement ended", AgreementEnd(id16("agreement ended"), "terminated"), _STATE),
    Case("an ended agreement's terms again", agreement(agreed("ended")), "The agreement is in the directory already."),
)  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case.what) for case in CASES])
def test_each_kind_of_entry_is_taken_or_refused_with_its_own_sentence(case: Case) -> None:
    directory = TOWN.copy()
    entry = signed(directory, case.body, case.signer)
    if case.says is None:
        assert directory.append(entry) == case.body
        assert directory.seq == TOWN.seq + 1
        return
    before = seen(directory)
    with pytest.raises(Invalid) as refused:
        directory.append(entry)

    assert (refused.value.code, refused.value.say) == (case.code, case.says)
    assert refused.value.field == f"security:{TOWN.seq + 1}"
    assert seen(directory) == before


def test_the_table_has_every_kind_taken_and_every_kind_that_demands_something_refused() -> None:
    free = {d.PackInForce, d.Peer, d.Instance, d.Roster}
    taken = {type(case.body) for case in CASES if case.says is None}
    refused = {type(case.body) for case in CASES if case.says is not None}

    assert taken == {*d.BODIES.values()} - {d.Genesis}
    assert refused == {*d.BODIES.values()} - free


@pytest.mark.parametrize(
    ("signer", "by", "code"),
    [("registrar", "anna", "bad_signature"), ("root", "registrar", "bad_signature"), ("anna", "anna", None)],
)
def test_an_entry_counts_only_with_the_signature_of_the_key_that_it_names(
    signer: str, by: str, code: str | None
) -> None:
    directory = TOWN.copy()
    entry = signed(directory, d.PackInForce(hashed("pack"), 65_535), by)

    with pytest.raises(Invalid) as refused:
        directory.append(d.SignedEntry(entry.entry, kid(signer), entry.signature))
    assert refused.value.code == (code or "directory_refused")
    assert seen(directory) == seen(TOWN)


def test_a_scene_is_refused_outside_the_registry() -> None:
    directory = Directory()
    append(directory, genesis(registry=False), "root")

    with pytest.raises(Invalid, match="Only the founding agency's directory holds scenes"):
        append(directory, d.Scene(1, "square", "Square", "Torget", None, "confirmed"), "root")


@pytest.mark.parametrize("end", [d.DeviceRevoke(kid("anna"), "replaced"), d.PersonSuspend(id16("anna"))])
def test_a_registrar_signs_until_their_device_is_revoked_or_they_are_suspended(end: d.Body) -> None:
    directory = TOWN.copy()
    append(directory, d.RegistrarAdd(key("anna").public), "root")
    append(directory, d.PackInForce(hashed("one"), 65_535), "anna")
    append(directory, end)

    with pytest.raises(Invalid, match=_NO_RIGHT):
        append(directory, d.PackInForce(hashed("two"), 65_535), "anna")


def test_the_old_root_signs_nothing_once_another_has_come() -> None:
    directory = TOWN.copy()
    append(directory, root_rotate("next root", "third root"), "next root")
    append(directory, d.RegistrarAdd(key("anna").public), "next root")

    for body in (d.RegistrarAdd(key("bo").public), d.PackInForce(hashed("pack"), 65_535), root_rotate("root", "root")):
        with pytest.raises(Invalid, match=r"has no right|committed to"):
            append(directory, body, "root")


def test_what_entries_say_is_kept_and_the_last_word_counts() -> None:
    directory = TOWN.copy()
    said: tuple[d.Body, ...] = (
        *(d.PackInForce(hashed(name), 65_535) for name in ("pack", "another pack", "pack")),
        *(d.Peer(ANOTHER, hashed(name), "", None) for name in ("root", "another root")),
        *(d.Instance(id16(name)) for name in ("instance", "another instance")),
        *(d.Roster(hashed(name)) for name in ("roster", "another roster")),
        d.Scene(1, "square", "The square", "Torget", None, "closed"),
        shares(1, "anna", "bo", "disa"),
        d.CustodianSet((kid("erik"), kid("anna"), kid("disa"))),
    )
    for number, body in enumerate(said):
        append(directory, body, time=NOW - number)

    assert list(directory.packs) == [hashed("pack"), hashed("another pack")]
    assert directory.peers == {ANOTHER: d.Peer(ANOTHER, hashed("another root"), "", None)}
    assert directory.instance == id16("another instance")
    assert directory.roster == hashed("another roster")
    assert directory.scenes[1].label_en == "The square"
    assert directory.shares == {(FIELD, 1): shares(1, "anna", "bo", "disa")}
    assert directory.custodians == (kid("erik"), kid("anna"), kid("disa"))
    # The newest time that anything was signed at, whatever the order.
    assert (directory.latest, TOWN.latest) == (NOW, NOW)
    assert directory.hashes[TOWN.seq] == TOWN.hash
    assert len(directory.hashes) == directory.seq + 1 == TOWN.seq + 1 + len(said)


def test_a_revocation_is_found_by_its_entry() -> None:
    directory = TOWN.copy()
    append(directory, d.PackInForce(hashed("pack"), 65_535))
    append(directory, d.DeviceRevoke(kid("anna"), "lost"), time=NOW + 5)

    assert directory.revocations[kid("anna")] == directory.seq == TOWN.seq + 2
    assert directory.devices[kid("anna")].revoked_at == NOW + 5
    assert not directory.device_active(kid("anna"), NOW)
    assert directory.device_active(kid("bo"), NOW)
    assert not directory.device_active(kid("cecilia"), NOW)
