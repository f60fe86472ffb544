"""What this device believes about agencies, people, audiences, scenes and packs: only what their signatures support.

The server hands out directories; this module replays them, pins the own agency by its root's fingerprint and every
other one by a `peer` entry of the own registrar, and computes recipients from that alone.
What the server says about recipients or keys is not asked for.
Source: docs/protocol.md section 2.

> INVARIANT: an agency that the own directory does not pin, or no longer pins, is no recipient and no author.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sluss_client.errors import Untrusted
from sluss_schemas import directory as d
from sluss_schemas.agency import Audience, Device, EpochKeys
from sluss_schemas.agreeing import Standing, standing
from sluss_schemas.codec import decode
from sluss_schemas.ids import NO_SCENE, AgencyId, Compartment, Digest, Kid, PersonId, Sector
from sluss_schemas.manifest import Head
from sluss_schemas.policy import adopted, agreements, decide
from sluss_schemas.policy.answers import AgreedCell, Receiver, Slots
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.pack import at as pack_at
from sluss_schemas.policy.pack import builtin
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory, pinned_peer


@dataclass(frozen=True, slots=True)
class Reachable:
    """An audience that reports may be sealed to, as the own agency sees it."""

    label: str
    agency: AgencyId
    receiver: Receiver
    audience: Audience


class Trust:
    """The agencies' directories as this device has verified them."""

    def __init__(self, partnership: bytes, own: AgencyId, root_fingerprint: bytes) -> None:
        """Start from what the enrolment code pinned."""
        self.partnership = partnership
        self.own_id = own
        self._root = root_fingerprint
        self.chains: dict[AgencyId, Directory] = {}
        self._packs = builtin()
        self._slots: dict[tuple[bytes, int, Sector, Receiver], Slots] = {}
        self._standing: tuple[Standing, ...] | None = None
        self._standing_in: dict[Digest, Pack] = {}

    # taking in

    def extend(self, agency: AgencyId, first: int, entries: Sequence[d.SignedEntry]) -> None:
        """Append entries to an agency's chain.

        Raises:
            Untrusted: `directory_gap` where entries were left out; `untrusted_directory` where they do not follow, are
                signed by nobody with the right, or are another agency's.

        """
        # On a copy: entries that come before a bad one are not believed either.
        known = self.chains.get(agency)
        chain = Directory() if known is None else known.copy()
        if first > chain.seq + 1:
            raise Untrusted("directory_gap", f"entry {first}")
        if first != chain.seq + 1:
            raise Untrusted("untrusted_directory", f"entry {first}", "The server repeated entries of a directory.")
        for entry in entries:
            try:
                chain.append(entry)
            except Invalid as problem:
                if _leaves_out(entry, chain.seq):
                    raise Untrusted("directory_gap", problem.field) from problem
                raise Untrusted("untrusted_directory", problem.field, problem.say) from problem
        if chain.genesis is None:
            return
        if chain.agency != agency or chain.genesis.partnership != self.partnership:
            raise Untrusted("untrusted_directory", chain.slug, "This is another partnership's directory.")
        if agency == self.own_id and chain.root_fingerprint != self._root:
            raise Untrusted("untrusted_directory", chain.slug, "The root is not the one on the invitation.")
        self.chains[agency] = chain
        self._standing = None

    # asking

    @property
    def own(self) -> Directory:
        """The own agency's directory."""
        chain = self.chains.get(self.own_id)
        if chain is None:
            raise Untrusted("waiting_for_approval", "directory")
        return chain

    def agency(self, agency: bytes, at: int) -> Directory | None:
        """Return a trusted agency's directory: the own one, or one that it pins at this time."""
        chain = self.chains.get(AgencyId(agency))
        if chain is None or agency == self.own_id:
            return chain
        peer = self.own.peers.get(chain.agency)
        in_force = peer is not None and (peer.until is None or at < peer.until)
        return chain if in_force and pinned_peer(self.own, chain) else None

    def pinned_by(self, agency: AgencyId, at: int) -> bool:
        """Tell whether another agency pins the own one now: if not, its devices keep out what is sent to them."""
        chain = self.chains.get(agency)
        peer = None if chain is None else chain.peers.get(self.own_id)
        in_force = peer is not None and (peer.until is None or at < peer.until)
        return chain is not None and in_force and pinned_peer(chain, self.own)

    def agencies(self, at: int) -> list[Directory]:
        """Return the trusted directories, the own one first, then by slug."""
        others = [one for one in self.chains if one != self.own_id]
        found = [self.own, *(chain for one in others if (chain := self.agency(one, at)) is not None)]
        return [found[0], *sorted(found[1:], key=lambda chain: chain.slug)]

    def heads(self, at: int) -> tuple[Head, ...]:
        """Return the heads of the directories in use, in the order that the manifest's digest has."""
        return tuple(sorted((chain.head for chain in self.agencies(at)), key=lambda head: head.agency))

    def audiences(self, at: int, scene: str | None = None) -> list[Reachable]:
        """Return every audience that exists, the own agency's first, as it may read the own reports of a scene."""
        found = []
        where = self.scene_numbers(at).get(scene or "", NO_SCENE) if self.agreements else NO_SCENE
        for chain in self.agencies(at):
            for audience in sorted(chain.audiences.values(), key=lambda one: one.function):
                receiver = self.receiver_of(chain.agency, self.own_id, audience.function, at=at, scene=where)
                found.append(Reachable(f"{chain.slug}/{audience.function}", chain.agency, receiver, audience))
        return found

    def agreed(self, at: int, scene: str | None = None) -> dict[str, tuple[AgreedCell, ...]]:
        """Return what agreements open now of the own reports of a scene, by the slug of the agency that may read it."""
        opened = (one for one in self.audiences(at, scene) if one.receiver.agreed)
        return {self.chains[one.agency].slug: one.receiver.agreed for one in opened}

    def reduced(self, kind: int, scene: str | None, at: int) -> frozenset[Compartment]:
        """Return the parts of own reports that agreements in force tell somebody in short form."""
        agreed = (cell for cells in self.agreed(at, scene).values() for cell in cells)
        return frozenset(cell.compartment for cell in agreed if cell.kind == kind and cell.code == "R")

    def receiver_of(
        self,
        agency: AgencyId,
        owner: AgencyId,
        function: str,
        *,
        named: bool = False,
        at: int | None = None,
        latest: int = 0,
        scene: int = NO_SCENE,
    ) -> Receiver:
        """Return an audience of `agency` as the owner of a report sees it.

        With a time, agreements in force open what they open of a report at this scene; they end by the later clock.
        """
        agreed: tuple[AgreedCell, ...] = ()
        if at is not None and function == "field" and not named and agency != owner and self.agreements:
            agreed = agreements.agreed(self.agreements, owner, agency, self.sectors, at=at, latest=latest, scene=scene)
        return Receiver(self.chains[agency].sector, function, agency == owner, named, agreed)  # type: ignore[arg-type]

    @property
    def agreements(self) -> tuple[Standing, ...]:
        """The agreements that every party stands by, by the directories here; not all of them are in force now."""
        if self._standing is None:
            self._standing = standing(self.chains)
        return self._standing

    @property
    def sectors(self) -> dict[bytes, Sector]:
        """The sector of each agency whose directory is here."""
        return {agency: chain.sector for agency, chain in self.chains.items()}

    def registry(self, at: int) -> dict[int, d.Scene]:
        """Return the partnership's scenes by number, from the founding agency's directory."""
        for chain in self.agencies(at):
            if chain.genesis is not None and chain.genesis.registry:
                return chain.scenes
        return {}

    def scene_numbers(self, at: int) -> dict[str, int]:
        """Return the numbers of scenes by slug."""
        return {scene.slug: number for number, scene in self.registry(at).items()}

    def signer(self, agency: bytes, kid: bytes, at: int) -> EpochKeys | None:
        """Return the epoch whose group key has this id, in a trusted agency."""
        chain = self.agency(agency, at)
        return None if chain is None else chain.by_sign_kid.get(Kid(kid))

    def devices_of(self, person: PersonId, agency: Directory | None = None) -> Iterator[Device]:
        """Yield a person's devices that are not revoked, in the own agency unless another is given."""
        devices = (agency or self.own).devices.values()
        return (one for one in devices if one.person == person and one.revoked_at is None)

    # packs

    def pack(self, at: int) -> Pack:
        """Return the pack in force for the own agency at a time, or what stands in where this program lacks it."""
        found = adopted.in_force(self._adopted(), self.own.packs, self._day(at))
        return self._stand_in(self.latest_pack(at)) if found is None else found

    def latest_pack(self, at: int) -> Pack:
        """Return the latest pack of the own agency that this program has: the one in force, if it is here."""
        return pack_at(self._adopted(), self._day(at))

    def _adopted(self) -> tuple[Pack, ...]:
        return tuple(pack for pack in self._packs if pack.digest in self.own.packs) or self._packs

    def _day(self, at: int) -> date:
        return local_day(at, self._adopted()[-1].zone)

    def pack_to_seal(self, at: int) -> Pack:
        """Return the pack in force: what leaves this device is decided by it and by no other.

        Raises:
            Untrusted: `pack_missing` where this program lacks it.

        """
        found = self.pack(at)
        if found.stands_in:
            raise Untrusted("pack_missing", "pack")
        return found

    def _stand_in(self, pack: Pack) -> Pack:
        if pack.digest not in self._standing_in:
            self._standing_in[pack.digest] = adopted.stand_in(pack)
        return self._standing_in[pack.digest]

    def pack_named(self, digest: bytes) -> Pack | None:
        """Return the pack with this digest, if this program has it."""
        return next((pack for pack in self._packs if pack.digest == digest), None)

    def pack_of_event(self, happened: int, now: int) -> Pack:
        """Return the pack in force on the day of an event: what was a duty is judged by the law of that day.

        An agency that joined later has adopted none so old, so every pack of the jurisdiction counts.
        """
        mine = self.pack(now)
        known = [
            pack for pack in self._packs if pack.jurisdiction == mine.jurisdiction or pack.digest in self.own.packs
        ]
        return pack_at(tuple(known), local_day(happened, mine.zone))

    def slots(self, pack: Pack, kind: int, owner: Sector, receiver: Receiver) -> Slots:
        """Return `decide.slots`, remembered: the same four always give the same answer."""
        key = (pack.digest, kind, owner, receiver)
        found = self._slots.get(key)
        if found is None:
            found = self._slots[key] = decide.slots(pack, kind, owner, receiver)
        return found


def _leaves_out(entry: d.SignedEntry, seq: int) -> bool:
    """Tell whether an entry is a later one than the next."""
    try:
        return decode(d.Entry, entry.entry, "entry").seq > seq + 1
    except Invalid:
        return False


def local_day(at: int, zone: str) -> date:
    """Return the calendar day of a Unix time in a zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).date()
