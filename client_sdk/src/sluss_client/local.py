"""All that a device has on disk, loaded: configuration, keys, directories, outbox and replica.

`Device` asks it, `sync` and `registrar` change it; each change is durable before the method returns.

> INVARIANT: a directory entry, a secret or a cursor is kept only after it has been verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from sluss_client import alarms, clock, tries
from sluss_client.crypto import SignKey
from sluss_client.errors import Refused, StoreError
from sluss_client.keyring import names
from sluss_client.keys import DeviceKeys, DeviceSeeds, HeldEpoch, KeyRing, matches
from sluss_client.outbox import Outbox
from sluss_client.replica import Received, Replica
from sluss_client.sealers import Author
from sluss_client.store import Store, remove
from sluss_client.trust import Trust
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas import sync as wire
from sluss_schemas.agency import Audience, Person
from sluss_schemas.codec import decode
from sluss_schemas.ids import AgencyId, AudienceId
from sluss_schemas.replay import canonical

_DEVICE = "device"
_CHAIN = "chain"
_EPOCH = "epoch"
_CURSOR = "cursor"
_ALARM = "alarm"
_UNOPENED = "cannot_open"
_WIPED = b"wiped"
_INSTANCE = b"instance"


class Config(msgspec.Struct, frozen=True, array_like=True):
    """Where the device belongs; `offset` is what its clock is off by, in seconds.

    `confirmed_at` is the time of the last whole sync as corrected by the offset, `confirmed_own` by the own clock.
    """

    server: str
    partnership: bytes
    agency: bytes
    root: bytes
    offset: int = 0
    confirmed_at: int = 0
    confirmed_own: int = 0


class Local:
    """A device's state."""

    def __init__(self, store: Store) -> None:
        """Load everything that is needed to file and read."""
        self.store = store
        self.load()

    def load(self) -> None:
        """Read everything from the store, as it is now; directories are replayed, so they are verified again."""
        store = self.store
        self.config = msgspec.msgpack.decode(_must(store.get(_DEVICE, b"config")), type=Config)
        seeds = msgspec.msgpack.decode(_must(store.get(_DEVICE, b"seeds")), type=DeviceSeeds)
        self.keys = DeviceKeys.of(seeds)
        self.ring = KeyRing(self.keys)
        self.trust = Trust(self.config.partnership, AgencyId(self.config.agency), self.config.root)
        self._load_chains()
        for _, data in store.items(_EPOCH):
            self.ring.add(msgspec.msgpack.decode(data, type=HeldEpoch))
        self.outbox = Outbox(store)
        self.replica = Replica(store)
        self.read_here = set[tuple[bytes, int]]()
        self.wiped = store.get(_DEVICE, _WIPED) is not None

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        seeds: DeviceSeeds,
        config: Config,
        keep: Callable[[Local], None] | None = None,
    ) -> Local:
        """Make a new device's store, with what `keep` puts into it: whole at `path`, or nothing there.

        Raises:
            StoreError: `store_exists`, `disk_full`, `store_damaged`.

        """
        new = path.with_name(f".{path.name}.new")
        # What a kill left here was never seen by anybody.
        remove(new)
        try:
            store = Store.create(new, passphrase)
            try:
                with store.transaction():
                    store.put(_DEVICE, b"seeds", msgspec.msgpack.encode(seeds))
                    store.put(_DEVICE, b"config", msgspec.msgpack.encode(config))
                    if keep is not None:
                        keep(cls(store))
                store.scrub()
            finally:
                store.close()
            _place(new, path)
        except BaseException:
            remove(new)
            raise
        store = Store.open(path, passphrase)
        try:
            return cls(store)
        except BaseException:
            store.close()
            raise

    def _load_chains(self) -> None:
        chains: dict[AgencyId, list[tuple[int, bytes]]] = {}
        for key, data in self.store.items(_CHAIN):
            chains.setdefault(AgencyId(key[:16]), []).append((int.from_bytes(key[16:], "big"), data))
        own = self.config.agency
        for agency in sorted(chains, key=lambda one: one != own):
            entries = [decode(d.SignedEntry, data, "directory") for _, data in sorted(chains[agency])]
            self.trust.extend(agency, 0, entries)

    # who this is

    @property
    def approved(self) -> bool:
        """Whether the own agency's directory has this device."""
        own = self.trust.chains.get(self.trust.own_id)
        return own is not None and self.keys.kid in own.devices

    @property
    def revoked(self) -> bool:
        """Whether the own agency's directory, as verified here, says that this device was revoked."""
        own = self.trust.chains.get(self.trust.own_id)
        device = None if own is None else own.devices.get(self.keys.kid)
        return device is not None and device.revoked_at is not None

    @property
    def checkpoint(self) -> bytes:
        """The server's key for receipts, as the own agency's genesis pins it."""
        genesis = self.trust.own.genesis
        return b"" if genesis is None else genesis.checkpoint

    @property
    def person(self) -> Person:
        """The person that this device belongs to.

        Raises:
            Refused: `waiting_for_approval`.

        """
        if not self.approved:
            raise Refused("device", code="waiting_for_approval")
        own = self.trust.own
        return own.persons[own.devices[self.keys.kid].person]

    def memberships(self) -> list[Audience]:
        """Return the own agency's audiences that this device is a member of."""
        if not self.approved:
            return []
        return [one for one in self.trust.own.audiences.values() if self.keys.kid in one.members]

    def author(self) -> Author:
        """Return who files on this device and the group key that signs: the field group's where the device has it.

        Raises:
            Refused: `waiting_for_approval`, or `no_group_key` until a colleague's device has passed it on.

        """
        person = self.person
        for audience in self._signing_audiences():
            keys = audience.current
            held = None if keys is None else self.ring.epochs.get((audience.audience, keys.epoch))
            if held is not None:
                function = audience.function if audience.function in person.functions else person.functions[0]
                return Author(
                    person,
                    function,
                    self.keys,
                    SignKey(held.sign_seed()),
                    names.count_key(self.store),
                    names.sealed_names(self.store).get(person.person, ""),
                )
        raise Refused("device", code="no_group_key")

    def _signing_audiences(self) -> list[Audience]:
        # A supervisor signs as field, so that a sole supervisor is not named by the signature.
        own, functions = self.trust.own, self.person.functions
        order = ("field", "reception") if "field" in functions or "supervisors" in functions else ("reception",)
        found = (own.audience_for(function) for function in order)  # type: ignore[arg-type]
        return [audience for audience in found if audience is not None]

    # the server, and the time

    def server_instance(self) -> bytes:
        """Return the instance that the server named last, 16 bytes; nothing before the first contact."""
        return self.store.get(_DEVICE, _INSTANCE) or b""

    def told_instance(self, instance: bytes) -> None:
        """Note which instance the server says it is; its word alone changes nothing."""
        if instance not in {b"", self.server_instance()}:
            self.store.put(_DEVICE, _INSTANCE, instance)

    def newest(self) -> int:
        """Return the newest time that any directory here was signed at, or 0 while none is known."""
        return max((chain.latest for chain in self.trust.chains.values()), default=0)

    def lapsed(self, seconds: int, now: int) -> bool:
        """Tell whether a lease has run out since the last whole sync, by the corrected time or by the own clock.

        Each clock is compared with itself, so a server that corrects the one prolongs nothing.
        """
        return now > self.config.confirmed_at + seconds or clock.now() > self.config.confirmed_own + seconds

    # changes

    def empty(self, kem: bytes, now: int) -> None:
        """Forget other agencies' chains, put a seed to which nothing was sealed for the own, and note the wipe."""
        with self.store.transaction():
            for key, _ in list(self.store.items(_CHAIN)):
                if key[:16] != self.config.agency:
                    self.store.delete(_CHAIN, key)
            seeds = msgspec.msgpack.decode(_must(self.store.get(_DEVICE, b"seeds")), type=DeviceSeeds)
            self.store.put(_DEVICE, b"seeds", msgspec.msgpack.encode(msgspec.structs.replace(seeds, kem=kem)))
            self.store.put(_DEVICE, _WIPED, now.to_bytes(8, "big"))

    def configure(self, **changes: int) -> None:
        """Change the configuration."""
        self.config = msgspec.structs.replace(self.config, **changes)
        self.store.put(_DEVICE, b"config", msgspec.msgpack.encode(self.config))

    def known(self) -> tuple[membership.Known, ...]:
        """Return how far each chain is known here."""
        return tuple(membership.Known(agency, chain.seq) for agency, chain in sorted(self.trust.chains.items()))

    def extend(self, chain: membership.Chain) -> None:
        """Verify and keep entries of one agency's chain; `errors.Untrusted` if they do not hold together."""
        agency = AgencyId(chain.agency)
        self.trust.extend(agency, chain.first, chain.entries)
        rows = [
            (agency + (chain.first + at).to_bytes(8, "big"), canonical(entry)) for at, entry in enumerate(chain.entries)
        ]
        self.store.put_all(_CHAIN, rows)

    def entries(self, first: int) -> Iterator[d.SignedEntry]:
        """Yield the own chain's entries from a number on, as they were signed."""
        own = self.trust.own
        for seq in range(first, own.seq + 1):
            data = self.store.get(_CHAIN, own.agency + seq.to_bytes(8, "big"))
            yield decode(d.SignedEntry, _must(data), "directory")

    def hold_epoch(self, held: HeldEpoch) -> bool:
        """Keep an epoch's secret if it reproduces the directory's keys; tell whether it did."""
        audience = self.trust.own.audiences.get(AudienceId(held.audience))
        if audience is None or not 1 <= held.epoch <= len(audience.epochs):
            return False
        if not matches(held, audience.epochs[held.epoch - 1]):
            return False
        self.ring.add(held)
        # The ring keeps a whole secret where the signing key alone comes later.
        best = self.ring.epochs[audience.audience, held.epoch]
        self.store.put(_EPOCH, held.audience + held.epoch.to_bytes(4, "big"), msgspec.msgpack.encode(best))
        return True

    def received(self, report_id: bytes) -> Received | None:
        """Return a received report by its id alone: the own agency's before any other's, then by slug."""
        for chain in self.trust.agencies(self.config.confirmed_at):
            found = self.replica.get(chain.agency, report_id)
            if found is not None:
                return found
        return None

    def cursor(self) -> tuple[wire.Position, ...]:
        """Return where this device stands in its feeds."""
        found = (msgspec.msgpack.decode(data, type=wire.Position) for _, data in self.store.items(_CURSOR))
        return tuple(sorted(found, key=lambda position: position.feed))

    def move_cursor(self, positions: Iterable[wire.Position]) -> None:
        """Move on in some feeds."""
        self.store.put_all(_CURSOR, [(one.feed, msgspec.msgpack.encode(one)) for one in positions])

    def forget_feed(self, feed: bytes) -> None:
        """Forget a feed that is closed."""
        self.store.delete(_CURSOR, feed)

    def read_again(self, audience: bytes) -> None:
        """After a key has come late: pull an audience's feeds anew, if anything was delivered that did not open."""
        if any(code == _UNOPENED for _, code in self.alarms()):
            with self.store.transaction():
                for position in self.cursor():
                    if position.feed.startswith(audience):
                        self.forget_feed(position.feed)

    def alarm(self, code: str, digest: bytes) -> None:
        """Keep what did not hold together, for the doctor and a registrar; codes only."""
        self.store.put(_ALARM, digest, alarms.known(code).encode())

    def calm(self, digest: bytes) -> None:
        """Forget an alarm about what has come as it should since."""
        self.store.delete(_ALARM, digest)

    def alarms(self) -> list[tuple[bytes, str]]:
        """Return the digests and codes of deliveries that were kept out."""
        return sorted((digest, code.decode()) for digest, code in self.store.items(_ALARM))


def _must(data: bytes | None) -> bytes:
    if data is None:
        raise Refused("device", "The enrolment did not finish; enrol this device again.", code="waiting_for_approval")
    return data


def _place(new: Path, path: Path) -> None:
    """Give a finished and closed store its name, durably; another file is never written over."""
    if path.exists() or path.is_symlink():
        raise StoreError("store_exists", str(path))
    for beside in ("-wal", "-shm"):
        # The log of a store that is gone would be read into this one.
        path.with_name(path.name + beside).unlink(missing_ok=True)
    tries.clear(path)
    new.rename(path)
    # Where folders cannot be opened, a rename is durable by itself or not at all.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
