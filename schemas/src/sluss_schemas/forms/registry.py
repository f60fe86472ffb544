"""The nineteen kinds by number and by name.

For: finding the form of a kind.
Refuses: a kind that does not exist, without repeating what was asked for.
"""

from __future__ import annotations

import re
from typing import Final

from sluss_schemas.forms.base import Form
from sluss_schemas.forms.drugs import MarketNote, OverdoseEvent, SeizureOrFind
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
from sluss_schemas.forms.staff import ActivityLog, HandoverNote, MeetingRecord, SafetyAlert, StaffThreat
from sluss_schemas.problems import Invalid

FORMS: Final[dict[int, type[Form]]] = {
    form.KIND: form
    for form in (
        OrderIncident,
        DealingObservation,
        SeizureOrFind,
        OverdoseEvent,
        OutreachContact,
        AbsentPersonConcern,
        ReportOfConcern,
        MuminEpisode,
        PlaceDefect,
        LitterNeedles,
        SafetyAlert,
        StaffThreat,
        ActivityLog,
        MeetingRecord,
        PublicTip,
        ProtectedServiceContact,
        HandoverNote,
        MarketNote,
        CareReferral,
    )
}


def kind_name(form: type[Form]) -> str:
    """Return the stable name of a form's kind: `order_incident` for `OrderIncident`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", form.__name__).lower()


KIND_NUMBERS: Final[dict[str, int]] = {kind_name(form): number for number, form in FORMS.items()}


def form_type(kind: int | str) -> type[Form]:
    """Return the form of a kind, given by its number or its name.

    Raises:
        Invalid: `unknown_kind`.

    """
    number = KIND_NUMBERS.get(kind) if isinstance(kind, str) else kind
    form = FORMS.get(number) if number is not None else None
    if form is None:
        raise Invalid("unknown_kind", "kind")
    return form
