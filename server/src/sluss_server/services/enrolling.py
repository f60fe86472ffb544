"""How an agency and a device come in: founding codes, invitations, and requests that wait for a registrar.

The server cannot enrol anybody: a device's request is authenticated by a secret that only the registrar's device has.
Refuses invitations of anybody but a registrar, and shows nobody else who waits.
Source: docs/protocol.md section 2.

> INVARIANT: a code or an invitation is used once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import ID_BYTES, Kid, Sector, kid_of
from sluss_schemas.invitation import Code
from sluss_schemas.manifest import Head
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory, canonical
from sluss_schemas.signing import verify
from sluss_server.services.caller import Caller
from sluss_server.services.chains import Appending, commit
from sluss_server.services.core import Core
from sluss_server.storage import directory as chains
from sluss_server.storage import enrolment
from sluss_server.storage.enrolment import EnrolmentRow, FoundingCode, InvitationRow, PartnershipRow

MAX_INVITATION_S: Final = 31 * 86_400
_OPEN_EACH_DEVICE: Final = 50
_OPEN_EACH_AGENCY: Final = 500
_ENROLMENTS_EACH: Final = 4
"""A phone may be set up again before anybody approved it; more than that is noise."""
_WAITING: Final = _OPEN_EACH_AGENCY
"""Room for the latest enrolment of every open invitation, so that noise about one hides no other."""
_FOUNDING_ENTRIES: Final = 200


class Enrolling:
    """The use cases."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core

    async def create_partnership(
        self, name: str, server_url: str, agencies: Sequence[tuple[str, Sector]]
    ) -> tuple[bytes, list[Code]]:
        """Create a partnership; return its id and a founding code per agency, the first holding the scenes.

        Raises:
            Invalid: `missing_field` without an agency, `malformed` when two have one slug.

        """
        if not agencies:
            raise Invalid("missing_field", "agencies")
        if len({slug for slug, _ in agencies}) != len(agencies):
            raise Invalid("malformed", "agencies", "Give every agency a slug of its own.")
        core, now = self._core, self._core.clock()
        partnership = core.random(ID_BYTES)
        rows = [
            FoundingCode(partnership, core.random(ID_BYTES), core.random(ID_BYTES), slug, sector, number == 0, None)
            for number, (slug, sector) in enumerate(agencies)
        ]

        async def job(connection: AsyncConnection) -> None:
            await enrolment.insert_partnership(connection, PartnershipRow(partnership, name, server_url, now), rows)

        await core.writer.submit(job)
        return partnership, [
            Code(
                server_url,
                partnership,
                row.invite,
                row.secret,
                None,
                None,
                (row.slug, cast("Sector", row.sector), row.registry, core.receipts.public_key),
            )
            for row in rows
        ]

    async def found(self, founding: membership.Founding) -> membership.Appended:
        """Found an agency; the same entries sent again are answered as the first time.

        Raises:
            Invalid: `unknown_invite`, `bad_signature` for a wrong MAC, `invite_used`, `directory_refused`, or what
                `Directory.append` raises.

        """
        if not 1 <= len(founding.entries) <= _FOUNDING_ENTRIES:
            raise Invalid("out_of_range", "entries")
        async with self._core.engine.read() as connection:
            code = await enrolment.founding_code(connection, founding.partnership, founding.invite)
        if code is None:
            raise Invalid("unknown_invite", "invite")
        digest = hashlib.sha256(b"".join(entry.entry for entry in founding.entries)).digest()
        if not hmac.compare_digest(hmac.digest(code.secret, digest, "sha256"), founding.mac):
            raise Invalid("bad_signature", "mac")
        directory = Directory()
        bodies = [directory.append(entry) for entry in founding.entries]
        self._check_genesis(bodies[0], code)
        if any(isinstance(body, d.Epoch) for body in bodies):
            raise Invalid("directory_refused", "entries", "Open the first epochs after the agency is founded.")
        if code.used_at is not None:
            return await self._again(founding, directory)
        await commit(self._core, Appending(founding.partnership, founding.entries, directory, code=founding.invite))
        return membership.Appended(directory.head)

    async def _again(self, founding: membership.Founding, directory: Directory) -> membership.Appended:
        async with self._core.engine.read() as connection:
            links = await chains.entries(connection, founding.partnership, directory.agency, 0, len(founding.entries))
        if [link.entry for link in links] != [canonical(entry) for entry in founding.entries]:
            raise Invalid("invite_used", "invite")
        return membership.Appended(Head(directory.agency, directory.seq, directory.hash))

    def _check_genesis(self, genesis: d.Body, code: FoundingCode) -> None:
        given = (
            (genesis.partnership, genesis.slug, genesis.sector, genesis.registry, genesis.checkpoint)
            if isinstance(genesis, d.Genesis)
            else ()
        )
        if given != (
            code.partnership_id,
            code.slug,
            code.sector,
            bool(code.registry),
            self._core.receipts.public_key,
        ):
            raise Invalid("directory_refused", "genesis", "Found the agency that the code is for.")

    async def invite(self, caller: Caller, invitation: membership.Invitation) -> None:
        """Announce an invitation of the own agency; the same one again changes nothing.

        Raises:
            Invalid: `not_allowed` for anybody but a registrar's device, `out_of_range` for its end or for too many open
                ones, `invite_used`, or what `Caller.must_be_active` raises.

        """
        caller = await self._registrar(caller)
        now = self._core.clock()
        if not now < invitation.expires_at <= now + MAX_INVITATION_S:
            raise Invalid("out_of_range", "expires_at", "Let the invitation end within 31 days.")
        row = InvitationRow(
            caller.partnership, invitation.invite, caller.agency, invitation.expires_at, None, caller.device
        )

        async def job(connection: AsyncConnection) -> None:
            known = await enrolment.invitation(connection, caller.partnership, invitation.invite)
            if known is not None:
                if (known.agency, known.expires_at) != (row.agency, row.expires_at):
                    raise Invalid("invite_used", "invite")
                return
            open_ = await enrolment.open_invitations(connection, row.partnership_id, row.agency, now)
            if open_.total() >= _OPEN_EACH_AGENCY or open_[caller.device] >= _OPEN_EACH_DEVICE:
                raise Invalid("out_of_range", "invite", "Wait until some of the open invitations have ended.")
            await enrolment.insert_invitation(connection, row)

        await self._core.writer.submit(job)

    async def enrol(self, given: membership.Enrolment) -> None:
        """Keep a new device's request until a registrar has approved it; the same one again changes nothing.

        Raises:
            Invalid: `bad_signature`, `unknown_invite`, `invite_expired` or `invite_used`.

        """
        now = self._core.clock()
        message = d.enrolment_message(given.partnership, given.invite, given.sign_key, given.kem_key)
        async with self._core.engine.read() as connection:
            # Looked at first, so that a stranger's noise costs a look and no signature.
            _usable(await enrolment.invitation(connection, given.partnership, given.invite), now)
        verify(given.sign_key, given.signature, message, "signature")
        row = EnrolmentRow(given.partnership, given.invite, kid_of(given.sign_key), encode(given), now)

        async def job(connection: AsyncConnection) -> None:
            _usable(await enrolment.invitation(connection, given.partnership, given.invite), now)
            known = await enrolment.enrolments_for(connection, given.partnership, given.invite)
            if any(one.enrolment == row.enrolment for one in known):
                return
            if len(known) >= _ENROLMENTS_EACH or any(one.device == row.device for one in known):
                raise Invalid("invite_used", "invite")
            await enrolment.insert_enrolment(connection, row)

        await self._core.writer.submit(job)

    async def enrolments(self, caller: Caller) -> membership.Enrolments:
        """Return the enrolments that wait for a registrar of the own agency, oldest first.

        Only those whose invitation can still be used, and of each invitation the latest few.

        Raises:
            Invalid: `not_allowed` for anybody but a registrar's device, or what `Caller.must_be_active` raises.

        """
        caller = await self._registrar(caller)
        async with self._core.engine.read() as connection:
            waiting = await enrolment.waiting(
                connection,
                caller.partnership,
                caller.agency,
                self._core.clock(),
                each=_ENROLMENTS_EACH,
                limit=_WAITING,
            )
        return membership.Enrolments(tuple(decode(membership.Enrolment, one, "enrolment") for one in waiting))

    async def _registrar(self, caller: Caller) -> Caller:
        """Return the caller as it is now, if its device's key is a registrar's of its agency."""
        view, caller = await self._core.enter(caller)
        if Kid(caller.device) not in view.directories[caller.agency].registrars:
            raise Invalid("not_allowed", "device")
        return caller


def _usable(invitation: InvitationRow | None, now: int) -> None:
    """Refuse an invitation that was never made, was used, or has ended."""
    if invitation is None:
        raise Invalid("unknown_invite", "invite")
    if invitation.used_at is not None:
        raise Invalid("invite_used", "invite")
    if now >= invitation.expires_at:
        raise Invalid("invite_expired", "invite")
