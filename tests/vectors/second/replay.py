"""A directory's chain, followed a second time from docs/protocol.md sections 1 and 2 alone.

Says what an entry is refused with, and what is true after it: who signs, who is where since when, which epoch is due.
What somebody has left is not noted at each kind of entry, but seen from the members before and after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature

from tests.vectors.second import forms, wire
from tests.vectors.second import primitives as p
from tests.vectors.second.chain import KINDS, ROOT_ONLY, Signed, enrolment_message

_DAY_S: Final = 86_400
_EPOCH_DAYS: Final = 90
_AGREED_DAYS: Final = 5 * 366
_ENDS: Final = (
    ("signed", "suspended"),
    ("suspended", "resumed"),
    ("signed", "terminated"),
    ("suspended", "terminated"),
)


class Refused(Exception):
    """An entry that does not follow; the code says why."""

    def __init__(self, code: str = "directory_refused") -> None:
        self.code = code
        super().__init__(code)


@dataclass
class Person:
    alias: str
    functions: list[str]
    until: int | None
    suspended: bool = False


@dataclass
class Device:
    person: bytes
    sign_key: bytes
    revoked: bool = False


@dataclass
class Epoch:
    """An epoch: who it was opened for and when, in Unix seconds and as the entry's number."""

    devices: list[bytes]
    time: int
    seq: int


@dataclass
class Audience:
    """A group: the first epoch of each member, its epochs in order, and who has left since the last of them."""

    function: str
    members: dict[bytes, int] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)
    left: set[bytes] = field(default_factory=set)


class Following:
    """A chain that is followed entry by entry; one that is refused changes nothing, for every demand comes first."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[list[Any]]] = {kind: [] for kind in KINDS}
        self.count = 0
        self.hash = bytes(32)
        self.root = self.committed = b""
        self.registrars: dict[bytes, bytes] = {}
        self.persons: dict[bytes, Person] = {}
        self.devices: dict[bytes, Device] = {}
        self.audiences: dict[bytes, Audience] = {}
        self.history: dict[tuple[bytes, bytes], int] = {}
        self.scenes: dict[int, str] = {}
        self.custodians: list[bytes] = []
        self.used: set[bytes] = set()
        self.agreements: dict[bytes, str] = {}
        self.agency = b""

    def append(self, signed: Signed) -> None:
        """Follow one entry.

        Raises:
            Refused: with the code that the page gives.

        """
        data, signer, signature = signed
        entry = _read(data)
        if not forms.ENTRY(entry):
            raise Refused("malformed")
        form, seq, prev, code, body, time = entry
        _demand((form, seq, prev) == (1, self.count, self.hash))
        _demand(1 <= code <= len(KINDS))
        kind = KINDS[code - 1]
        if not forms.BODIES[kind](body):
            raise Refused("malformed")
        _demand((kind == "genesis") == (self.count == 0))
        _verify(self._key(signer, kind, body), signature, b"sluss/directory" + p.sha256(data))
        before = {audience: set(one.members) for audience, one in self.audiences.items()}
        getattr(self, f"_{kind}")(*body, *([time] if kind in {"epoch", "agreement"} else []))
        self._note_who_left(before)
        self.bodies[kind].append(body)
        self.count += 1
        self.hash = p.sha256(data)
        self.agency = self.agency or self.hash[:16]

    # what is true now

    def entitled(self, audience: bytes, number: int) -> Iterator[tuple[bytes, bool]]:
        """Yield who may have an epoch, whole or the group key alone."""
        group = self.audiences[audience]
        yield from ((kid, True) for kid, first in group.members.items() if first <= number)
        if group.function == "field" and number >= len(group.epochs):
            yield from ((kid, False) for kid in self._members("supervisors") if kid not in group.members)

    def due(self, audience: bytes, at: int) -> bool:
        """Tell whether a new epoch is due."""
        group = self.audiences[audience]
        if not group.members or not group.epochs:
            return bool(group.members)
        waits = any(first > len(group.epochs) for first in group.members.values())
        return bool(group.left) or waits or at - group.epochs[-1].time >= _EPOCH_DAYS * _DAY_S

    def history_of(self, audience: bytes) -> dict[bytes, int]:
        """Return the history of each person in an audience."""
        return {person: first for (one, person), first in self.history.items() if one == audience}

    # who signs

    def _key(self, signer: bytes, kind: str, body: list[Any]) -> bytes:
        named = {"genesis": 6, "root_rotate": 0}
        if kind in named:
            key: bytes = body[named[kind]]
            _demand(signer == p.kid(key))
            return key
        if signer == p.kid(self.root):
            return self.root
        _demand(kind not in ROOT_ONLY and signer in self.registrars)
        return self.registrars[signer]

    # what each kind demands and does

    def _genesis(self, *body: Any) -> None:  # noqa: ANN401  # its fields
        self.root, self.committed = body[6], body[7]

    def _scene(self, number: int, slug: str, *_: object) -> None:
        _demand(self.bodies["genesis"][0][5])
        _demand(all((number == one) == (slug == name) for one, name in self.scenes.items()))
        self.scenes[number] = slug

    def _root_rotate(self, root: bytes, committed: bytes) -> None:
        _demand(p.sha256(root) == self.committed)
        self.root, self.committed = root, committed

    def _registrar_add(self, key: bytes) -> None:
        device = self.devices.get(p.kid(key))
        _demand(device is None or not (device.revoked or self.persons[device.person].suspended))
        self.registrars[p.kid(key)] = key

    def _registrar_remove(self, kid: bytes) -> None:
        _demand(kid in self.registrars)
        del self.registrars[kid]

    def _person_add(self, person: bytes, alias: str, functions: list[str], _: object, until: int | None) -> None:
        _demand(all(one.alias != alias for other, one in self.persons.items() if other != person))
        _demand(functions == sorted(set(functions)))
        self.persons[person] = Person(alias, functions, until)
        for audience, one in self.audiences.items():
            if one.function not in functions:
                self._ends(audience, person)

    def _person_suspend(self, person: bytes) -> None:
        _demand(person in self.persons)
        self.persons[person].suspended = True
        for audience in self.audiences:
            self._ends(audience, person)
        for kid in self._devices_of(person):
            self.registrars.pop(kid, None)

    def _device_add(self, person: bytes, invite: bytes, sign_key: bytes, kem_key: bytes, own: bytes) -> None:
        kids = {p.kid(sign_key), p.kid(kem_key), invite}
        _demand(person in self.persons and not kids & self.used)
        partnership = self.bodies["genesis"][0][0]
        _verify(sign_key, own, enrolment_message(partnership, invite, sign_key, kem_key))
        self.used |= kids
        self.devices[p.kid(sign_key)] = Device(person, sign_key)

    def _device_revoke(self, kid: bytes, reason: str) -> None:
        _demand(kid in self.devices and not self.devices[kid].revoked)
        device = self.devices[kid]
        device.revoked = True
        self.registrars.pop(kid, None)
        for audience, one in self.audiences.items():
            one.members.pop(kid, None)
            if reason == "left":
                self._forget(audience, device.person)

    def _audience_create(self, audience: bytes, function: str) -> None:
        _demand(audience not in self.audiences)
        _demand(all(one.function != function for one in self.audiences.values()))
        self.audiences[audience] = Audience(function)

    def _member_add(self, audience: bytes, kid: bytes, first: int) -> None:
        _demand(audience in self.audiences and kid in self.devices)
        one, device = self.audiences[audience], self.devices[kid]
        person = self.persons[device.person]
        _demand(not device.revoked and not person.suspended and one.function in person.functions)
        _demand(1 <= first <= len(one.epochs) + 1)
        one.members[kid] = first
        name = (audience, device.person)
        self.history[name] = min(first, self.history.get(name, first))

    def _member_remove(self, audience: bytes, kid: bytes) -> None:
        _demand(audience in self.audiences and kid in self.audiences[audience].members)
        del self.audiences[audience].members[kid]
        self._forget(audience, self.devices[kid].person)

    def _epoch(self, *fields: Any) -> None:  # noqa: ANN401  # its fields, and the entry's time
        audience, number, _suite, kem_key, sign_key, _wraps, devices, time = fields
        _demand(audience in self.audiences)
        one, kids = self.audiences[audience], {p.kid(kem_key), p.kid(sign_key)}
        _demand(number == len(one.epochs) + 1 and devices == sorted(one.members) and not kids & self.used)
        self.used |= kids
        one.epochs.append(Epoch(devices, time, self.count))
        one.left.clear()

    def _shares(self, audience: bytes, number: int, shares: list[list[bytes]]) -> None:
        _demand(audience in self.audiences and 1 <= number <= len(self.audiences[audience].epochs))
        _demand([kid for kid, _ in shares] == self.custodians)

    def _custodian_set(self, custodians: list[bytes]) -> None:
        _demand(all(kid in self.devices and not self.devices[kid].revoked for kid in custodians))
        _demand(len({self.devices[kid].person for kid in custodians}) == len(custodians))
        self.custodians = custodians

    def _peer(self, *_: object) -> None:
        """Demand nothing."""

    _pack = _instance = _roster = _peer

    def _agreement(self, data: bytes, head: bytes, signature: bytes, time: int) -> None:
        terms = _read(data)
        if not forms.TERMS(terms):
            raise Refused("malformed")
        agreement, parties, cells, scenes, _purpose, _owner, begins, ends = terms
        parts = [(kind, owner, compartment, receiver) for kind, owner, compartment, receiver, _ in cells]
        for things in (parties, parts, scenes or []):
            _demand(things == sorted(set(things)))
        _demand(self.agency in parties and agreement not in self.agreements)
        _demand(all({owner, receiver} <= {*parties} and owner != receiver for _, owner, _, receiver in parts))
        _demand(begins < ends <= begins + _AGREED_DAYS * _DAY_S and time < ends)
        _demand(head in self.devices and not self.devices[head].revoked)
        person = self.persons[self.devices[head].person]
        _demand(not person.suspended and (person.until is None or time < person.until))
        _demand("supervisors" in person.functions)
        _verify(self.devices[head].sign_key, signature, b"sluss/agreement" + p.sha256(data))
        self.agreements[agreement] = "signed"

    def _agreement_end(self, agreement: bytes, state: str) -> None:
        now = self.agreements.get(agreement)
        _demand((now, state) in _ENDS)
        self.agreements[agreement] = "signed" if state == "resumed" else state

    # what ends

    def _members(self, function: str) -> set[bytes]:
        return {kid for one in self.audiences.values() if one.function == function for kid in one.members}

    def _devices_of(self, person: bytes) -> list[bytes]:
        return [kid for kid, one in self.devices.items() if one.person == person]

    def _ends(self, audience: bytes, person: bytes) -> None:
        for kid in self._devices_of(person):
            self.audiences[audience].members.pop(kid, None)
        self.history.pop((audience, person), None)

    def _forget(self, audience: bytes, person: bytes) -> None:
        if not any(kid in self.audiences[audience].members for kid in self._devices_of(person)):
            self.history.pop((audience, person), None)

    def _note_who_left(self, before: dict[bytes, set[bytes]]) -> None:
        gone = {audience: kids - self.audiences[audience].members.keys() for audience, kids in before.items()}
        for audience, kids in gone.items():
            self.audiences[audience].left |= kids
        supervisors = {kid for audience, kids in gone.items() for kid in kids if self._is(audience, "supervisors")}
        for audience, one in self.audiences.items():
            if self._is(audience, "field"):
                one.left |= supervisors - one.members.keys()

    def _is(self, audience: bytes, function: str) -> bool:
        return self.audiences[audience].function == function


def follow(entries: list[Signed]) -> Following:
    """Return a chain that was followed to its end; raises as `Following.append`."""
    chain = Following()
    for entry in entries:
        chain.append(entry)
    return chain


def _demand(holds: object) -> None:
    if not holds:
        raise Refused


def _verify(key: bytes, signature: bytes, message: bytes) -> None:
    try:
        p.verify(key, signature, message)
    except InvalidSignature:
        raise Refused("bad_signature") from None


def _read(data: bytes) -> Any:  # noqa: ANN401  # whatever was encoded
    try:
        return wire.read(data)
    except wire.NotCanonical:
        raise Refused("not_canonical") from None
    except wire.Malformed:
        raise Refused("malformed") from None
