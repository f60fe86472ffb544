"""Signing a browser in to the overview: a supervisor's device asks for a link, and the link is good once.

The browser has no key. What it may see it sees in the name of the device that asked, as long as that device may.
Refuses everybody who supervises nobody.
Source: docs/decisions/0026-sign-in-by-launch.md.

> INVARIANT: a token and a cookie are 48 bytes that only their holder has: here are hashes.
> INVARIANT: a session is asked about at every request: it is over as soon as its device is revoked, its person is no
> supervisor any more or not in service, 30 minutes after the last request and 10 hours after the first.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.directory import Scene
from sluss_schemas.ids import ID_BYTES
from sluss_schemas.launching import Launch
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.publishing import pack_at
from sluss_server.services.quarantine import must_supervise
from sluss_server.storage import enrolment, sessions
from sluss_server.storage.sessions import LaunchRow, SessionRow

LAUNCH_S: Final = 60
IDLE_S: Final = 30 * 60
LONGEST_S: Final = 10 * 60 * 60
_NOTED_EVERY_S: Final = 60
"""A session's last use is written down no more often than this."""
_SECRET_BYTES: Final = 32
_WRITTEN: Final = (ID_BYTES + _SECRET_BYTES) * 4 // 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at the overview: a supervisor, by the device that signed the browser in.

    Attributes:
        partnership: its id.
        partnership_name: what it is called.
        founded: when it was founded, in Unix seconds.
        agency: the own agency's id.
        device: the key id of the device.
        own: the own agency's directory.
        view: the partnership as it is now.
        pack: the policy pack of the partnership.
        now: Unix seconds.

    """

    partnership: bytes
    partnership_name: str
    founded: int
    agency: bytes
    device: bytes
    own: Directory
    view: View
    pack: Pack
    now: int

    @property
    def scenes(self) -> dict[int, Scene]:
        """The registry's scenes by number."""
        registry = self.view.registry
        return {} if registry is None else dict(sorted(registry.scenes.items()))


class Sessions:
    """The use case."""

    def __init__(self, core: Core) -> None:
        """Stand on these parts."""
        self._core: Final = core
        self._named: Final[dict[bytes, tuple[str, int]]] = {}

    async def launch(self, caller: Caller) -> Launch:
        """Return what a link into the overview holds, for the device of a supervisor.

        Raises:
            Invalid: `not_allowed` for anybody else; `revoked_device`.

        """
        _, caller = await self._supervisor(caller)
        token, now = self._new(caller.partnership), self._core.clock()
        row = LaunchRow(caller.partnership, _hash(token), caller.agency, caller.device, now + LAUNCH_S)

        async def keep(connection: AsyncConnection) -> None:
            await sessions.forget_old(
                connection, caller.partnership, now=now, started=now - LONGEST_S, seen=now - IDLE_S
            )
            await sessions.add_launch(connection, row)

        await self._core.writer.submit(keep)
        return Launch(token, row.expires_at)

    async def begin(self, token: str) -> str | None:
        """Use a link's token up and return a session's cookie; None where it is none, was used, or is too old."""
        partnership = _partnership(token)
        if partnership is None:
            return None
        cookie, now = self._new(partnership), self._core.clock()

        async def exchange(connection: AsyncConnection) -> bool:
            row = await sessions.use_launch(connection, partnership, _hash(token))
            if row is None or row.expires_at <= now:
                return False
            new = SessionRow(partnership, _hash(cookie), row.agency, row.device, started_at=now, seen_at=now)
            await sessions.add_session(connection, new)
            return True

        return cookie if await self._core.writer.submit(exchange) else None

    async def viewer(self, cookie: str) -> Viewer | None:
        """Return who looks, None where the session is over or never was; one that is over is forgotten."""
        partnership = _partnership(cookie)
        if partnership is None:
            return None
        async with self._core.engine.read() as connection:
            row = await sessions.session(connection, partnership, _hash(cookie))
        if row is None:
            return None
        found = await self._as_viewer(row)
        if found is None:
            await self.end(cookie)
        elif found.now - row.seen_at >= _NOTED_EVERY_S:
            await self._core.writer.submit(
                lambda connection: sessions.touch(connection, partnership, row.session_hash, found.now)
            )
        return found

    async def end(self, cookie: str) -> None:
        """Forget a session; one that never was stays so."""
        partnership = _partnership(cookie)
        if partnership is not None:
            await self._core.writer.submit(lambda connection: sessions.end(connection, partnership, _hash(cookie)))

    async def _as_viewer(self, row: SessionRow) -> Viewer | None:
        now = self._core.clock()
        if now - row.seen_at >= IDLE_S or now - row.started_at >= LONGEST_S:
            return None
        caller = await self._core.directories.find(row.device, now)
        try:
            if caller is None or caller.partnership != row.partnership_id:
                return None
            view, caller = await self._supervisor(caller)
        except Invalid:
            return None
        pack = pack_at(self._core.rules, view, now)
        if pack is None:
            return None
        name, founded = await self._name(caller.partnership)
        return Viewer(
            partnership=caller.partnership,
            partnership_name=name,
            founded=founded,
            agency=caller.agency,
            device=caller.device,
            own=view.directories[caller.agency],
            view=view,
            pack=pack,
            now=now,
        )

    async def _supervisor(self, caller: Caller) -> tuple[View, Caller]:
        view, caller = await self._core.enter(caller)
        must_supervise(view, caller, "device")
        return view, caller

    async def _name(self, partnership: bytes) -> tuple[str, int]:
        """Return what a partnership is called and when it was founded, which never changes."""
        if partnership not in self._named:
            async with self._core.engine.read() as connection:
                self._named[partnership] = await enrolment.partnership_named(connection, partnership)
        return self._named[partnership]

    def _new(self, partnership: bytes) -> str:
        """Return what is in a link or a cookie: whose it is, so that it is looked up there alone, and 32 random bytes.

        48 bytes are 64 characters, without padding.
        """
        return urlsafe_b64encode(partnership + self._core.random(_SECRET_BYTES)).decode()


def _hash(written: str) -> bytes:
    return hashlib.sha256(written.encode()).digest()


def _partnership(written: str) -> bytes | None:
    """Return the partnership of a token or a cookie; None where it is nothing of the kind."""
    if len(written) != _WRITTEN or not written.isascii():
        return None
    try:
        found = urlsafe_b64decode(written)
    except ValueError:
        return None
    # The decoder skips what it does not know.
    return found[:ID_BYTES] if urlsafe_b64encode(found).decode() == written else None
