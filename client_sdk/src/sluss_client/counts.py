"""The counts that a supervisor's device asks the server for, in the words of the pack and the registry.

Own counts are exact; figures of others are as the server publishes them, None where hidden, small or nought.
Source: docs/secrecy-rules.md B8; docs/contract.md, "Counts".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluss_client import casework
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_client.transport import Transport
from sluss_schemas import counts as wire
from sluss_schemas.ids import AGENCY_SECTORS
from sluss_schemas.policy.model import Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """An exact count of the own agency; `scene` is empty for reports without one, `dim` for the count of all."""

    kind: str
    week: str
    scene: str
    dim: str
    value: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A published figure, of the whole partnership, of a `scene`, or of a value of a coded fact (`dim`).

    `figure` is None where it is hidden; `revision` counts from 0, the first publication.
    """

    kind: str
    week: str
    scene: str
    dim: str
    value: int
    figure: int | None
    revision: int
    published_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a supervisor sees; `k` and `k_sensitive` are the smallest counts that are shown of others."""

    own: tuple[Count, ...]
    others: tuple[Figure, ...]
    k: int
    k_sensitive: int


async def fetch(  # noqa: PLR0917  # the device's one caller gives them in order
    local: Local,
    transport: Transport,
    pack: Pack,
    first: str,
    last: str,
    kinds: Sequence[str],
    present: Sequence[str],
) -> Counts:
    """Fetch the counts of some weeks.

    Raises:
        Refused: `supervisor_only`.
        Invalid: `unknown_kind`, `unknown_agency`; `out_of_range` from the server.
        Offline: no contact.

    """
    casework.own_supervisors(local)
    now = transport.now()
    others = tuple(agency for slug in present for agency in _agencies(local, slug, now))
    ask = wire.CountsAsk(first, last, tuple(_kind(pack, name) for name in kinds), others)
    answer = await transport.post("/v1/cube", ask, wire.CountsAnswer)
    scenes = {number: scene.slug for number, scene in local.trust.registry(now).items()}
    names = {number: kind.name for number, kind in pack.kinds.items()}
    return Counts(
        own=tuple(
            Count(
                kind=names.get(one.kind, ""),
                week=one.week,
                scene=scenes.get(one.scene, ""),
                dim=one.dim,
                value=one.value,
                number=one.number,
            )
            for one in answer.own
        ),
        others=tuple(
            Figure(
                kind=names.get(one.kind, ""),
                week=one.week,
                scene=scenes.get(one.value, "") if one.dim == "scene" else "",
                dim=one.dim,
                value=one.value,
                figure=one.figure,
                revision=one.revision,
                published_at=one.published_at,
            )
            for one in answer.others
        ),
        k=answer.k,
        k_sensitive=answer.k_sensitive,
    )


def _kind(pack: Pack, name: str) -> int:
    found = pack.kind_named(name)
    if found is None:
        raise Invalid("unknown_kind", "kinds")
    return found.number


def _agencies(local: Local, slug: str, now: int) -> list[bytes]:
    """Return every agency of a sector, by the sector's name."""
    found = [bytes(one.agency) for one in local.trust.agencies(now) if one.sector == AGENCY_SECTORS.get(slug)]
    if not found:
        raise Invalid("unknown_agency", "present")
    return found
