"""The policy packs that this server knows, and their decisions kept in memory.

Decides nothing itself: `sluss_schemas.policy.decide` does, and its answers do not change for a given pack.

> INVARIANT: no pack, no kind or no receiver that is known means that nothing is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sluss_schemas.ids import KIND_SECRET, Sector, bit, kind_code
from sluss_schemas.policy import decide
from sluss_schemas.policy.adopted import in_force
from sluss_schemas.policy.decide import Receiver, Slots
from sluss_schemas.policy.model import PRECISIONS, Gateway, Pack

NOTHING: Final = Slots()
_CACHED: Final = 16_384
_DAY_S: Final = 86_400


class Rules:
    """Every pack by its digest, and what each of them decides."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        """Know these packs."""
        self._packs: Final[dict[bytes, Pack]] = {pack.digest: pack for pack in packs}
        self.slots = lru_cache(_CACHED)(self._slots)
        self.collected = lru_cache(_CACHED)(self._collected)
        self.in_force = lru_cache(_CACHED)(self._in_force)

    def pack(self, digest: bytes) -> Pack | None:
        """Return a pack, or None."""
        return self._packs.get(digest)

    def now(self, adopted: Mapping[bytes, int], time: int) -> bytes | None:
        """Return the digest of the pack in force of those that an agency adopted, or None where it is not here."""
        # A pack begins on a local day, so an hour is fine enough a key.
        return self.in_force(tuple(adopted.items()), time // 3600)

    def lacks(self, adopted: Mapping[bytes, int], time: int) -> bool:
        """Tell whether an agency's pack in force is not here; one that has adopted none lacks none."""
        return bool(adopted) and self.now(adopted, time) is None

    def owns(self, pack: bytes, kind: int, sector: Sector) -> bool:
        """Tell whether a sector files a kind; for the clear kind 0, any kind whose existence is secret."""
        kinds = self._packs[pack].kinds
        if kind != KIND_SECRET:
            return kind in kinds and sector in kinds[kind].owners
        return any(not each.clear and sector in each.owners for each in kinds.values())

    def facts(self, pack: bytes, kind: int) -> tuple[bool, int | None]:
        """Return whether a kind tells its scene, and how many coded values it may tell; None for no second tier."""
        if kind == KIND_SECRET:
            return False, None
        facts = self._packs[pack].kinds[kind].facts
        coded = [fact for fact in facts if fact != "scene" and fact not in PRECISIONS]
        return "scene" in facts, len(coded) if facts else None

    def protected(self, pack: bytes) -> int | None:
        """Return the kind whose rows hold for a report at a protected place, or None where the pack has none."""
        known = self._packs.get(pack)
        closed = set() if known is None else {one.kind for one in known.bounds.protected}
        return next((one for one in (known.kinds if known else ()) if kind_code(one) in closed), None)

    def guardians(self, pack: bytes) -> tuple[Sector, ...]:
        """Return the sectors whose supervisors say which places are protected."""
        known = self._packs.get(pack)
        return () if known is None else known.filing.protects

    def owners(self, pack: bytes, kind: int) -> tuple[Sector, ...]:
        """Return the sectors that file a kind, which a pack that is known has."""
        return self._packs[pack].kinds[kind].owners

    def closed_epoch_grace_s(self, pack: bytes) -> int:
        """Return for how long after an epoch closed its signature is sent back instead of kept in quarantine."""
        known = self._packs.get(pack)
        return 0 if known is None else known.parameters.quarantine_closed_epoch_days * _DAY_S

    def gateway(self, pack: bytes, code: str) -> Gateway | None:
        """Return a gateway of a pack, or None."""
        return self._packs[pack].gateways.get(code)

    def _slots(self, pack: bytes, kind: int, owner: Sector, receiver: Receiver) -> Slots:
        known = self._packs.get(pack)
        return NOTHING if known is None else decide.slots(known, kind, owner, receiver)

    def _collected(self, pack: bytes, kind: int, owner: Sector) -> int:
        """Return the bitmap of the slots that the owner's form fills."""
        has = decide.collected(self._packs[pack], kind, owner)
        return sum(bit(one) | bit(one, brief=True) for one in has)

    def _in_force(self, adopted: tuple[tuple[bytes, int], ...], hour: int) -> bytes | None:
        known = [self._packs[digest] for digest, _ in adopted if digest in self._packs]
        zone = known[0].zone if known else "UTC"
        day = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(zone)).date()
        found = in_force(known, dict(adopted), day)
        return None if found is None else found.digest
