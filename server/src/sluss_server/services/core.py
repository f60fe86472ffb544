"""What every use case stands on: the database, the writer, the clock, randomness, the rules and the directories.

Refuses to be reached for from outside the services; `Services` makes one and hands it round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.directories import Directories, View
from sluss_server.services.headsets import HeadSets
from sluss_server.services.receipts import Receipts
from sluss_server.services.restoring import Restoring
from sluss_server.services.rules import Rules
from sluss_server.services.wake import Wake
from sluss_server.storage.engine import Engine
from sluss_server.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The parts that use cases share; `clock` gives Unix seconds, `random` that many random bytes."""

    engine: Engine
    writer: Writer
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    rules: Rules
    receipts: Receipts
    directories: Directories
    wake: Wake
    head_sets: HeadSets
    restoring: Restoring

    def must_decide(self, view: View, agencies: Iterable[bytes], now: int) -> None:
        """Return quietly if every pack that these agencies have in force is here: no earlier one decides in its place.

        Raises:
            Invalid: `pack_missing`, with the agency; whoever asks tries again once this program is updated.

        """
        for agency in agencies:
            found = view.directories.get(agency)
            if found is not None and self.rules.lacks(found.packs, now):
                raise Invalid("pack_missing", found.slug)

    async def enter(self, caller: Caller) -> tuple[View, Caller]:
        """Return the partnership as it is now and the caller as it is now, if the caller may ask for anything.

        Raises:
            Invalid: `unknown_device`, `revoked_device` or `not_allowed`.

        """
        view = await self.directories.refresh(caller.partnership)
        caller = self.directories.again(caller, self.clock())
        caller.must_be_active()
        return view, caller
