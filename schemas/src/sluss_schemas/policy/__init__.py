"""The secrecy policy: a dated pack of data, and the pure functions that apply it.

`pack` reads and checks, with `layers` for packs that build on others and `jurisdiction` for what every pack of a
country has to keep; `decide` decides, `readers` tells before saving who will read, `explain` tells why, and
`invariants` holds what no pack may break.
`explain.explain` and `readers.readers` are not repeated here: they would hide their modules.
Nothing here does I/O but reading the packs that are shipped, and nothing asks for the time or for chance.
"""

from sluss_schemas.policy.answers import Decision, Form, Receiver, Slots
from sluss_schemas.policy.cells import Cell, PackRefused
from sluss_schemas.policy.decide import allowed, collected, open_to, slots
from sluss_schemas.policy.explain import CellRow, Explanation, cells
from sluss_schemas.policy.invariants import Violation, check_against_floor, violations
from sluss_schemas.policy.model import Code, Gateway, Kind, Pack, Parameters, Precision
from sluss_schemas.policy.offences import reaches_threshold, weighs_enough
from sluss_schemas.policy.pack import at, builtin, by_digest, load, sketches
from sluss_schemas.policy.readers import AgencyView, Asked, Reader, asked, duties_due, receives

__all__ = [
    "AgencyView",
    "Asked",
    "Cell",
    "CellRow",
    "Code",
    "Decision",
    "Explanation",
    "Form",
    "Gateway",
    "Kind",
    "Pack",
    "PackRefused",
    "Parameters",
    "Precision",
    "Reader",
    "Receiver",
    "Slots",
    "Violation",
    "allowed",
    "asked",
    "at",
    "builtin",
    "by_digest",
    "cells",
    "check_against_floor",
    "collected",
    "duties_due",
    "load",
    "open_to",
    "reaches_threshold",
    "receives",
    "sketches",
    "slots",
    "violations",
    "weighs_enough",
]
