"""An agency whose directory is made here, entry by entry, with real keys and real stores, and no server.

For what a device does with an answer that no honest server would give, and for tables of many cases.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sluss_client.crypto import SignKey
from sluss_client.keyring.rotation import epochs_to_sign, propose
from sluss_client.keys import DeviceSeeds
from sluss_client.local import Config, Local
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience, EpochKeys
from sluss_schemas.ids import AgencyId, Function, Kid, kid_of
from sluss_schemas.replay import Directory

PASSPHRASE: Final = "a chain's passphrase"
START: Final = 1_790_000_000
"""When the agency was founded, in Unix seconds."""


class Agency:
    """An agency with the audiences `field` and `supervisors`; its root signs every entry."""

    def __init__(self, folder: Path) -> None:
        """Found it; nobody is in it."""
        self.now = START
        self.partnership = os.urandom(16)
        self.locals: list[Local] = []
        self._folder = folder
        self._root = SignKey(os.urandom(32))
        self._entries: list[d.SignedEntry] = []
        self.directory = Directory()
        committed = hashlib.sha256(os.urandom(32)).digest()
        self.append(
            d.Genesis(
                self.partnership,
                "security",
                "SEC",
                "Guards",
                "Vakter",
                registry=True,
                root=self._root.public,
                next_root=committed,
                checkpoint=bytes(32),
            ),
            d.AudienceCreate(os.urandom(16), "field"),
            d.AudienceCreate(os.urandom(16), "supervisors"),
        )

    def close(self) -> None:
        """Close every store."""
        for local in self.locals:
            local.store.close()

    def append(self, *bodies: d.Body) -> None:
        """Sign entries, one second after the other, and let every device have them."""
        for body in bodies:
            self.now += 1
            data = d.entry_bytes(self.directory.seq + 1, self.directory.hash, body, self.now)
            entry = d.SignedEntry(data, kid_of(self._root.public), self._root.sign(d.entry_message(data)))
            self.directory.append(entry)
            self._entries.append(entry)
        for local in self.locals:
            self.bring(local)

    def bring(self, local: Local) -> None:
        """Let a device have what it lacks of the directory."""
        chain = local.trust.chains.get(self.directory.agency)
        first = 0 if chain is None else chain.seq + 1
        if first < len(self._entries):
            local.extend(membership.Chain(self.directory.agency, first, tuple(self._entries[first:])))

    def device(
        self, *functions: Function, person: bytes | None = None, from_epoch: int = 1, registrar: bool = False
    ) -> Local:
        """Add a device, of a new person unless one is given, as a member of its functions' audiences."""
        number = len(self.locals) + 1
        seeds = DeviceSeeds.new()
        config = Config("http://127.0.0.1:9", self.partnership, self.directory.agency, self.directory.root_fingerprint)
        local = Local.create(self._folder / f"{number}.sluss", PASSPHRASE, seeds, config)
        self.locals.append(local)
        invite = os.urandom(16)
        sign, kem = local.keys.sign, local.keys.kem
        message = d.enrolment_message(self.partnership, invite, sign.public, kem.public)
        bodies: list[d.Body] = []
        if person is None:
            person = os.urandom(16)
            bodies.append(d.PersonAdd(person, f"S-{number}", tuple(sorted(functions)), None, None))
        bodies.append(d.DeviceAdd(person, invite, sign.public, kem.public, sign.sign(message)))
        bodies += [d.MemberAdd(self.audience(one).audience, local.keys.kid, from_epoch) for one in functions]
        if registrar:
            bodies.append(d.RegistrarAdd(sign.public))
        self.append(*bodies)
        return local

    def audience(self, function: Function) -> Audience:
        """Return the audience of a function."""
        found = self.directory.audience_for(function)
        assert found is not None
        return found

    def rotate(self, function: Function, maker: Local) -> membership.EpochSet:
        """Let a member's device make the next epoch, have it signed, and return its wraps."""
        proposal = propose(maker, self.audience(function))
        ((body, wraps),) = epochs_to_sign(maker, answer(proposals=[proposal]), self.now + d.EPOCH_S)
        self.append(body)
        return wraps


def answer(
    *,
    wraps: Sequence[membership.OwnWrap] = (),
    lacking: Sequence[membership.Lacking] = (),
    proposals: Sequence[membership.EpochProposal] = (),
    splits: Sequence[membership.ShareProposal] = (),
) -> membership.KeysAnswer:
    """Return what a server would answer to a request for keys."""
    return membership.KeysAnswer(tuple(wraps), tuple(lacking), tuple(proposals), tuple(splits))


def own_wraps(given: membership.EpochSet, kid: Kid) -> list[membership.OwnWrap]:
    """Return the wraps that are one device's."""
    return [membership.OwnWrap(given.audience, given.epoch, one) for one in given.wraps if one.device == kid]


def current(local: Local, function: Function) -> EpochKeys:
    """Return the epoch in force, as a device knows it."""
    audience = local.trust.own.audience_for(function)
    assert audience is not None
    assert audience.current is not None
    return audience.current


def agency_of(local: Local) -> AgencyId:
    """Return the agency that a device belongs to."""
    return local.trust.own_id
