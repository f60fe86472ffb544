"""What is checked of a pushed report before the writer sees it: form, signature, facts, kind, recipients.

Everything here is a function of the item, the directories, the pack and the time; what depends on other reports is
`applying.py`'s.
Refuses what nobody could have meant (a broken form or signature); what only an old app or a person without rights
would send is kept in quarantine instead, because no change of access may destroy work.
What an earlier instance of the server stored, or a supervisor countersigns, is checked again for what it is, not for
when and by whom it comes.
Source: docs/protocol.md sections 3 and 6.

> INVARIANT: nothing is stored of an item whose signature does not verify under an epoch of the caller's own agency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from msgspec import Raw

from sluss_schemas import manifest as m
from sluss_schemas import sync
from sluss_schemas.agency import EpochKeys
from sluss_schemas.codec import decode
from sluss_schemas.ids import KIND_SECRET, NO_SCENE, Digest, Kid, kind_code, slot_name
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.services.grants import CheckedGrant, check_grant
from sluss_server.services.receipts import Former
from sluss_server.services.recipients import Target, filled_slots, place_base
from sluss_server.storage.feeds import NewEntry

FUTURE_GRACE_S: Final = 86_400
_ITEM_BYTES: Final = sync.MAX_PUSH_BYTES
_NO_GRACE: Final = -1
_NONE: Final[Mapping[bytes, Former]] = MappingProxyType({})


@dataclass(slots=True, kw_only=True)
class Checked:
    """An item that may be stored, unless the versions that are there already say otherwise.

    Attributes:
        digest: D.
        raw: the whole item's bytes, kept for a quarantined one.
        scene: the scene of tier 0, or `ids.NO_SCENE`.
        at: when it was received, Unix seconds.
        facts: tier 1, where it is there.
        quarantine: the reason and field for which it is in no feed, or None.
        entries: what goes into the feeds, without numbers.
        grants: the grants that travel with it.
        trimmed: whether something that exceeded the pack was left out.

    """

    digest: Digest
    raw: bytes
    manifest_bytes: bytes
    manifest: m.Manifest
    item: sync.Item
    agency: bytes
    at: int
    scene: int = NO_SCENE
    facts: sync.Tier1 | None = None
    quarantine: tuple[str, str] | None = None
    entries: list[NewEntry] = field(default_factory=list)
    grants: list[CheckedGrant] = field(default_factory=list)
    trimmed: bool = False


@dataclass(frozen=True, slots=True)
class Unusable:
    """An item of which nothing is stored; `record` says whether the ledger gets a `deny`."""

    digest: bytes
    outcome: sync.OutcomeCode
    reason: str
    field: str
    agency: bytes
    record: bool = False


_OUTCOMES: Final = {
    "bad_signature": sync.OutcomeCode.BAD_SIGNATURE,
    "stale_directory": sync.OutcomeCode.STALE_DIRECTORY,
}


def unusable(digest: bytes, agency: bytes, refusal: Invalid) -> Unusable:
    """Return the outcome that a refusal means for one pushed thing."""
    outcome = _OUTCOMES.get(refusal.code, sync.OutcomeCode.REFUSED)
    record = refusal.code in {"bad_signature", "not_allowed"}
    return Unusable(digest, outcome, refusal.code, refusal.field, agency, record)


def check_item(
    core: Core,
    view: View,
    agency: bytes,
    raw: Raw,
    *,
    now: int,
    active: bool,
    formers: Mapping[bytes, Former] = _NONE,
) -> Checked | Unusable:
    """Check one item of a push by a device of `agency`.

    `active` says whether the device and its person have rights now; without, the item is kept in quarantine.
    One that is in `formers` was stored before, at that time: neither rights nor staleness are asked about again.
    """
    data = bytes(raw)
    digest = Digest(hashlib.sha256(data).digest())
    former = None
    try:
        item = decode(sync.Item, data, "item", limit=_ITEM_BYTES)
        manifest = m.read_manifest(item.manifest)
        digest = m.digest_of(item.manifest)
        if manifest.agency != agency:
            # Also where such a version is stored: whose it is, is nobody else's business.
            raise Invalid("not_allowed", "manifest.agency")
        former = formers.get(digest)
        found = Checked(
            digest=digest,
            raw=data,
            manifest_bytes=item.manifest,
            manifest=manifest,
            item=item,
            agency=agency,
            at=now if former is None else former.time,
        )
        _check(core, view, found, now=now, active=active, former=former)
    except Invalid as refusal:
        if former is not None and refusal.code == "stale_directory":
            # It cannot be sealed again under the same name; what it needs has to come back first.
            return Unusable(digest, sync.OutcomeCode.RETRY, refusal.code, refusal.field, agency)
        return unusable(digest, agency, refusal)
    return found


def _check(core: Core, view: View, found: Checked, *, now: int, active: bool, former: Former | None) -> None:
    item, manifest = found.item, found.manifest
    directory = view.directories[found.agency]
    keys = directory.by_sign_kid.get(Kid(manifest.signer_kid))
    behind = former is not None and view.behind(item.heads)
    if keys is None and behind:
        raise Invalid("stale_directory", "heads")
    if keys is None:
        raise Invalid("bad_signature", "manifest.signer_kid")
    verify(keys.sign_key, item.signature, m.signature_message(found.digest))
    _check_form(item, manifest)
    found.scene, found.facts = _read_facts(item)
    found.quarantine = _held_back(core, view, found, keys, now=now, active=active, former=former)
    if former is not None and behind and not former.held and (found.quarantine or _has_strangers(view, item)):
        # Stored now, it would be lost to readers whose directories come back an hour later.
        raise Invalid("stale_directory", "heads")
    if found.quarantine is not None:
        return
    past = former is not None
    if not past and not view.sound_heads(manifest.directories, item.heads):
        raise Invalid("stale_directory", "heads")
    if past and m.directories_digest(item.heads) != manifest.directories:
        raise Invalid("malformed", "heads")
    target = Target(found.digest, manifest, found.scene, filled_slots(item))
    placed = place_base(core.rules, view, directory, target, item.recipients, now=now, past=past)
    found.entries, found.trimmed = placed.entries, placed.trimmed
    for grant in item.grants:
        checked = check_grant(core.rules, view, directory, target, grant, now=found.at, past=past)
        found.grants.append(checked)
        found.entries.extend(checked.entries)
        found.trimmed = found.trimmed or checked.trimmed


def _held_back(
    core: Core, view: View, found: Checked, keys: EpochKeys, *, now: int, active: bool, former: Former | None
) -> tuple[str, str] | None:
    """Return why a version is kept in quarantine, or None; what was there before goes there again."""
    manifest, directory = found.manifest, view.directories[found.agency]
    grace_s = core.rules.closed_epoch_grace_s(manifest.pack) if former is None else _NO_GRACE
    fresh = former is None or former.held
    return (
        (None if active or not fresh else ("not_allowed", "device"))
        or (_closed_epoch(keys, now, grace_s, strict=active) if fresh else None)
        or _wrong_kind(core, directory, manifest)
        or _wrong_content(core, view, directory, found)
        or (("future_time", "manifest.time") if fresh and manifest.time > now + FUTURE_GRACE_S else None)
        or (("not_allowed", "device") if former is not None and former.held else None)
    )


def _has_strangers(view: View, item: sync.Item) -> bool:
    """Tell whether something is sealed to a key that no directory names."""
    sealed = (*item.recipients, *(one for grant in item.grants for one in grant.recipients))
    return any(view.receiver(one.kid) is None for one in sealed)


def _check_form(item: sync.Item, manifest: m.Manifest) -> None:
    """Refuse sections and facts that are not those of the manifest, and seals that say the same thing twice."""
    seen = set[int]()
    for section in item.sections:
        if section.slot in seen or hashlib.sha256(section.section).digest() != manifest.slots[section.slot]:
            raise Invalid("malformed", f"sections.{section.slot}")
        seen.add(section.slot)
    if len({one.kid for one in item.recipients}) != len(item.recipients):
        raise Invalid("malformed", "recipients")
    for sealed in item.recipients:
        if len({wrap.slot for wrap in sealed.wraps}) != len(sealed.wraps):
            raise Invalid("malformed", "recipients.wraps")
    for number, tier in enumerate(item.tiers):
        if tier is not None and m.tier_digest(tier.salt, tier.tier) != manifest.facts[number]:
            raise Invalid("malformed", f"tiers.{number}")


def _read_facts(item: sync.Item) -> tuple[int, sync.Tier1 | None]:
    first, second = item.tiers
    scene = NO_SCENE if first is None else decode(tuple[m.U16], first.tier, "tiers.0")[0]
    return scene, None if second is None else decode(sync.Tier1, second.tier, "tiers.1")


def _closed_epoch(keys: EpochKeys, now: int, grace_s: int, *, strict: bool) -> tuple[str, str] | None:
    """Send back what was signed under an epoch that closed lately; keep what was signed under an older one."""
    if keys.closed_at is None or not strict:
        return None
    if now - keys.closed_at <= grace_s:
        raise Invalid("stale_directory", "manifest.signer_kid")
    return "stale_directory", "manifest.signer_kid"


def _wrong_kind(core: Core, directory: Directory, manifest: m.Manifest) -> tuple[str, str] | None:
    pack = core.rules.pack(manifest.pack)
    if pack is None or manifest.pack not in directory.packs:
        return "unknown_pack", "manifest.pack"
    if manifest.schema > m.SCHEMA:
        return "unknown_pack", "manifest.schema"
    if manifest.kind != KIND_SECRET:
        if manifest.kind not in pack.kinds:
            return "unknown_kind", "manifest.kind"
        if not pack.kinds[manifest.kind].clear:
            # It has told that it exists; at least it tells nobody else.
            return "unknown_kind", "manifest.kind"
    if not core.rules.owns(manifest.pack, manifest.kind, directory.sector):
        return "not_an_owner", "manifest.kind"
    return None


def _wrong_content(core: Core, view: View, directory: Directory, found: Checked) -> tuple[str, str] | None:
    item, manifest = found.item, found.manifest
    code = kind_code(manifest.kind)
    allowed = core.rules.collected(manifest.pack, manifest.kind, directory.sector)
    for section in item.sections:
        if not allowed >> section.slot & 1:
            return "not_collected", f"{code}.{slot_name(section.slot)[0]}"
    tells_scene, coded = core.rules.facts(manifest.pack, manifest.kind)
    first, _ = item.tiers
    if (first is not None and not tells_scene) or (
        found.facts is not None and (coded is None or len(found.facts.values) > coded)
    ):
        return "not_collected", f"{code}.facts"
    if first is not None and not view.scene_exists(found.scene):
        return "unknown_scene", "tiers.0"
    return None
