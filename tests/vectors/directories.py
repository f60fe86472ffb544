"""A directory with every kind of entry, and entries that do not follow from it, each with the code that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.vectors import world
from tests.vectors.second import chain as c
from tests.vectors.second import primitives as p
from tests.vectors.second import wire
from tests.vectors.second.report import Group
from tests.vectors.second.stream import Stream

_stream: Final = Stream("directory")
_seed: Final = _stream.draw
PARTNERSHIP: Final = _seed("partnership", 16)
ROOT, NEXT_ROOT, THIRD_ROOT = _seed("root"), _seed("next root"), _seed("third root")
REGISTRAR, REMOVED, LATER = _seed("registrar"), _seed("registrar to be removed"), _seed("later registrar")
FIELD, SUPERVISORS = _seed("audience", 16), _seed("supervisors", 16)
ALICE, BO, CECILIA = (_seed(name, 16) for name in ("alice", "bo", "cecilia"))
DORA, ERIK, FRIDA = (_seed(name, 16) for name in ("dora", "erik", "frida"))
FIRST, SECOND = Group(secret=_seed("epoch 1")), Group(secret=_seed("epoch 2"))


def kem_of(name: str) -> bytes:
    return p.kem_public(_seed(f"kem {name}"))


def device_of(name: str) -> bytes:
    return p.kid(p.sign_public(_seed(f"sign {name}")))


def device(person: bytes, name: str, **wrong: Any) -> list[Any]:  # noqa: ANN401  # any value may be the wrong one
    """Return the body that adds a device; `partnership` and `signer` go into its own signature only."""
    sign_key, kem_key = p.sign_public(_seed(f"sign {name}")), wrong.get("kem_key", kem_of(name))
    invite = wrong.get("invite", _seed(f"invite {name}", 16))
    message = c.enrolment_message(wrong.get("partnership", PARTNERSHIP), invite, sign_key, kem_key)
    return [person, invite, sign_key, kem_key, p.sign(wrong.get("signer", _seed(f"sign {name}")), message)]


def epoch(number: int, group: Group, members: list[bytes]) -> list[Any]:
    return [FIELD, number, 2, group.kem_public, group.sign_public, p.sha256(b"wraps"), members]


def scene(number: int, slug: str, label: str) -> list[Any]:
    return [number, slug, label, label, None, "confirmed"]


def _genesis(slug: str, sector: str, *, registry: bool) -> list[Any]:
    committed = p.sha256(p.sign_public(NEXT_ROOT))
    checkpoint = p.sign_public(_seed("checkpoint"))
    return [PARTNERSHIP, slug, sector, slug, slug, registry, p.sign_public(ROOT), committed, checkpoint]


def custodians(*names: str) -> list[bytes]:
    return [device_of(name) for name in names]


def shares(number: int, *names: str) -> list[Any]:
    return [FIELD, number, [[device_of(name), p.sha256(b"share of " + name.encode())] for name in names]]


def agency_of(slug: str, sector: str, *, registry: bool) -> bytes:
    start = c.Chain(world.NOW)
    start.add("genesis", _genesis(slug, sector, registry=registry), ROOT)
    return start.agency


OWN, OTHER = agency_of("security", "SEC", registry=True), agency_of("police", "POL", registry=False)


def terms(name: str, **wrong: Any) -> list[Any]:  # noqa: ANN401  # any value may be the wrong one
    """Return the terms of an agreement, with some of them replaced by name."""
    fields = {
        "agreement": _seed(f"agreement {name}", 16),
        "parties": sorted([OWN, OTHER]),
        "cells": sorted([[17, OWN, "SIT", OTHER, "A"], [17, OWN, "PLC", OTHER, "R"]]),
        "scenes": [1, 2],
        "purpose": "Handing over at the end of a shift.",
        "owner": "S-4",
        "begins": world.NOW,
        "ends": world.NOW + 30 * 86_400,
    }
    assert wrong.keys() <= fields.keys()
    return list({**fields, **wrong}.values())


def agreement(name: str, head: str = "dora", *, by: str | None = None, **wrong: Any) -> list[Any]:  # noqa: ANN401  # as above
    """Return the body that takes part in an agreement; `by` is whose device signs it in the head's name."""
    written = wire.write(terms(name, **wrong))
    signature = p.sign(_seed(f"sign {by or head}"), b"sluss/agreement" + p.sha256(written))
    return [written, device_of(head), signature]


def full() -> c.Chain:
    """Return a chain with every kind of entry.

    Bo's device was revoked, Cecilia's function taken away, Dora suspended; Erik has no function and is a custodian;
    Alice has two devices with her history, and Frida waits for the next epoch.
    """
    chain, three = c.Chain(world.NOW), sorted(custodians("alice", "bo", "cecilia"))
    entries: list[tuple[str, list[Any], bytes]] = [
        ("genesis", _genesis("security", "SEC", registry=True), ROOT),
        ("registrar_add", [p.sign_public(REGISTRAR)], ROOT),
        ("registrar_add", [p.sign_public(REMOVED)], ROOT),
        ("pack", [world.PACK, world.PACK_BEGINS], REGISTRAR),
        ("scene", scene(1, "central-square", "Central square"), REGISTRAR),
        ("person_add", [ALICE, "S-1", ["field"], None, None], REGISTRAR),
        ("device_add", device(ALICE, "alice"), REGISTRAR),
        ("person_add", [BO, "S-2", ["field", "supervisors"], [1], world.NOW + 86_400], REMOVED),
        ("registrar_add", [p.sign_public(_seed("sign bo"))], ROOT),
        ("device_add", device(BO, "bo"), REMOVED),
        ("person_add", [CECILIA, "S-3", ["field"], None, None], _seed("sign bo")),
        ("device_add", device(CECILIA, "cecilia"), _seed("sign bo")),
        ("person_add", [DORA, "S-4", ["supervisors"], None, None], REGISTRAR),
        ("device_add", device(DORA, "dora"), REGISTRAR),
        ("registrar_add", [p.sign_public(_seed("sign dora"))], ROOT),
        ("person_add", [ERIK, "S-5", [], None, None], _seed("sign dora")),
        ("device_add", device(ERIK, "erik"), _seed("sign dora")),
        ("audience_create", [FIELD, "field"], REGISTRAR),
        ("audience_create", [SUPERVISORS, "supervisors"], REGISTRAR),
        ("member_add", [FIELD, device_of("alice"), 1], REGISTRAR),
        ("member_add", [FIELD, device_of("bo"), 1], REGISTRAR),
        ("member_add", [FIELD, device_of("cecilia"), 1], REGISTRAR),
        ("member_add", [SUPERVISORS, device_of("dora"), 1], REGISTRAR),
        ("epoch", epoch(1, FIRST, three), REGISTRAR),
        ("custodian_set", [custodians("alice", "bo", "erik")], REGISTRAR),
        ("shares", shares(1, "alice", "bo", "erik"), REGISTRAR),
        ("roster", [p.sha256(b"roster")], REGISTRAR),
        ("peer", [_seed("another agency", 16), p.sha256(b"another root"), "agreement of 2026", None], REGISTRAR),
        ("instance", [_seed("instance", 16)], REGISTRAR),
        ("agreement", agreement("standing"), REGISTRAR),
        ("agreement", agreement("suspended", scenes=None), REGISTRAR),
        ("agreement", agreement("resumed", "bo"), REGISTRAR),
        ("agreement", agreement("ended"), REGISTRAR),
        ("agreement_end", [_seed("agreement suspended", 16), "suspended"], REGISTRAR),
        ("agreement_end", [_seed("agreement resumed", 16), "suspended"], REGISTRAR),
        ("agreement_end", [_seed("agreement resumed", 16), "resumed"], REGISTRAR),
        ("agreement_end", [_seed("agreement ended", 16), "terminated"], REGISTRAR),
        ("member_remove", [FIELD, device_of("bo")], REGISTRAR),
        ("person_add", [CECILIA, "S-3", [], None, None], REGISTRAR),
        ("epoch", epoch(2, SECOND, [device_of("alice")]), REGISTRAR),
        ("person_suspend", [DORA], REGISTRAR),
        ("device_revoke", [device_of("bo"), "lost"], REGISTRAR),
        ("registrar_remove", [p.kid(p.sign_public(REMOVED))], ROOT),
        ("root_rotate", [p.sign_public(NEXT_ROOT), p.sha256(p.sign_public(THIRD_ROOT))], NEXT_ROOT),
        ("scene", scene(1, "central-square", "The central square"), REGISTRAR),
        ("device_add", device(ALICE, "alice's second"), REGISTRAR),
        ("member_add", [FIELD, device_of("alice's second"), 1], REGISTRAR),
        ("person_add", [FRIDA, "S-6", ["field"], None, None], REGISTRAR),
        ("device_add", device(FRIDA, "frida"), REGISTRAR),
        ("member_add", [FIELD, device_of("frida"), 3], REGISTRAR),
        ("registrar_add", [p.sign_public(LATER)], NEXT_ROOT),
    ]  # fmt: skip
    for kind, body, seed in entries:
        chain.add(kind, body, seed)
    return chain


def bare() -> c.Chain:
    """Return the beginning of an agency that does not hold the scenes."""
    chain = c.Chain(world.NOW)
    chain.add("genesis", _genesis("police", "POL", registry=False), ROOT)
    chain.add("registrar_add", [p.sign_public(REGISTRAR)], ROOT)
    return chain


CHAINS: Final = {"full": full(), "bare": bare(), "empty": c.Chain(world.NOW)}
END: Final = len(CHAINS["full"].entries)
_KINDS: Final = [wire.read(entry)[3] for entry, _, _ in CHAINS["full"].entries]


def before(kind: str) -> int:
    """Return how many entries come before the first of a kind."""
    return _KINDS.index(c.KINDS.index(kind) + 1)


@dataclass(frozen=True, kw_only=True)
class BadEntry:
    """An entry that is refused after the first `after` entries of a chain."""

    name: str
    code: str
    chain: str
    after: int
    signed: c.Signed


def _bad(
    name: str,
    does: str,
    body: list[Any],
    seed: bytes = REGISTRAR,
    /,
    *,
    code: str = "directory_refused",
    chain: str = "full",
    after: int | None = None,
    flip: bool = False,
    signer: bytes | None = None,
    **wrong: Any,  # noqa: ANN401  # any value may be the wrong one
) -> BadEntry:
    whole = CHAINS[chain].entries
    count = len(whole) if after is None else after
    start = c.Chain(world.NOW)
    start.entries = whole[:count]
    entry, kid, signature = c.signed(start.entry(does, body, **wrong), seed)
    if flip:
        signature = bytes([signature[0] ^ 1]) + signature[1:]
    return BadEntry(name=name, code=code, chain=chain, after=count, signed=(entry, signer or kid, signature))


_PACK: Final = [p.sha256(b"another pack"), 20_500]
_KNOWN: Final = [device_of("alice")]
_NOW: Final = sorted(custodians("alice", "alice's second", "frida"))
_THIRD: Final = Group(secret=_seed("epoch 3"))

_AGREED: Final = before("agreement_end")
_PART: Final = [17, OWN, "SIT", OTHER, "A"]

BAD: Final = (
    # links and form
    _bad("gap", "pack", _PACK, seq=END + 1),
    _bad("number_used_before", "pack", _PACK, seq=END - 1),
    _bad("wrong_prev", "pack", _PACK, prev=bytes(32)),
    _bad("wrong_format", "pack", _PACK, format=2),
    _bad("unknown_kind", "pack", _PACK, kind=22),
    _bad("second_genesis", "genesis", _genesis("security", "SEC", registry=True), ROOT),
    _bad("begins_without_a_genesis", "pack", _PACK, chain="empty"),
    _bad("body_of_another_kind", "pack", [FIELD, "field"], code="malformed"),
    _bad("unknown_extra_field", "pack", [*_PACK, 0], code="malformed"),
    _bad("entry_integer_longer_than_needed", "pack", _PACK, code="not_canonical", format=wire.Raw(b"\xcc\x01")),
    _bad("body_integer_longer_than_needed", "member_add", [FIELD, _KNOWN[0], wire.Raw(b"\xcc\x01")],
         code="not_canonical"),
    # who signed
    _bad("signature_flipped", "pack", _PACK, code="bad_signature", flip=True),
    _bad("signature_by_another_key", "pack", _PACK, LATER, code="bad_signature",
         signer=p.kid(p.sign_public(REGISTRAR))),
    _bad("signer_unknown", "pack", _PACK, _seed("nobody")),
    _bad("signer_is_a_device", "pack", _PACK, _seed("sign alice")),
    _bad("signer_removed", "pack", _PACK, REMOVED),
    _bad("signer_whose_device_was_revoked", "pack", _PACK, _seed("sign bo")),
    _bad("signer_whose_person_was_suspended", "pack", _PACK, _seed("sign dora")),
    _bad("signer_not_yet_added", "pack", _PACK, LATER, after=END - 1),
    _bad("root_that_was_replaced", "pack", _PACK, ROOT),
    _bad("registrar_added_by_a_registrar", "registrar_add", [p.sign_public(_seed("friend"))]),
    _bad("registrar_removed_by_a_registrar", "registrar_remove", [p.kid(p.sign_public(LATER))]),
    _bad("root_rotated_by_a_registrar", "root_rotate", [p.sign_public(THIRD_ROOT), bytes(32)]),
    _bad("root_rotated_by_the_old_root", "root_rotate", [p.sign_public(THIRD_ROOT), bytes(32)], NEXT_ROOT),
    _bad("root_not_the_committed_one", "root_rotate", [p.sign_public(_seed("some root")), bytes(32)],
         _seed("some root")),
    _bad("registrar_of_a_revoked_device", "registrar_add", [p.sign_public(_seed("sign bo"))], NEXT_ROOT),
    _bad("registrar_of_a_suspended_person", "registrar_add", [p.sign_public(_seed("sign dora"))], NEXT_ROOT),
    _bad("registrar_to_remove_unknown", "registrar_remove", [bytes(16)], NEXT_ROOT),
    # people and devices
    _bad("alias_of_another_person", "person_add", [_seed("cecilia", 16), "S-1", ["field"], None, None]),
    _bad("functions_unsorted", "person_add", [ALICE, "S-1", ["supervisors", "field"], None, None]),
    _bad("function_unknown", "person_add", [ALICE, "S-1", ["chief"], None, None], code="malformed"),
    _bad("person_to_suspend_unknown", "person_suspend", [bytes(16)]),
    _bad("device_of_nobody", "device_add", device(bytes(16), "new")),
    _bad("device_signed_by_another", "device_add", device(ALICE, "new", signer=REGISTRAR), code="bad_signature"),
    _bad("device_of_another_partnership", "device_add", device(ALICE, "new", partnership=bytes(16)),
         code="bad_signature"),
    _bad("device_added_twice", "device_add", device(ALICE, "alice", invite=bytes(16))),
    _bad("device_with_the_kem_key_of_another", "device_add", device(ALICE, "new", kem_key=kem_of("alice"))),
    _bad("device_with_the_signing_key_of_another", "device_add",
         device(ALICE, "alice", invite=bytes(16), kem_key=kem_of("new"))),
    _bad("invitation_used_twice", "device_add", device(ALICE, "new", invite=_seed("invite alice", 16))),
    _bad("device_to_revoke_unknown", "device_revoke", [bytes(16), "lost"]),
    _bad("device_revoked_twice", "device_revoke", [device_of("bo"), "stolen"]),
    _bad("revoked_for_an_unknown_reason", "device_revoke", [_KNOWN[0], "bored"], code="malformed"),
    # audiences and epochs
    _bad("audience_created_twice", "audience_create", [_seed("another audience", 16), "field"]),
    _bad("audience_unknown", "member_add", [bytes(16), _KNOWN[0], 1]),
    _bad("member_unknown", "member_add", [FIELD, bytes(16), 1]),
    _bad("member_revoked", "member_add", [FIELD, device_of("bo"), 1]),
    _bad("member_without_the_function", "member_add", [SUPERVISORS, _KNOWN[0], 1]),
    _bad("member_suspended", "member_add", [SUPERVISORS, device_of("dora"), 1]),
    _bad("member_whose_function_was_taken_away", "member_add", [FIELD, device_of("cecilia"), 1]),
    _bad("member_history_before_the_first_epoch", "member_add", [FIELD, _KNOWN[0], 0]),
    _bad("member_history_beyond_the_next_epoch", "member_add", [FIELD, _KNOWN[0], 4]),
    _bad("member_to_remove_is_none", "member_remove", [FIELD, device_of("bo")]),
    _bad("epoch_without_a_member", "epoch", epoch(1, FIRST, _KNOWN), after=before("epoch")),
    _bad("epoch_with_a_stranger", "epoch", epoch(3, _THIRD, sorted([*_NOW, device_of("erik")]))),
    _bad("epoch_with_one_whose_function_was_taken_away", "epoch",
         epoch(3, _THIRD, sorted([*_NOW, device_of("cecilia")]))),
    _bad("epoch_with_a_revoked_device", "epoch", epoch(3, _THIRD, sorted([*_NOW, device_of("bo")]))),
    _bad("epoch_devices_unsorted", "epoch", epoch(1, FIRST, sorted(custodians("alice", "bo", "cecilia"))[::-1]),
         after=before("epoch")),
    _bad("epoch_gap", "epoch", epoch(4, _THIRD, _NOW)),
    _bad("epoch_repeated", "epoch", epoch(2, _THIRD, _NOW)),
    _bad("epoch_with_the_kem_key_of_another", "epoch",
         [FIELD, 3, 2, FIRST.kem_public, *epoch(3, _THIRD, _NOW)[4:]]),
    _bad("epoch_with_the_signing_key_of_another", "epoch",
         [FIELD, 3, 2, _THIRD.kem_public, *epoch(3, FIRST, _NOW)[4:]]),
    _bad("epoch_with_a_short_key", "epoch", [FIELD, 3, 2, bytes(1215), *epoch(3, _THIRD, _NOW)[4:]],
         code="malformed"),
    # custodians
    _bad("custodians_two_devices_of_one_person", "custodian_set",
         [custodians("alice", "alice's second", "erik")]),
    _bad("custodian_unknown", "custodian_set", [[*custodians("alice", "erik"), bytes(16)]]),
    _bad("custodian_revoked", "custodian_set", [custodians("alice", "bo", "erik")]),
    _bad("two_custodians", "custodian_set", [custodians("alice", "erik")], code="malformed"),
    _bad("shares_for_other_custodians", "shares", shares(1, "alice", "bo", "frida")),
    _bad("shares_in_another_order", "shares", shares(1, "bo", "alice", "erik")),
    _bad("shares_before_there_are_custodians", "shares", shares(1, "alice", "bo", "erik"),
         after=before("custodian_set")),
    _bad("shares_of_an_epoch_that_is_not", "shares", shares(3, "alice", "bo", "erik")),
    _bad("shares_of_epoch_zero", "shares", shares(0, "alice", "bo", "erik")),
    _bad("shares_of_an_audience_that_is_not", "shares", [bytes(16), *shares(1, "alice", "bo", "erik")[1:]]),
    # agreements
    _bad("agreement_of_others", "agreement", agreement("new", parties=sorted([OTHER, _seed("third", 16)]),
         cells=[[17, OTHER, "SIT", _seed("third", 16), "A"]]), after=_AGREED),
    _bad("agreement_parties_unsorted", "agreement", agreement("new", parties=sorted([OWN, OTHER])[::-1]),
         after=_AGREED),
    _bad("agreement_with_a_part_twice", "agreement", agreement("new", cells=[_PART, [*_PART[:4], "R"]]),
         after=_AGREED),
    _bad("agreement_cells_unsorted", "agreement",
         agreement("new", cells=[[17, OWN, "SIT", OTHER, "A"], [17, OWN, "PLC", OTHER, "R"]]), after=_AGREED),
    _bad("agreement_scenes_unsorted", "agreement", agreement("new", scenes=[2, 1]), after=_AGREED),
    _bad("agreement_scenes_empty", "agreement", agreement("new", scenes=[]), code="malformed", after=_AGREED),
    _bad("agreement_for_a_stranger", "agreement", agreement("new", cells=[[17, OWN, "SIT", _seed("third", 16), "A"]]),
         after=_AGREED),
    _bad("agreement_with_oneself", "agreement", agreement("new", cells=[[17, OWN, "SIT", OWN, "A"]]), after=_AGREED),
    _bad("agreement_that_gives_a_ground", "agreement", agreement("new", cells=[[17, OWN, "SIT", OTHER, "B:L01"]]),
         code="malformed", after=_AGREED),
    _bad("agreement_that_ends_as_it_begins", "agreement", agreement("new", ends=world.NOW), after=_AGREED),
    _bad("agreement_for_six_years", "agreement", agreement("new", ends=world.NOW + 6 * 366 * 86_400), after=_AGREED),
    _bad("agreement_that_is_over", "agreement", agreement("new", begins=world.NOW - 9, ends=world.NOW),
         after=_AGREED),
    _bad("agreement_integer_longer_than_needed", "agreement", agreement("new", scenes=[wire.Raw(b"\xcc\x01")]),
         code="not_canonical", after=_AGREED),
    _bad("agreement_signed_by_field_staff", "agreement", agreement("new", "alice"), after=_AGREED),
    _bad("agreement_signed_in_the_head_s_name", "agreement", agreement("new", by="alice"), code="bad_signature",
         after=_AGREED),
    _bad("agreement_signed_by_a_suspended_head", "agreement", agreement("new")),
    _bad("agreement_signed_by_a_revoked_head", "agreement", agreement("new", "bo")),
    _bad("agreement_id_used_before", "agreement", agreement("standing", purpose="Another one."), after=_AGREED),
    _bad("agreement_to_end_unknown", "agreement_end", [_seed("agreement new", 16), "terminated"]),
    _bad("agreement_to_resume_stands", "agreement_end", [_seed("agreement standing", 16), "resumed"]),
    _bad("agreement_to_suspend_is_suspended", "agreement_end", [_seed("agreement suspended", 16), "suspended"]),
    _bad("agreement_to_resume_was_ended", "agreement_end", [_seed("agreement ended", 16), "resumed"]),
    _bad("agreement_ended_in_another_way", "agreement_end", [_seed("agreement standing", 16), "paused"],
         code="malformed"),
    # scenes
    _bad("scene_outside_the_registry", "scene", scene(1, "central-square", "Central square"), chain="bare"),
    _bad("scene_with_another_slug", "scene", scene(1, "station-park", "Station park")),
    _bad("scene_with_another_number", "scene", scene(2, "central-square", "Central square")),
    _bad("scene_zero", "scene", scene(0, "station-park", "Station park"), code="malformed"),
    _bad("scene_slug_with_a_space", "scene", scene(2, "station park", "Station park"), code="malformed"),
)  # fmt: skip
