"""What is checked of a grant: its signature, its ground, its receivers, and what it may open.

For now only what a statute obliges the author to send at filing passes; decided gateways are refused by name.
Source: docs/protocol.md section 4.

> INVARIANT: a grant opens one version to receivers that it names, never more than its ground gives them; one that opens
> nothing for anybody is not stored.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sluss_schemas import disclosure
from sluss_schemas.ids import NO_SCENE, Kid
from sluss_schemas.manifest import Manifest
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_server.services.directories import View
from sluss_server.services.recipients import PLACE, Target, feed_of, keep, resolve
from sluss_server.services.rules import Rules
from sluss_server.storage.feeds import GRANT, NewEntry

EARLY_S: Final = 300
"""How far ahead of the server's clock a grant may begin: what a signed request may be off."""


@dataclass(slots=True, kw_only=True)
class CheckedGrant:
    """A grant that may be stored, when it was received, and the feed entries that it makes."""

    digest: bytes
    agency: bytes
    item: disclosure.GrantItem
    grant: disclosure.Grant
    at: int
    entries: list[NewEntry] = field(default_factory=list)
    trimmed: bool = False


def check_grant(
    rules: Rules,
    view: View,
    directory: Directory,
    target: Target,
    item: disclosure.GrantItem,
    *,
    now: int,
    past: bool = False,
) -> CheckedGrant:
    """Check a grant for a version, received at `now`; `past` lets receivers and signer be of epochs closed since.

    Raises:
        Invalid: `malformed`, `not_canonical`, `bad_signature`, `stale_directory`, `unknown_pack`, `out_of_range`, or
            `not_allowed` with the gateway's code in the field.

    """
    grant = disclosure.read_grant(item.grant)
    found = CheckedGrant(
        digest=disclosure.grant_digest(item.grant), agency=directory.agency, item=item, grant=grant, at=now
    )
    if grant.digest != target.digest:
        raise Invalid("malformed", "grant.digest")
    if tuple(sorted(one.kid for one in item.recipients)) != grant.receivers:
        raise Invalid("malformed", "grant.receivers")
    if disclosure.sealed_digest(item.recipients) != grant.sealed:
        raise Invalid("malformed", "grant.sealed")
    if {wrap.slot for one in item.recipients for wrap in one.wraps} - set(grant.slots):
        raise Invalid("malformed", "grant.slots")
    _check_signature(directory, target.manifest, item, past=past)
    if grant.pack != target.manifest.pack:
        raise Invalid("unknown_pack", "grant.pack")
    gateway = rules.gateway(grant.pack, grant.gateway)
    if gateway is None or not gateway.at_filing:
        raise Invalid("not_allowed", f"grant.{grant.gateway}")
    # Every test that the pack demands, affirmed; one that is missing, doubled or denied opens nothing.
    if [(test.code, test.met) for test in grant.tests] != [(test.code, True) for test in gateway.tests]:
        raise Invalid("not_allowed", f"grant.{grant.gateway}.tests")
    if grant.not_before > now + EARLY_S or (grant.not_after is not None and grant.not_after <= grant.not_before):
        raise Invalid("out_of_range", "grant.not_before")
    _place(rules, view, directory, target, found, past=past)
    if not found.entries:
        # A duty of which nothing arrives is not answered, and its author must hear so.
        raise Invalid("not_allowed", f"grant.{grant.gateway}.receivers")
    return found


def _check_signature(directory: Directory, manifest: Manifest, item: disclosure.GrantItem, *, past: bool) -> None:
    """Verify under the epoch that signed the report, or under the one that is in force now, or was since."""
    signer = directory.by_sign_kid.get(Kid(manifest.signer_kid))
    if signer is None:
        raise Invalid("bad_signature", "grant")
    message = disclosure.signature_message(item.grant)
    later = directory.audiences[signer.audience].epochs[signer.epoch :]
    for keys in (signer, *(later if past else later[-1:])):
        with suppress(Invalid):
            verify(keys.sign_key, item.signature, message, "grant")
            return
    raise Invalid("bad_signature", "grant")


def _place(rules: Rules, view: View, directory: Directory, target: Target, found: CheckedGrant, *, past: bool) -> None:
    grant = found.grant
    for sealed in found.item.recipients:
        keys = resolve(view, directory, sealed.kid, past=past)
        receiver = view.as_receiver(sealed.kid, directory.agency)
        if keys is None or receiver is None:
            found.trimmed = True
            continue
        slots = rules.slots(grant.pack, target.manifest.kind, directory.sector, receiver)
        kept = keep(sealed, slots.duties.get(grant.gateway, 0) & target.filled)
        found.trimmed = found.trimmed or kept.trimmed
        if kept.bits:
            feed = feed_of(keys, receiver, target.scene if kept.bits & PLACE else NO_SCENE)
            found.entries.append(
                NewEntry(
                    feed,
                    "put",
                    grant.digest,
                    GRANT,
                    sealed.kid,
                    grant.grant_id,
                    grant.gateway,
                    grant.not_after,
                    sealed.seal,
                    kept.wraps,
                )
            )
