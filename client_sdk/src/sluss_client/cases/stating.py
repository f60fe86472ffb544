"""Statements of the own agency: what a scene is, what is aimed at, how many hours staff were there.

Filed like every record, without a network; nothing is filed that says what holds already.
Refuses: to let anybody but a supervisor speak for the agency.
Source: docs/protocol.md section 4.

> INVARIANT: what is stated later on one device has a later time, so that it takes the place of what was stated before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import msgspec

from sluss_client.cases import book, registry, wording
from sluss_client.cases.wording import Aim, SceneWords
from sluss_client.errors import Invalid, NotFound, Refused
from sluss_client.local import Local
from sluss_client.store import Store
from sluss_schemas import statements
from sluss_schemas.codec import encode
from sluss_schemas.policy.model import Pack
from sluss_schemas.records import CaseKind
from sluss_schemas.statements import ObjectiveTerms, SceneTerms, StaffingTerms, Subject, Terms

_SKEW_S: Final = 240
"""How far ahead of the clock a statement may be dated so that it comes after the one before; the server takes 300."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that this device knows of.

    Attributes:
        id: the record's id, 16 bytes.
        agency: the slug of the agency that states it.
        time: when, Unix seconds.
        terms: what it says.
        state: `waiting`, `sent` or `refused` for one that was filed here, `received` for one from the registry.

    """

    id: bytes
    agency: str
    time: int
    terms: Terms
    state: str


def stated(local: Local) -> list[Statement]:
    """Return the statements that were filed here, the oldest first."""
    return [
        Statement(
            id=one.case.record,
            agency=local.trust.own.slug,
            time=one.case.time,
            terms=statements.read(one.case.terms),
            state=one.state,
        )
        for one in book.filed(local, CaseKind.STATEMENT)
    ]


def holds(local: Local) -> dict[tuple[Subject, bytes], Statement]:
    """Return what the own agency states now, as far as this device knows: what it filed, and what the registry had."""
    own = [one for one in registry.kept(local) if one.agency == local.trust.own_id]
    slug, found = local.trust.own.slug, dict[tuple[Subject, bytes], Statement]()
    every = [one for one in stated(local) if one.state != "refused"]
    every += [Statement(id=one.record, agency=slug, time=one.time, terms=one.terms, state="received") for one in own]
    for one in every:
        subject = statements.subject_of(one.terms)
        before = found.get(subject)
        if before is None or (before.time, before.id) < (one.time, one.id):
            found[subject] = one
    return found


class Stating:
    """Files statements one after the other, knowing what holds; make a new one when time has passed."""

    def __init__(self, local: Local, now: int) -> None:
        """Look at what holds."""
        must_supervise(local)
        self._local, self._now = local, now
        self._holds = holds(local)
        self._numbers = local.trust.scene_numbers(now)

    @property
    def store(self) -> Store:
        """Where what is filed lies."""
        return self._local.store

    def describe(self, scene: str, words: SceneWords) -> bytes | None:
        """State what a scene is; return the record's id, or None where that is stated already.

        Raises:
            Invalid: `unknown_scene`, `unknown_code`, `too_long`, `names_person`, `out_of_range`.

        """
        number = self._number(scene)
        before = self._holds.get(("scene", number.to_bytes(2, "big")))
        known = before.terms if before is not None and isinstance(before.terms, SceneTerms) else None
        terms = wording.scene_terms(number, words, self._pack(), known, wording.day_at(self._now))
        return self.file(terms)

    def change(self, scene: str, changes: Mapping[str, object]) -> bytes | None:
        """State what is different of a scene from now on, by fields of `SceneWords`; returns and raises as `describe`.

        A state or a strategy that is new holds from today, unless its day is among the changes.
        """
        before = self._holds.get(("scene", self._number(scene).to_bytes(2, "big")))
        terms = None if before is None else before.terms
        words = wording.scene_words(terms, self._pack()) if isinstance(terms, SceneTerms) else SceneWords()
        for decided, day in (("state", "since"), ("strategy", "strategy_since")):
            if changes.get(decided, getattr(words, decided)) != getattr(words, decided):
                changes = {day: None, **changes}
        return self.describe(scene, replace(words, **changes))  # type: ignore[arg-type]  # fields of it

    def objective(self, aim: Aim, objective: bytes | None = None) -> bytes:
        """State an objective, or what an objective of the own agency is from now on; return the objective's id.

        Raises:
            NotFound: no such objective of the own agency.
            Invalid: `unknown_scene`, `unknown_code`, `too_long`, `names_person`, `out_of_range`, `missing_field`.

        """
        if objective is not None:
            self.owned(objective)
        pack = self._pack()
        terms = ObjectiveTerms(
            objective=objective or os.urandom(16),
            measure=wording.measure_of(aim.measure, pack),
            scene=self._number(aim.scene) if aim.scene else None,
            direction=aim.direction,
            target=aim.target,
            since=wording.day_of(aim.since, "since"),
            until=wording.day_of(aim.until, "until"),
            title=wording.clear(aim.title, "title", longest=statements.MAX_TITLE),
            ended=False,
        )
        self.file(terms)
        return terms.objective

    def owned(self, objective: bytes) -> ObjectiveTerms:
        """Return an objective of the own agency as it holds; `NotFound` where there is none."""
        found = self._holds.get(("objective", objective))
        if found is None or not isinstance(found.terms, ObjectiveTerms):
            raise NotFound("objective")
        return found.terms

    def staffing(self, scene: str, week: date, hours: int) -> bytes | None:
        """State how many hours staff were at a scene in the week of a day; None where that is stated already.

        Raises:
            Invalid: `unknown_scene`, `out_of_range`.

        """
        if not 0 <= hours <= 20_000:  # noqa: PLR2004  # as the protocol has it
            raise Invalid("out_of_range", "hours", "Give whole hours of all staff together.")
        monday = wording.day_of(week, "week") - week.weekday()
        if monday > wording.day_at(self._now):
            raise Invalid("out_of_range", "week", "Give a week that has begun.")
        return self.file(StaffingTerms(self._number(scene), monday, hours))

    def file(self, terms: Terms) -> bytes | None:
        """File a statement, unless the same is stated already."""
        statements.check(terms, self._pack(), lambda number: number in self._numbers.values())
        subject = statements.subject_of(terms)
        before = self._holds.get(subject)
        if before is not None and before.terms == terms:
            return None
        time = self._now if before is None else max(self._now, min(before.time + 1, self._now + _SKEW_S))
        follows = None if before is None else before.id
        record = book.file(
            self._local, CaseKind.STATEMENT, now=time, code=subject[0], follows=follows, terms=encode(terms)
        )
        slug = self._local.trust.own.slug
        self._holds[subject] = Statement(id=record, agency=slug, time=time, terms=terms, state="waiting")
        return record

    def _number(self, scene: str) -> int:
        number = self._numbers.get(scene)
        if number is None:
            raise Invalid("unknown_scene", "scene")
        return number

    def _pack(self) -> Pack:
        return self._local.trust.pack(self._now)


def end_objective(local: Local, objective: bytes, now: int) -> None:
    """State that an objective of the own agency is over.

    Raises:
        Refused: `supervisor_only`.
        NotFound: no such objective of the own agency.

    """
    work = Stating(local, now)
    work.file(msgspec.structs.replace(work.owned(objective), ended=True))


def must_supervise(local: Local) -> None:
    """Refuse with `supervisor_only` whoever is none."""
    if "supervisors" not in local.person.functions:
        raise Refused("device", code="supervisor_only")
