"""What an agency's directory means: the chain replayed, link by link, on the server and on every device.

A `Directory` refuses a gap, a wrong link, a signer without the right at that point, and anything after a signer's
removal; what it holds after `append` is true as far as the agency's root says so.
It opens nothing, asks for no time and does no I/O.
Source: docs/protocol.md section 2.

> INVARIANT: an entry that raises leaves the directory as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from sluss_schemas import agreeing
from sluss_schemas import directory as d
from sluss_schemas.agency import Agreement, Audience, Device, EpochKeys, Person
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import AgencyId, AudienceId, Digest, Function, Kid, PersonId, Sector, kid_of
from sluss_schemas.manifest import Head
from sluss_schemas.problems import Invalid
from sluss_schemas.signing import verify
from sluss_schemas.terms import AgreementEnd, AgreementSigned


class Directory:
    """One agency's directory after some number of entries."""

    def __init__(self) -> None:
        """Start empty; the first entry appended must be a genesis."""
        self.agency = AgencyId(b"")
        self.genesis: d.Genesis | None = None
        self.founded = 0
        self.seq = -1
        self.hash = Digest(d.GENESIS_PREV)
        self.root = b""
        self.next_root = b""
        self.registrars: dict[Kid, bytes] = {}
        self.persons: dict[PersonId, Person] = {}
        self.devices: dict[Kid, Device] = {}
        self.audiences: dict[AudienceId, Audience] = {}
        self.scenes: dict[int, d.Scene] = {}
        self.packs: dict[bytes, int] = {}
        self.peers: dict[AgencyId, d.Peer] = {}
        self.instance = b""
        self.custodians: tuple[Kid, ...] = ()
        self.shares: dict[tuple[AudienceId, int], d.Shares] = {}
        self.roster: bytes | None = None
        self.agreements: dict[bytes, Agreement] = {}
        self.latest = 0
        self.hashes: list[Digest] = []
        self.revocations: dict[Kid, int] = {}
        self.invites: set[bytes] = set()
        self.by_sign_kid: dict[Kid, EpochKeys] = {}
        self.by_kem_kid: dict[Kid, EpochKeys | Device] = {}

    def copy(self) -> Directory:
        """Return a copy that changes by itself; what stands in it is shared, because it never changes."""
        new = Directory()
        for name, value in vars(self).items():
            new.__dict__[name] = value.copy() if isinstance(value, dict | set | list) else value
        new.audiences = {audience: one.copy() for audience, one in self.audiences.items()}
        return new

    # what callers ask

    @property
    def slug(self) -> str:
        """The agency's slug, for instance `police`."""
        return self._genesis.slug

    @property
    def sector(self) -> Sector:
        """The agency's sector, for instance `POL`."""
        return self._genesis.sector

    @property
    def head(self) -> Head:
        """The last entry, as a manifest and a pull name it."""
        return Head(self.agency, self.seq, self.hash)

    @property
    def root_fingerprint(self) -> bytes:
        """SHA-256 of the genesis root, by which peers pin the agency."""
        return hashlib.sha256(self._genesis.root).digest()

    def audience_for(self, function: Function) -> Audience | None:
        """Return the audience of a function, if it was created."""
        return next((one for one in self.audiences.values() if one.function == function), None)

    def device_active(self, kid: Kid, at: int) -> bool:
        """Tell whether a device may act: enrolled, not revoked, its person in service."""
        device = self.devices.get(kid)
        return device is not None and device.revoked_at is None and self.persons[device.person].active(at)

    def entitled(self, audience: Audience, epoch: int) -> Iterable[tuple[Kid, bool]]:
        """Yield who may hold an epoch: members from their first epoch on whole (True).

        The group signing key of the current field epoch alone (False) goes to supervisors who are no field members.
        """
        for kid, first in sorted(audience.members.items()):
            if first <= epoch:
                yield kid, True
        supervisors = self.audience_for("supervisors") if audience.function == "field" else None
        if supervisors is not None and epoch >= len(audience.epochs):
            for kid in sorted(supervisors.members.keys() - audience.members.keys()):
                yield kid, False

    def scene_number(self, slug: str) -> int | None:
        """Return a scene's number by its slug."""
        return next((scene.number for scene in self.scenes.values() if scene.slug == slug), None)

    # appending

    def append(self, signed: d.SignedEntry) -> d.Body:
        """Check one entry, apply it, and return its body.

        Raises:
            Invalid: `malformed`, `not_canonical`, `bad_signature` or `directory_refused`, with the agency's slug and
                the sequence number as the field.

        """
        at = f"{self.genesis.slug if self.genesis else 'new agency'}:{self.seq + 1}"
        entry = decode(d.Entry, signed.entry, at)
        if entry.format != d.ENTRY_FORMAT or entry.seq != self.seq + 1 or entry.prev != self.hash:
            raise Invalid("directory_refused", at, "The entry does not follow the one before it.")
        try:
            kind = d.EntryKind(entry.kind)
        except ValueError:
            raise Invalid("directory_refused", at, "The entry is of an unknown kind; update this program.") from None
        body = cast("d.Body", decode(cast("type[Any]", d.BODIES[kind]), bytes(entry.body), at))
        if (kind is d.EntryKind.GENESIS) != (self.genesis is None):
            raise Invalid("directory_refused", at, "A directory begins with its one genesis.")
        verify(self._signer(signed.signer, kind, body, at), signed.signature, d.entry_message(signed.entry), at)
        _APPLY[type(body)](self, body, entry.time, at)
        self.seq = entry.seq
        self.hash = d.entry_hash(signed.entry)
        self.hashes.append(self.hash)
        self.latest = max(self.latest, entry.time)
        if kind is d.EntryKind.GENESIS:
            self.agency = AgencyId(self.hash[:16])
        return body

    @property
    def _genesis(self) -> d.Genesis:
        if self.genesis is None:
            raise Invalid("directory_refused", "genesis", "The directory is empty.")
        return self.genesis

    def _signer(self, kid: bytes, kind: d.EntryKind, body: d.Body, at: str) -> bytes:
        # The key that is brought signs for itself: before a genesis there is none, and a lost root can sign nothing.
        root = body.root if isinstance(body, d.Genesis | d.RootRotate) else self.root
        if kid == kid_of(root):
            return root
        root_only = {
            d.EntryKind.GENESIS,
            d.EntryKind.ROOT_ROTATE,
            d.EntryKind.REGISTRAR_ADD,
            d.EntryKind.REGISTRAR_REMOVE,
        }
        if kind not in root_only and (key := self.registrars.get(Kid(kid))) is not None:
            return key
        raise Invalid("directory_refused", at, "The signer has no right to make this entry.")

    def _apply_genesis(self, body: d.Genesis, time: int, _at: str) -> None:
        self.founded = time
        self.genesis = body
        self.root = body.root
        self.next_root = body.next_root

    def _apply_scene(self, body: d.Scene, _time: int, at: str) -> None:
        if not self._genesis.registry:
            raise Invalid("directory_refused", at, "Only the founding agency's directory holds scenes.")
        before = self.scenes.get(body.number)
        same_slug = self.scene_number(body.slug)
        if (before is not None and before.slug != body.slug) or same_slug not in {None, body.number}:
            raise Invalid("directory_refused", at, "A scene keeps its number and its slug.")
        self.scenes[body.number] = body

    def _apply_root_rotate(self, body: d.RootRotate, _time: int, at: str) -> None:
        if hashlib.sha256(body.root).digest() != self.next_root:
            raise Invalid("directory_refused", at, "The new root is not the one that was committed to.")
        self.root, self.next_root = body.root, body.next_root

    def _apply_registrar_add(self, body: d.RegistrarAdd, _time: int, at: str) -> None:
        device = self.devices.get(kid_of(body.key))
        if device is not None and device.revoked_at is not None:
            raise Invalid("directory_refused", at, "The device was revoked.")
        if device is not None and self.persons[device.person].suspended:
            raise Invalid("directory_refused", at, "The person is suspended.")
        self.registrars[kid_of(body.key)] = body.key

    def _apply_registrar_remove(self, body: d.RegistrarRemove, _time: int, at: str) -> None:
        if self.registrars.pop(Kid(body.kid), None) is None:
            raise Invalid("directory_refused", at, "No such registrar.")

    def _apply_person_add(self, body: d.PersonAdd, _time: int, at: str) -> None:
        if any(one.alias == body.alias and one.person != body.person for one in self.persons.values()):
            raise Invalid("directory_refused", at, "The alias belongs to another person.")
        if body.functions != tuple(sorted(set(body.functions))):
            raise Invalid("directory_refused", at, "Functions are sorted and named once.")
        scenes = None if body.scenes is None else frozenset(body.scenes)
        person = PersonId(body.person)
        self.persons[person] = Person(person, body.alias, body.functions, scenes, body.valid_until)
        for audience in self.audiences.values():
            if audience.function not in body.functions:
                self._end(audience, person)

    def _apply_person_suspend(self, body: d.PersonSuspend, _time: int, at: str) -> None:
        person = self.persons.get(PersonId(body.person))
        if person is None:
            raise Invalid("directory_refused", at, "No such person.")
        self.persons[person.person] = replace(person, suspended=True)
        for audience in self.audiences.values():
            self._end(audience, person.person)
        for device in self.devices.values():
            if device.person == person.person:
                self.registrars.pop(device.kid, None)

    def _apply_device_add(self, body: d.DeviceAdd, _time: int, at: str) -> None:
        kid, kem_kid = kid_of(body.sign_key), kid_of(body.kem_key)
        if PersonId(body.person) not in self.persons:
            raise Invalid("directory_refused", at, "The device's person is not in the directory.")
        used = kid in self.devices or kid in self.by_sign_kid or kem_kid in self.by_kem_kid
        if used or body.invite in self.invites:
            raise Invalid("directory_refused", at, "The device or its invitation is in the directory already.")
        message = d.enrolment_message(self._genesis.partnership, body.invite, body.sign_key, body.kem_key)
        verify(body.sign_key, body.self_signature, message, at)
        device = Device(kid, PersonId(body.person), body.sign_key, body.kem_key, kem_kid)
        self.invites.add(body.invite)
        self.devices[kid] = device
        self.by_kem_kid[kem_kid] = device

    def _apply_device_revoke(self, body: d.DeviceRevoke, time: int, at: str) -> None:
        device = self.devices.get(Kid(body.kid))
        if device is None:
            raise Invalid("directory_refused", at, "No such device.")
        if device.revoked_at is not None:
            raise Invalid("directory_refused", at, "The device was revoked before.")
        self.devices[device.kid] = self.by_kem_kid[device.kem_kid] = replace(device, revoked_at=time)
        self.revocations[device.kid] = self.seq + 1
        self.registrars.pop(device.kid, None)
        for audience in self.audiences.values():
            if audience.members.pop(device.kid, None) is not None:
                self._leaves(audience, device.kid)
            if body.reason == "left" and not any(self.devices[kid].person == device.person for kid in audience.members):
                audience.history.pop(device.person, None)

    def _apply_audience_create(self, body: d.AudienceCreate, _time: int, at: str) -> None:
        if self.audience_for(body.function) is not None or AudienceId(body.audience) in self.audiences:
            raise Invalid("directory_refused", at, "The audience exists already.")
        audience = AudienceId(body.audience)
        self.audiences[audience] = Audience(audience, body.function)

    def _audience(self, audience: bytes, at: str) -> Audience:
        found = self.audiences.get(AudienceId(audience))
        if found is None:
            raise Invalid("directory_refused", at, "No such audience.")
        return found

    def _apply_member_add(self, body: d.MemberAdd, _time: int, at: str) -> None:
        audience = self._audience(body.audience, at)
        device = self.devices.get(Kid(body.device))
        if device is None or device.revoked_at is not None:
            raise Invalid("directory_refused", at, "No such device.")
        person = self.persons[device.person]
        if person.suspended or audience.function not in person.functions:
            raise Invalid("directory_refused", at, "The person does not have this function, or is suspended.")
        if not 1 <= body.from_epoch <= len(audience.epochs) + 1:
            raise Invalid("directory_refused", at, "History begins with an epoch that there is, or with the next one.")
        audience.members[device.kid] = body.from_epoch
        audience.history[device.person] = min(body.from_epoch, audience.history.get(device.person, body.from_epoch))

    def _apply_member_remove(self, body: d.MemberRemove, _time: int, at: str) -> None:
        audience = self._audience(body.audience, at)
        kid = Kid(body.device)
        if audience.members.pop(kid, None) is None:
            raise Invalid("directory_refused", at, "The device is not a member.")
        person = self.devices[kid].person
        if not any(self.devices[other].person == person for other in audience.members):
            audience.history.pop(person, None)
        self._leaves(audience, kid)

    def _end(self, audience: Audience, person: PersonId) -> None:
        """End what a person has in an audience, with all of their devices."""
        audience.history.pop(person, None)
        for kid in [one for one in audience.members if self.devices[one].person == person]:
            del audience.members[kid]
            self._leaves(audience, kid)

    def _leaves(self, audience: Audience, kid: Kid) -> None:
        """Note that a device which left holds a key that is still in force."""
        audience.left.add(kid)
        field = self.audience_for("field") if audience.function == "supervisors" else None
        if field is not None and kid not in field.members:
            # A supervisor's device signs with the field group's key.
            field.left.add(kid)

    def _apply_epoch(self, body: d.Epoch, time: int, at: str) -> None:
        audience = self._audience(body.audience, at)
        if body.epoch != len(audience.epochs) + 1:
            raise Invalid("directory_refused", at, "Epochs follow each other without a gap.")
        if body.devices != tuple(sorted(audience.members)):
            raise Invalid("directory_refused", at, "The epoch must be wrapped for exactly the members of now.")
        kem_kid, sign_kid = kid_of(body.kem_key), kid_of(body.sign_key)
        if kem_kid in self.by_kem_kid or sign_kid in self.by_sign_kid or sign_kid in self.devices:
            raise Invalid("directory_refused", at, "The epoch's keys were used before.")
        seq = self.seq + 1
        if (last := audience.current) is not None:
            closed = replace(last, closed_at=time, closed_seq=seq)
            audience.epochs[-1] = self.by_kem_kid[last.kem_kid] = self.by_sign_kid[last.sign_kid] = closed
        audience.left.clear()
        devices = tuple(Kid(one) for one in body.devices)
        keys = EpochKeys(
            audience=AudienceId(body.audience),
            epoch=body.epoch,
            kem_key=body.kem_key,
            kem_kid=kem_kid,
            sign_key=body.sign_key,
            sign_kid=sign_kid,
            wraps=body.wraps,
            devices=devices,
            opened_at=time,
            opened_seq=seq,
        )
        audience.epochs.append(keys)
        self.by_kem_kid[kem_kid] = keys
        self.by_sign_kid[sign_kid] = keys

    def _apply_pack(self, body: d.PackInForce, _time: int, _at: str) -> None:
        self.packs.setdefault(body.digest, body.begins)

    def _apply_peer(self, body: d.Peer, _time: int, _at: str) -> None:
        self.peers[AgencyId(body.agency)] = body

    def _apply_instance(self, body: d.Instance, _time: int, _at: str) -> None:
        self.instance = body.instance

    def _apply_custodian_set(self, body: d.CustodianSet, _time: int, at: str) -> None:
        custodians = tuple(Kid(kid) for kid in body.custodians)
        persons = {self.devices[kid].person for kid in custodians if kid in self.devices}
        if len(persons) != d.CUSTODIANS or any(self.devices[kid].revoked_at is not None for kid in custodians):
            raise Invalid("directory_refused", at, "Custodians are devices of three persons, none of them revoked.")
        self.custodians = custodians

    def _apply_shares(self, body: d.Shares, _time: int, at: str) -> None:
        audience = self._audience(body.audience, at)
        if not 1 <= body.epoch <= len(audience.epochs):
            raise Invalid("directory_refused", at, "No such epoch.")
        if tuple(kid for kid, _ in body.shares) != self.custodians:
            raise Invalid("directory_refused", at, "Shares are for exactly the custodians of now, in their order.")
        self.shares[audience.audience, body.epoch] = body

    def _apply_roster(self, body: d.Roster, _time: int, _at: str) -> None:
        self.roster = body.digest


_APPLY: dict[type, Callable[[Directory, Any, int, str], None]] = {
    d.Genesis: Directory._apply_genesis,  # noqa: SLF001  # the table is the class's own, outside it for typing's sake
    d.Scene: Directory._apply_scene,  # noqa: SLF001
    d.RootRotate: Directory._apply_root_rotate,  # noqa: SLF001
    d.RegistrarAdd: Directory._apply_registrar_add,  # noqa: SLF001
    d.RegistrarRemove: Directory._apply_registrar_remove,  # noqa: SLF001
    d.PersonAdd: Directory._apply_person_add,  # noqa: SLF001
    d.PersonSuspend: Directory._apply_person_suspend,  # noqa: SLF001
    d.DeviceAdd: Directory._apply_device_add,  # noqa: SLF001
    d.DeviceRevoke: Directory._apply_device_revoke,  # noqa: SLF001
    d.AudienceCreate: Directory._apply_audience_create,  # noqa: SLF001
    d.MemberAdd: Directory._apply_member_add,  # noqa: SLF001
    d.MemberRemove: Directory._apply_member_remove,  # noqa: SLF001
    d.Epoch: Directory._apply_epoch,  # noqa: SLF001
    d.PackInForce: Directory._apply_pack,  # noqa: SLF001
    d.Peer: Directory._apply_peer,  # noqa: SLF001
    d.Instance: Directory._apply_instance,  # noqa: SLF001
    d.Shares: Directory._apply_shares,  # noqa: SLF001
    d.CustodianSet: Directory._apply_custodian_set,  # noqa: SLF001
    d.Roster: Directory._apply_roster,  # noqa: SLF001
    AgreementSigned: agreeing.sign,
    AgreementEnd: agreeing.end,
}


def pinned_peer(own: Directory, other: Directory) -> bool:
    """Tell whether an agency's directory pins this other one by id and root."""
    peer = own.peers.get(other.agency)
    return peer is not None and peer.root == other.root_fingerprint


def canonical(signed: d.SignedEntry) -> bytes:
    """Return the bytes under which a signed entry is stored and sent."""
    return encode(signed)
