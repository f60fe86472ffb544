"""What this device has noticed about its server, kept from sync to sync.

Which instance the server says it is; which deliveries were kept out and are asked for again; which reports of this
device's own have yet to come back.
It decides nothing about content and asks the server nothing itself.
Source: docs/protocol.md section 6.

> INVARIANT: a delivery that was kept out is asked for again, so what a server withheld or broke arrives once it is
> honest.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sluss_client.local import Local
from sluss_client.outbox import Row
from sluss_client.syncing.noticing import AHEAD, CONTRADICTIONS, LARGEST, Feeds
from sluss_schemas import sync as wire
from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid
from sluss_schemas.manifest import read_manifest

AGAIN_S: Final = 35 * 86_400
"""How long after a restore devices push again what they filed before it."""
TRIES: Final = 5
"""How often a delivery that its author may have made wrongly is asked for again."""
_SPACE: Final = "noticed"
_ACCEPTED: Final = b"accepted"
_RESTORED: Final = b"restored"
_INSTANCE: Final = b"instance"
_BEGUN: Final = "begun"
_REACHED: Final = "reached"
_KEPT_OUT: Final = "kept_out"
_ECHO: Final = "echo"
_PUT: Final = frozenset({wire.OutcomeCode.CREATED, wire.OutcomeCode.FORKED})


# the server's instance


def compare_instance(local: Local, now: int) -> None:
    """Hold the instance that the server says it is against the one known; alarm until the own registrar signed it."""
    store, instance = local.store, local.server_instance()
    accepted = store.get(_SPACE, _ACCEPTED)
    if not accepted:
        # What the server was when this device came to it.
        store.put(_SPACE, _ACCEPTED, instance)
    elif instance == accepted:
        local.calm(_INSTANCE)
    elif instance and instance == local.trust.own.instance:
        store.put(_SPACE, _ACCEPTED, instance)
        store.put(_SPACE, _RESTORED, now.to_bytes(8, "big"))
        local.calm(_INSTANCE)
    else:
        local.alarm("unannounced_restore", _INSTANCE)


def restored(local: Local, now: int) -> bool:
    """Tell whether the server was restored lately, by the own registrar's word: old things may arrive as new."""
    at = local.store.get(_SPACE, _RESTORED)
    return at is not None and now - int.from_bytes(at, "big") < AGAIN_S


def says_restored(local: Local) -> bool:
    """Tell whether the server says that it was restored, which nobody has confirmed."""
    return local.server_instance() != (local.store.get(_SPACE, _ACCEPTED) or b"")


def may_begin_anew(local: Local, feed: bytes) -> bool:
    """Tell whether the server is another instance than when this feed's generation began here."""
    return local.store.get(_BEGUN, feed) != local.server_instance()


def begun(local: Local, feed: bytes) -> None:
    """Note that a feed's generation began under the server's instance of now."""
    local.store.put(_BEGUN, feed, local.server_instance())


def went_back(local: Local, said: wire.Position, before: wire.Position | None) -> None:
    """Follow a server whose feed ends before the place reached here: else what comes next would never come.

    At a generation before, the feed is read from its head anew. Nothing that is here is forgotten for it.
    """
    if before is None or said.generation > before.generation:
        return
    if said.generation < before.generation:
        local.forget_feed(said.feed)
        reached = max(said.seq, 1)
    elif 0 <= said.seq < before.seq:
        below = min(before.below, said.seq + 1)
        local.move_cursor([msgspec.structs.replace(before, seq=said.seq, below=below if below > 1 else 0)])
        reached = before.seq
    else:
        return
    reached = min(max(reached, known_to(local, said.feed)), LARGEST)
    local.store.put(_REACHED, said.feed, reached.to_bytes(8, "big"))
    _forget_gone(local)


def known_to(local: Local, feed: bytes) -> int:
    """Return up to where a feed was read before its server went back, or 0: that much may come a second time."""
    return int.from_bytes(local.store.get(_REACHED, feed) or b"", "big")


# deliveries that were kept out


class KeptOut(msgspec.Struct, frozen=True, array_like=True):
    """A delivery that was kept out: why, how often it was asked for since, and how it first came.

    `new` says that it came as something new, `closed_before` with which times; see `noticing.check_when`.
    """

    feed: bytes
    generation: int
    seq: int
    digest: bytes
    code: str = ""
    tries: int = 0
    new: bool = False
    closed_before: int | None = None

    @property
    def key(self) -> bytes:
        """The row's key."""
        return self.feed + self.generation.to_bytes(8, "big") + self.seq.to_bytes(8, "big")


def keep_out(local: Local, one: KeptOut) -> None:
    """Keep that a delivery was kept out, with the alarm."""
    before = local.store.get(_KEPT_OUT, one.key)
    tries = 0 if before is None else msgspec.msgpack.decode(before, type=KeptOut).tries + 1
    local.store.put(_KEPT_OUT, one.key, msgspec.msgpack.encode(msgspec.structs.replace(one, tries=tries)))
    if one.code != AHEAD or tries >= TRIES:
        local.alarm(one.code, one.digest)


def let_in(local: Local, one: KeptOut) -> None:
    """Forget a delivery that has come as it should, and its alarm."""
    local.store.delete(_KEPT_OUT, one.key)
    if not any(other.digest == one.digest for other in kept_out(local)):
        local.calm(one.digest)


def kept_out(local: Local) -> list[KeptOut]:
    """Return what was kept out, the least often asked for first."""
    found = (msgspec.msgpack.decode(data, type=KeptOut) for _, data in local.store.items(_KEPT_OUT))
    return sorted(found, key=lambda one: (one.tries, one.key))


def to_ask_again(local: Local, number: int) -> list[KeptOut]:
    """Return at most so many deliveries to ask for again, of feeds that stand as they stood then."""
    _forget_gone(local)
    lasting = CONTRADICTIONS | {AHEAD}
    return [one for one in kept_out(local) if one.tries < TRIES or one.code in lasting][:number]


def _forget_gone(local: Local) -> None:
    """Forget what comes again by itself: of a feed that is read from its head anew, or that ended before after all."""
    stands = {(position.feed, position.generation): position.seq for position in local.cursor()}
    for one in kept_out(local):
        if one.seq > stands.get((one.feed, one.generation), -1):
            local.store.delete(_KEPT_OUT, one.key)


def contradiction(local: Local) -> str | None:
    """Return why nothing may be sealed: somebody's directories contradict those here. None while nobody's do."""
    return next((one.code for one in kept_out(local) if one.code in CONTRADICTIONS), None)


# the own reports' echo


def expect(local: Local, row: Row, outcome: wire.Outcome) -> None:
    """Note that a report of this device has to come back, where it was put into a feed that this device has."""
    receipt = decode(wire.Receipt, outcome.receipt or b"", "receipt")
    if receipt.outcome not in _PUT:
        return
    item = decode(wire.Item, local.outbox.item(row), "item")
    own, kid = local.trust.own, local.keys.kid
    scene = b"" if item.tiers[0] is None else decode(tuple[int], item.tiers[0].tier, "facts")[0].to_bytes(2, "big")
    feeds = set[bytes]()
    for recipient in read_manifest(item.manifest).recipients:
        keys = own.by_kem_kid.get(Kid(recipient.kid))
        if isinstance(keys, EpochKeys) and kid in own.audiences[keys.audience].members:
            # Which of the two is the pack's to say; a device that has the one has the other.
            feeds |= {keys.audience, keys.audience + scene} if _by_scene(local, keys) else {keys.audience}
        elif isinstance(keys, Device) and keys.kid == kid:
            feeds.add(b"d" + kid)
    if feeds and row.digest is not None:
        local.store.put(_ECHO, row.digest, msgspec.msgpack.encode(sorted(feeds)))


def _by_scene(local: Local, keys: EpochKeys) -> bool:
    return local.trust.own.audiences[keys.audience].function == "field"


def came_back(local: Local, came: set[bytes]) -> None:
    """Note that these digests came."""
    for digest, _ in list(local.store.items(_ECHO)):
        if digest in came:
            local.store.delete(_ECHO, digest)
            if ("withheld", digest) in {(code, one) for one, code in local.alarms()}:
                local.calm(digest)


def missed(local: Local, feeds: Feeds) -> int:
    """After everything was pulled: alarm `withheld` for reports of this device that did not come; return how many."""
    found = 0
    for digest, data in list(local.store.items(_ECHO)):
        if all(feeds.has(feed) for feed in msgspec.msgpack.decode(data, type=list[bytes])):
            local.alarm("withheld", digest)
            found += 1
        else:
            # This device has left an audience or a scene since.
            local.store.delete(_ECHO, digest)
    return found
