"""What is checked of a case record: who files it, to whom it goes, what it is about, what it follows, and its clock.

The server reads what stands in clear and nothing else; what was written is sealed to the addressees.
Whatever a record names that is not there, or is not the filer's, is answered alike: it waits (`retry`, `not_found`).
Source: docs/protocol.md section 4; `sluss_schemas.records.RULES`.

> INVARIANT: a record reaches exactly the audiences and devices that it is sealed to, and no answer tells whether a
> report, a grant or a record of somebody else exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_schemas.agency import Device
from sluss_schemas.disclosure import BASE_RELEASE, read_grant
from sluss_schemas.ids import NO_SCENE
from sluss_schemas.problems import Invalid
from sluss_schemas.records import PUBLIC_TEXT, RULES, Case, CaseKind, Rule
from sluss_schemas.sync import MAX_CLOCK_SKEW_S
from sluss_server.services import caseterms, raising, reclassifying, requested, shifts, statements, vetting
from sluss_server.services.filing import Filing, Followed, addressed, case_of, functions_of
from sluss_server.storage import disclosure, reports
from sluss_server.storage.feeds import CASE, NewEntry, audience_feed, device_feed
from sluss_server.storage.reports import Stored

GRANT: Final = "grant"
"""What stands in a rule's `follows` for the id of a grant."""
_ADDRESSED: Final = frozenset({CaseKind.CONFIRM})
"""Kinds that only those may file to whom the followed record was addressed."""
_NAMED: Final = frozenset({CaseKind.DISPUTE})
"""Kinds that also those may file whom the followed grant names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCase:
    """What a record goes into, and the record of the same push that has to be stored for it."""

    entries: list[NewEntry]
    needs: bytes | None


async def check_case(filing: Filing, case: Case, digest: bytes) -> CheckedCase:
    """Check a record whose signature was verified; `digest` is its own.

    Raises:
        Invalid: `not_allowed`, `malformed`, `missing_field`, `out_of_range`, `unknown_code`, `unknown_scene`,
            `unknown_pack`, `stale_directory`; `not_found` for what it is about or follows, and `future_time`, both of
            which may hold later.

    """
    rule = RULES[case.kind]
    if not filing.past:
        _must_file(filing, rule)
        if case.time > filing.at + MAX_CLOCK_SKEW_S:
            raise Invalid("future_time", "record.time")
    _check_code(filing, rule, case)
    if case.kind is CaseKind.PLACES and case.code == reclassifying.PROTECTED and not filing.past:
        _check_places(filing, case)
    entries = [_entry(filing, rule, seal.kid, digest) for seal in case.seals]
    followed = await _followed(filing, rule, case)
    about = await _about(filing, rule, case, followed)
    if case.kind is CaseKind.RECLASSIFY:
        reclassifying.check(filing, case, followed)
    if case.kind is CaseKind.STATEMENT:
        await statements.check(filing, case, followed)
    else:
        await caseterms.check(
            filing, vetting.checked(filing, requested.checked(filing, case, followed), followed), about
        )
    if case.kind is CaseKind.SHIFT:
        shifts.check_end(filing, case, followed)
    return CheckedCase(entries=entries, needs=case.follows if followed is not None and followed.coming else None)


def _must_file(filing: Filing, rule: Rule) -> None:
    held = functions_of(filing.directory, filing.caller.device)
    may = {*rule.files, *(("supervisors",) if "field" in rule.files else ())}
    if filing.caller.revoked or not filing.caller.active or not held & may:
        raise Invalid("not_allowed", "record.device")


def _check_code(filing: Filing, rule: Rule, case: Case) -> None:
    """Refuse a code that is none: it stands in clear, so nothing that a person wrote may be in it."""
    if rule.codes:
        if case.code not in rule.codes:
            raise Invalid("unknown_code", "record.code")
    elif case.kind is CaseKind.REQUEST and (case.code == PUBLIC_TEXT or case.code in filing.pack().requests):
        return
    elif case.code not in {"", BASE_RELEASE} and case.code not in filing.pack().gateways:
        raise Invalid("unknown_code", "record.code")


def _check_places(filing: Filing, case: Case) -> None:
    """Refuse the list of protected places from, or for, anybody whom the pack does not name for it."""
    filed = filing.pack().filing
    if filing.directory.sector not in filed.protects:
        raise Invalid("not_allowed", "record.device")
    receivers = (filing.view.receiver(seal.kid) for seal in case.seals)
    if any(found is not None and found[0].sector not in filed.holds_places for found in receivers):
        raise Invalid("not_allowed", "record.seals")


def _entry(filing: Filing, rule: Rule, kid: bytes, digest: bytes) -> NewEntry:
    """Return the entry of one addressee."""
    found = filing.view.receiver(kid)
    if found is None and filing.past:
        # It was known; its directory has yet to come back.
        raise Invalid("stale_directory", "record.seals")
    if found is None:
        raise Invalid("not_allowed", "record.seals")
    directory, keys = found
    own = directory.agency == filing.caller.agency
    if not own and not rule.across:
        raise Invalid("not_allowed", "record.seals")
    if isinstance(keys, Device):
        if keys.revoked_at is not None and not filing.past:
            raise Invalid("stale_directory", "record.seals")
        return NewEntry(device_feed(keys.kid), "case", digest, CASE, kid)
    if own and filing.view.function_of(directory, keys) not in rule.to:
        raise Invalid("not_allowed", "record.seals")
    if not filing.past and not filing.view.is_current(directory, keys):
        raise Invalid("stale_directory", "record.seals")
    return NewEntry(audience_feed(keys.audience, NO_SCENE), "case", digest, CASE, kid)


async def _followed(filing: Filing, rule: Rule, case: Case) -> Followed | None:
    """Return the record that a record follows; None for one that begins something, or that follows a grant."""
    if case.follows is None:
        if rule.follows and str(case.kind) not in rule.follows:
            raise Invalid("missing_field", "record.follows")
        return None
    if not rule.follows or case.follows == case.record:
        raise Invalid("malformed", "record.follows")
    if await raising.ends(filing, case):
        return None
    if GRANT in rule.follows:
        await _grant(filing, case, case.follows)
        return None
    found = await _record(filing, case.follows)
    own = found is not None and found.agency == filing.caller.agency and case.kind not in _ADDRESSED
    if found is None or not (own or (rule.across and addressed(filing, {seal.kid for seal in found.case.seals}))):
        raise Invalid("not_found", "record.follows")
    if str(found.case.kind) not in rule.follows:
        raise Invalid("malformed", "record.follows")
    return found


async def _record(filing: Filing, record: bytes) -> Followed | None:
    if record in filing.coming:
        return Followed(agency=filing.caller.agency, case=filing.coming[record], coming=True)
    agencies = sorted(filing.view.directories)
    rows = await disclosure.records_named(filing.connection, filing.caller.partnership, agencies, [record])
    # Ids are the agencies' own; the own agency's comes first.
    rows.sort(key=lambda one: one.agency != filing.caller.agency)
    return next((Followed(agency=row.agency, case=case) for row in rows if (case := case_of(row)) is not None), None)


async def _grant(filing: Filing, case: Case, grant_id: bytes) -> None:
    """Return quietly if a grant may be followed."""
    agencies = sorted(filing.view.directories) if case.kind in _NAMED else [filing.caller.agency]
    for row in await disclosure.grants_named(filing.connection, filing.caller.partnership, agencies, [grant_id]):
        named = set(read_grant(row.grant_bytes).receivers)
        if row.agency == filing.caller.agency or addressed(filing, named):
            return
    raise Invalid("not_found", "record.follows")


async def _about(filing: Filing, rule: Rule, case: Case, followed: Followed | None) -> Stored | None:
    """Return the version that a record is about."""
    if not rule.about or (case.kind is CaseKind.RECLASSIFY and followed is not None):
        if case.digest is not None:
            raise Invalid("malformed", "record.digest")
        return None
    if case.digest is None:
        raise Invalid("missing_field", "record.digest")
    stored = (await reports.stored(filing.connection, filing.caller.partnership, [case.digest])).get(case.digest)
    if stored is None or stored.agency != filing.caller.agency or stored.quarantine is not None:
        raise Invalid("not_found", "record.digest")
    return stored
