"""How the secrets of epochs reach those who may hold them, and nobody else.

One exchange at every sync: take in wraps, shares and the roster; wrap for newcomers; propose epochs that are due and
splits that are missing.
It refuses to wrap on the server's word: who lacks an epoch is asked of the server, who may have it never.
Source: docs/protocol.md section 1.

> INVARIANT: a secret is wrapped only for a device that the own, verified directory entitles to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sluss_client import crypto
from sluss_client.errors import Invalid, Refused
from sluss_client.keyring import custody, names, roster, rotation, splitting
from sluss_client.keys import open_epoch, wrap_epoch
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import directory as d
from sluss_schemas import membership
from sluss_schemas.ids import AudienceId
from sluss_schemas.replay import Directory

_DAY_S: Final = 86_400
_OVERTAKEN: Final = frozenset({"directory_conflict", "not_allowed"})
"""What a server says to an offer that was made under the directory of a moment ago; the next sync makes it anew."""


async def exchange(local: Local, transport: Transport) -> bool:
    """Take in what came for this device, offer what others lack; tell whether a key is new here."""
    answer = await pull(local, transport)
    with local.store.transaction():
        learned = take_in(local, answer)
        rotation.check(local, answer)
        custody.take_in(local, answer.shares)
        roster.take_in(local, answer.roster)
    # One after the other: an offer that the server cannot take must not keep a newcomer waiting.
    await _offer(transport, membership.KeysOffer(wraps=tuple(newcomers(local, answer))))
    await _offer(transport, membership.KeysOffer(proposals=tuple(rotation.proposals(local, answer, transport.now()))))
    await _offer(transport, membership.KeysOffer(splits=tuple(splitting.proposals(local, answer))))
    return learned


async def _offer(transport: Transport, offer: membership.KeysOffer) -> None:
    if offer == membership.KeysOffer():
        return
    try:
        await transport.post("/v1/keys", offer, type(None))
    except (Invalid, Refused) as problem:
        if problem.code not in _OVERTAKEN:
            raise


async def pull(local: Local, transport: Transport) -> membership.KeysAnswer:
    """Ask for keys, naming what is here, so that it is not sent again."""
    asked = membership.KeysPull(local.ring.held(), custody.digests(local), names.digest(local.store))
    return await transport.post("/v1/keys/pull", asked, membership.KeysAnswer)


def take_in(local: Local, answer: membership.KeysAnswer) -> bool:
    """Take in the first wrap of each epoch that opens and is the directory's; anything less is an alarm."""
    wraps: dict[tuple[AudienceId, int], list[d.EpochWrap]] = {}
    for own in sorted(answer.wraps, key=lambda one: not one.wrap.whole):
        wraps.setdefault((AudienceId(own.audience), own.epoch), []).append(own.wrap)
    learned = False
    for (audience, epoch), found in wraps.items():
        if not _exists(local.trust.own, audience, epoch):
            # Opened since the directories were pulled: it comes again, with its entry.
            continue
        learned = _take_one(local, audience, epoch, found) or learned
    return learned


def _take_one(local: Local, audience: AudienceId, epoch: int, wraps: list[d.EpochWrap]) -> bool:
    known = local.ring.epochs.get((audience, epoch))
    wanted = [wrap for wrap in wraps if known is None or (wrap.whole and not known.whole)]
    if not wanted:
        return False
    about, code = audience + epoch.to_bytes(4, "big"), "bad_epoch_wrap"
    for wrap in wanted:
        try:
            held = open_epoch(local.keys, local.trust.own_id, audience, epoch, wrap)
        except crypto.CannotOpen:
            continue
        if local.hold_epoch(held):
            local.calm(about)
            if held.whole:
                local.read_again(audience)
            return True
        code = "epoch_differs"
    local.alarm(code, about)
    return False


def newcomers(local: Local, answer: membership.KeysAnswer) -> Iterator[membership.EpochSet]:
    """Yield wraps for devices that lack an epoch that is here whole, as far as the own directory entitles them."""
    own = local.trust.own
    for lacking in answer.lacking:
        secret = local.ring.epochs.get((AudienceId(lacking.audience), lacking.epoch))
        if secret is None or not secret.whole:
            continue
        asked = {(kid, True) for kid in lacking.whole} | {(kid, False) for kid in lacking.group}
        wraps = tuple(
            wrap_epoch(secret, local.trust.own_id, kid, own.devices[kid].kem_key, whole=whole)
            for kid, whole in own.entitled(own.audiences[AudienceId(lacking.audience)], lacking.epoch)
            if (kid, whole) in asked and crypto.usable(own.devices[kid].kem_key)
        )
        if wraps:
            yield membership.EpochSet(lacking.audience, lacking.epoch, wraps)


def _exists(own: Directory, audience: AudienceId, epoch: int) -> bool:
    found = own.audiences.get(audience)
    return found is not None and 1 <= epoch <= len(found.epochs)


# for the doctor


class AudienceState(msgspec.Struct, frozen=True, kw_only=True):
    """How the keys of one audience of this device stand.

    Attributes:
        function: its function.
        key: whether the current epoch is here whole.
        lacking: how many earlier epochs that this device may have are not here.
        age_days: how long the current epoch has been in force; None without one.
        rotation_due: whether a new epoch has to be made, at the next syncs of a member and of a registrar.
        waiting: how many members have no epoch to read before that one.
        not_split: how many epochs no two custodians of now could recover; 0 without custodians.

    """

    function: str
    key: bool
    lacking: int
    age_days: int | None
    rotation_due: bool
    waiting: int
    not_split: int


def state(local: Local, now: int) -> list[AudienceState]:
    """Return how the keys of this device's audiences stand, in numbers."""
    own = local.trust.own
    found = []
    for audience in local.memberships():
        current = audience.current
        mine = audience.epochs[audience.members[local.keys.kid] - 1 :]
        here = [local.ring.holds(keys, whole=True) for keys in mine]
        found.append(
            AudienceState(
                function=str(audience.function),
                key=current is not None and local.ring.holds(current, whole=True),
                lacking=here[:-1].count(False),
                age_days=None if current is None else max(now - current.opened_at, 0) // _DAY_S,
                rotation_due=rotation.due(local, audience, now),
                waiting=sum(first > len(audience.epochs) for first in audience.members.values()),
                not_split=sum(not splitting.is_split(own, audience, keys.epoch) for keys in audience.epochs)
                if own.custodians
                else 0,
            )
        )
    return found


def missing(local: Local) -> list[str]:
    """Return the functions whose current key has not reached this device yet."""
    return [
        str(audience.function)
        for audience in local.memberships()
        if audience.current is None or not local.ring.holds(audience.current, whole=True)
    ]
