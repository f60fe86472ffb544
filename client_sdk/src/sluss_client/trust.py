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
from sluss_schemas.codec import decode
from sluss_schemas.ids import AgencyId, Kid, PersonId, Sector
from sluss_schemas.manifest import Head
from sluss_schemas.policy import decide
from sluss_schemas.policy.answers import Receiver, Slots
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

    def agencies(self, at: int) -> list[Directory]:
        """Return the trusted directories, the own one first, then by slug."""
        others = [one for one in self.chains if one != self.own_id]
        found = [self.own, *(chain for one in others if (chain := self.agency(one, at)) is not None)]
        return [found[0], *sorted(found[1:], key=lambda chain: chain.slug)]

    def heads(self, at: int) -> tuple[Head, ...]:
        """Return the heads of the directories in use, in the order that the manifest's digest has."""
        return tuple(sorted((chain.head for chain in self.agencies(at)), key=lambda head: head.agency))

    def audiences(self, at: int) -> list[Reachable]:
        """Return every audience that exists, the own agency's first."""
        found = []
        for chain in self.agencies(at):
            own = chain.agency == self.own_id
            for audience in sorted(chain.audiences.values(), key=lambda one: one.function):
                receiver = Receiver(chain.sector, audience.function, own)
                found.append(Reachable(f"{chain.slug}/{audience.function}", chain.agency, receiver, audience))
        return found

    def receiver_of(self, agency: AgencyId, owner: AgencyId, function: str, *, named: bool = False) -> Receiver:
        """Return an audience of `agency` as the owner of a report sees it."""
        return Receiver(self.chains[agency].sector, function, agency == owner, named)  # type: ignore[arg-type]

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

    def devices_of(self, person: PersonId) -> Iterator[Device]:
        """Yield a person's devices that are not revoked, in the own agency."""
        return (one for one in self.own.devices.values() if one.person == person and one.revoked_at is None)

    # packs

    def pack(self, at: int) -> Pack:
        """Return the pack in force for the own agency at a time.

        Raises:
            Untrusted: `pack_refused` when the directory names no pack that this program has.

        """
        known = [pack for pack in self._packs if pack.digest in self.own.packs]
        if not known:
            raise Untrusted("pack_refused", "pack", "Update this program: it lacks the pack in force.")
        return pack_at(tuple(known), local_day(at, known[0].zone))

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
