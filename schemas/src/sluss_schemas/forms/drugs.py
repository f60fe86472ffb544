"""Drugs and their market: kinds 3, 4 and 18.

For: what is taken or found, what harm it does, and what everybody on the square should know about it.
The exact amount of a seizure lies in enforcement alone; notes give a band.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec

from sluss_schemas.forms.base import Form, FullForm, In
from sluss_schemas.forms.common import (
    Caution,
    Certainty,
    Direction,
    MarketSubstances,
    Severity,
    ValidHours,
)

THOUSANDTHS: Final = 1000


class SeizureOrFind(FullForm, frozen=True, kw_only=True):
    """Drugs, weapons or goods that were seized, found or handed in."""

    KIND: ClassVar[int] = 3

    found_as: Annotated[
        str | None, In(compartment="SIT", codes="found_as", brief=True, fact=True, doc="how it came to be in hand")
    ] = None
    severity: Severity = None
    objects: Annotated[list[str], In(compartment="SIT", codes="object", fact=True, doc="what it was")] = msgspec.field(
        default_factory=list
    )
    substances: MarketSubstances = msgspec.field(default_factory=list)
    substance_forms: Annotated[
        list[str], In(compartment="SIT", codes="substance_form", fact=True, doc="what it looked like")
    ] = msgspec.field(default_factory=list)
    certainty: Certainty = None
    amount_band: Annotated[str | None, In(compartment="SIT", codes="amount_band", doc="roughly how much")] = None
    direction: Direction = None
    caution: Caution = None
    valid_hours: ValidHours = None
    amount: Annotated[
        int | None,
        In(compartment="ENF", high=1_000_000 * THOUSANDTHS, doc="exact amount in thousandths of the unit"),
    ] = None
    unit: Annotated[str | None, In(compartment="ENF", codes="unit", doc="unit of the amount")] = None
    disposal: Annotated[str | None, In(compartment="ENF", codes="disposal", doc="what was done with it")] = None


class OverdoseEvent(FullForm, frozen=True, kw_only=True):
    """An overdose or another medical emergency.

    What somebody took, and how it ended for them, is care; that it happened and what helpers used is the situation.
    """

    KIND: ClassVar[int] = 4

    severity: Severity = None
    first_responder: Annotated[
        str | None, In(compartment="SIT", codes="first_responder", fact=True, doc="who helped first")
    ] = None
    naloxone_doses: Annotated[int | None, In(compartment="SIT", high=20, fact=True, doc="doses of naloxone given")] = (
        None
    )
    ambulance: Annotated[bool | None, In(compartment="SIT", fact=True, doc="handed over to an ambulance")] = None
    place_kind: Annotated[
        str | None, In(compartment="PLC", codes="overdose_place", fact=True, doc="what kind of place")
    ] = None
    outcome: Annotated[str | None, In(compartment="CAR", codes="overdose_outcome", fact=True, doc="how it ended")] = (
        None
    )
    suspected_groups: Annotated[
        list[str],
        In(compartment="CAR", codes="overdose_group", fact=True, doc="suspected substances, by group"),
    ] = msgspec.field(default_factory=list)
    route: Annotated[str | None, In(compartment="CAR", codes="route", doc="how it was taken")] = None
    consciousness: Annotated[
        str | None, In(compartment="CAR", codes="consciousness", doc="consciousness on arrival")
    ] = None
    breathing: Annotated[str | None, In(compartment="CAR", codes="breathing", doc="breathing on arrival")] = None
    responses: Annotated[list[str], In(compartment="CAR", codes="overdose_response", doc="what was done")] = (
        msgspec.field(default_factory=list)
    )
    refused_transport: Annotated[bool | None, In(compartment="CAR", doc="would not go to hospital")] = None


class MarketNote(Form, frozen=True, kw_only=True):
    """A note on the market, or an early warning; it has no persons and no amounts."""

    KIND: ClassVar[int] = 18

    substances: MarketSubstances = msgspec.field(default_factory=list)
    substance_forms: Annotated[
        list[str], In(compartment="SIT", codes="substance_form", fact=True, doc="what it looks like")
    ] = msgspec.field(default_factory=list)
    certainty: Certainty = None
    direction: Direction = None
    caution: Caution = None
    valid_hours: ValidHours = None
