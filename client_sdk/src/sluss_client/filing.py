"""Sealing: a form and the keys of the moment go in, the item that is pushed comes out.

It happens when the device next reaches the server, with directories just pulled, so no report is sealed to stale
members.
It seals to the readers that the author was shown *and* that the pack allows now: narrower is always right, wider needs
the author.
Source: docs/protocol.md section 3.

> INVARIANT: a section key is used once; a seal holds what its commitment says and nothing that the pack does not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import msgspec

from sluss_client import crypto, sealers
from sluss_client.coarse import coarse_time
from sluss_client.sealers import Author, Moment, Target, decider_for, sealed_for
from sluss_client.sections import AuthorBrief, AuthorSection, author_ref, plaintext
from sluss_client.tiers import tiers as tiers_of
from sluss_client.trust import Reachable, Trust
from sluss_schemas import brief, disclosure, forms, manifest
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.ids import (
    NO_GRANT,
    SLOTS,
    Compartment,
    Digest,
    GrantId,
    PersonId,
    ReportId,
    Sector,
    bitmap_of,
    kid_of,
    slot,
    slots_of,
)
from sluss_schemas.policy import decide
from sluss_schemas.policy.answers import Receiver
from sluss_schemas.policy.model import Pack
from sluss_schemas.quoting import NOTHING, Quoted

__all__ = [
    "Sealable",
    "Sealing",
    "duty_receiver",
    "filled_slots",
    "grant",
    "late_grants",
    "receivable",
    "seal",
    "shown_readers",
]

_AUTHOR: Final = slot("AUT")


@dataclass(frozen=True, slots=True, repr=False)
class Sealable:
    """One version to seal, and what the author was shown and answered.

    In `shown` the label `author` stands for the author's own devices alone, without anybody named besides.
    With `hold` nothing goes to another agency by itself; a duty that was answered goes out with what it is about alone.
    `event` marks what happened; `counts` says whether that counts by this report, or nothing where nothing changes.
    """

    form: forms.Form
    report_id: ReportId
    version: int
    parents: tuple[bytes, ...]
    recorded_at: int
    shown: Mapping[str, int]
    duties: Sequence[str]
    hold: str = ""
    place_stays: bool = False
    quoted: Quoted = NOTHING
    event: bytes = b""
    counts: bool | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Sealing:
    """A sealed item, its name, and the section keys that the author's device keeps."""

    item: bytes
    digest: Digest
    section_keys: dict[int, bytes]
    unsent_duties: tuple[str, ...]


def shown_readers(trust: Trust, pack: Pack, form: forms.Form, filled: int, at: int) -> dict[str, int]:
    """Return what each audience would get of a form by base seals; the label `named` stands for case staff by device.

    An audience without a key is no recipient yet, and wider than shown needs the author.
    """
    owner = trust.own.sector
    shown = {}
    for reachable in trust.audiences(at, form.scene):
        got = trust.slots(pack, form.KIND, owner, reachable.receiver)
        if reachable.audience.recipient is not None and (bits := (got.open | got.held) & filled):
            shown[reachable.label] = bits
    if pack.kinds[form.KIND].case_staff:
        named = trust.slots(pack, form.KIND, owner, Receiver(owner, "field", own=True, named=True))
        shown["named"] = named.open & filled
    return shown


def duty_receiver(trust: Trust, pack: Pack, code: str, at: int) -> list[Reachable]:
    """Return the audiences that a duty's grant goes to: the function that its gateway names, else its fallback."""
    gateway, found = pack.gateways.get(code), list[Reachable]()
    if gateway is None:
        # What was filed by an earlier pack may name a duty that the law has dropped: it is owed to nobody now.
        return found
    for chain in trust.agencies(at):
        if chain.agency == trust.own_id or chain.sector not in gateway.receivers:
            continue
        audience = chain.audience_for(gateway.receiver_function)
        if (audience is None or audience.recipient is None) and gateway.receiver_fallback is not None:
            audience = chain.audience_for(gateway.receiver_fallback)
        if audience is not None:
            receiver = Receiver(chain.sector, audience.function, own=False)
            found.append(Reachable(f"{chain.slug}/{audience.function}", chain.agency, receiver, audience))
    return found


def receivable(trust: Trust, pack: Pack, code: str, at: int) -> bool:
    """Tell whether anybody can receive what a duty tells.

    A pin that is over on either side, or no epoch, is nobody, and without the pack in force nothing leaves.
    """
    if pack.stands_in:
        return False
    reached = [to for to in duty_receiver(trust, pack, code, at) if trust.pinned_by(to.agency, at)]
    epochs = (to.audience.recipient for to in reached)
    return any(epoch is not None and crypto.usable(epoch.kem_key) for epoch in epochs)


def filled_slots(
    form: forms.Form, owner: Sector, pack: Pack, *, place_stays: bool = False, agreed: Collection[Compartment] = ()
) -> int:
    """Return the slots for which this form has content: full sections, their briefs, and the author."""
    full = bitmap_of(slot(part) for part in forms.sections(form, owner, pack, place_stays=place_stays))
    briefs = bitmap_of(slot(part, brief=True) for part in brief.briefs(form, owner, pack, agreed))
    return full | briefs | 0b11 << _AUTHOR


def seal(work: Sealable, moment: Moment) -> Sealing:
    """Seal one version to the readers shown and allowed now, with the duties that its author answered."""
    author, trust, pack, now = moment.author, moment.trust, moment.pack, moment.now
    owner, kind = trust.own.sector, work.form.KIND
    agreed = trust.reduced(kind, work.form.scene, now)
    plain = _plain_sections(work, owner, pack, author, agreed)
    filled = bitmap_of([*plain, _AUTHOR])
    targets = _base_targets(work, moment, filled)
    granted, unsent = _grant_targets(work, moment, filled)
    wanted = reduce(or_, (target.bitmap for target in (*targets, *(target for _, target in granted))), 0)
    # A brief that nobody gets is not written at all; a full section always is, for the owner's own later acts.
    plain = {number: data for number, data in plain.items() if number % 2 == 0 or wanted >> number & 1}

    salt = crypto.random_key()
    reference = author_ref(salt, author.device.kid)
    keys = {number: crypto.random_key() for number in [*plain, _AUTHOR]}
    sections = {
        number: crypto.encrypt_section(
            keys[number], manifest.section_context(work.report_id, reference, work.version, number), data
        )
        for number, data in plain.items()
    }
    secrets = [crypto.random_key() for _ in targets]
    tiers = tiers_of(work.form, trust, pack, now, count_key=author.count_key, person=author.person.person)
    heads = trust.heads(now)
    bare = manifest.Manifest(
        manifest.FORMAT,
        manifest.SUITE,
        pack.clear_kind(kind),
        trust.own_id,
        work.report_id,
        work.version,
        work.parents,
        manifest.SCHEMA,
        pack.digest,
        manifest.directories_digest(heads),
        kid_of(author.group.public),
        reference,
        coarse_time(int(work.form.observed_at.timestamp()), pack, kind, owner),
        tuple(
            manifest.Recipient(target.kid, manifest.commitment(secret, target.bitmap))
            for target, secret in zip(targets, secrets, strict=True)
        ),
        # An absent slot is a random digest: other readers cannot tell which exist.
        tuple(
            hashlib.sha256(sections[number]).digest() if number in sections else crypto.random_key()
            for number in range(SLOTS)
        ),
        tuple(manifest.tier_digest(t.salt, t.tier) if t else crypto.random_key() for t in tiers),  # type: ignore[arg-type]  # two tiers
    )
    # The author section holds a signature over everything else, so it is sealed last.
    written = _author_section(work, moment, salt, bare)
    context = manifest.section_context(work.report_id, reference, work.version, _AUTHOR)
    sections[_AUTHOR] = crypto.encrypt_section(keys[_AUTHOR], context, encode(written))
    slots = list(bare.slots)
    slots[_AUTHOR] = hashlib.sha256(sections[_AUTHOR]).digest()
    signed = encode(msgspec.structs.replace(bare, slots=tuple(slots)))
    digest = manifest.digest_of(signed)

    recipients = tuple(
        sealed_for(digest, target, secret, keys, NO_GRANT) for target, secret in zip(targets, secrets, strict=True)
    )
    grants = tuple(grant(digest, code, target, keys, moment, written) for code, target in granted)
    item = wire.Item(
        signed,
        author.group.sign(manifest.signature_message(digest)),
        tuple(wire.Section(number, sections[number]) for number in sorted(sections)),
        recipients,
        tiers,
        grants,
        heads,
        work.counts,
    )
    return Sealing(encode(item), digest, keys, unsent)


def grant(  # noqa: PLR0917  # what a grant is made of
    digest: Digest, code: str, target: Target, keys: Mapping[int, bytes], moment: Moment, author: AuthorSection
) -> disclosure.GrantItem:
    """Make the grant of a duty that the author answered: one receiver, a fresh secret, its own id in every context.

    Whoever learns from it who wrote the report learns that alone.
    """
    grant_id = GrantId(crypto.random_key()[:16])
    plain = {_AUTHOR: sealers.alone(author, moment.author.name)} if target.bitmap >> _AUTHOR & 1 else {}
    fresh, cut = sealers.excerpts(digest, grant_id, plain)
    sealed = (sealed_for(digest, target, crypto.random_key(), {**keys, **fresh}, grant_id),)
    document = encode(
        disclosure.Grant(
            manifest.FORMAT,
            grant_id,
            digest,
            tuple(slots_of(target.bitmap)),
            (target.kid,),
            code,
            moment.pack.digest,
            # By answering "send" the author has attested what the duty presupposes; the form says so in words.
            tuple(disclosure.Test(test.code, met=True) for test in moment.pack.gateways[code].tests),
            hashlib.sha256(b"").digest(),
            moment.now,
            None,
            disclosure.sealed_digest(sealed),
            None,
            sealers.named(cut),
        )
    )
    name = disclosure.grant_digest(document)
    return disclosure.GrantItem(
        document,
        moment.author.group.sign(disclosure.signature_message(document)),
        decider_for(name, moment),
        b"",
        sealed,
        cut,
    )


def late_grants(
    digest: Digest,
    kind: int,
    code: str,
    keys: Mapping[int, bytes],
    moment: Moment,
    *,
    author: AuthorSection,
    hold: str = "",
) -> list[disclosure.GrantItem]:
    """Return the grants of a duty that was answered after sealing, or that nobody could receive then."""
    trust, pack = moment.trust, moment.pack
    targets = [
        target
        for reachable in duty_receiver(trust, pack, code, moment.now)
        if (target := _duty_target(reachable, code, kind, bitmap_of(keys), moment, hold=hold)) is not None
    ]
    return [grant(digest, code, target, keys, moment, author) for target in targets]


def _duty_target(to: Reachable, code: str, kind: int, filled: int, moment: Moment, *, hold: str = "") -> Target | None:
    epoch, owner = to.audience.recipient, moment.trust.own.sector
    if not moment.trust.pinned_by(to.agency, moment.now):
        # Their devices would keep it out and nobody would know of it: it waits until they take it in.
        return None
    # No hold keeps a duty back; what would leave besides by itself stays.
    if hold:
        got = decide.slots(moment.pack, kind, owner, to.receiver, embargo=True)
    else:
        got = moment.trust.slots(moment.pack, kind, owner, to.receiver)
    bitmap = got.duties.get(code, 0) & filled
    if epoch is None or not bitmap or not crypto.usable(epoch.kem_key):
        return None
    return Target(epoch.kem_kid, epoch.kem_key, bitmap)


def _plain_sections(
    work: Sealable, owner: Sector, pack: Pack, author: Author, agreed: Collection[Compartment]
) -> dict[int, bytes]:
    """Return the plaintexts by slot, without the full author section."""
    full = forms.sections(work.form, owner, pack, place_stays=work.place_stays, event=work.event)
    plain = {slot(part): plaintext(array) for part, array in full.items()}
    for part, array in brief.briefs(work.form, owner, pack, agreed).items():
        plain[slot(part, brief=True)] = plaintext(array)
    plain[slot("AUT", brief=True)] = plaintext(AuthorBrief(author.function, author.person.alias))
    return plain


def _author_section(work: Sealable, moment: Moment, salt: bytes, bare: manifest.Manifest) -> AuthorSection:
    author, owner = moment.author, moment.trust.own.sector
    extra = forms.author_extra(
        work.form, owner, moment.pack, place_stays=work.place_stays, hold=work.hold, quoted=work.quoted.array()
    )
    return AuthorSection(
        author.function,
        author.person.alias,
        author.person.person,
        author.device.kid,
        salt,
        author.device.sign.sign(manifest.author_message(bare)),
        work.recorded_at,
        msgspec.Raw(encode(extra)),
    )


def _base_targets(work: Sealable, moment: Moment, filled: int) -> list[Target]:
    trust, pack, now = moment.trust, moment.pack, moment.now
    owner, kind = trust.own.sector, work.form.KIND
    targets = []
    for reachable in trust.audiences(now, work.form.scene):
        epoch = reachable.audience.recipient
        got = trust.slots(pack, kind, owner, reachable.receiver)
        bitmap = (got.open | got.held) & filled & work.shown.get(reachable.label, 0)
        if epoch is not None and bitmap and crypto.usable(epoch.kem_key):
            targets.append(Target(epoch.kem_kid, epoch.kem_key, bitmap))
    named = Receiver(owner, "field", own=True, named=True)
    open_to_named = trust.slots(pack, kind, owner, named).open & filled
    staff = open_to_named & work.shown.get("named", 0) if pack.kinds[kind].case_staff else 0
    if bitmap := staff or open_to_named & work.shown.get("author", 0):
        people = {moment.author.person.person}
        people |= {PersonId(one) for one in getattr(work.form, "case_staff", ())} if staff else set()
        devices = (device for person in people for device in trust.devices_of(person))
        targets += [
            Target(device.kem_kid, device.kem_key, bitmap) for device in devices if crypto.usable(device.kem_key)
        ]
    return sorted(targets, key=lambda target: target.kid)


def _grant_targets(work: Sealable, moment: Moment, filled: int) -> tuple[list[tuple[str, Target]], tuple[str, ...]]:
    """Return the receivers of answered duties, and the duties that nobody can receive yet."""
    found, unsent = [], []
    for code in work.duties:
        receivers = duty_receiver(moment.trust, moment.pack, code, moment.now)
        targets = [_duty_target(to, code, work.form.KIND, filled, moment, hold=work.hold) for to in receivers]
        found += [(code, target) for target in targets if target is not None]
        if not any(targets):
            unsent.append(code)
    return found, tuple(unsent)
