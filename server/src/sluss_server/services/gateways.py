"""What a ground demands before a grant opens anything: who decides, tests, reasons, a clock, approvals and a consent.

What a ground gives, and to whom, is the pack's row (`recipients.given`); a statute's exemption and a hard denial show
there, because the ground is not offered.
Refuses to weigh anything: a test that lies in sealed content is attested, and its answer is part of the grant.
Source: docs/secrecy-rules.md B4 and B6; docs/protocol.md section 4.

> INVARIANT: nothing that the ground demands is taken for granted: what is missing, doubled, denied, over or somebody
> else's refuses the grant.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sluss_schemas.disclosure import Approval, Grant, GrantItem, approval_message
from sluss_schemas.ids import FUNCTIONS, Kid
from sluss_schemas.policy import offences
from sluss_schemas.policy.model import Gateway, Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.replay import Directory
from sluss_schemas.signing import verify
from sluss_server.services.consents import Consent
from sluss_server.services.directories import View

EARLY_S: Final = 300
"""How far ahead of the server's clock a grant may begin: what a signed request may be off."""
MAX_EXCERPT_BYTES: Final = 131_072
"""An excerpt is a section with less in it."""
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """A consent that is recorded, and the report that it is about; None where it covers nothing any more."""

    consent: Consent | None
    report_id: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who pushes a grant, and so decides: the person, their functions, and the consents that are recorded, by id.

    The person pushes last: whoever approves has done so by then.
    """

    person: bytes
    functions: frozenset[str]
    bases: dict[bytes, Basis]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A grant to be checked: the ground that it names, and the state of things that it is checked against.

    Attributes:
        pack: the one that the grant names, where it is known.
        gateway: None for a release after embargo or review.
        duty: whether audiences receive it, because a statute obliges.
        by: None for what travels with its report, which is a duty that its author answered.

    """

    view: View
    directory: Directory
    pack: Pack | None
    gateway: Gateway | None
    grant: Grant
    item: GrantItem
    report_id: bytes
    duty: bool
    by: Decider | None
    now: int

    def refuse(self, what: str) -> Invalid:
        """Return the refusal of a grant for the want of something."""
        return Invalid("not_allowed", f"grant.{self.grant.gateway}.{what}")


def check(case: Case) -> None:
    """Return quietly if everything is there that the ground demands.

    Raises:
        Invalid: `not_allowed` with the gateway's code and what is missing in the field; `out_of_range` for times that
            contradict each other; `not_found` for a consent that is not recorded yet.

    """
    if case.by is not None and not _may_decide(case) & case.by.functions:
        raise case.refuse("decides")
    # Every test that the pack demands, affirmed; one that is missing, doubled or denied opens nothing.
    demanded = () if case.gateway is None else case.gateway.tests
    if lacks := _lacks(case):
        raise case.refuse(lacks)
    written = any(test.written for test in demanded)
    if hashlib.sha256(case.item.reasons).digest() != case.grant.reasons or (written and not case.item.reasons):
        raise case.refuse("reasons")
    _check_times(case)
    if case.by is not None:
        _check_approvals(case, case.by)
        _check_basis(case, case.by)


def _lacks(case: Case) -> str:
    answers = [(test.code, test.met) for test in case.grant.tests]
    if case.gateway is None or case.pack is None:
        return "tests" if answers else ""
    return offences.wanting(case.pack, case.gateway, answers)


def check_form(item: GrantItem, grant: Grant) -> None:
    """Return quietly if what travels beside a grant is what the grant names.

    Raises:
        Invalid: `malformed`, or `out_of_range` for an excerpt that is none.

    """
    digests = [(one.slot, hashlib.sha256(one.section).digest()) for one in item.excerpts]
    if digests != [(one.slot, one.digest) for one in grant.excerpts]:
        raise Invalid("malformed", "grant.excerpts")
    if any(not 0 < len(one.section) <= MAX_EXCERPT_BYTES for one in item.excerpts):
        raise Invalid("out_of_range", "grant.excerpts")


def _may_decide(case: Case) -> set[str]:
    """Return the functions of which the decider has one; what field staff decide, supervisors may too."""
    gateway = case.gateway
    if gateway is None:
        return {"supervisors"}
    function = gateway.decides if case.duty else gateway.decides_case or gateway.decides
    return {function, "supervisors"} if function == "field" else {function}


def _check_times(case: Case) -> None:
    gateway, grant = case.gateway, case.grant
    if gateway is not None and grant.not_before > case.now + EARLY_S:
        raise Invalid("out_of_range", "grant.not_before")
    if grant.not_after is None:
        # A duty is done when it is done; what somebody decided on such a ground ends.
        if gateway is not None and not case.duty and (gateway.max_hours is not None or gateway.age is not None):
            raise case.refuse("not_after")
        return
    if grant.not_after <= grant.not_before:
        raise Invalid("out_of_range", "grant.not_before")
    longest = None if gateway is None or gateway.max_hours is None else gateway.max_hours * _HOUR_S
    if grant.not_after <= case.now or (longest is not None and grant.not_after - grant.not_before > longest):
        raise case.refuse("not_after")


def _check_approvals(case: Case, by: Decider) -> None:
    needed = "none" if case.gateway is None else case.gateway.approval
    if needed != "none" and not case.grant.approvals:
        raise case.refuse("approvals")
    # Where a partnership has no such function, supervisors stand in for it.
    function = None if needed == "none" else needed if needed in FUNCTIONS else "supervisors"
    for one in case.grant.approvals:
        if not _approves(case, by, one, function):
            raise case.refuse("approvals")


def _approves(case: Case, by: Decider, approval: Approval, function: str | None) -> bool:
    """Tell whether somebody else of the owner, who has the function and is in service, approved this very grant."""
    directory = case.directory
    device = directory.devices.get(Kid(approval.device))
    if device is None or device.person == by.person or not directory.device_active(device.kid, case.now):
        return False
    if function is not None and function not in directory.persons[device.person].functions:
        return False
    try:
        verify(device.sign_key, approval.signature, approval_message(case.grant), "grant.approvals")
    except Invalid:
        return False
    return True


def _check_basis(case: Case, by: Decider) -> None:
    grant = case.grant
    if case.gateway is None or case.gateway.basis != "consent":
        if grant.basis is not None:
            # What is owed, or decided on another ground, does not end with a consent.
            raise case.refuse("basis")
        return
    if grant.basis is None:
        raise case.refuse("basis")
    known = by.bases.get(grant.basis)
    if known is None:
        # It may come in the same push.
        raise Invalid("not_found", "grant.basis")
    consent = known.consent
    if consent is None or known.report_id != case.report_id or not consent.covers(case.view, grant, case.now):
        raise case.refuse("basis")
