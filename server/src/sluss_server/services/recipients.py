"""Who gets what of a report: the wraps that the pack allows to each recipient, and the feed that they go into.

The device has decided already, by the same pack; this decides it again and leaves out what exceeds it.
Source: docs/protocol.md section 3, docs/secrecy-rules.md.

> INVARIANT: no entry holds a wrap that the pack does not allow to its recipient, and a feed's name tells a scene only
> to those for whom the place is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import msgpack

from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.codec import encode
from sluss_schemas.disclosure import BASE_RELEASE, Sealed, Wrap
from sluss_schemas.ids import NO_SCENE, bit, bitmap_of
from sluss_schemas.manifest import Manifest
from sluss_schemas.policy.decide import Receiver, Slots
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.sync import Item, Tier
from sluss_server.services.directories import View
from sluss_server.services.rules import Rules
from sluss_server.storage.feeds import BASE, NewEntry, audience_feed, device_feed

# These bytes were canonical when they came in, so they are decoded once, not checked again.
_wraps: Final = msgpack.Decoder(tuple[Wrap, ...])
_facts: Final = msgpack.Decoder(tuple[int])
_tiers: Final = msgpack.Decoder(tuple[Tier | None, Tier | None])

PLACE: Final = bit("PLC") | bit("PLC", brief=True)


class Placing(NamedTuple):
    """The entries of a report's own recipients, and whether anything was left out."""

    entries: list[NewEntry]
    trimmed: bool


class Target(NamedTuple):
    """The version that seals are for: D, its manifest, the scene of tier 0, and the bitmap of the slots it fills."""

    digest: bytes
    manifest: Manifest
    scene: int
    filled: int


class Kept(NamedTuple):
    """The wraps that stay of a seal, as they are stored, their bitmap, and whether any went."""

    wraps: bytes
    bits: int
    trimmed: bool


def place_base(
    rules: Rules,
    view: View,
    directory: Directory,
    target: Target,
    recipients: Sequence[Sealed],
    *,
    now: int,
    past: bool = False,
) -> Placing:
    """Return the feed entries of a version's own seals by what is in force now; `past` is as for `resolve`.

    Raises:
        Invalid: `stale_directory`, when a recipient is an epoch that is not in force any more.

    """
    manifest, scene = target.manifest, target.scene
    sealed = {one.kid: one for one in recipients}
    entries = list[NewEntry]()
    trimmed = not sealed.keys() <= {one.kid for one in manifest.recipients}
    for recipient in manifest.recipients:
        given = sealed.get(recipient.kid)
        found = resolve(view, recipient.kid, past=past)
        if given is None:
            continue
        if found is None:
            trimmed = True
            continue
        receiver = view.as_receiver(recipient.kid, directory.agency, now, scene)
        slots = rules.slots(manifest.pack, manifest.kind, directory.sector, receiver) if receiver else Slots()
        kept = keep(given, (slots.open | slots.held) & target.filled)
        trimmed = trimmed or kept.trimmed
        if kept.bits:
            feed = feed_of(found, receiver, scene if slots.open & PLACE else NO_SCENE)
            entries.append(
                NewEntry(feed, "put", target.digest, BASE, recipient.kid, None, None, None, given.seal, kept.wraps)
            )
    return Placing(entries, trimmed)


def filled_slots(item: Item) -> int:
    """Return the bitmap of the slots for which an item brings a section."""
    return bitmap_of(section.slot for section in item.sections)


def given(rules: Rules, pack: bytes, slots: Slots, receiver: Receiver, code: str) -> int:
    """Return what a grant on a ground may give a receiver: a duty an audience, a decision a named person's device.

    A ground that is for another function than field staff, such as a report of concern, is for that audience.
    """
    if code == BASE_RELEASE:
        return 0 if receiver.named else slots.open
    gateway = rules.gateway(pack, code)
    if gateway is None or gateway.held or receiver.own:
        return 0
    if receiver.named:
        return slots.gateways.get(code, 0)
    chosen = slots.gateways.get(code, 0) if gateway.receiver_function != "field" else 0
    return slots.duties.get(code, 0) | chosen


def resolve(view: View, kid: bytes, *, past: bool = False) -> EpochKeys | Device | None:
    """Return the epoch or device, of any agency, that may be a recipient, or None for one that nobody knows.

    `past` takes one that was a recipient when the version was sealed: a closed epoch, a device revoked since.

    Raises:
        Invalid: `stale_directory` for an epoch that is not in force any more.

    """
    found = view.receiver(kid)
    if found is None:
        return None
    directory, keys = found
    if isinstance(keys, Device):
        return keys if past or keys.revoked_at is None else None
    if not past and not view.is_current(directory, keys):
        raise Invalid("stale_directory", "recipients")
    return keys


def keep(sealed: Sealed, allowed: int) -> Kept:
    """Return what stays of a seal's wraps."""
    kept = tuple(wrap for wrap in sealed.wraps if allowed >> wrap.slot & 1)
    return Kept(encode(kept), bitmap_of(wrap.slot for wrap in kept), len(kept) != len(sealed.wraps))


def keep_wraps(wraps: bytes, allowed: int) -> tuple[Wrap, ...]:
    """Return what stays of wraps as they are stored."""
    return tuple(wrap for wrap in _wraps.decode(wraps) if allowed >> wrap.slot & 1)


def scene_of(tiers: bytes) -> int:
    """Return the scene that a stored version's facts tell, or none."""
    first = _tiers.decode(tiers)[0] if tiers else None
    return NO_SCENE if first is None else int(_facts.decode(first.tier)[0])


def feed_of(keys: EpochKeys | Device, receiver: Receiver | None, scene: int) -> bytes:
    """Return the feed of a recipient; only field staff have feeds by scene."""
    if isinstance(keys, Device):
        return device_feed(keys.kid)
    return audience_feed(keys.audience, scene if receiver is not None and receiver.function == "field" else NO_SCENE)
