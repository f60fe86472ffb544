"""What dimensions and values are called in the files: by the names of the pack and the registry, never by numbers.

> INVARIANT: a value that no list has is written as its number, so that no two values have one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sluss_schemas.directory import Scene
from sluss_schemas.forms.facts import fact_field
from sluss_schemas.forms.registry import FORMS
from sluss_schemas.ids import NO_SCENE
from sluss_schemas.policy.model import Pack
from sluss_server.aggregates.catalogue import dimensions
from sluss_server.aggregates.cells import GIVEN, NO, NOT_GIVEN, SCENE, SEVERAL, SUM, YES, Cell
from sluss_server.web.panels.base import mark

ALL: Final = "total"
FACTS: Final = {
    ALL: mark("All reports of the kind"),
    SCENE: mark("Scene"),
    "sub_kind": mark("What happened"),
    "severity": mark("How serious"),
    "found_as": mark("How it was found"),
    "substances": mark("Substances"),
    "naloxone_doses": mark("Doses of naloxone"),
    "outcome": mark("How it ended"),
    "suspected_groups": mark("What was probably taken"),
    "age_groups": mark("Age groups"),
    "step": mark("Step of an episode"),
    "status": mark("Status of a defect"),
    "defects": mark("What is defective"),
    "needles": mark("Needles"),
    "category": mark("Category of an intervention"),
    "meeting": mark("Which meeting"),
    "present": mark("Agencies that came"),
    "deputy": mark("Agencies that sent a deputy"),
    "absent_notified": mark("Agencies that said that they would not come"),
    "absent": mark("Agencies that did not come"),
    "direction": mark("Direction"),
    "caution": mark("Caution"),
}
"""What each dimension is called, marked."""
VALUES: Final = {
    "not_given": mark("Not given"),
    "several": mark("Several"),
    "yes": mark("Yes"),
    "no": mark("No"),
    "sum": mark("The sum of the numbers in the reports"),
    "given": mark("Reports that give a number above nought"),
    "no_scene": mark("Reports that name no scene"),
}
"""What values are called that stand in no list of the pack, marked."""
_SPECIAL: Final = {NOT_GIVEN: "not_given", SEVERAL: "several", SUM: "sum", GIVEN: "given"}
_TRUTH: Final = {YES: "yes", NO: "no"}


class Named(NamedTuple):
    """A cell as files name it: its dimension and its value, and the value in both languages where it has any."""

    dimension: str
    value: str
    en: str = ""
    sv: str = ""


class Names:
    """The names of one pack and one registry."""

    def __init__(self, pack: Pack, scenes: Mapping[int, Scene]) -> None:
        """Take what names things."""
        self._pack: Final = pack
        self._scenes: Final = scenes

    def cell(self, kind: int, cell: Cell) -> Named:
        """Return what a cell of a kind is called."""
        dim, value = cell
        if not dim:
            return Named(ALL, "")
        if dim == SCENE:
            found = self._scenes.get(value)
            if found is None:
                return Named(SCENE, "no_scene" if value == NO_SCENE else str(value))
            return Named(SCENE, found.slug, found.label_en, found.label_sv)
        if value in _SPECIAL:
            return Named(dim, _SPECIAL[value])
        field = fact_field(FORMS[kind], dim)
        if field is not None and field.kind_of_value == "bool":
            return Named(dim, _TRUTH.get(value, str(value)))
        codes = next((one.codes for one in dimensions(self._pack, kind) if one.name == dim), "")
        for name, code in self._pack.codes.get(codes, {}).items():
            if code.n == value:
                return Named(dim, name, code.en, code.sv)
        return Named(dim, str(value))

    def value(self, kind: int, name: str, value: int) -> str | int:
        """Return a coded fact of a report: the name of its code, or the number that it is."""
        field = fact_field(FORMS[kind], name)
        if field is None or not field.codes:
            return value
        found = (code for code, one in self._pack.codes.get(field.codes, {}).items() if one.n == value)
        return next(found, value)
