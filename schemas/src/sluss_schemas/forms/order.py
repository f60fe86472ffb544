"""Order and dealing: kinds 1, 2 and 15.

For: what guards, police and officials see and are told on the square.
One list of sub-kinds serves all three; which of them belongs to which kind is said here, because an assault filed as an
observation of dealing would be closed to people who need it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec

from sluss_schemas.forms.base import FullForm, In
from sluss_schemas.forms.common import (
    Certainty,
    InformationReliability,
    NumberBand,
    Problems,
    Severity,
    SourceReliability,
    StatementType,
    Substances,
)

DEALING: Final = frozenset(
    {
        "handover_observed",
        "lookout",
        "stash_visit",
        "solicitation",
        "medicine_diversion",
        "gathering",
        "other",
    }
)
"""Sub-kinds of an observation of dealing; a gathering, and what has no name, may be either."""
ORDER: Final = frozenset(
    {
        "quarrel",
        "assault",
        "threat",
        "robbery",
        "theft_shop",
        "pickpocket",
        "harassment",
        "damage",
        "graffiti",
        "weapon_seen",
        "fire",
        "trespass",
        "intox_care",
        "removal",
        "gathering",
        "demonstration",
        "other",
    }
)
"""Sub-kinds of an order incident."""


class OrderIncident(FullForm, frozen=True, kw_only=True):
    """Disorder, violence or threats."""

    KIND: ClassVar[int] = 1

    sub_kind: Annotated[str, In(compartment="SIT", codes="sub_kind", only=ORDER, fact=True, doc="what happened")]
    severity: Severity = None
    number_band: NumberBand = None
    problems: Problems = msgspec.field(default_factory=list)
    substances: Substances = msgspec.field(default_factory=list)


class DealingObservation(FullForm, frozen=True, kw_only=True):
    """Dealing that somebody saw."""

    KIND: ClassVar[int] = 2

    sub_kind: Annotated[
        str | None, In(compartment="SIT", codes="sub_kind", only=DEALING, fact=True, doc="what was seen")
    ] = None
    severity: Severity = None
    number_band: NumberBand = None
    problems: Problems = msgspec.field(default_factory=list)
    substances: Substances = msgspec.field(default_factory=list)
    certainty: Certainty = None
    statement_type: StatementType = None
    source_reliability: SourceReliability = None
    information_reliability: InformationReliability = None


class PublicTip(FullForm, frozen=True, kw_only=True):
    """A tip from the public; it has no field for whoever gave it, because the source is not stored at all."""

    KIND: ClassVar[int] = 15

    sub_kind: Annotated[str | None, In(compartment="SIT", codes="sub_kind", fact=True, doc="what the tip is about")] = (
        None
    )
    severity: Severity = None
    channel: Annotated[str | None, In(compartment="SIT", codes="tip_channel", fact=True, doc="how the tip came in")] = (
        None
    )
    problems: Problems = msgspec.field(default_factory=list)
    substances: Substances = msgspec.field(default_factory=list)
    statement_type: StatementType = None
    source_reliability: SourceReliability = None
    information_reliability: InformationReliability = None
