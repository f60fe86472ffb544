"""What an agency's directory holds: persons, devices, audiences and their epochs.

Values only; `replay.py` says how entries change them.
Source: docs/protocol.md sections 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sluss_schemas.directory import EPOCH_S
from sluss_schemas.ids import AudienceId, Function, Kid, PersonId
from sluss_schemas.terms import Terms


@dataclass(frozen=True, slots=True)
class Person:
    """A person as the directory knows them: an alias, functions, scenes."""

    person: PersonId
    alias: str
    functions: tuple[Function, ...]
    scenes: frozenset[int] | None
    valid_until: int | None
    suspended: bool = False

    def active(self, at: int) -> bool:
        """Tell whether the person has rights at this time."""
        return not self.suspended and (self.valid_until is None or at < self.valid_until)

    def at_scene(self, scene: int) -> bool:
        """Tell whether the person is assigned to a scene."""
        return self.scenes is None or scene in self.scenes


@dataclass(frozen=True, slots=True)
class Device:
    """A device and its keys."""

    kid: Kid
    person: PersonId
    sign_key: bytes
    kem_key: bytes
    kem_kid: Kid
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agency's own part in an agreement: the terms, their bytes, whose device signed them, and whether it stands."""

    terms: Terms
    data: bytes
    head: Kid
    state: Literal["signed", "suspended", "terminated"] = "signed"


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The public half of one epoch, from the entry `opened_seq` on.

    `closed_at` and `closed_seq` are the time and number of the epoch that followed.
    """

    audience: AudienceId
    epoch: int
    kem_key: bytes
    kem_kid: Kid
    sign_key: bytes
    sign_kid: Kid
    wraps: bytes
    devices: tuple[Kid, ...]
    opened_at: int
    opened_seq: int
    closed_at: int | None = None
    closed_seq: int | None = None

    def current_at(self, seq: int) -> bool:
        """Tell whether this was the epoch in force after the entry of this number."""
        return self.opened_seq <= seq and (self.closed_seq is None or seq < self.closed_seq)


@dataclass(slots=True)
class Audience:
    """A group of devices with one secrecy position, and its epochs in order.

    `members` gives each device the first epoch that it is entitled to; `history` keeps that for the person, whose next
    device gets the same. `left` are devices that hold something of the current epoch and may not any more.
    """

    audience: AudienceId
    function: Function
    members: dict[Kid, int] = field(default_factory=dict)
    epochs: list[EpochKeys] = field(default_factory=list)
    history: dict[PersonId, int] = field(default_factory=dict)
    left: set[Kid] = field(default_factory=set)

    def copy(self) -> Audience:
        """Return a copy that changes by itself."""
        return Audience(
            self.audience, self.function, dict(self.members), list(self.epochs), dict(self.history), set(self.left)
        )

    def rotation_due(self, at: int) -> bool:
        """Tell whether a new epoch is due: somebody left, somebody waits for it, or the current one is 90 days old."""
        current = self.current
        if current is None:
            return bool(self.members)
        waiting = any(first > current.epoch for first in self.members.values())
        return bool(self.members) and (bool(self.left) or waiting or at >= current.opened_at + EPOCH_S)

    @property
    def current(self) -> EpochKeys | None:
        """The epoch in force, if there is one yet."""
        return self.epochs[-1] if self.epochs else None

    @property
    def recipient(self) -> EpochKeys | None:
        """The epoch that is sealed to: the current one, and none while nobody is left in the audience.

        Without a member there is nobody to make the next one, and only those who have left hold this one.
        """
        return self.current if self.members else None
