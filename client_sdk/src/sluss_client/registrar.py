"""What a registrar's device can do besides: found an agency, invite, approve, and sign the directory.

A registrar signs public keys and memberships; the secret of an audience that its person is not in never comes here.
Source: docs/protocol.md section 2.

> INVARIANT: an invitation's secret never leaves this device but in the code, so the server cannot enrol itself.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import os
from collections.abc import Awaitable, Sequence
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid, Refused
from sluss_client.keys import DeviceKeys
from sluss_client.keyshare import proposal_message
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import sync as wire
from sluss_schemas.ids import FUNCTIONS, AudienceId, Function, Kid, PersonId, Sector, kid_of
from sluss_schemas.invitation import Code, write_code
from sluss_schemas.policy.pack import builtin
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify

_SPACE: Final = "registrar"
_INVITES: Final = "invite"
_INVITE_TTL_S: Final = 7 * 24 * 3600
_LABELS: Final[dict[Sector, tuple[str, str]]] = {
    "POL": ("Police", "Polisen"),
    "SOC": ("Social services", "Socialtjänsten"),
    "SEC": ("Security", "Ordningsvakterna"),
    "MUN": ("Municipality", "Kommunen"),
    "HLT": ("Health", "Hälso- och sjukvården"),
}
_ALIAS: Final[dict[Sector, str]] = {"POL": "P", "SOC": "F", "SEC": "S", "MUN": "K", "HLT": "H"}


class _Invite(msgspec.Struct, frozen=True, array_like=True):
    """What a registrar promised to whoever brings the code."""

    secret: bytes
    functions: tuple[Function, ...]
    scenes: tuple[int, ...] | None
    alias: str
    person: bytes
    expires_at: int
    used: bool = False

    def __repr__(self) -> str:
        """Show no secret."""
        return f"_Invite({self.alias})"


class _Chain:
    """Entries being made: each is replayed as it is signed, so a wrong one is never sent."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.entries: list[d.SignedEntry] = []

    def add(self, body: d.Body, key: SignKey, now: int) -> None:
        data = d.entry_bytes(self.directory.seq + 1, self.directory.hash, body, now)
        entry = d.SignedEntry(data, kid_of(key.public), key.sign(d.entry_message(data)))
        self.directory.append(entry)
        self.entries.append(entry)


class Founded(msgspec.Struct, frozen=True):
    """A new agency: its first entries, its id and root fingerprint, and the seeds that go into the safe."""

    entries: tuple[d.SignedEntry, ...]
    agency: bytes
    root: bytes
    registrar_seed: bytes
    root_seed: bytes
    next_root_seed: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return f"Founded(agency={self.agency.hex()})"


def found(code: Code, keys: DeviceKeys, functions: Sequence[Function], now: int) -> Founded:
    """Make an agency's first entries on its founding device: root, registrar, audiences, this person and device."""
    if code.founding is None:
        raise Invalid("damaged_code", "code", "This code invites a colleague; it founds no agency.")
    slug, sector, registry, checkpoint = code.founding
    root_seed, next_seed, registrar_seed = crypto.random_key(), crypto.random_key(), crypto.random_key()
    root, registrar = SignKey(root_seed), SignKey(registrar_seed)
    chain = _Chain(Directory())
    english, swedish = _LABELS[sector]
    committed = hashlib.sha256(SignKey(next_seed).public).digest()
    chain.add(
        d.Genesis(code.partnership, slug, sector, english, swedish, registry, root.public, committed, checkpoint),
        root,
        now,
    )
    chain.add(d.RegistrarAdd(registrar.public), root, now)
    for pack in builtin():
        chain.add(d.PackInForce(pack.digest), registrar, now)
    for function in FUNCTIONS:
        # Reports of concern are received by social services alone.
        if function != "reception" or sector == "SOC":
            chain.add(d.AudienceCreate(os.urandom(16), function), registrar, now)
    person = os.urandom(16)
    chain.add(d.PersonAdd(person, f"{_ALIAS[sector]}-1", tuple(sorted(functions)), None, None), registrar, now)
    message = d.enrolment_message(code.partnership, code.invite, keys.sign.public, keys.kem.public)
    device = d.DeviceAdd(person, code.invite, keys.sign.public, keys.kem.public, keys.sign.sign(message))
    chain.add(device, registrar, now)
    _join(chain, keys.kid, functions, registrar, now)
    directory = chain.directory
    return Founded(
        tuple(chain.entries), directory.agency, directory.root_fingerprint, registrar_seed, root_seed, next_seed
    )


def founding_mac(code: Code, entries: Sequence[d.SignedEntry]) -> bytes:
    """Return the proof that the founder holds the founding code."""
    return crypto.mac(code.secret, hashlib.sha256(b"".join(entry.entry for entry in entries)).digest())


def enrolment_of(code: Code, keys: DeviceKeys) -> wire.Enrolment:
    """Return what a new device posts: its public keys, its own signature, and the proof that it holds the code."""
    message = d.enrolment_message(code.partnership, code.invite, keys.sign.public, keys.kem.public)
    return wire.Enrolment(
        code.partnership,
        code.invite,
        keys.sign.public,
        keys.kem.public,
        keys.sign.sign(message),
        crypto.mac(code.secret, message),
    )


def _join(chain: _Chain, kid: bytes, functions: Sequence[Function], registrar: SignKey, now: int) -> None:
    for function in sorted(functions):
        audience = chain.directory.audience_for(function)
        if audience is not None:
            # History from the first epoch: what a newcomer may see of the past is the pack's to narrow.
            chain.add(d.MemberAdd(audience.audience, kid, 1), registrar, now)


class Registrar:
    """A registrar's acts on a loaded device."""

    def __init__(self, local: Local, transport: Transport) -> None:
        """Load the registrar key.

        Raises:
            Refused: `registrar_only`.

        """
        seed = local.store.get(_SPACE, b"registrar")
        if seed is None:
            raise Refused("device", code="registrar_only")
        self._local = local
        self._transport = transport
        self._key = SignKey(seed)

    @staticmethod
    def keep(local: Local, founded: Founded) -> None:
        """Keep a founder's keys in the store."""
        with local.store.transaction():
            local.store.put(_SPACE, b"registrar", founded.registrar_seed)
            local.store.put(_SPACE, b"root", founded.root_seed + founded.next_root_seed)

    @staticmethod
    def present(local: Local) -> bool:
        """Tell whether this device is a registrar's."""
        return local.store.get(_SPACE, b"registrar") is not None

    def root_seeds(self) -> tuple[bytes, bytes] | None:
        """Return the root's and the next root's seeds while they are still on this device; they belong into a safe."""
        both = self._local.store.get(_SPACE, b"root")
        return None if both is None else (both[:32], both[32:])

    def forget_root(self) -> None:
        """Remove the root seeds from this device once they are in the safe."""
        self._local.store.delete(_SPACE, b"root")
        self._local.store.scrub()

    # acts

    async def invite(
        self, functions: Sequence[Function], scenes: Sequence[str] | None = None, alias: str | None = None
    ) -> str:
        """Announce an invitation to the server and return its code; it works once, for seven days.

        Raises:
            Invalid: `unknown_scene`, `unknown_code` for a function, `out_of_range` for an alias in use.
            Offline: the server must know of the invitation before the code is any use.

        """
        now = self._transport.now()
        numbers = self._local.trust.scene_numbers(now)
        for scene in scenes or ():
            if scene not in numbers:
                raise Invalid("unknown_scene", "scenes")
        own = self._local.trust.own
        for function in functions:
            if own.audience_for(function) is None:
                raise Invalid("unknown_code", "function", f"This agency has no {function!s}.")
        invite = _Invite(
            crypto.random_key()[:16],
            tuple(sorted(set(functions))),
            None if scenes is None else tuple(sorted({numbers[scene] for scene in scenes})),
            alias or self._next_alias(),
            os.urandom(16),
            now + _INVITE_TTL_S,
        )
        promised = [msgspec.msgpack.decode(data, type=_Invite) for _, data in self._local.store.items(_INVITES)]
        taken = {one.alias for one in promised if not one.used and now < one.expires_at}
        if invite.alias in taken or any(person.alias == invite.alias for person in own.persons.values()):
            raise Invalid("out_of_range", "alias", "Another person has this alias; choose a free one.")
        invite_id = os.urandom(16)
        self._local.store.put(_INVITES, invite_id, msgspec.msgpack.encode(invite))
        await self._transport.post("/v1/invites", wire.Invitation(invite_id, invite.expires_at), type(None))
        config = self._local.config
        return write_code(
            Code(config.server, config.partnership, invite_id, invite.secret, config.agency, config.root, None)
        )

    async def add_scenes(self, scenes: Sequence[tuple[str, str, str]]) -> int:
        """Add or relabel scenes by (slug, English label, Swedish label); return how many entries that took.

        Raises:
            Refused: `not_allowed` unless this is the founding agency.

        """
        own = self._local.trust.own
        if own.genesis is None or not own.genesis.registry:
            raise Refused(
                "scenes", "The scenes are kept by the agency that founded the partnership.", code="not_allowed"
            )
        bodies: list[d.Body] = []
        known = {scene.slug: scene for scene in own.scenes.values()}
        following = max(own.scenes, default=0) + 1
        for slug, english, swedish in scenes:
            before = known.get(slug)
            if before is not None and (before.label_en, before.label_sv) == (english, swedish):
                continue
            if before is None:
                body = d.Scene(following, slug, english, swedish, None, "confirmed")
                following += 1
            else:
                body = msgspec.structs.replace(before, label_en=english, label_sv=swedish)
            known[slug] = body
            bodies.append(body)
        await self.append(bodies)
        return len(bodies)

    async def peer(self, fingerprint: bytes) -> str:
        """Pin the agency whose root has this fingerprint; return its slug.

        Raises:
            Invalid: `unknown_code` when no directory of the partnership has that root.

        """
        for agency, chain in self._local.trust.chains.items():
            if chain.root_fingerprint == fingerprint and agency != self._local.trust.own_id:
                await self.append([d.Peer(agency, fingerprint, "", None)])
                return chain.slug
        raise Invalid("unknown_code", "fingerprint", "No agency of this partnership has this root; compare it again.")

    async def append(self, bodies: Sequence[d.Body], wraps: tuple[wire.EpochSet, ...] = ()) -> None:
        """Sign entries, send them, and take them in as the server has stored them.

        Raises:
            Invalid: `directory_conflict` when somebody else was first; sync and do it again.

        """
        if not bodies:
            return
        local, now = self._local, self._transport.now()
        # Entries are tried on a copy: what is trusted changes only when the server has stored them.
        chain = _Chain(copy.deepcopy(local.trust.own))
        for body in bodies:
            chain.add(body, self._key, now)
        entries = tuple(chain.entries)
        await self._transport.post("/v1/directory", wire.DirectoryAppend(entries, wraps), wire.Appended)
        local.extend(wire.Chain(local.config.agency, local.trust.own.seq + 1, entries))

    async def work(self) -> bool:
        """Approve who enrolled with a valid code, sign epochs that members proposed; tell whether anything changed."""
        approved = await self._approve()
        return await self._sign_epochs() or approved

    async def _approve(self) -> bool:
        waiting = await self._transport.get("/v1/enrolments", wire.Enrolments)
        local, changed = self._local, False
        for enrolment in waiting.waiting:
            data = local.store.get(_INVITES, enrolment.invite)
            if data is None:
                continue
            invite = msgspec.msgpack.decode(data, type=_Invite)
            if not invite.used and self._genuine(enrolment, invite):
                changed = await self._tried(self._admit(enrolment, invite), enrolment.invite) or changed
        return changed

    async def _tried(self, act: Awaitable[None], about: bytes) -> bool:
        """Do one act and tell whether it was done: what cannot be done is an alarm and stops nothing else."""
        try:
            await act
        except Invalid as problem:
            if problem.code == "directory_conflict":
                raise
            self._local.alarm(problem.code, about)
            return False
        return True

    def _genuine(self, enrolment: wire.Enrolment, invite: _Invite) -> bool:
        message = d.enrolment_message(
            self._local.config.partnership, enrolment.invite, enrolment.sign_key, enrolment.kem_key
        )
        # A key that nothing can be sealed to would stop every epoch that its device belongs to.
        if not crypto.usable(enrolment.kem_key):
            return False
        if not hmac.compare_digest(crypto.mac(invite.secret, message), enrolment.mac):
            return False
        try:
            verify(enrolment.sign_key, enrolment.signature, message)
        except Invalid:
            return False
        return self._transport.now() < invite.expires_at

    async def _admit(self, enrolment: wire.Enrolment, invite: _Invite) -> None:
        own = self._local.trust.own
        kid = kid_of(enrolment.sign_key)
        bodies: list[d.Body] = [
            d.PersonAdd(invite.person, invite.alias, invite.functions, invite.scenes, None),
            d.DeviceAdd(invite.person, enrolment.invite, enrolment.sign_key, enrolment.kem_key, enrolment.signature),
        ]
        for function in invite.functions:
            audience = own.audience_for(function)
            if audience is not None:
                bodies.append(d.MemberAdd(audience.audience, kid, 1))
        if PersonId(invite.person) in own.persons:
            bodies = bodies[1:]
        await self.append(bodies)
        used = msgspec.structs.replace(invite, used=True)
        self._local.store.put(_INVITES, enrolment.invite, msgspec.msgpack.encode(used))

    async def _sign_epochs(self) -> bool:
        answer = await self._transport.get("/v1/keys", wire.KeysAnswer)
        changed = False
        for proposal in answer.proposals:
            audience = self._local.trust.own.audiences.get(AudienceId(proposal.audience))
            if audience is None or proposal.epoch != len(audience.epochs) + 1:
                continue
            members = tuple(sorted(audience.members))
            wrapped = tuple(sorted(wrap.device for wrap in proposal.wraps if wrap.whole))
            if (
                not crypto.usable(proposal.kem_key)
                or wrapped != members
                or not _proposed_by_member(proposal, self._local.trust.own)
            ):
                continue
            body = d.Epoch(
                proposal.audience,
                proposal.epoch,
                proposal.suite,
                proposal.kem_key,
                proposal.sign_key,
                d.wraps_digest(proposal.wraps),
                members,
            )
            wraps = wire.EpochSet(proposal.audience, proposal.epoch, proposal.wraps)
            changed = await self._tried(self.append([body], (wraps,)), proposal.audience) or changed
        return changed

    def _next_alias(self) -> str:
        own = self._local.trust.own
        promised = [msgspec.msgpack.decode(data, type=_Invite).alias for _, data in self._local.store.items(_INVITES)]
        taken = {person.alias for person in own.persons.values()} | set(promised)
        number = 1
        while f"{_ALIAS[own.sector]}-{number}" in taken:
            number += 1
        return f"{_ALIAS[own.sector]}-{number}"


def _proposed_by_member(proposal: wire.EpochProposal, own: Directory) -> bool:
    device = own.devices.get(Kid(proposal.maker))
    audience = own.audiences[AudienceId(proposal.audience)]
    if device is None or device.kid not in audience.members:
        return False
    try:
        verify(device.sign_key, proposal.signature, proposal_message(proposal))
    except Invalid:
        return False
    return True
