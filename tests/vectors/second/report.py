"""A sealed report, written and opened a second time from docs/protocol.md section 3 alone.

`Draft` says what a version holds and where it is to be wrong; every fault has a place of its own, so that a bad vector
differs from a good one in one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.vectors.second import primitives as p
from tests.vectors.second import wire
from tests.vectors.second.stream import Stream

SLOTS: Final = 16
AUTHOR: Final = 12
NO_GRANT: Final = bytes(16)
Tier = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class Group:
    """An epoch of an audience, by its secret."""

    secret: bytes

    @property
    def kem_seed(self) -> bytes:
        return p.hkdf(self.secret, b"sluss/epoch/kem")

    @property
    def sign_seed(self) -> bytes:
        return p.hkdf(self.secret, b"sluss/epoch/sign")

    @property
    def kem_public(self) -> bytes:
        return p.kem_public(self.kem_seed)

    @property
    def sign_public(self) -> bytes:
        return p.sign_public(self.sign_seed)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person with one device."""

    person: bytes
    alias: str
    function: str
    sign_seed: bytes
    kem_seed: bytes

    @property
    def device(self) -> bytes:
        return p.kid(p.sign_public(self.sign_seed))


@dataclass(frozen=True, kw_only=True)
class GrantDraft:
    """A grant to one receiver; `edit` changes its array before it is signed, `signer` signs instead of the group.

    `excerpts` are plaintexts that stand in for sections, by slot; `lasts` is for how many seconds it is in force.
    """

    gateway: str
    slots: tuple[int, ...]
    tests: tuple[str, ...] = ()
    excerpts: Mapping[int, bytes] = field(default_factory=dict)
    lasts: int | None = None
    edit: Callable[[list[Any]], None] = lambda _: None
    signer: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One version for one reader.

    Attributes:
        readers: KEM public key and bitmap of every base recipient.
        reader: the KEM public key whose seal is delivered.
        plain: plaintext by slot, without the full author section.
        deliver: the slots whose section and wrap are delivered.
        padded: what is encrypted instead of the padded plaintext, by slot.
        contexts: the slot, report id or version that a section is bound to instead of its own, by slot.
        author: values that stand in the author section instead of the true ones, by name.
        edit: changes the manifest's array before anybody signs it.
        encode: writes the manifest's array.
        signer: the seed that signs instead of the group's.
        bits: the bitmap in the delivered seal instead of the reader's.
        seal_for: the key id in the seal's context instead of the reader's.
        seal_grant: the grant id in the seal's context instead of the true one.
        wrap_slot: the slot in a wrap's context instead of its own, by slot.
        tail: what follows the bitmap in the seal.

    """

    stream: Stream
    agency: bytes
    group: Group
    author_person: Person
    readers: Mapping[bytes, int]
    reader: bytes
    plain: Mapping[int, bytes]
    deliver: tuple[int, ...]
    kind: int
    time: int
    pack: bytes
    heads: tuple[tuple[bytes, int, bytes], ...]
    scene: int | None = None
    facts: bytes | None = None
    version: int = 1
    parents: tuple[bytes, ...] = ()
    recorded_at: int = 0
    extra: Any = None
    grant: GrantDraft | None = None
    own: bool = True
    padded: Mapping[int, bytes] = field(default_factory=dict)
    contexts: Mapping[int, bytes] = field(default_factory=dict)
    author: Mapping[str, Any] = field(default_factory=dict)
    author_ref_of: bytes | None = None
    edit: Callable[[list[Any]], None] = lambda _: None
    encode: Callable[[list[Any]], bytes] = wire.write
    signer: bytes | None = None
    bits: int | None = None
    seal_for: bytes | None = None
    seal_grant: bytes | None = None
    wrap_slot: Mapping[int, int] = field(default_factory=dict)
    tail: bytes = b""


@dataclass(kw_only=True)
class Put:
    """What one reader is delivered."""

    manifest: bytes
    signature: bytes
    sections: dict[int, bytes]
    seal: bytes | None
    wraps: dict[int, bytes]
    tiers: list[Tier | None]
    grant: tuple[bytes, bytes] | None = None


def digest_of(manifest: bytes) -> bytes:
    return p.sha256(b"sluss/report", manifest)


def directories_digest(heads: tuple[tuple[bytes, int, bytes], ...]) -> bytes:
    return p.sha256(*(agency + seq.to_bytes(8, "big") + hash_ for agency, seq, hash_ in sorted(heads)))


def section_context(report_id: bytes, author_ref: bytes, version: int, slot: int) -> bytes:
    return b"sluss/section" + report_id + author_ref + version.to_bytes(4, "big") + bytes([slot])


def excerpt_context(digest: bytes, grant_id: bytes, slot: int) -> bytes:
    return b"sluss/excerpt" + digest + grant_id + bytes([slot])


def commitment(secret: bytes, bitmap: int) -> bytes:
    return p.sha256(b"sluss/aud", secret, bitmap.to_bytes(2, "big"))


def author_message(manifest: list[Any]) -> bytes:
    slots = list(manifest[14])
    slots[AUTHOR] = bytes(32)
    return b"sluss/author" + p.sha256(wire.write([*manifest[:14], slots, *manifest[15:]]))


def make(draft: Draft) -> Put:
    """Seal a version and return what its reader gets."""
    draw = draft.stream.draw
    report_id, salt = draw("report id", 16), draw("author salt")
    reference = p.mac(salt, draft.author_ref_of or draft.author_person.device)[:16]
    keys = {slot: draw(f"section key {slot}") for slot in (*draft.plain, AUTHOR)}
    secrets = {public: draw(f"secret {number}") for number, public in enumerate(draft.readers)}

    def section(slot: int, plaintext: bytes) -> bytes:
        context = draft.contexts.get(slot) or section_context(report_id, reference, draft.version, slot)
        padded = draft.padded.get(slot, p.pad(plaintext))
        return p.encrypt(keys[slot], context, padded, draw(f"section salt {slot}", 24))

    sections = {slot: section(slot, plaintext) for slot, plaintext in draft.plain.items()}
    tiers: list[Tier | None] = [
        None if draft.scene is None else (draw("tier salt 0"), wire.write([draft.scene])),
        None if draft.facts is None else (draw("tier salt 1"), draft.facts),
    ]
    recipients = sorted([p.kid(public), commitment(secrets[public], bits)] for public, bits in draft.readers.items())
    manifest: list[Any] = [1, 2, draft.kind, draft.agency, report_id, draft.version, list(draft.parents), 1]
    manifest += [draft.pack, directories_digest(draft.heads), p.kid(draft.group.sign_public), reference, draft.time]
    manifest.append(recipients)
    manifest.append([p.sha256(sections[s]) if s in sections else draw(f"absent slot {s}") for s in range(SLOTS)])
    manifest.append([p.sha256(*tier) if tier else draw(f"absent tier {i}") for i, tier in enumerate(tiers)])
    draft.edit(manifest)
    # The author section signs everything else, so it is sealed last.
    sections[AUTHOR] = section(AUTHOR, _author_section(draft, salt, author_message(manifest)))
    manifest[14][AUTHOR] = p.sha256(sections[AUTHOR])
    encoded = draft.encode(manifest)
    digest = digest_of(encoded)
    signature = p.sign(draft.signer or draft.group.sign_seed, b"sluss/sig" + digest)

    grant_id = draw("grant id", 16) if draft.grant else NO_GRANT
    for slot, plaintext in (draft.grant.excerpts if draft.grant else {}).items():
        keys[slot], excerpt_salt = draw(f"excerpt key {slot}"), draw(f"excerpt salt {slot}", 24)
        sections[slot] = p.encrypt(keys[slot], excerpt_context(digest, grant_id, slot), p.pad(plaintext), excerpt_salt)
    secret = draw("grant secret") if draft.grant else secrets[draft.reader]
    granted = sum(1 << slot for slot in draft.grant.slots) if draft.grant else draft.readers[draft.reader]
    bits = granted if draft.bits is None else draft.bits
    info = b"sluss/seal" + digest + (draft.seal_for or p.kid(draft.reader)) + (draft.seal_grant or grant_id)
    message = secret + bits.to_bytes(2, "big") + draft.tail
    put = Put(
        manifest=encoded,
        signature=signature,
        sections={slot: sections[slot] for slot in draft.deliver},
        seal=p.hpke_seal(draft.reader, info, message, draw("seal", 64)),
        wraps={
            slot: p.wrap(
                secret, b"sluss/wrap" + digest + bytes([draft.wrap_slot.get(slot, slot)]) + grant_id, keys[slot]
            )
            for slot in draft.deliver
        },
        tiers=[tiers[0], tiers[1] if draft.own else None],
    )
    if draft.grant:
        put.grant = _grant(draft, draft.grant, put, grant_id, digest)
    return put


def _author_section(draft: Draft, salt: bytes, message: bytes) -> bytes:
    who = draft.author_person
    values = {
        "function": who.function,
        "alias": who.alias,
        "person": who.person,
        "device": who.device,
        "salt": salt,
        "signature": p.sign(who.sign_seed, message),
        "recorded_at": draft.recorded_at,
        "extra": draft.extra,
    }
    return wire.write(list({**values, **draft.author}.values()))


def _grant(draft: Draft, grant: GrantDraft, put: Put, grant_id: bytes, digest: bytes) -> tuple[bytes, bytes]:
    receiver = p.kid(draft.reader)
    sealed = [[receiver, put.seal, [[slot, wrap] for slot, wrap in put.wraps.items()]]]
    array: list[Any] = [1, grant_id, digest, list(grant.slots), [receiver], grant.gateway, draft.pack]
    until = None if grant.lasts is None else draft.recorded_at + grant.lasts
    array += [[[test, True] for test in grant.tests], p.sha256(b""), draft.recorded_at, until]
    array += [p.sha256(wire.write(sealed)), None]
    array += [[[slot, p.sha256(put.sections[slot])] for slot in sorted(grant.excerpts)], []]
    grant.edit(array)
    encoded = wire.write(array)
    signature = p.sign(grant.signer or draft.group.sign_seed, b"sluss/sig" + p.sha256(b"sluss/grant", encoded))
    return encoded, signature


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What the second implementation found in a delivery."""

    digest: bytes
    bitmap: int
    sections: dict[int, bytes]


def open_put(put: Put, kem_seed: bytes, signer: bytes) -> Opened:
    """Check and open a delivery for the holder of a KEM seed; `signer` is the owner's group key, public.

    Raises:
        Malformed, InvalidSignature, Closed, AssertionError: for what is wrong; which, the product's codes say.

    """
    manifest, digest = wire.read(put.manifest), digest_of(put.manifest)
    assert manifest[:2] == [1, 2]
    assert manifest[10] == p.kid(signer)
    p.verify(signer, put.signature, b"sluss/sig" + digest)
    receiver, grant_id, excerpts = p.kid(p.kem_public(kem_seed)), NO_GRANT, dict[int, bytes]()
    if put.grant is not None:
        p.verify(signer, put.grant[1], b"sluss/sig" + p.sha256(b"sluss/grant", put.grant[0]))
        grant = wire.read(put.grant[0])
        grant_id = grant[1]
        assert grant[2] == digest
        assert receiver in grant[4]
        excerpts = dict(grant[13])
    message = p.hpke_open(kem_seed, b"sluss/seal" + digest + receiver + grant_id, put.seal or b"")
    secret, bitmap = message[:32], int.from_bytes(message[32:], "big")
    if put.grant is None:
        assert dict(manifest[13])[receiver] == commitment(secret, bitmap)
    sections = {}
    for slot in (slot for slot in range(SLOTS) if bitmap >> slot & 1):
        key = p.unwrap(secret, b"sluss/wrap" + digest + bytes([slot]) + grant_id, put.wraps[slot])
        assert p.sha256(put.sections[slot]) == excerpts.get(slot, manifest[14][slot])
        context = section_context(manifest[4], manifest[11], manifest[5], slot)
        if slot in excerpts:
            context = excerpt_context(digest, grant_id, slot)
        sections[slot] = p.unpad(p.decrypt(key, context, put.sections[slot]))
    for number, tier in enumerate(put.tiers):
        assert tier is None or p.sha256(*tier) == manifest[15][number]
    return Opened(digest=digest, bitmap=bitmap, sections=sections)
