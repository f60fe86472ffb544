"""Statements for the command line: fetched where there is contact, and their JSON.

Refuses to keep quiet about a statement that was refused, or about being without contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluss_client.cases import wording
from sluss_client.cases.stating import Statement
from sluss_client.cli import common
from sluss_client.device import Device
from sluss_client.errors import Offline
from sluss_schemas.policy.model import Pack
from sluss_schemas.statements import ObjectiveTerms, SceneTerms


async def known(device: Device) -> list[Statement]:
    """Return what agencies state now; without contact what this device knows of it."""
    try:
        found = await device.registry()
    except Offline:
        common.note("No contact: this is what the device knew last.")
        return device.known_statements()
    if found.refused:
        common.note(f"{found.refused} statements were left out: no supervisor of the agency beside them signed them.")
    return list(found.statements)


def slugs(device: Device) -> dict[int, str]:
    """Return the scenes' slugs by number."""
    return {number: slug for slug, number in device.local.trust.scene_numbers(device.now()).items()}


def scene_row(one: Statement, terms: SceneTerms, scenes: Mapping[int, str], pack: Pack) -> dict[str, Any]:
    """Return a scene's statement: whose it is, and each field of `SceneWords`."""
    words = wording.scene_words(terms, pack)
    return {
        "scene": scenes.get(terms.scene),
        "agency": one.agency,
        "state": words.state,
        "since": _day(terms.since),
        "definition": list(words.definition),
        "strategy": words.strategy or None,
        "strategy_since": _day(terms.strategy_since),
        "surroundings": list(words.surroundings),
        "sub_places": [{"code": code, "label": label} for code, label in words.sub_places],
        "district": words.district or None,
        "municipality": words.municipality or None,
        "survey": words.survey,
        "first_known": words.first_known,
        "prioritised": words.prioritised,
        "under_reported": words.under_reported,
        "sent": one.state != "waiting",
    }


def objective_row(one: Statement, terms: ObjectiveTerms, scenes: Mapping[int, str], pack: Pack) -> dict[str, Any]:
    """Return {id, agency, title, measure, scene, direction, target, since, until, ended, sent}."""
    return {
        "id": terms.objective.hex(),
        "agency": one.agency,
        "title": terms.title,
        "measure": wording.measure_words(terms.measure, pack),
        "scene": None if terms.scene is None else scenes.get(terms.scene),
        "direction": terms.direction,
        "target": terms.target,
        "since": _day(terms.since),
        "until": _day(terms.until),
        "ended": terms.ended,
        "sent": one.state != "waiting",
    }


def _day(day: int | None) -> str | None:
    return None if day is None else wording.date_of(day).isoformat()
