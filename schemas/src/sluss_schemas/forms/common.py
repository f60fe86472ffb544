"""Declarations that several kinds share, so that one field means the same wherever it stands."""

from __future__ import annotations

from typing import Annotated

from sluss_schemas.forms.base import In

Severity = Annotated[
    int | None, In(compartment="SIT", low=1, high=3, brief=True, fact=True, doc="1 minor to 3 very serious")
]
NumberBand = Annotated[
    str | None, In(compartment="SIT", codes="number_band", brief=True, fact=True, doc="how many were involved")
]
Problems = Annotated[
    list[str], In(compartment="SIT", codes="problem", fact=True, doc="problems of the scene that it shows")
]
Substances = Annotated[list[str], In(compartment="SIT", codes="substance", fact=True, doc="substances")]
MarketSubstances = Annotated[
    list[str], In(compartment="SIT", codes="substance", brief=True, fact=True, doc="substances")
]
Certainty = Annotated[str | None, In(compartment="SIT", codes="certainty", fact=True, doc="how the substance is known")]
Direction = Annotated[
    str | None, In(compartment="SIT", codes="direction", brief=True, fact=True, doc="where the market is going")
]
Caution = Annotated[
    str | None, In(compartment="SIT", codes="caution", brief=True, fact=True, doc="what the note asks for")
]
ValidHours = Annotated[
    int | None, In(compartment="SIT", low=1, high=336, brief=True, doc="hours for which it holds, from the observation")
]
StatementType = Annotated[str | None, In(compartment="ENF", codes="statement_type", doc="what the statement rests on")]
SourceReliability = Annotated[
    str | None, In(compartment="ENF", codes="source_reliability", doc="how reliable the source is")
]
InformationReliability = Annotated[
    str | None, In(compartment="ENF", codes="information_reliability", doc="how reliable the statement is")
]
ReferralStatus = Annotated[
    str | None, In(compartment="CAR", codes="referral_status", doc="how far the referral has come")
]
CaseStaff = Annotated[
    list[bytes],
    In(compartment="AUT", shape="staff", doc="person ids of the staff who may read it besides the author"),
]
