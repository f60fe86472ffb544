"""The directories of every agency, replayed in memory and held against the database.

A chain only grows, so a comparison of its head's number and hash tells whether memory is behind; another process may
have appended.
Refuses to believe the database: every entry is verified when it is read, as a device would.

> INVARIANT: memory is never ahead of what is committed, and what was decided by an older state is seen as such by
> `View.moved`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.agreeing import Standing, standing
from sluss_schemas.codec import decode
from sluss_schemas.directory import SignedEntry
from sluss_schemas.ids import ID_BYTES, NO_SCENE, AudienceId, Function, Kid, Sector
from sluss_schemas.manifest import Head, directories_digest
from sluss_schemas.policy import agreements
from sluss_schemas.policy.answers import AgreedCell, Receiver
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_server.services.caller import Caller
from sluss_server.storage import directory as chains
from sluss_server.storage.directory import ChainHead
from sluss_server.storage.engine import Engine
from sluss_server.storage.feeds import device_of

_BATCH: Final = 500
_CACHED_HEADS: Final = 10_000


class View:
    """One partnership: its directories, and the questions that span them."""

    def __init__(self, partnership: bytes) -> None:
        """Start without any agency."""
        self.partnership: Final = partnership
        self.directories: Final[dict[bytes, Directory]] = {}
        self._hashes: Final[dict[bytes, list[bytes]]] = {}
        self._receivers: Final[dict[bytes, tuple[Directory, EpochKeys | Device]]] = {}
        self._functions: Final[dict[tuple[bytes, bytes], Function]] = {}
        self._sound: Final[set[tuple[bytes, tuple[Head, ...]]]] = set()
        self.state: tuple[ChainHead, ...] = ()
        self.agreements: tuple[Standing, ...] = ()
        self.sectors: dict[bytes, Sector] = {}

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads of all chains, by agency."""
        return tuple(Head(*head) for head in self.state)

    @property
    def registry(self) -> Directory | None:
        """The directory that holds the scenes."""
        return next((one for one in self.directories.values() if one.genesis and one.genesis.registry), None)

    def scene_exists(self, scene: int) -> bool:
        """Tell whether the registry has a scene of this number."""
        registry = self.registry
        return registry is not None and scene in registry.scenes

    def moved(self, heads: Iterable[tuple[bytes, int, bytes]]) -> bool:
        """Tell whether these heads, as the database has them, differ from what is known here."""
        return tuple(sorted(tuple(head) for head in heads)) != self.state

    def sound_heads(self, digest: bytes, heads: tuple[Head, ...]) -> bool:
        """Tell whether a digest is over these heads and each of them is or was the head of its chain."""
        key = (digest, heads)
        if key in self._sound:
            return True
        for head in heads:
            hashes = self._hashes.get(head.agency, [])
            if head.seq >= len(hashes) or hashes[head.seq] != head.hash:
                return False
        if directories_digest(heads) != digest:
            return False
        # A chain only grows, so what was once true of it stays true.
        if len(self._sound) >= _CACHED_HEADS:
            self._sound.clear()
        self._sound.add(key)
        return True

    def behind(self, heads: Iterable[Head]) -> bool:
        """Tell whether a chain has not reached one of these heads, as after a restore of the server."""
        return any(head.seq >= len(self._hashes.get(head.agency, ())) for head in heads)

    def receiver(self, kid: bytes) -> tuple[Directory, EpochKeys | Device] | None:
        """Return whose KEM key this id is, an epoch's or a device's, and in which directory."""
        return self._receivers.get(kid)

    def is_current(self, directory: Directory, keys: EpochKeys) -> bool:
        """Tell whether an epoch is the one in force of its audience."""
        return directory.audiences[keys.audience].current is keys

    def function_of(self, directory: Directory, keys: EpochKeys) -> Function:
        """Return the function of an epoch's audience."""
        return directory.audiences[keys.audience].function

    def as_receiver(self, kid: bytes, owner: bytes, now: int | None = None, scene: int = NO_SCENE) -> Receiver | None:
        """Return how the policy sees the holder of a KEM key id, from the agency that owns the report.

        With a time, agreements in force at that second open what they open of a report at this scene.
        """
        found = self._receivers.get(kid)
        if found is None:
            return None
        directory, keys = found
        own = directory.agency == owner
        if isinstance(keys, Device):
            return Receiver(directory.sector, "field", own, named=True)
        agreed = () if own or now is None else self.agreed(directory.agency, owner, now, scene)
        return Receiver(directory.sector, self.function_of(directory, keys), own, agreed=agreed)

    def agreed(self, receiver: bytes, owner: bytes, now: int, scene: int = NO_SCENE) -> tuple[AgreedCell, ...]:
        """Return what agreements open now of an owner's reports at a scene to another agency."""
        if not self.agreements:
            return ()
        return agreements.agreed(self.agreements, owner, receiver, self.sectors, at=now, scene=scene)

    def clashes(self, new: Directory) -> bool:
        """Tell whether an audience or a key of an agency's directory, as it would be, is another agency's.

        Feeds, seals and signatures are looked up by these ids over the whole partnership.
        """
        return any(
            not new.audiences.keys().isdisjoint(other.audiences)
            or not new.by_kem_kid.keys().isdisjoint(other.by_kem_kid)
            or any(
                not mine.keys().isdisjoint(theirs)
                for mine in (new.devices, new.by_sign_kid)
                for theirs in (other.devices, other.by_sign_kid)
            )
            for other in self.directories.values()
            if other.agency != new.agency
        )

    def has_feed(self, agency: bytes, feed: bytes) -> bool:
        """Tell whether a feed is of an agency: of one of its audiences, or of one of its devices."""
        directory = self.directories.get(agency)
        if directory is None:
            return False
        return AudienceId(feed[:ID_BYTES]) in directory.audiences or device_of(feed) in directory.devices

    def extend(self, agency: bytes, entries: Iterable[SignedEntry]) -> None:
        """Append committed entries to an agency's directory.

        Raises:
            Invalid: an entry does not follow; then the database was tampered with.

        """
        directory = self.directories.get(agency) or Directory()
        hashes = self._hashes.get(agency, [])
        for entry in entries:
            directory.append(entry)
            hashes.append(directory.hash)
        if directory.agency != agency:
            raise Invalid("directory_refused", "agency")
        self.directories[agency] = directory
        self._hashes[agency] = hashes
        self._receivers.update({kid: (directory, keys) for kid, keys in directory.by_kem_kid.items()})
        self.sectors = {one.agency: one.sector for one in self.directories.values()}
        self.agreements = standing(self.directories)
        self.state = tuple(sorted(ChainHead(one.agency, one.seq, one.hash) for one in self.directories.values()))


class Directories:
    """The views of all partnerships of this server."""

    def __init__(self, engine: Engine) -> None:
        """Read from this engine, when first asked."""
        self._engine: Final = engine
        self._views: Final[dict[bytes, View]] = {}
        self._devices: Final[dict[bytes, tuple[bytes, bytes]]] = {}
        self._lock: Final = asyncio.Lock()

    def known(self, partnership: bytes) -> View:
        """Return what is known of a partnership without asking the database; it may be behind."""
        return self._views.get(partnership) or View(partnership)

    async def refresh(self, partnership: bytes) -> View:
        """Return a partnership's view, brought up to what is committed."""
        async with self._engine.read() as connection:
            heads = await chains.heads(connection, partnership)
        view = self._views.get(partnership)
        if view is not None and not view.moved(heads):
            return view
        async with self._lock, self._engine.read() as connection:
            return await self._load(connection, partnership)

    async def find(self, kid: bytes, now: int) -> Caller | None:
        """Return who a device key id is; the database is asked only about one that is not known."""
        if kid not in self._devices:
            async with self._engine.read() as connection:
                partnerships = await chains.partnership_ids(connection)
            for partnership in partnerships:
                await self.refresh(partnership)
        return self._caller(kid, now)

    def again(self, caller: Caller, now: int) -> Caller:
        """Return the caller as the directory has it now.

        Raises:
            Invalid: `unknown_device`.

        """
        found = self._caller(caller.device, now)
        if found is None:
            raise Invalid("unknown_device", "device")
        return found

    def _caller(self, kid: bytes, now: int) -> Caller | None:
        place = self._devices.get(kid)
        if place is None:
            return None
        directory = self._views[place[0]].directories[place[1]]
        device = directory.devices[Kid(kid)]
        return Caller(
            partnership=place[0],
            agency=place[1],
            device=kid,
            sign_key=device.sign_key,
            active=directory.device_active(device.kid, now),
            revoked=device.revoked_at is not None,
        )

    async def _load(self, connection: AsyncConnection, partnership: bytes) -> View:
        """Read what is missing; a chain that does not continue the one in memory is read from its start."""
        heads = await chains.heads(connection, partnership)
        view = self._views.get(partnership) or View(partnership)
        if any(known.seq > head.seq for known in view.state for head in heads if head.agency == known.agency):
            view = View(partnership)
        for agency, seq, _ in heads:
            known = view.directories.get(agency)
            following = known.seq + 1 if known else 0
            read = list[SignedEntry]()
            while following <= seq:
                links = await chains.entries(connection, partnership, agency, following, _BATCH)
                read.extend(decode(SignedEntry, link.entry, "directory") for link in links)
                if not links:
                    break
                following = links[-1].seq + 1
            if read:
                view.extend(agency, read)
        if view.state:
            self._views[partnership] = view
        for agency, directory in view.directories.items():
            for kid in directory.devices:
                self._devices.setdefault(kid, (partnership, agency))
        return view
