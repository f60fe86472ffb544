"""What a device makes of what it got, with every key that it holds and none of its own rules.

No seal is left untried for being addressed to somebody else, and no wrap for not being promised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from sluss_client import crypto
from sluss_schemas import disclosure, manifest
from sluss_schemas import sync as wire
from sluss_schemas.ids import NO_GRANT, Digest, GrantId, Kid, ReportId

Slot = tuple[ReportId, int]


@dataclass
class Taken:
    """What came and what opened, by report and slot."""

    ciphertexts: set[Slot] = field(default_factory=set)
    wraps: set[Slot] = field(default_factory=set)
    opened: set[Slot] = field(default_factory=set)
    plain: dict[Slot, set[bytes]] = field(default_factory=dict)
    keys: dict[Slot, set[bytes]] = field(default_factory=dict)

    def slots(self, report_id: ReportId) -> set[int]:
        """Return the slots of a report that opened."""
        return {slot for one, slot in self.opened if one == report_id}

    def came(self, report_id: ReportId) -> set[int]:
        """Return the slots of a report of which a ciphertext or a wrap came."""
        return {slot for one, slot in self.ciphertexts | self.wraps if one == report_id}


class Opening:
    """Tries keys on seals, and remembers: a seal is tried once with each key, whoever holds it."""

    def __init__(self) -> None:
        """Have tried nothing yet."""
        self._tried: dict[tuple[bytes, bytes, bytes, bytes], bytes | None] = {}

    def message(self, key: crypto.KemKey, seal: bytes, digest: Digest, kid: Kid, grant: GrantId) -> bytes | None:
        """Return what a seal holds, or None where this key does not open it as its own."""
        name = (bytes(kid), seal, bytes(digest), bytes(grant))
        if name not in self._tried:
            try:
                self._tried[name] = key.open(seal, manifest.seal_info(digest, kid, grant))
            except crypto.CannotOpen:
                self._tried[name] = None
        return self._tried[name]

    def take(self, entries: Iterable[wire.Entry], ring: Mapping[Kid, crypto.KemKey]) -> Taken:
        """Open all that these keys open of the entries of a raw pull."""
        taken, puts = Taken(), [entry.put for entry in entries if entry.put is not None]
        secrets: dict[bytes, set[bytes]] = {}
        for put in puts:
            digest = manifest.digest_of(put.manifest)
            grant = _grant(put)
            for kid, key in ring.items():
                if put.seal and (message := self.message(key, put.seal, digest, kid, _id(grant))):
                    secrets.setdefault(digest, set()).add(message[: crypto.KEY_BYTES])
        for put in puts:
            digest = manifest.digest_of(put.manifest)
            _open(taken, put, digest, secrets.get(digest, set()))
        return taken


def _open(taken: Taken, put: wire.Put, digest: Digest, secrets: set[bytes]) -> None:
    document, grant = manifest.read_manifest(put.manifest), _grant(put)
    report_id = ReportId(document.report_id)
    sections = {one.slot: one.section for one in put.sections}
    taken.ciphertexts |= {(report_id, slot) for slot in sections}
    for one in put.wraps:
        at = (report_id, one.slot)
        taken.wraps.add(at)
        for secret in secrets:
            try:
                key = crypto.unwrap(secret, manifest.wrap_info(digest, one.slot, _id(grant)), one.wrap)
            except crypto.CannotOpen:
                continue
            taken.opened.add(at)
            taken.keys.setdefault(at, set()).add(key)
            if (section := sections.get(one.slot)) is not None:
                taken.plain.setdefault(at, set()).add(_plain(document, digest, grant, one.slot, key, section))


def _plain(  # noqa: PLR0917  # what a section is bound to
    document: manifest.Manifest,
    digest: Digest,
    grant: disclosure.Grant | None,
    slot: int,
    key: bytes,
    section: bytes,
) -> bytes:
    if grant is not None and hashlib.sha256(section).digest() != document.slots[slot]:
        return crypto.decrypt_section(key, disclosure.excerpt_context(digest, grant.grant_id, slot), section)
    context = manifest.section_context(ReportId(document.report_id), document.author_ref, document.version, slot)
    return crypto.decrypt_section(key, context, section)


def _grant(put: wire.Put) -> disclosure.Grant | None:
    return None if put.grant is None else msgspec.msgpack.decode(put.grant.grant, type=disclosure.Grant)


def _id(grant: disclosure.Grant | None) -> GrantId:
    return NO_GRANT if grant is None else GrantId(grant.grant_id)
