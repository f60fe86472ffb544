"""Opening: what a feed delivered goes in, what this person may read comes out.

Everything is checked again: the group's signature, the seal's commitment, each section's digest, the author's own
signature where it is given, and the policy, by the pack on this device.
A malformed delivery raises `Alarm` and is kept out; it never takes the device down.
Source: docs/protocol.md section 3.

> INVARIANT: nothing is returned that the pack on this device does not open for the capacity in which it was received.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sluss_client import crypto
from sluss_client.crypto import KemKey
from sluss_client.sections import AuthorBrief, author_ref, read_author
from sluss_client.trust import Trust
from sluss_schemas import brief, disclosure, forms, manifest
from sluss_schemas import sync as wire
from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.codec import decode
from sluss_schemas.ids import (
    COMPARTMENTS,
    KIND_SECRET,
    NO_GRANT,
    AgencyId,
    Digest,
    GrantId,
    Kid,
    ReportId,
    bitmap_of,
    slot,
    slots_of,
)
from sluss_schemas.policy import offences
from sluss_schemas.policy.answers import Receiver, Slots
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_schemas.sync import MAX_CLOCK_SKEW_S

_SITUATION = slot("SIT")
_AUTHOR = slot("AUT")
_AUTHOR_BRIEF = slot("AUT", brief=True)


class Alarm(Exception):  # what the device raises with a registrar, not a program fault
    """A delivery that the agencies' signatures do not support; `code` says what was wrong, without content."""

    def __init__(self, code: str) -> None:
        """Name the check that failed."""
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """One delivery, checked and opened.

    `slots` is what the seal holds and the pack allows; `function` and `named` say in which capacity it was received.
    While the server holds a row back (`held`), only its manifest is known.
    `signer` and `recipient` are the epochs that signed the manifest and that the seal is to, if it is to one; `granter`
    is the one that signed the grant; `directories` is the digest of the heads that it was sealed with.
    `excerpts` has what a grant gives in the place of whole sections; `keys` are the section keys of the own agency's
    whole ones, for who decides a disclosure later.
    """

    agency: AgencyId
    report_id: ReportId
    digest: Digest
    version: int
    manifest: bytes
    kind: int
    scene: int
    grant: disclosure.Grant | None = None
    function: str = "supervisors"
    named: bool = False
    held: bool = False
    slots: int = 0
    sections: dict[int, bytes] = field(default_factory=dict)
    directories: bytes = b""
    signer: EpochKeys | None = None
    recipient: EpochKeys | None = None
    granter: EpochKeys | None = None
    excerpts: dict[int, bytes] = field(default_factory=dict)
    keys: dict[int, bytes] = field(default_factory=dict)


def open_put(put: wire.Put, keys: dict[Kid, KemKey], trust: Trust, now: int) -> Opened:
    """Check and open one delivery.

    Raises:
        Alarm: with the name of the check that failed.

    """
    try:
        return _open(put, keys, trust, now)
    except Invalid as problem:
        raise Alarm(problem.code) from problem
    except crypto.CannotOpen:
        raise Alarm("cannot_open") from None
    except (RecursionError, TypeError, ValueError, OverflowError):
        # Whatever a member of the author's group sealed, it must not stop this device's other reports.
        raise Alarm("malformed_section") from None


def _open(put: wire.Put, keys: dict[Kid, KemKey], trust: Trust, now: int) -> Opened:
    document = manifest.read_manifest(put.manifest)
    digest = manifest.digest_of(put.manifest)
    owner = trust.agency(document.agency, now)
    if owner is None:
        raise Alarm("unknown_agency")
    epoch = owner.by_sign_kid.get(Kid(document.signer_kid))
    if epoch is None:
        raise Alarm("unknown_signer")
    verify(epoch.sign_key, put.signature, manifest.signature_message(digest))
    scene = _scene(put, document)
    grant, granter = (None, None) if put.grant is None else _grant(put.grant, digest, owner)
    found = Opened(
        owner.agency,
        ReportId(document.report_id),
        digest,
        document.version,
        put.manifest,
        document.kind,
        scene,
        grant,
        directories=document.directories,
        signer=epoch,
        granter=granter,
    )
    if put.seal is None:
        return replace(found, held=True, recipient=_held_for(document, owner, keys, trust))
    kid, secret, bitmap = _unseal(put, document, digest, grant, keys)
    own = trust.own.by_kem_kid[kid]
    found = replace(found, recipient=own if isinstance(own, EpochKeys) else None)
    function = trust.own.audiences[own.audience].function if isinstance(own, EpochKeys) else "field"
    named = isinstance(own, Device)
    receiver = trust.receiver_of(trust.own_id, owner.agency, function, named=named, at=now, scene=scene)
    pack = trust.pack(now)
    if grant is not None:
        check_grant(grant, trust.pack_named(grant.pack) or pack, named=named, now=now)
        check_approvals(grant, trust.pack_named(grant.pack) or pack, owner.devices)
    sections, opening = dict[int, bytes](), dict[int, bytes]()
    may = _may(trust.slots(pack, document.kind, owner.sector, receiver), grant)
    for number, key in _section_keys(put, digest, secret, bitmap & may, grant):
        sections[number], opening[number] = _section(put, document, digest, number, key, grant), key
    kind = _true_kind(document.kind, sections)
    if kind == KIND_SECRET and grant is not None:
        kind = _kind_of_duty(trust, pack, owner, receiver, grant.gateway, bitmap)
    if kind != document.kind:
        _check_secret(kind, pack, owner)
        # A secret kind: the server allowed the union of that owner's secret kinds, the device applies the sealed one.
        may = _may(trust.slots(pack, kind, owner.sector, receiver), grant)
        sections = {number: data for number, data in sections.items() if may >> number & 1}
    _check_author(document, sections, owner)
    _check_content(kind, sections, pack)
    less = frozenset[int]() if grant is None else frozenset(one.slot for one in grant.excerpts)
    whole = {number: data for number, data in sections.items() if number not in less}
    return replace(
        found,
        kind=kind,
        function=function,
        named=receiver.named,
        slots=bitmap & may,
        sections=whole,
        excerpts={number: data for number, data in sections.items() if number in less},
        keys={number: opening[number] for number in whole} if owner.agency == trust.own_id else {},
    )


def _held_for(document: manifest.Manifest, owner: Directory, keys: dict[Kid, KemKey], trust: Trust) -> EpochKeys:
    """Return the supervisors' epoch that a row is sealed to; that it is held back is believed of nothing else."""
    supervisors = trust.own.audience_for("supervisors")
    own = {one.kem_kid: one for one in supervisors.epochs if one.kem_kid in keys} if supervisors is not None else {}
    for recipient in document.recipients:
        if owner.agency == trust.own_id and (epoch := own.get(Kid(recipient.kid))) is not None:
            return epoch
    raise Alarm("withheld")


def _check_secret(kind: int, pack: Pack, owner: Directory) -> None:
    """Accept under clear kind 0 only a kind that is secret, and that this owner files."""
    known = pack.kinds.get(kind)
    if kind != KIND_SECRET and (known is None or known.clear or owner.sector not in known.owners):
        raise Alarm("kind_differs")


def _check_content(kind: int, sections: dict[int, bytes], pack: Pack) -> None:
    """Read every section once, so that what is kept can be shown later."""
    for number, data in sections.items():
        compartment, brief_form = COMPARTMENTS[number // 2], number % 2 == 1
        if compartment in {"AUT", "ATT"} or kind == KIND_SECRET:
            continue
        array = decode(list[object], data, compartment)
        if brief_form:
            brief.read_brief(compartment, array, pack)
        else:
            forms.read(kind, compartment, array, pack)
            forms.coded(kind, compartment, array, pack)


def _may(got: Slots, grant: disclosure.Grant | None) -> int:
    """Return the slots that the pack opens for a base seal, or within a grant."""
    if grant is None:
        return got.open | got.held
    given = got.duties.get(grant.gateway, 0) | got.gateways.get(grant.gateway, 0)
    if grant.gateway == disclosure.BASE_RELEASE:
        given = got.open
    return given & bitmap_of(grant.slots)


def _scene(put: wire.Put, document: manifest.Manifest) -> int:
    tier = put.tiers[0]
    if tier is None:
        return 0
    if manifest.tier_digest(tier.salt, tier.tier) != document.facts[0]:
        raise Alarm("facts_differ")
    return decode(tuple[int], tier.tier, "facts")[0]


def _grant(proof: wire.GrantProof, digest: Digest, owner: Directory) -> tuple[disclosure.Grant, EpochKeys]:
    grant = disclosure.read_grant(proof.grant)
    if grant.digest != digest:
        raise Alarm("grant_of_another_report")
    message = disclosure.signature_message(proof.grant)
    # The grant may be signed in a later epoch than the report, so the owner's current group keys are tried.
    for audience in owner.audiences.values():
        for epoch in reversed(audience.epochs):
            try:
                verify(epoch.sign_key, proof.signature, message)
            except Invalid:
                continue
            return grant, epoch
    raise Alarm("bad_grant_signature")


def check_grant(grant: disclosure.Grant, pack: Pack, *, named: bool, now: int) -> None:
    """Check what a grant says of itself by a pack: its ground, the tests that were affirmed, its time, its receiver.

    What was decided case by case is given to named persons' devices; what a statute obliges to, and a release, to an
    audience. That the ground opens these parts of such a report is asked by whoever opens them.

    Raises:
        Alarm: `grant_not_allowed`, `grant_too_early`.

    """
    if grant.not_before > now + MAX_CLOCK_SKEW_S:
        raise Alarm("grant_too_early")
    if grant.gateway == disclosure.BASE_RELEASE:
        allowed = not named and not grant.tests
    else:
        gateway = pack.gateways.get(grant.gateway)
        answers = [(test.code, test.met) for test in grant.tests]
        allowed = (
            gateway is not None
            and not offences.wanting(pack, gateway, answers)
            and (named or gateway.duty or gateway.at_filing)
            and (gateway.basis == "none" or grant.basis is not None)
        )
    if not allowed or (grant.not_after is not None and grant.not_after <= grant.not_before):
        raise Alarm("grant_not_allowed")


def check_approvals(grant: disclosure.Grant, pack: Pack, devices: Mapping[Kid, Device]) -> None:
    """Check that a device of the owner approved a grant whose ground asks for it; whose it is the server sees.

    Raises:
        Alarm: `grant_not_allowed`.

    """
    gateway = pack.gateways.get(grant.gateway)
    if gateway is None or gateway.approval == "none" or gateway.at_filing:
        return
    for one in grant.approvals:
        device = devices.get(Kid(one.device))
        if device is None:
            continue
        with suppress(Invalid):
            verify(device.sign_key, one.signature, disclosure.approval_message(grant))
            return
    raise Alarm("grant_not_allowed")


def _unseal(
    put: wire.Put,
    document: manifest.Manifest,
    digest: Digest,
    grant: disclosure.Grant | None,
    keys: dict[Kid, KemKey],
) -> tuple[Kid, bytes, int]:
    grant_id = NO_GRANT if grant is None else GrantId(grant.grant_id)
    candidates: Iterable[bytes] = (
        (recipient.kid for recipient in document.recipients) if grant is None else grant.receivers
    )
    for kid in candidates:
        key = keys.get(Kid(kid))
        if key is None:
            continue
        try:
            message = key.open(put.seal or b"", manifest.seal_info(digest, Kid(kid), grant_id))
        except crypto.CannotOpen:
            continue
        if len(message) != crypto.KEY_BYTES + 2:
            raise Alarm("malformed_seal")
        secret, bitmap = message[: crypto.KEY_BYTES], int.from_bytes(message[crypto.KEY_BYTES :], "big")
        if grant is None:
            promised = next(one.commitment for one in document.recipients if one.kid == kid)
            if manifest.commitment(secret, bitmap) != promised:
                raise Alarm("commitment_differs")
        elif bitmap & ~bitmap_of(grant.slots):
            raise Alarm("wider_than_the_grant")
        return Kid(kid), secret, bitmap
    raise crypto.CannotOpen


def _section_keys(
    put: wire.Put, digest: Digest, secret: bytes, bitmap: int, grant: disclosure.Grant | None
) -> Iterable[tuple[int, bytes]]:
    grant_id = NO_GRANT if grant is None else GrantId(grant.grant_id)
    wraps = {one.slot: one.wrap for one in put.wraps}
    for number in slots_of(bitmap):
        if number not in wraps:
            # Promised, allowed by the pack on this device, and not delivered.
            raise Alarm("withheld")
        yield number, crypto.unwrap(secret, manifest.wrap_info(digest, number, grant_id), wraps[number])


def _section(  # noqa: PLR0917  # what a section is bound to
    put: wire.Put,
    document: manifest.Manifest,
    digest: Digest,
    number: int,
    key: bytes,
    grant: disclosure.Grant | None,
) -> bytes:
    """Return a section's plaintext, or that of the excerpt which a grant has in its place."""
    section = next((one.section for one in put.sections if one.slot == number), None)
    if section is None:
        raise Alarm("withheld")
    excerpts = {} if grant is None else {one.slot: one.digest for one in grant.excerpts}
    if hashlib.sha256(section).digest() != excerpts.get(number, document.slots[number]):
        raise Alarm("section_differs")
    if grant is not None and number in excerpts:
        return crypto.decrypt_section(key, disclosure.excerpt_context(digest, grant.grant_id, number), section)
    context = manifest.section_context(ReportId(document.report_id), document.author_ref, document.version, number)
    return crypto.decrypt_section(key, context, section)


def _true_kind(kind: int, sections: dict[int, bytes]) -> int:
    data = sections.get(_SITUATION) or sections.get(_SITUATION + 1)
    if data is None:
        return kind
    try:
        array = decode(list[object], data, "situation")
    except Invalid:
        raise Alarm("malformed_section") from None
    if not array or not isinstance(array[0], int) or isinstance(array[0], bool):
        raise Alarm("malformed_section")
    if kind not in {KIND_SECRET, array[0]}:
        raise Alarm("kind_differs")
    return array[0]


def _kind_of_duty(trust: Trust, pack: Pack, owner: Directory, receiver: Receiver, code: str, bitmap: int) -> int:  # noqa: PLR0917
    """Return the secret kind of a report whose situation, which says the kind, is closed under a duty.

    What was not given with the situation is of a kind that keeps the situation closed under this ground: a grant draws
    along all that its ground opens besides. Where several do, the kind stays secret.
    """
    fitting = []
    for number, kind in pack.kinds.items():
        got = trust.slots(pack, number, owner.sector, receiver)
        given = got.duties.get(code, 0) | got.gateways.get(code, 0)
        if not kind.clear and owner.sector in kind.owners and not (bitmap & ~given or given & 0b11 << _SITUATION):
            fitting.append(number)
    return fitting[0] if len(fitting) == 1 else KIND_SECRET


def _check_author(document: manifest.Manifest, sections: dict[int, bytes], owner: Directory) -> None:
    """Check that the author is who the section says, with a device of that person, under the registered alias."""
    named = {person.alias for person in owner.persons.values()}
    if (data := sections.get(_AUTHOR_BRIEF)) is not None and decode(AuthorBrief, data, "author").alias not in named:
        raise Alarm("unknown_author")
    if (data := sections.get(_AUTHOR)) is None:
        return
    section = read_author(data)
    device = owner.devices.get(Kid(section.device))
    person = None if device is None else owner.persons.get(device.person)
    if device is None or person is None or person.person != section.person or person.alias != section.alias:
        raise Alarm("unknown_author")
    if author_ref(section.salt, device.kid) != document.author_ref:
        raise Alarm("another_author")
    verify(device.sign_key, section.signature, manifest.author_message(document), "author")
