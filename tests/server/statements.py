"""Statements as tests need them: terms that hold, with whatever is replaced, and the records that say them."""

from __future__ import annotations

import os
from typing import Any, Final

from msgspec import structs

from sluss_schemas.codec import encode
from sluss_schemas.records import Case, CaseKind
from sluss_schemas.statements import (
    Measure,
    ObjectiveTerms,
    RegistryAsk,
    SceneTerms,
    StaffingTerms,
    Stated,
    StockTerms,
    Subject,
    SubPlace,
    Terms,
    subject_of,
)

from tests.server.cases import case
from tests.server.town import NOW, Device, Town

TODAY: Final = NOW // 86_400
MONDAY: Final = TODAY - (TODAY - 4) % 7
COUNTED: Final = Measure("count", 1, "", None)


def scene_terms(**more: Any) -> SceneTerms:  # noqa: ANN401  # any field
    """What is said of the first scene."""
    terms = SceneTerms(
        scene=1,
        definition=(1, 3),
        state=2,
        since=TODAY - 400,
        strategy=2,
        strategy_since=TODAY - 30,
        surroundings=(1, 3),
        sub_places=(SubPlace(6, "Platform 2"),),
        district="Centrum",
        municipality="Sandvik",
        survey=2026,
        first_known=1965,
        prioritised=2018,
        under_reported=False,
    )
    return structs.replace(terms, **more)


def objective_terms(**more: Any) -> ObjectiveTerms:  # noqa: ANN401  # any field
    """At most ten order incidents at the first scene."""
    terms = ObjectiveTerms(
        objective=os.urandom(16),
        measure=COUNTED,
        scene=1,
        direction="at_most",
        target=10,
        since=TODAY - 7,
        until=TODAY + 90,
        title="Fewer threats",
        ended=False,
    )
    return structs.replace(terms, **more)


def staffing_terms(**more: Any) -> StaffingTerms:  # noqa: ANN401  # any field
    """Forty hours at the first scene this week."""
    return structs.replace(StaffingTerms(scene=1, week=MONDAY, hours=40), **more)


def stock_terms(**more: Any) -> StockTerms:  # noqa: ANN401  # any field
    """Forty doses of naloxone yesterday."""
    return structs.replace(StockTerms("naloxone", 40, TODAY - 1, TODAY + 300), **more)


def statement(by: Device, terms: Terms, time: int = NOW, **more: Any) -> Case:  # noqa: ANN401  # any field
    """The record that says it."""
    return case(by, CaseKind.STATEMENT, time, **{"code": subject_of(terms)[0], "terms": encode(terms), **more})


async def held(town: Town, by: Device, subject: Subject = "scene") -> list[Stated]:
    """All statements that hold, page by page."""
    found, after = list[Stated](), b""
    while True:
        answer = await town.services.registry.show(await town.caller(by), RegistryAsk(subject, after))
        found += answer.statements
        after = answer.after
        if not after:
            return found
