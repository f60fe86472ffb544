"""Staff and their work: kinds 11, 12, 13, 14 and 17.

For: what keeps staff safe, what they do at a scene, what was agreed at a meeting and what the next shift should know.
A cue is about behaviour or a place, never about health or a criminal history.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from sluss_schemas.forms.base import EnforcementForm, FullForm, In
from sluss_schemas.forms.common import CaseStaff, NumberBand, Problems, Severity


class SafetyAlert(FullForm, frozen=True, kw_only=True):
    """A warning to staff; it ends by itself."""

    KIND: ClassVar[int] = 11

    severity: Severity = None
    number_band: NumberBand = None
    valid_hours: Annotated[
        int | None,
        In(compartment="SIT", low=1, high=8784, doc="hours for which it holds; else as long as the pack shows it"),
    ] = None


class StaffThreat(FullForm, frozen=True, kw_only=True):
    """Threats or violence against staff."""

    KIND: ClassVar[int] = 12

    severity: Severity = None
    number_band: NumberBand = None
    threat_forms: Annotated[
        list[str], In(compartment="SIT", codes="threat_form", fact=True, doc="how staff were threatened")
    ] = msgspec.field(default_factory=list)
    injured: Annotated[bool | None, In(compartment="CAR", doc="somebody of the staff was hurt")] = None
    case_staff: CaseStaff = msgspec.field(default_factory=list)


class ActivityLog(FullForm, frozen=True, kw_only=True):
    """What was done at a scene, by the four categories of intervention."""

    KIND: ClassVar[int] = 13

    category: Annotated[
        str | None,
        In(compartment="SIT", codes="intervention_category", fact=True, doc="one of the four categories"),
    ] = None
    activities: Annotated[
        list[str],
        In(compartment="SIT", codes="intervention", fact=True, doc="what was done; each of the category"),
    ] = msgspec.field(default_factory=list)
    staff: Annotated[int | None, In(compartment="SIT", high=500, fact=True, doc="how many took part")] = None
    minutes: Annotated[int | None, In(compartment="SIT", high=1440, fact=True, doc="how long it took")] = None
    persons_reached: Annotated[
        int | None, In(compartment="SIT", high=100_000, fact=True, doc="how many it reached")
    ] = None
    planned: Annotated[bool | None, In(compartment="SIT", fact=True, doc="is yet to take place")] = None
    users_consulted: Annotated[bool | None, In(compartment="SIT", fact=True, doc="people who use drugs were asked")] = (
        None
    )


class MeetingRecord(EnforcementForm, frozen=True, kw_only=True):
    """A meeting and who attended it, by agency; it names no persons."""

    KIND: ClassVar[int] = 14

    meeting: Annotated[str | None, In(compartment="SIT", codes="meeting", fact=True, doc="which meeting")] = None
    present: Annotated[list[str], In(compartment="SIT", codes="agency", fact=True, doc="agencies present")] = (
        msgspec.field(default_factory=list)
    )
    deputy: Annotated[
        list[str], In(compartment="SIT", codes="agency", fact=True, doc="agencies that sent a deputy")
    ] = msgspec.field(default_factory=list)
    absent_notified: Annotated[
        list[str], In(compartment="SIT", codes="agency", fact=True, doc="agencies that gave notice")
    ] = msgspec.field(default_factory=list)
    absent: Annotated[list[str], In(compartment="SIT", codes="agency", fact=True, doc="agencies that did not come")] = (
        msgspec.field(default_factory=list)
    )
    with_mandate: Annotated[
        list[str], In(compartment="SIT", codes="agency", fact=True, doc="agencies whose people could decide")
    ] = msgspec.field(default_factory=list)
    decisions: Annotated[
        int | None, In(compartment="SIT", high=200, fact=True, doc="how many decisions were taken")
    ] = None


class HandoverNote(FullForm, frozen=True, kw_only=True):
    """What one shift tells the next, inside one agency."""

    KIND: ClassVar[int] = 17

    severity: Severity = None
    problems: Problems = msgspec.field(default_factory=list)
    to_shift: Annotated[str | None, In(compartment="SIT", codes="time_band", fact=True, doc="for which shift")] = None
