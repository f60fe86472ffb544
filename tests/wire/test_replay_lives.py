"""Random lives of a directory, beside a model that was written from docs/protocol.md alone and sees members only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluss_client.trust import Trust
from sluss_schemas import directory as d
from sluss_schemas.directory import EPOCH_S
from sluss_schemas.ids import AgencyId, AudienceId
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory

from tests.vectors.second import replay as second
from tests.vectors.second.chain import Signed
from tests.wire.scribe import (
    FIELD,
    NOW,
    PARTNERSHIP,
    SUPERVISORS,
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
    signed,
)

NAMES: Final = ("anna", "bo", "cecilia")
DEVICES: Final = tuple(f"{name} {number}" for name in NAMES for number in (1, 2))
_FUNCTIONS: Final[tuple[tuple[str, ...], ...]] = ((), ("field",), ("supervisors",), ("field", "supervisors"))
_REASONS: Final = ("lost", "stolen", "left", "replaced")
_WRONG_FROM, _ABLE_TO = 17, 8
"""Which numbers of a signer mean anybody at all, and which a registrar, if there is one."""
_ROOTS: Final = ("root", "next root", "third root")
_DAY_S: Final = 86_400


class Act(NamedTuple):
    """One act of a life, as numbers that `_BODIES` makes an entry of."""

    kind: str
    one: int
    two: int
    days: int
    signer: int


_KINDS: Final = (
    *("person", "device", "member", "member", "member", "epoch", "epoch", "revoke", "suspend", "remove"),
    *("registrar", "end", "root", "custodians", "shares", "free"),
)
_acts = st.builds(
    Act,
    st.sampled_from(_KINDS),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from((0, 0, 1, 45, 90)),
    st.integers(0, 19),
)


def _audience(act: Act) -> bytes:
    return (FIELD, SUPERVISORS)[act.two % 2]


def _epochs(act: Act, directory: Directory) -> int:
    found = directory.audiences.get(AudienceId(_audience(act)))
    return 0 if found is None else len(found.epochs)


def _member(act: Act, directory: Directory) -> d.Body:
    number = _epochs(act, directory)
    return d.MemberAdd(_audience(act), kid(DEVICES[act.one]), (1, number, number + 1, number + 2)[act.two // 2])


def _epoch(act: Act, directory: Directory) -> d.Body:
    found = directory.audiences.get(AudienceId(_audience(act)))
    members = () if found is None else tuple(sorted(found.members))
    # Now and then one that is there already.
    made = epoch(_epochs(act, directory) + (act.one != 5), audience=_audience(act))
    return msgspec.structs.replace(made, devices=members or (kid(DEVICES[act.one]),))


def _shares(act: Act, directory: Directory) -> d.Body:
    custodians = directory.custodians or tuple(kid(f"{name} 1") for name in NAMES)
    named = tuple((one, hashed("share")) for one in custodians)
    return d.Shares(_audience(act), max(_epochs(act, directory) - act.one % 2, 0), named)


def _custodians(act: Act) -> d.Body:
    return d.CustodianSet((kid(DEVICES[act.one]), kid(DEVICES[act.two]), kid("cecilia 1")))


def _free(act: Act) -> d.Body:
    name = DEVICES[act.one]
    free: tuple[d.Body, ...] = (d.PackInForce(hashed(name), 65_535), d.Instance(id16(name)), d.Roster(hashed(name)))
    return (*free, d.Peer(b"a" * 16, hashed(name), "", None))[act.two % 4]


_BODIES: Final[dict[str, Callable[[Act, Directory], d.Body]]] = {
    "person": lambda act, _: person(NAMES[act.one % 3], *_FUNCTIONS[act.two % 4]),
    "device": lambda act, _: device(DEVICES[act.one].split()[0], DEVICES[act.one]),
    "member": _member,
    "epoch": _epoch,
    "revoke": lambda act, _: d.DeviceRevoke(kid(DEVICES[act.one]), _REASONS[act.two % 4]),
    "suspend": lambda act, _: d.PersonSuspend(id16(NAMES[act.one % 3])),
    "remove": lambda act, _: d.MemberRemove(_audience(act), kid(DEVICES[act.one])),
    "registrar": lambda act, _: d.RegistrarAdd(key(DEVICES[act.one]).public),
    "end": lambda act, _: d.RegistrarRemove(kid(DEVICES[act.one])),
    "root": lambda act, _: root_rotate(_ROOTS[act.one % 3], _ROOTS[act.two % 3]),
    "custodians": lambda act, _: _custodians(act),
    "shares": _shares,
    "free": lambda act, _: _free(act),
}
"""An entry for each kind of act: mostly one that can be taken, with numbers as the directory has them."""


def signer_of(act: Act, body: d.Body, directory: Directory) -> str:
    """Return who signs: mostly somebody with the right."""
    root = next(name for name in _ROOTS if key(name).public == directory.root)
    if act.signer >= _WRONG_FROM:
        return (*_ROOTS, *DEVICES)[act.one + act.two % 4]
    if isinstance(body, d.RootRotate):
        return _ROOTS[act.one % 3]
    if isinstance(body, d.RegistrarAdd | d.RegistrarRemove):
        return root
    able = [name for name in DEVICES if kid(name) in directory.registrars]
    return able[act.signer % len(able)] if able and act.signer < _ABLE_TO else root


def begin() -> tuple[Directory, second.Following, list[d.SignedEntry]]:
    """Return an agency in which everybody is in some audience, with its first epoch, here and in the model."""
    directory, model, entries = Directory(), second.Following(), list[d.SignedEntry]()
    bodies: tuple[d.Body, ...] = (
        genesis(),
        d.AudienceCreate(FIELD, "field"),
        *(person(name, "field", "supervisors") for name in NAMES),
        *(device(name, f"{name} 1") for name in NAMES),
        d.AudienceCreate(SUPERVISORS, "supervisors"),
        *(d.MemberAdd(FIELD, kid(name), 1) for name in ("anna 1", "bo 1")),
        *(d.MemberAdd(SUPERVISORS, kid(name), 1) for name in ("bo 1", "cecilia 1")),
        epoch(1, "anna 1", "bo 1"),
        epoch(1, "bo 1", "cecilia 1", audience=SUPERVISORS),
    )
    for body in bodies:
        entries.append(append(directory, body, "root"))
        model.append(_raw(entries[-1]))
    return directory, model, entries


def _raw(entry: d.SignedEntry) -> Signed:
    return bytes(entry.entry), entry.signer, entry.signature


def live(acts: list[Act]) -> tuple[Directory, list[d.SignedEntry], list[tuple[Directory, dict[str, Any]]]]:
    """Let an agency live, here and in the model, compare them after every act, and return copies made on the way."""
    directory, model, entries = begin()
    time, copies = NOW, list[tuple[Directory, dict[str, Any]]]()
    for act in acts:
        time += act.days * _DAY_S
        body = _BODIES[act.kind](act, directory)
        entry = signed(directory, body, signer_of(act, body, directory), time)
        before, refusal = seen(directory), _refusal(model, entry)
        if refusal is not None:
            with pytest.raises(Invalid) as refused:
                directory.append(entry)
            assert refused.value.code == refusal
            assert seen(directory) == before
            continue
        copies.append((directory.copy(), before))
        directory.append(entry)
        entries.append(entry)
        compare(directory, model, time)
    return directory, entries, copies


def _refusal(model: second.Following, entry: d.SignedEntry) -> str | None:
    """Let the model follow an entry, or return the code with which it refuses it."""
    try:
        model.append(_raw(entry))
    except second.Refused as refusal:
        return refusal.code
    return None


def compare(directory: Directory, model: second.Following, time: int) -> None:
    """Demand that the directory and the model say the same of everything that either can be asked."""
    assert (directory.hash, directory.root) == (model.hash, model.root)
    assert directory.registrars == model.registrars
    assert directory.revocations.keys() == {kid for kid, one in model.devices.items() if one.revoked}
    assert list(directory.custodians) == model.custodians
    assert all(directory.by_kem_kid[one.kem_kid] is one for one in directory.devices.values())
    for audience in directory.audiences.values():
        theirs = model.audiences[audience.audience]
        assert audience.members == theirs.members
        assert audience.left == theirs.left
        assert audience.history == model.history_of(audience.audience)
        for number in range(len(audience.epochs) + 2):
            entitled = list(directory.entitled(audience, number))
            assert len(entitled) == len(set(entitled))
            assert set(entitled) == set(model.entitled(audience.audience, number))
        for at in (time, time + EPOCH_S - 1, time + EPOCH_S, time + EPOCH_S + 1):
            assert audience.rotation_due(at) is model.due(audience.audience, at)
        for mine in audience.epochs:
            assert directory.by_kem_kid[mine.kem_kid] is directory.by_sign_kid[mine.sign_kid] is mine
        for mine, its in zip(audience.epochs, theirs.epochs, strict=True):
            assert (list(mine.devices), mine.opened_at, mine.opened_seq) == (its.devices, its.time, its.seq)


@settings(max_examples=120)
@given(st.lists(_acts, min_size=10, max_size=30))
def test_a_directory_says_what_the_model_says_and_a_refused_entry_leaves_it_as_it_was(acts: list[Act]) -> None:
    live(acts)


@settings(max_examples=50)
@given(st.lists(_acts, min_size=10, max_size=30))
def test_a_copy_changes_by_itself_and_goes_on_to_the_same_end(acts: list[Act]) -> None:
    directory, entries, copies = live(acts)
    end = seen(directory)

    for made, before in copies:
        assert seen(made) == before
        for entry in entries[made.seq + 1 :]:
            made.append(entry)
        assert seen(made) == end
    assert seen(directory) == end


@settings(max_examples=50)
@given(st.lists(_acts, min_size=10, max_size=30), st.lists(st.integers(1, 9), min_size=1))
def test_a_chain_in_pages_means_what_it_means_at_once(acts: list[Act], sizes: list[int]) -> None:
    directory, entries, _ = live(acts)
    agency = AgencyId(directory.agency)
    at_once, paged = (Trust(PARTNERSHIP, agency, directory.root_fingerprint) for _ in range(2))

    at_once.extend(agency, 0, entries)
    first = 0
    while first < len(entries):
        size = sizes[first % len(sizes)]
        paged.extend(agency, first, entries[first : first + size])
        first += size

    assert seen(at_once.own) == seen(paged.own) == seen(directory)


def test_random_lives_reach_what_they_are_about() -> None:
    """The strategy above can make an agency in which everything has happened that is compared."""
    directory, model, _ = begin()
    acts = [
        Act("registrar", 2, 0, 0, 10),  # bo 1
        Act("custodians", 0, 2, 0, 0),
        Act("shares", 0, 0, 0, 0),
        Act("device", 1, 0, 0, 0),  # anna 2
        Act("member", 1, 4, 0, 0),  # from the next epoch on
        Act("epoch", 0, 0, 1, 0),
        Act("suspend", 1, 0, 0, 0),  # bo
        Act("root", 1, 2, 0, 10),
        Act("revoke", 0, 0, 0, 10),  # anna 1
    ]
    for act in acts:
        body = _BODIES[act.kind](act, directory)
        entry = signed(directory, body, signer_of(act, body, directory))
        directory.append(entry)
        model.append(_raw(entry))
    compare(directory, model, NOW)
    field = directory.audiences[AudienceId(FIELD)]

    assert field.left == {kid("anna 1"), kid("bo 1")}
    assert field.history == {id16("anna"): 1}
    assert field.members == {kid("anna 2"): 2}
    assert not directory.registrars
    assert directory.root == key("next root").public
