"""What a person fills in: one frozen struct per kind of report, and how it falls into sections.

For: building, checking, cutting and putting together reports.
Each fact about a field is declared once, on the field (`base.py`); everything else is derived from that.
Refuses: content where its compartment is not collected, codes outside the pack's lists, and anything that would have to
be guessed.

> INVARIANT: what is written in one compartment appears in that compartment's section and nowhere else.
"""

from sluss_schemas.forms.base import Form, Person, Place, age_range, persons_of, place_of
from sluss_schemas.forms.catalogue import Row, catalogue, markdown
from sluss_schemas.forms.checking import MAX_TEXT, check
from sluss_schemas.forms.drugs import MarketNote, OverdoseEvent, SeizureOrFind
from sluss_schemas.forms.facts import fact_field, fact_names, facts
from sluss_schemas.forms.order import DealingObservation, OrderIncident, PublicTip
from sluss_schemas.forms.people import (
    AbsentPersonConcern,
    CareReferral,
    MuminEpisode,
    OutreachContact,
    ProtectedServiceContact,
    ReportOfConcern,
)
from sluss_schemas.forms.places import LitterNeedles, PlaceDefect
from sluss_schemas.forms.registry import FORMS, form_type, kind_name
from sluss_schemas.forms.staff import ActivityLog, HandoverNote, MeetingRecord, SafetyAlert, StaffThreat
from sluss_schemas.forms.values import make, to_values
from sluss_schemas.forms.wire import (
    author_extra,
    coded,
    event_in,
    hold_in,
    place_stayed,
    quoted_in,
    read,
    rebuild,
    sections,
)

__all__ = [
    "FORMS",
    "MAX_TEXT",
    "AbsentPersonConcern",
    "ActivityLog",
    "CareReferral",
    "DealingObservation",
    "Form",
    "HandoverNote",
    "LitterNeedles",
    "MarketNote",
    "MeetingRecord",
    "MuminEpisode",
    "OrderIncident",
    "OutreachContact",
    "OverdoseEvent",
    "Person",
    "Place",
    "PlaceDefect",
    "ProtectedServiceContact",
    "PublicTip",
    "ReportOfConcern",
    "Row",
    "SafetyAlert",
    "SeizureOrFind",
    "StaffThreat",
    "age_range",
    "author_extra",
    "catalogue",
    "check",
    "coded",
    "event_in",
    "fact_field",
    "fact_names",
    "facts",
    "form_type",
    "hold_in",
    "kind_name",
    "make",
    "markdown",
    "persons_of",
    "place_of",
    "place_stayed",
    "quoted_in",
    "read",
    "rebuild",
    "sections",
    "to_values",
]
