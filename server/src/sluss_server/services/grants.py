"""What is checked of a grant: its form, its signature, its ground, its receivers, and what it may open.

A duty that a statute lays on the author may travel with its report; whatever somebody decides comes by itself, pushed
by the person who decides.
Source: docs/protocol.md section 4; what each ground demands is checked in `gateways.py`.

> INVARIANT: a grant opens one version to receivers that it names, never more than its ground gives them; one that opens
> nothing for anybody is not stored.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sluss_schemas import disclosure
from sluss_schemas.agency import Device, EpochKeys
from sluss_schemas.disclosure import BASE_RELEASE
from sluss_schemas.ids import NO_SCENE, Kid, bit, bitmap_of
from sluss_schemas.manifest import Manifest
from sluss_schemas.policy.model import Gateway
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_server.services import gateways
from sluss_server.services.caller import Caller
from sluss_server.services.directories import View
from sluss_server.services.gateways import Decider
from sluss_server.services.recipients import PLACE, Target, feed_of, given, keep, resolve
from sluss_server.services.rules import Rules
from sluss_server.storage.feeds import GRANT, NewEntry
from sluss_server.storage.pending import FOR_SHIFT, Pending

_ON_SHIFT: Final = bit("SUB") | bit("SUB", brief=True) | bit("SAF") | bit("SAF", brief=True)
"""What is about a person's danger, and goes to those who are there."""


@dataclass(slots=True, kw_only=True)
class CheckedGrant:
    """A grant that may be stored, when it was received, and what it puts into feeds, now or when its time has come."""

    digest: bytes
    agency: bytes
    item: disclosure.GrantItem
    grant: disclosure.Grant
    at: int
    entries: list[NewEntry] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    trimmed: bool = False


def may_know(view: View, caller: Caller, manifest: Manifest) -> bool:
    """Tell whether a device may know of a version of its own agency, and so be told what is wrong with a grant.

    Its supervisors may, and whoever it was sealed to.
    """
    directory, device = view.directories[caller.agency], Kid(caller.device)
    for one in manifest.recipients:
        found = view.receiver(one.kid)
        if found is None or found[0] is not directory:
            continue
        keys = found[1]
        if keys.kid == device if isinstance(keys, Device) else _entitled(directory, device, keys):
            return True
    supervisors = directory.audience_for("supervisors")
    return supervisors is not None and device in supervisors.members


def _entitled(directory: Directory, device: Kid, keys: EpochKeys) -> bool:
    first = directory.audiences[keys.audience].members.get(device)
    return first is not None and keys.epoch >= first


def check_grant(
    rules: Rules,
    view: View,
    directory: Directory,
    target: Target,
    item: disclosure.GrantItem,
    *,
    now: int,
    past: bool = False,
    by: Decider | None = None,
) -> CheckedGrant:
    """Check a grant for a version, received at `now`; `past` lets receivers and signer be of epochs closed since.

    Without a decider (`by`) it is a duty that the author answered when filing, or one that was stored before (`past`):
    nobody's right is asked about again.

    Raises:
        Invalid: `malformed`, `not_canonical`, `bad_signature`, `stale_directory`, `unknown_pack`, `out_of_range`,
            `not_found` for a consent that has yet to come, or `not_allowed` with the gateway's code in the field.

    """
    grant = disclosure.read_grant(item.grant)
    found = CheckedGrant(
        digest=disclosure.grant_digest(item.grant), agency=directory.agency, item=item, grant=grant, at=now
    )
    _check_form(target, item, grant)
    _check_signature(directory, target.manifest, item, past=past)
    if grant.pack not in _packs(rules, directory, target, grant, now=now, past=past):
        raise Invalid("unknown_pack", "grant.pack")
    gateway = None if grant.gateway == BASE_RELEASE else rules.gateway(grant.pack, grant.gateway)
    known = grant.gateway == BASE_RELEASE if gateway is None else not gateway.held
    if not known or (by is None and not past and not (gateway is not None and gateway.at_filing)):
        raise Invalid("not_allowed", f"grant.{grant.gateway}")
    case = gateways.Case(
        view=view,
        directory=directory,
        pack=rules.pack(grant.pack),
        gateway=gateway,
        grant=grant,
        item=item,
        report_id=target.manifest.report_id,
        duty=_to_audiences(view, grant, gateway),
        by=by,
        now=now,
    )
    gateways.check(case)
    for sealed in item.recipients:
        _place(rules, case, target, found, sealed, past=past)
    if not found.entries and not found.pending:
        # A grant of which nothing arrives is not answered, and its author must hear so.
        raise case.refuse("receivers")
    return found


def _check_form(target: Target, item: disclosure.GrantItem, grant: disclosure.Grant) -> None:
    if grant.digest != target.digest:
        raise Invalid("malformed", "grant.digest")
    if tuple(sorted(one.kid for one in item.recipients)) != grant.receivers:
        raise Invalid("malformed", "grant.receivers")
    if disclosure.sealed_digest(item.recipients) != grant.sealed:
        raise Invalid("malformed", "grant.sealed")
    if {wrap.slot for one in item.recipients for wrap in one.wraps} - set(grant.slots):
        raise Invalid("malformed", "grant.slots")
    gateways.check_form(item, grant)


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


def _packs(
    rules: Rules, directory: Directory, target: Target, grant: disclosure.Grant, *, now: int, past: bool
) -> set[bytes]:
    """Return the packs that a grant may name: the one in force; for a duty also that of the event."""
    found, filed = {rules.now(directory.packs, now)} - {None}, target.manifest.pack
    known = rules.pack(filed)
    ground = None if known is None else known.gateways.get(grant.gateway)
    if ground is not None and (ground.duty or ground.recommended or past):
        found.add(filed)
    return {one for one in found if one is not None}


def _to_audiences(view: View, grant: disclosure.Grant, gateway: Gateway | None) -> bool:
    """Tell whether audiences receive a grant, because it is a duty or a release; a decision is for persons' devices.

    Raises:
        Invalid: `not_allowed`, where the ground is not for such receivers.

    """
    found = [keys[1] for keys in map(view.receiver, grant.receivers) if keys is not None]
    devices = [isinstance(keys, Device) for keys in found]
    # Some grounds are for one function of the receiving agency, whoever it is.
    obliged = gateway is None or gateway.duty or gateway.recommended
    named = gateway is not None and gateway.receiver_function == "field"
    if any(devices) and (not named or not all(devices)):
        raise Invalid("not_allowed", f"grant.{grant.gateway}.receivers")
    if devices and not any(devices) and not obliged:
        raise Invalid("not_allowed", f"grant.{grant.gateway}.receivers")
    return obliged and not any(devices)


def _place(
    rules: Rules, case: gateways.Case, target: Target, found: CheckedGrant, sealed: disclosure.Sealed, *, past: bool
) -> None:
    """Put what one receiver gets where it belongs, or leave out what exceeds the ground."""
    grant, view, owner = case.grant, case.view, case.directory
    keys = resolve(view, sealed.kid, past=past)
    receiver = view.as_receiver(sealed.kid, owner.agency, case.now, target.scene)
    if keys is None and receiver is not None:
        raise Invalid("stale_directory", "recipients")
    if keys is None or receiver is None or (isinstance(keys, Device) and not past and not _in_service(case, keys)):
        found.trimmed = True
        return
    slots = rules.slots(grant.pack, target.manifest.kind, owner.sector, receiver)
    has = target.filled | bitmap_of(one.slot for one in grant.excerpts)
    allowed = given(rules, grant.pack, slots, receiver, grant.gateway)
    if case.by is None and not past:
        # What travels with a report is what the pack obliges to, and nothing that has to be decided.
        allowed = slots.duties.get(grant.gateway, 0)
    kept = keep(sealed, allowed & has)
    found.trimmed = found.trimmed or kept.trimmed
    if not kept.bits:
        return
    feed = feed_of(keys, receiver, target.scene if kept.bits & PLACE else NO_SCENE)
    entry = NewEntry(
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
    if case.gateway is None and grant.not_before > case.now:
        found.pending.append(Pending(entry, grant.not_before))
    elif case.gateway is not None and case.gateway.on_shift and receiver.named and kept.bits & _ON_SHIFT:
        found.pending.append(Pending(entry, FOR_SHIFT))
    else:
        found.entries.append(entry)


def _in_service(case: gateways.Case, device: Device) -> bool:
    found = case.view.receiver(device.kem_kid)
    return found is not None and found[0].device_active(device.kid, case.now)
