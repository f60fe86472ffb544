"""People met, missed or helped: kinds 5, 6, 7, 8, 16 and 19.

For: outreach, concern, and care.
What a person needs lies in care and who they are in subject; the situation of these kinds says only that and how a
meeting took place.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from sluss_schemas.forms.base import FullForm, In
from sluss_schemas.forms.common import CaseStaff, ReferralStatus, Severity


class OutreachContact(FullForm, frozen=True, kw_only=True):
    """A meeting of an outreach worker with somebody, with or without an identity."""

    KIND: ClassVar[int] = 5

    identity_level: Annotated[
        str | None, In(compartment="SIT", codes="identity_level", fact=True, doc="how well the person is known")
    ] = None
    contact_form: Annotated[
        str | None, In(compartment="SIT", codes="contact_form", fact=True, doc="how the contact took place")
    ] = None
    persons_met: Annotated[int | None, In(compartment="SIT", low=1, high=200, fact=True, doc="how many were met")] = (
        None
    )
    outcomes: Annotated[list[str], In(compartment="SIT", codes="contact_outcome", fact=True, doc="what came of it")] = (
        msgspec.field(default_factory=list)
    )
    setting: Annotated[str | None, In(compartment="PLC", codes="setting", fact=True, doc="what kind of place")] = None
    reasons: Annotated[list[str], In(compartment="CAR", codes="contact_reason", doc="why there was contact")] = (
        msgspec.field(default_factory=list)
    )
    services: Annotated[list[str], In(compartment="CAR", codes="service", doc="support given")] = msgspec.field(
        default_factory=list
    )
    material: Annotated[list[str], In(compartment="CAR", codes="material", doc="things given")] = msgspec.field(
        default_factory=list
    )
    referrals: Annotated[list[str], In(compartment="CAR", codes="referral", doc="to what the person was referred")] = (
        msgspec.field(default_factory=list)
    )
    referral_status: ReferralStatus = None
    naloxone_kits: Annotated[int | None, In(compartment="CAR", high=100, fact=True, doc="naloxone kits handed out")] = (
        None
    )
    naloxone_recipient: Annotated[
        str | None, In(compartment="CAR", codes="naloxone_recipient", doc="to whom they were handed")
    ] = None
    naloxone_supply: Annotated[
        str | None, In(compartment="CAR", codes="naloxone_supply", doc="first supply or why again")
    ] = None


class AbsentPersonConcern(FullForm, frozen=True, kw_only=True):
    """Concern for somebody who was not there; whoever told it is kept apart from the person."""

    KIND: ClassVar[int] = 6

    severity: Severity = None
    last_seen_days: Annotated[
        int | None, In(compartment="SIT", high=3660, doc="days since the person was last seen")
    ] = None
    action: Annotated[str | None, In(compartment="SIT", codes="absence_action", doc="what is to be done")] = None
    case_staff: CaseStaff = msgspec.field(default_factory=list)
    informant: Annotated[str | None, In(compartment="AUT", doc="who told it; never leaves the own agency")] = None


class ReportOfConcern(FullForm, frozen=True, kw_only=True):
    """A report of concern about a child."""

    KIND: ClassVar[int] = 7

    severity: Severity = None
    concerns: Annotated[
        list[str], In(compartment="SIT", codes="concern", fact=True, doc="what the concern is about")
    ] = msgspec.field(default_factory=list)
    immediate: Annotated[bool | None, In(compartment="SIT", fact=True, doc="protection may be needed at once")] = None
    guardian_informed: Annotated[bool | None, In(compartment="CAR", doc="the guardian knows of the report")] = None
    case_staff: CaseStaff = msgspec.field(default_factory=list)


class MuminEpisode(FullForm, frozen=True, kw_only=True):
    """A step of joint work with a young person who was stopped for drugs."""

    KIND: ClassVar[int] = 8

    step: Annotated[str | None, In(compartment="SIT", codes="mumin_step", fact=True, doc="which step it is")] = None
    appearance: Annotated[str | None, In(compartment="CAR", codes="appearance", doc="whether the person came")] = None
    test_result: Annotated[str | None, In(compartment="CAR", codes="test_result", doc="result of a test")] = None
    consent: Annotated[str | None, In(compartment="CAR", codes="consent_state", doc="state of the consent")] = None
    referrals: Annotated[list[str], In(compartment="CAR", codes="referral", doc="to what the person was referred")] = (
        msgspec.field(default_factory=list)
    )
    referral_status: ReferralStatus = None


class ProtectedServiceContact(FullForm, frozen=True, kw_only=True):
    """A visit to a service whose place is protected."""

    KIND: ClassVar[int] = 16

    service: Annotated[str | None, In(compartment="SIT", codes="protected_service", doc="which service")] = None
    age_confirmed: Annotated[bool | None, In(compartment="CAR", doc="eighteen or older, confirmed")] = None
    returned: Annotated[int | None, In(compartment="CAR", high=10_000, doc="syringes returned")] = None
    issued: Annotated[int | None, In(compartment="CAR", high=10_000, doc="syringes issued")] = None
    special_reason: Annotated[bool | None, In(compartment="CAR", doc="issued without a return, for a reason")] = None
    vaccination_offered: Annotated[bool | None, In(compartment="CAR", doc="vaccination offered")] = None
    testing_offered: Annotated[bool | None, In(compartment="CAR", doc="testing offered")] = None
    naloxone_training: Annotated[bool | None, In(compartment="CAR", doc="trained in naloxone")] = None


class CareReferral(FullForm, frozen=True, kw_only=True):
    """A referral between health care and social services; that it exists is care data itself."""

    KIND: ClassVar[int] = 19

    referral: Annotated[str | None, In(compartment="CAR", codes="referral", doc="to what")] = None
    referral_status: ReferralStatus = None
    refusal_reason: Annotated[
        str | None, In(compartment="CAR", codes="refusal_reason", doc="why the receiver refused")
    ] = None
    case_staff: CaseStaff = msgspec.field(default_factory=list)
