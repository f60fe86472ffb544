"""Custodians' shares: kept on their devices, given to a device that recovers, and combined there.

For the day on which nobody is left who could wrap an epoch: two of three custodians give their shares to the new
device, sealed to it, and it has the epochs again.
Refuses to give a share to a device that the own directory does not entitle to the epoch, and to use one that the
directory does not name.
Source: docs/protocol.md section 1.

> INVARIANT: a recovered secret is held only if it reproduces the published keys; a drill holds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from sluss_client.errors import Invalid, Refused
from sluss_client.keyring import names
from sluss_client.keyring.splitting import combine, is_split, open_share, seal_share
from sluss_client.keys import HeldEpoch, matches, wrap_epoch
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.agency import Audience, Device, EpochKeys
from sluss_schemas.ids import AudienceId, Kid
from sluss_schemas.replay import Directory

_SPACE: Final = "share"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one epoch, in codes.

    Attributes:
        outcome: `held` (it was here), `recovered`, `not_split`, `shares_missing`, `bad_share` or `not_recovered`.
        given: the aliases of custodians whose share is the one in the directory.
        bad: the aliases of custodians whose share is not.

    """

    function: str
    epoch: int
    outcome: str
    given: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery did; `foreign` are the senders of shares that are of no epoch, or of no custodian, of ours."""

    epochs: tuple[Recovered, ...]
    foreign: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every epoch that may be here is here, or in a drill could be."""
        return all(one.outcome in {"held", "recovered"} for one in self.epochs)


@dataclass(frozen=True, slots=True)
class Given:
    """To whom a custodian gave shares, and of how many epochs."""

    alias: str
    kid: str
    epochs: int


@dataclass(frozen=True, slots=True)
class SplitState:
    """One epoch of the own agency: whether it is split for the custodians of now, and what of it is on this device."""

    function: str
    epoch: int
    split: bool
    held: bool
    share: bool


@dataclass(frozen=True, slots=True)
class Custodian:
    """One of the three: who, and whether their device still counts."""

    alias: str
    kid: str
    active: bool


class Custody:
    """The acts around shares on a loaded device."""

    def __init__(self, local: Local, transport: Transport) -> None:
        """Take the device's state and its connection."""
        self._local = local
        self._transport = transport

    async def give(self, whom: str) -> Given:
        """Give this custodian's shares to somebody's device, by alias or by the device's id; sync before.

        Raises:
            Refused: `custodian_only`; `not_allowed` for a device that is entitled to none of the epochs.
            Invalid: `unknown_alias`; `out_of_range` where a person has several devices.

        """
        return await give(self._local, self._transport, device_of(self._local.trust.own, whom))

    async def recover(self, *, drill: bool = False) -> Recovery:
        """Combine the shares that custodians gave this device, and hold the epochs; a drill holds nothing.

        Raises:
            Refused: `no_custodians`, `shares_missing`.

        """
        return await recover(self._local, self._transport, drill=drill)

    def custodians(self) -> tuple[Custodian, ...]:
        """Return the three custodians in their order, or nobody."""
        own = self._local.trust.own
        devices = (own.devices[kid] for kid in own.custodians)
        return tuple(Custodian(_alias(own, one.kid), one.kid.hex(), one.revoked_at is None) for one in devices)

    def splits(self) -> tuple[SplitState, ...]:
        """Return every epoch of the own agency, in order."""
        local, own = self._local, self._local.trust.own
        mine = shares_here(local)
        return tuple(
            SplitState(
                str(audience.function),
                keys.epoch,
                is_split(own, audience, keys.epoch),
                local.ring.holds(keys, whole=True),
                (keys.audience, keys.epoch) in mine,
            )
            for audience in own.audiences.values()
            for keys in audience.epochs
        )


# the custodian's side


def take_in(local: Local, shares: Iterable[d.SealedShare]) -> None:
    """Keep this custodian's own shares, each checked against the directory; `bad_share` is the alarm otherwise."""
    own, kid = local.trust.own, local.keys.kid
    with local.store.transaction():
        for sealed in shares:
            if sealed.custodian != kid or sealed.device != kid:
                continue
            if sealed.share != _named(own, sealed.audience, sealed.epoch).get(kid):
                # A split that the directories pulled before do not name yet, or do not name any more.
                continue
            share = open_share(local, sealed)
            if share is None:
                local.alarm("bad_share", sealed.share)
            else:
                local.calm(sealed.share)
                local.store.put(_SPACE, sealed.audience + sealed.epoch.to_bytes(4, "big"), share)
        for (audience, epoch), share in shares_here(local).items():
            if _named(own, audience, epoch).get(kid) != hashlib.sha256(share).digest():
                # Split anew, for others or with other pads: what is here is of no use to anybody.
                local.store.delete(_SPACE, audience + epoch.to_bytes(4, "big"))


def shares_here(local: Local) -> dict[tuple[AudienceId, int], bytes]:
    """Return the shares that this custodian's device keeps, by audience and epoch."""
    return {(AudienceId(key[:16]), int.from_bytes(key[16:], "big")): share for key, share in local.store.items(_SPACE)}


def digests(local: Local) -> tuple[bytes, ...]:
    """Return the digests of those shares, so that they are not sent again."""
    return tuple(hashlib.sha256(share).digest() for share in shares_here(local).values())


async def give(local: Local, transport: Transport, device: Kid) -> Given:
    """Seal every share of this custodian, of epochs that a device is entitled to, to that device; raises as `Custody`.

    One person decides this at a table, with the other in front of them: the server's word is not asked for.
    """
    own = local.trust.own
    mine = shares_here(local)
    if not mine:
        raise Refused("device", code="custodian_only")
    to = own.devices[device]
    shares = tuple(
        seal_share(own, audience, epoch, local.keys.kid, to, share)
        for (audience, epoch), share in sorted(mine.items())
        if audience in own.audiences and (device, True) in own.entitled(own.audiences[audience], epoch)
    )
    if not shares:
        raise Refused("device", "This device is a member of no audience that there are shares of.", code="not_allowed")
    await transport.post("/v1/keys", membership.KeysOffer(shares=shares), type(None))
    return Given(_alias(own, device), device.hex(), len(shares))


def device_of(own: Directory, whom: str) -> Kid:
    """Return the one active device of a person by alias, or a device by its id in hexadecimal; raises as `Custody`."""
    active = {kid.hex(): kid for kid, one in own.devices.items() if one.revoked_at is None}
    if whom.lower() in active:
        return active[whom.lower()]
    person = next((one.person for one in own.persons.values() if one.alias == whom), None)
    kids = [kid for kid in active.values() if own.devices[kid].person == person]
    if not kids:
        raise Invalid("unknown_alias", "alias")
    if len(kids) > 1:
        say = f"This person has several devices; name one of them: {', '.join(kid.hex() for kid in kids)}."
        raise Invalid("out_of_range", "alias", say)
    return kids[0]


# the recovering side


async def recover(local: Local, transport: Transport, *, drill: bool = False) -> Recovery:
    """Fetch the shares that were given to this device and combine them; raises as `Custody`."""
    if not local.trust.own.custodians:
        raise Refused("custodians", code="no_custodians")
    pull = membership.KeysPull(local.ring.held(), (), names.digest(local.store))
    answer = await transport.post("/v1/keys/pull", pull, membership.KeysAnswer)
    found, secrets = assess(local, answer.shares, drill=drill)
    outcomes = {one.outcome for one in found.epochs}
    if "shares_missing" in outcomes and outcomes <= {"held", "not_split", "shares_missing"}:
        raise Refused("custodians", code="shares_missing")
    if not drill and secrets:
        await _own(local, transport, secrets)
        with local.store.transaction():
            for secret in secrets:
                local.hold_epoch(secret)
                local.read_again(secret.audience)
    return found


async def _own(local: Local, transport: Transport, secrets: Iterable[HeldEpoch]) -> None:
    """Let the server have wraps for this device: from then on it says who else lacks these epochs."""
    own, keys = local.trust.own_id, local.keys
    sets = (
        membership.EpochSet(one.audience, one.epoch, (wrap_epoch(one, own, keys.kid, keys.kem.public, whole=True),))
        for one in secrets
    )
    try:
        await transport.post("/v1/keys", membership.KeysOffer(wraps=tuple(sets)), type(None))
    except Refused as problem:
        # Without them custodians give to the next one as they gave here.
        if problem.code != "not_allowed":
            raise


def assess(local: Local, shares: Iterable[d.SealedShare], *, drill: bool = False) -> tuple[Recovery, list[HeldEpoch]]:
    """Return what these shares give, and the secrets; a drill also tries what is held already."""
    own = local.trust.own
    by_epoch: dict[tuple[bytes, int], list[d.SealedShare]] = {}
    foreign = set[str]()
    for sealed in shares:
        if sealed.device == local.keys.kid and sealed.custodian in _named(own, sealed.audience, sealed.epoch):
            by_epoch.setdefault((sealed.audience, sealed.epoch), []).append(sealed)
        else:
            foreign.add(_alias(own, Kid(sealed.custodian)))
    found, secrets = [], []
    for audience in local.memberships():
        for keys in audience.epochs[audience.members[local.keys.kid] - 1 :]:
            given = by_epoch.get((keys.audience, keys.epoch), [])
            if local.ring.holds(keys, whole=True) and not drill:
                found.append(Recovered(str(audience.function), keys.epoch, "held"))
                continue
            one, secret = _assess_epoch(local, audience, keys, given)
            found.append(one)
            if secret is not None:
                secrets.append(secret)
    return Recovery(tuple(found), tuple(sorted(foreign))), secrets


def _assess_epoch(
    local: Local, audience: Audience, keys: EpochKeys, given: list[d.SealedShare]
) -> tuple[Recovered, HeldEpoch | None]:
    own = local.trust.own
    named = _named(own, keys.audience, keys.epoch)
    good = dict[int, bytes]()
    bad = set[Kid]()
    for sealed in given:
        kid = Kid(sealed.custodian)
        share = open_share(local, sealed) if sealed.share == named[kid] else None
        if share is None:
            bad.add(kid)
        else:
            good[list(named).index(kid)] = share
    bad -= {kid for number, kid in enumerate(named) if number in good}
    secret = None
    for pair in combinations(sorted(good.items()), 2):
        tried = HeldEpoch(keys.audience, keys.epoch, combine(*pair), whole=True)
        if matches(tried, keys):
            secret = tried
            break
    if secret is not None:
        outcome = "recovered"
    elif not named:
        outcome = "not_split"
    elif len(good) > 1:
        outcome = "not_recovered"
    else:
        outcome = "bad_share" if bad else "shares_missing"
    who = tuple(_alias(own, kid) for number, kid in enumerate(named) if number in good)
    wrong = tuple(_alias(own, kid) for kid in named if kid in bad)
    return Recovered(str(audience.function), keys.epoch, outcome, who, wrong), secret


def _named(own: Directory, audience: bytes, epoch: int) -> dict[Kid, bytes]:
    """Return the digests of an epoch's shares by custodian, in the order that they were made in."""
    entry = own.shares.get((AudienceId(audience), epoch))
    return {} if entry is None else {Kid(kid): digest for kid, digest in entry.shares}


def _alias(own: Directory, kid: Kid) -> str:
    device: Device | None = own.devices.get(kid)
    return kid.hex() if device is None else own.persons[device.person].alias
