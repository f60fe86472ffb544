"""Devices as these tests need them: real keys, signatures, seals and wraps, made with `cryptography` directly.

Not the device's package: what a server must accept is written here a second time, from docs/protocol.md alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import structs

from sluss_schemas import disclosure, manifest, sync
from sluss_schemas.codec import encode
from sluss_schemas.ids import NO_GRANT, SLOTS, bit, bitmap_of, kid_of, slots_of
from sluss_schemas.manifest import Head, Manifest, Recipient
from sluss_schemas.policy.pack import builtin

OFFENCE: Final = "offence:trafficking"
"""What a ground that asks for an offence is told unless a test says another."""
_suite: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SignKey:
    """An Ed25519 key pair."""

    def __init__(self, seed: bytes | None = None) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.public = self._private.public_key().public_bytes_raw()
        self.kid = kid_of(self.public)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


class KemKey:
    """The public half of an X-Wing key pair; nothing here opens a seal."""

    def __init__(self, seed: bytes | None = None) -> None:
        wide = hashlib.shake_256(seed or os.urandom(32)).digest(96)
        kem = MLKEM768PrivateKey.from_seed_bytes(wide[:64]).public_key().public_bytes_raw()
        curve = X25519PrivateKey.from_private_bytes(wide[64:]).public_key().public_bytes_raw()
        self.public = kem + curve
        self.kid = kid_of(self.public)


def derive(secret: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=label).derive(secret)


def seal(public: bytes, info: bytes, plaintext: bytes) -> bytes:
    curve = X25519PublicKey.from_public_bytes(public[1184:])
    key = MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(public[:1184]), curve)
    return _suite.encrypt(plaintext, key, info)


class Epoch:
    """An audience's epoch: the secret, and the keys that follow from it."""

    def __init__(self) -> None:
        self.secret = os.urandom(32)
        self.kem = KemKey(derive(self.secret, b"sluss/epoch/kem"))
        self.sign = SignKey(derive(self.secret, b"sluss/epoch/sign"))


@dataclass(kw_only=True)
class Draft:
    """A report version before it is sealed; `readers` gives each KEM public key the bitmap of slots that it opens."""

    agency: bytes
    pack: bytes
    group: SignKey
    heads: tuple[Head, ...]
    time: int
    kind: int = 1
    report_id: bytes = field(default_factory=lambda: os.urandom(16))
    version: int = 1
    parents: tuple[bytes, ...] = ()
    schema: int = manifest.SCHEMA
    author_ref: bytes = field(default_factory=lambda: os.urandom(16))
    scene: int | None = 1
    values: tuple[int | tuple[int, ...] | None, ...] | None = (1, 2)
    filled: tuple[int, ...] = (0, 1, 2, 3, 4, 8, 10, 12, 13)
    size: int = 256
    readers: Mapping[bytes, int] = field(default_factory=dict)
    unsealed: Sequence[bytes] = ()
    """KEM public keys that the manifest names and that get no seal."""
    forged: Mapping[bytes, int] = field(default_factory=dict)
    """KEM public keys that get a seal which the manifest does not name."""
    counts: bool | None = None
    contributor: bytes = b""
    """Who of the staff it is of, for the week's counts; empty for somebody new."""


@dataclass(kw_only=True)
class SealedReport:
    """A sealed version: the item, its D, and the section keys, for grants."""

    item: sync.Item
    digest: bytes
    manifest: Manifest
    keys: dict[int, bytes]
    draft: Draft

    @property
    def raw(self) -> bytes:
        return encode(self.item)


def seal_report(draft: Draft) -> SealedReport:
    keys = {number: os.urandom(32) for number in draft.filled}
    sections, slots = list[sync.Section](), [os.urandom(32) for _ in range(SLOTS)]
    for number, key in keys.items():
        context = manifest.section_context(draft.report_id, draft.author_ref, draft.version, number)  # type: ignore[arg-type]  # random bytes
        encryptor = Cobblestone256Encryptor(key, context)
        section = encryptor.update(bytes(draft.size)) + encryptor.finalize()
        sections.append(sync.Section(number, section))
        slots[number] = hashlib.sha256(section).digest()
    first = None if draft.scene is None else sync.Tier(os.urandom(32), encode((draft.scene,)))
    second = None
    if draft.values is not None:
        second = sync.Tier(
            os.urandom(32), encode(sync.Tier1(draft.time, draft.values, draft.contributor or os.urandom(8)))
        )
    tiers = (first, second)
    named = {**draft.readers, **dict.fromkeys(draft.unsealed, bit("SIT"))}
    secrets = {public: os.urandom(32) for public in (*named, *draft.forged)}
    recipients = sorted(
        (Recipient(kid_of(public), manifest.commitment(secrets[public], bits)) for public, bits in named.items()),
        key=lambda one: one.kid,
    )
    built = Manifest(
        manifest.FORMAT,
        manifest.SUITE,
        draft.kind,
        draft.agency,
        draft.report_id,
        draft.version,
        draft.parents,
        draft.schema,
        draft.pack,
        manifest.directories_digest(draft.heads),
        draft.group.kid,
        draft.author_ref,
        draft.time,
        tuple(recipients),
        tuple(slots),
        tuple(os.urandom(32) if t is None else manifest.tier_digest(t.salt, t.tier) for t in tiers),  # type: ignore[arg-type]  # two of them
    )
    data = encode(built)
    digest = manifest.digest_of(data)
    sealed = tuple(
        seal_for(
            digest, public, bits, {number: keys.get(number, bytes(32)) for number in slots_of(bits)}, secrets[public]
        )
        for public, bits in {**draft.readers, **draft.forged}.items()
    )
    signature = draft.group.sign(manifest.signature_message(digest))
    item = sync.Item(data, signature, tuple(sections), sealed, tiers, (), draft.heads, draft.counts)
    return SealedReport(item=item, digest=digest, manifest=built, keys=keys, draft=draft)


def seal_for(
    digest: bytes, public: bytes, bits: int, keys: Mapping[int, bytes], secret: bytes, *, grant: bytes = NO_GRANT
) -> disclosure.Sealed:
    """Seal a secret to a recipient and wrap section keys under it."""
    kid = kid_of(public)
    info = b"sluss/seal" + digest + kid + grant
    wraps = tuple(
        disclosure.Wrap(
            number,
            AESGCM(derive(secret, b"sluss/wrap" + digest + bytes([number]) + grant)).encrypt(bytes(12), key, None),
        )
        for number, key in keys.items()
    )
    return disclosure.Sealed(kid, seal(public, info, secret + bits.to_bytes(2, "big")), wraps)


def make_grant(
    report: SealedReport,
    receivers: Mapping[bytes, int],
    gateway: str,
    now: int,
    *,
    not_after: int | None = None,
    grant_id: bytes | None = None,
    pack: bytes | None = None,
    tests: Sequence[disclosure.Test] | None = None,
    reasons: bytes = b"reasons",
    excerpts: Mapping[int, bytes] | None = None,
    approvers: Sequence[SignKey] = (),
    **fields: Any,  # noqa: ANN401  # any field of a grant
) -> disclosure.GrantItem:
    """Make a grant of the author's group; every test of its gateway is affirmed unless others are given.

    `excerpts` gives plaintexts by slot; `approvers` sign the grant as it is before anybody has.
    """
    demanded = builtin()[-1].gateways[gateway].tests if gateway in builtin()[-1].gateways else ()
    affirmed = [disclosure.Test(test.code, met=True) for test in demanded]
    if gateway in builtin()[-1].gateways and builtin()[-1].gateways[gateway].offence != "none":
        affirmed.append(disclosure.Test(OFFENCE, met=True))
    name = grant_id or os.urandom(16)
    keys, cut = dict(report.keys), list[disclosure.Section]()
    for number, plaintext in sorted((excerpts or {}).items()):
        keys[number] = os.urandom(32)
        context = b"sluss/excerpt" + report.digest + name + bytes([number])
        encryptor = Cobblestone256Encryptor(keys[number], context)
        cut.append(disclosure.Section(number, encryptor.update(plaintext) + encryptor.finalize()))
    sealed = tuple(
        sorted(
            (
                seal_for(
                    report.digest,
                    public,
                    bits,
                    {number: keys.get(number, bytes(32)) for number in slots_of(bits)},
                    os.urandom(32),
                    grant=name,
                )
                for public, bits in receivers.items()
            ),
            key=lambda one: one.kid,
        )
    )
    grant = disclosure.Grant(
        manifest.FORMAT,
        name,
        report.digest,
        tuple(slots_of(bitmap_of(wrap.slot for one in sealed for wrap in one.wraps))),
        tuple(one.kid for one in sealed),
        gateway,
        pack or report.manifest.pack,
        tuple(affirmed if tests is None else tests),
        hashlib.sha256(reasons).digest(),
        now,
        not_after,
        disclosure.sealed_digest(sealed),
        excerpts=tuple(disclosure.Excerpt(one.slot, hashlib.sha256(one.section).digest()) for one in cut),
    )
    grant = structs.replace(grant, **fields)
    asked = b"sluss/approval" + hashlib.sha256(encode(grant)).digest()
    signed = tuple(disclosure.Approval(one.kid, one.sign(asked)) for one in approvers)
    data = encode(structs.replace(grant, approvals=(*grant.approvals, *signed)))
    signature = report.draft.group.sign(disclosure.signature_message(data))
    return disclosure.GrantItem(data, signature, b"decider", reasons, sealed, tuple(cut))


def with_grants(report: SealedReport, *grants: disclosure.GrantItem) -> SealedReport:
    """Let grants travel with the report."""
    item = sync.Item(
        report.item.manifest,
        report.item.signature,
        report.item.sections,
        report.item.recipients,
        report.item.tiers,
        grants,
        report.item.heads,
    )
    return replace(report, item=item)
