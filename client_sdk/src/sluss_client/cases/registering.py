"""The calls of a device about the registry: scenes, objectives, staffing and stock; `Device` has them all.

Stating touches no network; only `registry` and `stock` do.
Source: docs/contract.md, "The SDK".

> INVARIANT: what is stated here is durable and signed when the call returns, and says nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sluss_client.cases import registry, stating, stock
from sluss_client.cases.stating import Statement
from sluss_client.cases.stock import Stock
from sluss_client.cases.wording import Aim, SceneWords
from sluss_client.errors import Invalid
from sluss_client.opened import Opened
from sluss_schemas.ids import AgencyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What agencies state now.

    Attributes:
        statements: those that hold and were verified here, the own agency's last word among them.
        new: how many of them were not here before.
        refused: how many the server gave that no supervisor of the agency beside them signed.

    """

    statements: tuple[Statement, ...]
    new: int
    refused: int


class Registering(Opened):
    """An open device, as far as statements go."""

    def describe_scene(self, scene: str, words: SceneWords) -> bytes | None:
        """State for the agency what a scene is; return the record's id, or None where that is stated already.

        Raises:
            Refused: `supervisor_only`.
            Invalid: `unknown_scene`, `unknown_code`, `too_long`, `names_person`, `out_of_range`.

        """
        return stating.Stating(self._local, self._transport.now()).describe(scene, words)

    def describe_scenes(
        self, changes: Iterable[tuple[str, Mapping[str, object]]], told: Callable[[int, Invalid], None] | None = None
    ) -> int:
        """State what is different of many scenes, in one durable step; return how many statements that took.

        Args:
            changes: a scene's slug, and fields of `SceneWords` with their new values; the others stay as they are.
            told: called with the place in `changes` and what is wrong with it; without it that is raised.

        Raises:
            Refused, Invalid: as `describe_scene`; without `told` nothing is stated then.

        """
        work, stated = stating.Stating(self._local, self._transport.now()), 0
        with work.store.transaction():
            for place, (scene, one) in enumerate(changes):
                try:
                    stated += work.change(scene, one) is not None
                except Invalid as wrong:
                    if told is None:
                        raise
                    told(place, wrong)
        return stated

    def set_objective(self, aim: Aim, objective: bytes | None = None) -> bytes:
        """State an objective that the agency owns, or change one; return its id.

        Raises:
            Refused: `supervisor_only`.
            NotFound: no such objective of the own agency.
            Invalid: `unknown_scene`, `unknown_code`, `too_long`, `names_person`, `out_of_range`, `missing_field`.

        """
        return stating.Stating(self._local, self._transport.now()).objective(aim, objective)

    def end_objective(self, objective: bytes) -> None:
        """State that an objective of the own agency is over, before its last day.

        Raises:
            Refused: `supervisor_only`.
            NotFound: no such objective of the own agency.

        """
        stating.end_objective(self._local, objective, self._transport.now())

    def state_staffing(self, scene: str, week: date, hours: int) -> bytes | None:
        """State how many hours staff were at a scene in the week of a day; None where that is stated already.

        Raises:
            Refused: `supervisor_only`.
            Invalid: `unknown_scene`, `out_of_range`.

        """
        return stating.Stating(self._local, self._transport.now()).staffing(scene, week, hours)

    def count_stock(self, doses: int, *, counted: date | None = None, expires: date | None = None) -> bytes | None:
        """State how many doses of naloxone there are at the end of a day, today's without one.

        Returns the record's id, or None where that is stated already.

        Raises:
            Refused: `supervisor_only`.
            Invalid: `out_of_range`.

        """
        return stock.count(self._local, self._transport.now(), doses, counted, expires)

    async def stock(self) -> Stock:
        """Return how much naloxone there should be: the last count less what own reports say was given since.

        Raises:
            Refused: `supervisor_only`.
            NotFound: nobody has counted.
            Offline: no contact.

        """
        return await stock.look(self._local, self._transport)

    def statements(self) -> list[Statement]:
        """Return the statements that were filed on this device, the oldest first."""
        return stating.stated(self._local)

    def known_statements(self) -> list[Statement]:
        """Return what agencies state, as far as this device knows: what it filed, and what the registry had last."""
        now, local = self._transport.now(), self._local
        others = [
            Statement(
                id=one.record,
                agency=chain.slug,
                time=one.time,
                terms=one.terms,
                state="received",
            )
            for one in registry.kept(local)
            if one.agency != local.trust.own_id and (chain := local.trust.agency(AgencyId(one.agency), now)) is not None
        ]
        return [*stating.holds(local).values(), *others]

    async def registry(self) -> Registry:
        """Fetch what agencies state and verify it; what this device filed and has yet to send is in it too.

        Raises:
            Refused: `supervisor_only`.
            Offline: no contact.

        """
        stating.must_supervise(self._local)
        found = await registry.fetch(self._local, self._transport)
        return Registry(statements=tuple(self.known_statements()), new=found.new, refused=found.refused)
