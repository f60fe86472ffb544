"""Places: kinds 9 and 10.

For: what is broken, hidden or left lying at a scene.
These kinds collect no persons, no care and no enforcement, so whoever mends and cleans may read them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from sluss_schemas.forms.base import Form, In
from sluss_schemas.forms.common import Severity


class PlaceDefect(Form, frozen=True, kw_only=True):
    """A defect or feature of a place, and how far its repair has come."""

    KIND: ClassVar[int] = 9

    severity: Severity = None
    defects: Annotated[list[str], In(compartment="SIT", codes="place_feature", fact=True, doc="what is wrong")] = (
        msgspec.field(default_factory=list)
    )
    status: Annotated[
        str, In(compartment="SIT", codes="defect_status", fact=True, doc="how far the repair has come")
    ] = "reported"


class LitterNeedles(Form, frozen=True, kw_only=True):
    """Needles and other drug litter; where exactly it lay is the place, which shows where people inject."""

    KIND: ClassVar[int] = 10

    needles: Annotated[
        int | None, In(compartment="SIT", high=10_000, fact=True, doc="whole needles; left out if not counted")
    ] = None
    items: Annotated[list[str], In(compartment="SIT", codes="litter_item", fact=True, doc="what else lay there")] = (
        msgspec.field(default_factory=list)
    )
    action: Annotated[str | None, In(compartment="SIT", codes="litter_action", fact=True, doc="what was done")] = None
    found_in: Annotated[
        str | None, In(compartment="PLC", codes="litter_place", fact=True, doc="what kind of place")
    ] = None
    near_child_place: Annotated[
        bool | None, In(compartment="PLC", fact=True, doc="near a place where children are")
    ] = None
