"""The roster: names and the count key, encrypted once and sealed to the own agency's audiences and registrars.

A registrar's device makes a new one when a name or the recipients change; every member's device reads it.
Refuses to begin a second roster beside one that a registrar can still open, and one that the directory does not name.
Source: docs/protocol.md section 2.

> INVARIANT: no name stands anywhere in clear, and none leaves the agency but in a grant that says who wrote a report.
> INVARIANT: the count key is drawn once and handed on from roster to roster.
"""

from __future__ import annotations

from typing import Final

from sluss_client import crypto
from sluss_client.errors import Invalid
from sluss_client.keyring import names
from sluss_client.local import Local
from sluss_schemas import directory as d
from sluss_schemas.codec import decode, encode
from sluss_schemas.ids import Kid, PersonId
from sluss_schemas.replay import Directory

FORMAT: Final = 1
_NAME_CHARACTERS: Final = 120


def names_of(local: Local) -> dict[PersonId, str]:
    """Return the names of the own agency's people, with those set here that no roster has yet."""
    found = names.sealed_names(local.store) | names.changes(local.store)
    return {person: name for person, name in found.items() if name}


def set_name(local: Local, person: PersonId, name: str) -> None:
    """Set somebody's name on a registrar's device; the next roster has it. An empty name removes it.

    Raises:
        Invalid: `too_long`.

    """
    if len(name) > _NAME_CHARACTERS:
        raise Invalid("too_long", "name", f"Shorten the name to {_NAME_CHARACTERS} characters.")
    names.change(local.store, person, name)


def count_key(local: Local) -> bytes:
    """Return the agency's count key, or nothing until a roster was opened here."""
    return names.count_key(local.store)


# making


def recipients(own: Directory) -> dict[Kid, bytes]:
    """Return the KEM keys that a roster is sealed to: each audience's current epoch, each registrar's device."""
    keys = {one.recipient.kem_kid: one.recipient.kem_key for one in own.audiences.values() if one.recipient is not None}
    devices = (own.devices[kid] for kid in own.registrars if kid in own.devices)
    keys |= {one.kem_kid: one.kem_key for one in devices if one.revoked_at is None}
    return {kid: key for kid, key in sorted(keys.items()) if crypto.usable(key)}


def roster_due(local: Local) -> bool:
    """Tell whether this registrar's device has to make a new roster; never on any other device."""
    own = local.trust.own
    if local.keys.kid not in own.registrars:
        return False
    kept = names.kept(local.store)
    if own.roster is None:
        return True
    if kept is None or kept.digest != own.roster:
        # Another registrar's is in force and not here yet: what it says must not be lost.
        return _abandoned(local)
    # A restored server may have lost the roster that its directory names.
    moved = kept.recipients != tuple(recipients(own)) or kept.instance != own.instance
    # A name may wait for its person, who is invited and not here yet.
    return moved or not own.persons.keys().isdisjoint(names.changes(local.store))


def _abandoned(local: Local) -> bool:
    """Tell whether the roster in force came here and no registrar of now can open it, so that one must begin anew."""
    own = local.trust.own
    closed = names.closed(local.store)
    if closed is None or closed.digest != own.roster:
        return False
    sealed_to = set(closed.recipients)
    for registrar in own.registrars.keys() & own.devices.keys():
        opens = {own.devices[registrar].kem_kid}
        for audience in own.audiences.values():
            first = audience.members.get(registrar)
            opens |= {keys.kem_kid for keys in audience.epochs if first is not None and keys.epoch >= first}
        if opens & sealed_to:
            return False
    return True


def make_roster(local: Local) -> tuple[bytes, d.Roster]:
    """Make the next roster and the entry that names it, from the one that is here and the names set since."""
    own = local.trust.own
    key = crypto.random_key()
    said = tuple(d.Named(person, name) for person, name in sorted(names_of(local).items()) if person in own.persons)
    content = d.RosterContent(FORMAT, count_key(local) or crypto.random_key(), said)
    sealed = crypto.encrypt_section(key, d.roster_context(own.agency), encode(content))
    seals = tuple(
        d.RosterSeal(kid, crypto.seal(public, d.roster_info(own.agency, kid, sealed), key))
        for kid, public in recipients(own).items()
    )
    whole = encode(d.SealedRoster(FORMAT, seals, sealed))
    return whole, d.Roster(d.roster_digest(whole))


# reading


def take_in(local: Local, sealed: bytes | None) -> None:
    """Keep the roster that the directory names, if a key here opens it; `bad_roster` is the alarm for a broken one."""
    own = local.trust.own
    if sealed is None or own.roster is None or d.roster_digest(sealed) != own.roster:
        return
    try:
        document = decode(d.SealedRoster, sealed, "roster")
        content = _open(local, document)
    except (Invalid, crypto.CannotOpen):
        local.alarm("bad_roster", own.roster)
        return
    here = names.Kept(own.roster, tuple(Kid(seal.kid) for seal in document.seals), own.instance)
    if content is None:
        names.note_closed(local.store, here)
    else:
        names.keep(local.store, here, content)


def _open(local: Local, document: d.SealedRoster) -> d.RosterContent | None:
    """Return what a roster says, or None where it is sealed to no key that is here."""
    agency = local.trust.own_id
    for seal in document.seals:
        mine = local.ring.kems.get(Kid(seal.kid))
        if mine is None:
            continue
        key = mine.open(seal.seal, d.roster_info(agency, seal.kid, document.content))
        if len(key) != crypto.KEY_BYTES:
            raise crypto.CannotOpen
        content = crypto.decrypt_section(key, d.roster_context(agency), document.content)
        return decode(d.RosterContent, content, "roster")
    return None
