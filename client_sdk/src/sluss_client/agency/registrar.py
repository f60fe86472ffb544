"""A registrar's acts: sign entries of the directory and send them, and do by itself what every sync brings.

A registrar signs public keys and memberships; the secret of an audience that its person is not in never comes here.
Refuses on any device that the directory does not name as a registrar's.
Source: docs/protocol.md section 2.

> INVARIANT: what was signed is believed here only once the server has stored it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from sluss_client.agency import auditnotes, inviting, lifecycle, scenery
from sluss_client.agency.chain import Chain, send
from sluss_client.agency.lifecycle import Change, Reason
from sluss_client.crypto import SignKey
from sluss_client.errors import Invalid, Refused
from sluss_client.keyring import keyshare, roster, rotation, splitting
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import FUNCTIONS, Function, PersonId
from sluss_schemas.invitation import Code, write_code
from sluss_schemas.replay import Directory

_SPACE: Final = "registrar"
_ROOT: Final = b"root"


class Registrar:
    """A registrar's acts on a loaded device."""

    def __init__(self, local: Local, transport: Transport) -> None:
        """Look whether this device is a registrar's.

        Raises:
            Refused: `registrar_only`.

        """
        if not self.present(local):
            raise Refused("device", code="registrar_only")
        self._local = local
        self._transport = transport

    @staticmethod
    def present(local: Local) -> bool:
        """Tell whether this device is a registrar's."""
        own = local.trust.chains.get(local.trust.own_id)
        return own is not None and local.keys.kid in own.registrars

    # people

    async def invite(  # in the order of the command's options
        self,
        functions: Sequence[Function],
        scenes: Sequence[str] | None = None,
        alias: str | None = None,
        *,
        name: str | None = None,
        days: int = 7,
    ) -> str:
        """Announce an invitation to the server and return its code; it works once. Without a function: a custodian.

        Raises:
            Invalid: `unknown_scene`, `unknown_code` for a function, `out_of_range` for an alias in use or days.
            Offline: the server must know of the invitation before the code is any use.

        """
        local, now = self._local, self._transport.now()
        invite_id, invite = inviting.promise(local, functions, self._numbers(scenes), alias, days, now)
        if name:
            roster.set_name(local, PersonId(invite.person), name)
        return await self._code(invite_id, invite)

    async def invite_again(self, alias: str, *, days: int = 7) -> str:
        """Announce an invitation of another device for somebody who is there, and return its code.

        Raises:
            Invalid: `unknown_alias`, `out_of_range` for days; `not_allowed` while the person is suspended, or when
                their last day has passed.

        """
        person, now = lifecycle.person_of(self._local.trust.own, alias), self._transport.now()
        if person.suspended:
            raise Invalid("not_allowed", "alias", "This person is suspended; resume them first.")
        if not person.active(now):
            raise Invalid("not_allowed", "alias", lifecycle.OVER)
        return await self._code(*inviting.promise_again(self._local, person, days, now))

    async def _code(self, invite_id: bytes, invite: inviting.Invite) -> str:
        await self._transport.post("/v1/invites", membership.Invitation(invite_id, invite.expires_at), type(None))
        config = self._local.config
        return write_code(
            Code(config.server, config.partnership, invite_id, invite.secret, config.agency, config.root, None)
        )

    def name(self, alias: str, name: str) -> None:
        """Give somebody a name in the roster; it goes out at the next sync."""
        roster.set_name(self._local, lifecycle.person_of(self._local.trust.own, alias).person, name)

    async def leave(self, alias: str) -> None:
        """Revoke every device of a colleague who leaves, and suspend the person.

        Raises:
            Invalid: `unknown_alias`, `last_registrar`.

        """
        await self._act(lifecycle.leave, alias, self._transport.now())

    def audit_note(self, alias: str, auditor: str, code: str | None = None) -> tuple[str, str]:
        """Return somebody's code and a note of it for an auditor alone, by whose public key it is sealed; no network.

        Whoever leaves gets a new code and brings it to the registrar of the agency where they begin, who gives it here.

        Raises:
            Invalid: `unknown_alias`, `damaged_code`.

        """
        return auditnotes.note(self._local, alias, auditor, code, self._transport.now())

    async def revoke(self, whom: str, reason: Reason) -> None:
        """Revoke one device: the one of an alias, or the one whose id begins so; effective at the next request.

        Raises:
            Invalid: `unknown_alias`, `out_of_range` where several are meant, `last_registrar`.

        """
        await self._act(lifecycle.revoke, whom, reason, self._transport.now())

    async def suspend(self, alias: str) -> None:
        """Take a person's rights away until `resume`; raises as `leave`."""
        await self._act(lifecycle.suspend, alias, self._transport.now())

    async def resume(self, alias: str) -> None:
        """Give a suspended person's rights back.

        Raises:
            Invalid: `unknown_alias`, `out_of_range` for somebody whose last day has passed.

        """
        now = self._transport.now()
        await self._act(lifecycle.resume, alias, self._local.trust.pack(now), now)

    async def change(
        self,
        alias: str,
        *,
        functions: Sequence[Function] | None = None,
        scenes: Sequence[str] | None = None,
        all_scenes: bool = False,
        valid_until: int | None = None,
    ) -> None:
        """Change a person's functions, scenes or last day (Unix seconds); scenes take effect at once.

        Who is suspended stays suspended.

        Raises:
            Invalid: `unknown_alias`, `unknown_scene`, `unknown_code` for a function, `last_registrar` for a last day
                after which no registrar would be left.

        """
        now = self._transport.now()
        to = Change(
            functions=None if functions is None else tuple(functions),
            scenes=self._numbers(scenes),
            all_scenes=all_scenes,
            valid_until=valid_until,
        )
        await self._act(lifecycle.change, alias, to, self._local.trust.pack(now), now)

    async def custodians(self, whom: Sequence[str]) -> None:
        """Name the three custodians, by alias or by the beginning of a device's id.

        Raises:
            Invalid: `unknown_alias`, `out_of_range`; `directory_refused` unless they are three persons.

        """
        await self._act(lifecycle.custodians, whom)

    def rotate(self, functions: Sequence[Function] = FUNCTIONS) -> None:
        """Ask for a new epoch of the audiences of these functions that this device is a member of; at the next sync.

        Raises:
            Refused: `not_allowed` where it is a member of none.

        """
        mine = [one for one in self._local.memberships() if one.function in functions]
        if not mine:
            raise Refused("function", "Only a member's device can make a new key; ask one of them.", code="not_allowed")
        for audience in mine:
            rotation.request(self._local, audience)

    # the partnership

    async def add_scenes(self, scenes: Sequence[tuple[str, str, str]]) -> int:
        """Add or relabel scenes by (slug, English label, Swedish label); return how many entries that took.

        Raises:
            Refused: `not_allowed` unless this is the founding agency.

        """
        bodies = scenery.added(self._local.trust.own, scenes)
        await self.append(bodies)
        return len(bodies)

    async def set_zone(self, slug: str, geojson: str | None) -> bool:
        """Give a scene the outline in a GeoJSON text, or take it away; tell whether that changed anything.

        Raises:
            Refused: `not_allowed` unless this is the founding agency.
            Invalid: `unknown_scene`; `bad_zone` with the line and the coordinate; `too_long`.

        """
        bodies = scenery.zoned(self._local.trust.own, slug, geojson)
        await self.append(bodies)
        return bool(bodies)

    async def peer(self, fingerprint: bytes, *, agreement: str = "", until: int | None = None) -> str:
        """Pin the agency whose root has this fingerprint, until a day if one is given; return its slug.

        Raises:
            Invalid: `unknown_code` when no directory of the partnership has that root.

        """
        for agency, chain in self._local.trust.chains.items():
            if chain.root_fingerprint == fingerprint and agency != self._local.trust.own_id:
                await self.append([d.Peer(agency, fingerprint, agreement, until)])
                return chain.slug
        raise Invalid("unknown_code", "fingerprint", "No agency of this partnership has this root; compare it again.")

    async def end_peer(self, slug: str) -> None:
        """End the pin of an agency: from now on it is neither recipient nor author.

        Raises:
            Invalid: `unknown_code` when no agency of this slug is pinned.

        """
        now = self._transport.now()
        for chain in self._local.trust.agencies(now)[1:]:
            if chain.slug == slug:
                pinned = self._local.trust.own.peers[chain.agency]
                await self.append([msgspec.structs.replace(pinned, until=now)])
                return
        raise Invalid("unknown_code", "agency", "No agency of this name is pinned.")

    async def restored(self) -> None:
        """Accept the restored server, so that devices push again what they filed lately.

        Raises:
            Invalid: `out_of_range` where the server is the one that the directory knows.

        """
        instance = self._local.server_instance()
        if not instance or instance == self._local.trust.own.instance:
            raise Invalid("out_of_range", "instance", "The server was not restored; there is nothing to accept.")
        await self.append([d.Instance(instance)])

    # entries

    async def append(
        self,
        bodies: Sequence[d.Body],
        wraps: tuple[membership.EpochSet, ...] = (),
        *,
        shares: tuple[d.SealedShare, ...] = (),
        roster: bytes | None = None,
    ) -> None:
        """Sign entries, send them, and take them in as the server has stored them.

        Raises:
            Invalid: `directory_conflict` when somebody else was first; sync and do it again.

        """
        if not bodies:
            return
        local, now = self._local, self._transport.now()
        # Entries are tried on a copy: what is trusted changes only when the server has stored them.
        chain = Chain(local.trust.own.copy())
        for body in bodies:
            chain.add(body, local.keys.sign, now)
        await send(local, self._transport, chain, wraps, shares, roster)

    async def _act(self, act: Callable[..., list[d.Body]], *given: object) -> None:
        await self.append(act(self._local.trust.own, *given))

    def _numbers(self, scenes: Sequence[str] | None) -> tuple[int, ...] | None:
        if scenes is None:
            return None
        numbers = self._local.trust.scene_numbers(self._transport.now())
        for scene in scenes:
            if scene not in numbers:
                raise Invalid("unknown_scene", "scenes")
        return tuple(sorted({numbers[scene] for scene in scenes}))

    # by itself, at every sync

    async def work(self) -> bool:
        """Let in who came with a valid code, end what is over, sign what members proposed; tell if anything changed."""
        # The directory that was just pulled may have taken the right away.
        if not self.present(self._local):
            return False
        changed = await self._approve()
        over = lifecycle.expired(self._local.trust.own, self._transport.now())
        changed = await self._tried(self.append(over), b"expired") if over else changed
        return await self._sign() or changed

    async def _approve(self) -> bool:
        waiting = await self._transport.get("/v1/enrolments", membership.Enrolments)
        local, changed, now = self._local, False, self._transport.now()
        for enrolment in waiting.waiting:
            invite = inviting.find(local, enrolment, now)
            if invite is not None:
                changed = await self._tried(self._admit(enrolment, invite), enrolment.invite) or changed
        return changed

    async def _admit(self, enrolment: membership.Enrolment, invite: inviting.Invite) -> None:
        now = self._transport.now()
        await self.append(inviting.admit(self._local, enrolment, invite, self._local.trust.pack(now), now))
        inviting.use(self._local, enrolment.invite, invite)

    async def _sign(self) -> bool:
        local, now, changed = self._local, self._transport.now(), False
        answer = await keyshare.pull(local, self._transport)
        for epoch, wraps in rotation.epochs_to_sign(local, answer, now):
            changed = await self._tried(self.append([epoch], (wraps,)), epoch.audience) or changed
        for split, shares in splitting.splits_to_sign(local, answer):
            about = split.audience + split.epoch.to_bytes(4, "big")
            changed = await self._tried(self.append([split], shares=shares), about) or changed
        if roster.roster_due(local):
            sealed, entry = roster.make_roster(local)
            changed = await self._tried(self.append([entry], roster=sealed), b"roster") or changed
        return changed

    async def _tried(self, act: Awaitable[Any], about: bytes) -> bool:
        """Do one act and tell whether it was done: what cannot be done is an alarm and stops nothing else."""
        try:
            await act
        except Invalid as problem:
            if problem.code == "directory_conflict":
                raise
            # A restored server takes new entries once it is accepted; all of this comes up again by itself.
            if problem.code != "restoring":
                self._local.alarm(problem.code, about)
            return False
        return True

    # the root's keys, while they are here

    def root_seeds(self) -> tuple[bytes, bytes] | None:
        """Return the root's and the next root's seeds while they are still on this device; they belong into safes."""
        return root_seeds(self._local)

    def forget_root(self) -> None:
        """Remove the root seeds from this device once they are in the safes."""
        forget_root(self._local)


def keep_root(local: Local, root_seed: bytes, next_root_seed: bytes) -> None:
    """Keep root seeds until they have been printed."""
    local.store.put(_SPACE, _ROOT, root_seed + next_root_seed)


def root_seeds(local: Local) -> tuple[bytes, bytes] | None:
    """Return the root's and the next root's seeds while they are here; the first is empty after a rotation.

    A next root that the directory does not commit to goes into no safe: its rotation was not stored, or not yet heard
    of here.
    """
    seeds = kept_root(local)
    own = local.trust.chains.get(local.trust.own_id)
    return None if seeds is None or (own is not None and not commits(own, seeds[1])) else seeds


def kept_root(local: Local) -> tuple[bytes, bytes] | None:
    """Return the seeds that were kept, whether the directory commits to the next root or not."""
    both = local.store.get(_SPACE, _ROOT)
    return None if both is None else (both[:-32], both[-32:])


def commits(own: Directory, seed: bytes) -> bool:
    """Tell whether a directory commits to this next root."""
    return hashlib.sha256(SignKey(seed).public).digest() == own.next_root


def forget_root(local: Local) -> None:
    """Remove the root seeds."""
    local.store.delete(_SPACE, _ROOT)
    local.store.scrub()
