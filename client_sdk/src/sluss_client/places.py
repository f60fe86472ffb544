"""Protected places on a device that may hold their list, and what becomes of reports that lie in one.

The list is health's, sealed to the agencies that the pack names; it is looked up here and nowhere else, so no server
and no other device learns that a report was near such a place.
Police and guards have no such list: they choose from public places, and what is on no list stays in their agency.
Refuses: to say which place it was; the answer is the same for all of them.

> INVARIANT: a device that the pack does not name keeps no list of protected places.
> INVARIANT: a report of the own agency that lies in a protected place leaves it for nobody, by what its kind says.

Source: docs/secrecy-rules.md ("Protected places"), B7 13, 14 and 18.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from sluss_client.errors import Refused
from sluss_client.local import Local
from sluss_schemas import forms, protected
from sluss_schemas.codec import encode
from sluss_schemas.ids import AgencyId
from sluss_schemas.policy.model import AtProtected, Pack
from sluss_schemas.replay import Directory

SPACE: Final = "places"
"""The store's space of the lists, each by its agency and code."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A list as it came: when it was made, by which record, and its body."""

    time: int
    record: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class AtFiling:
    """What a report's place means for it: a hold, and whether others are told the scene alone."""

    hold: str = ""
    stays: bool = False


def take(local: Local, agency: AgencyId, code: str, kept: Kept, now: int) -> bool:
    """Keep a list that came in a record, if this agency may give it and this device may hold it; tell whether it did.

    The newest list of an agency counts, whichever comes first.

    Raises:
        Invalid: the body is no such list.

    """
    pack, chain = local.trust.pack(now), local.trust.agency(agency, now)
    if chain is None or not may_give(chain, code, pack):
        return False
    if code == protected.PUBLIC:
        protected.read_public(kept.body)
    elif local.trust.own.sector in pack.filing.holds_places:
        protected.read_protected(kept.body)
    else:
        return False
    before = _kept(local, agency, code)
    if before is not None and (before.time, before.record) >= (kept.time, kept.record):
        return False
    local.store.put(SPACE, agency + code.encode(), msgspec.msgpack.encode(kept))
    return True


def may_give(chain: Directory, code: str, pack: Pack) -> bool:
    """Tell whether an agency may give a list: of public places also the one that keeps the registry of scenes."""
    registry = chain.genesis is not None and chain.genesis.registry
    return chain.sector in pack.filing.protects or (code == protected.PUBLIC and registry)


def protected_places(local: Local, now: int) -> list[protected.ProtectedPlace]:
    """Return every protected place that this device knows of; none where the pack does not let it."""
    pack = local.trust.pack(now)
    if local.trust.own.sector not in pack.filing.holds_places:
        return []
    lists = (protected.read_protected(body) for body in _bodies(local, protected.PROTECTED, pack, now))
    return [place for one in lists for place in one.places]


def public_places(local: Local, scene: str | None, now: int) -> frozenset[str] | None:
    """Return the public places of a scene, or None while there is no list of them."""
    number = local.trust.scene_numbers(now).get(scene or "")
    found: set[str] | None = None
    for body in _bodies(local, protected.PUBLIC, local.trust.pack(now), now):
        for listed, names in protected.read_public(body).scenes:
            if listed == number:
                found = (found or set()) | {_plain(name) for name in names}
    return None if found is None else frozenset(found)


def fingerprint(local: Local, now: int) -> bytes:
    """Return what changes when the protected places that this device knows of do, or one of them begins or ends."""
    listed = protected_places(local, now)
    return hashlib.sha256(encode((tuple(listed), [protected.in_force(one, now) for one in listed]))).digest()


def is_protected(local: Local, form: forms.Form, now: int) -> bool:
    """Tell whether a report lies in a place that was protected when it happened, or is now."""
    return bool(around(local, form, now))


def around(local: Local, form: forms.Form, now: int) -> list[protected.ProtectedPlace]:
    """Return the places in which a report lies that were protected when it happened, or are now."""
    place = forms.place_of(form)
    if place is None:
        return []
    point = None if place.lat is None or place.lon is None else (place.lat, place.lon)
    names, happened = protected.names_of(place), int(form.observed_at.timestamp())
    return [
        one
        for one in protected_places(local, now)
        if any(protected.covers(one, at, point=point, names=names) for at in (happened, now))
    ]


def at_filing(local: Local, form: forms.Form, pack: Pack, now: int) -> AtFiling:
    """Return what a report's place means for it.

    Raises:
        Refused: `protected_place` where the pack has such a report not noted there at all.

    """
    owner = local.trust.own.sector
    if is_protected(local, form, now):
        found = treatment(form.KIND, pack, local)
        if found == "refused":
            raise Refused("place", code="protected_place")
        return AtFiling(stays=True) if found == "scene" else AtFiling(hold="protected")
    if owner in pack.filing.listed_places and (place := forms.place_of(form)) is not None:
        listed = public_places(local, form.scene, now)
        unlisted = listed is not None and any(_plain(name) not in listed for name in protected.names_of(place))
        return AtFiling(stays=unlisted)
    return AtFiling()


def treatment(kind: int, pack: Pack, local: Local) -> AtProtected:
    """Return what the pack does with such a report of the own agency at a protected place."""
    return pack.kinds[kind].at_protected.get(local.trust.own.sector, "owner_only")


def _bodies(local: Local, code: str, pack: Pack, now: int) -> list[bytes]:
    chains = [chain for chain in local.trust.agencies(now) if may_give(chain, code, pack)]
    found = (_kept(local, chain.agency, code) for chain in chains)
    return [kept.body for kept in found if kept is not None]


def _kept(local: Local, agency: AgencyId, code: str) -> Kept | None:
    data = local.store.get(SPACE, agency + code.encode())
    return None if data is None else msgspec.msgpack.decode(data, type=Kept)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
