"""A registrar takes another policy pack into the agency's directory, after seeing who would gain or lose what by it.

A pack holds from its own first day; until then the one before it does.
Refuses a pack that this program does not have: nobody adopts what cannot be shown.
Source: docs/protocol.md section 2, docs/secrecy-rules.md B7 8.

> INVARIANT: what a pack changes is told before it is signed, by the tables that will decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluss_client.agency.registrar import Registrar
from sluss_client.errors import Invalid
from sluss_client.local import Local
from sluss_schemas import directory as d
from sluss_schemas.policy.adopted import day_number
from sluss_schemas.policy.conditions import Condition, conditions
from sluss_schemas.policy.model import Pack
from sluss_schemas.policy.pack import builtin
from sluss_schemas.policy.simulate import Change, simulate


@dataclass(frozen=True, slots=True)
class Preview:
    """What a pack would change against the one in force now; `adopted` where the directory has it already."""

    old: Pack
    new: Pack
    adopted: bool
    changes: list[Change]
    conditions: list[Condition]


def preview(local: Local, pack_id: str, now: int) -> Preview:
    """Return what a pack would change.

    Raises:
        Invalid: `pack_refused` for one that this program does not have.

    """
    new = next((pack for pack in builtin() if pack.id == pack_id), None)
    if new is None:
        known = ", ".join(pack.id for pack in builtin())
        raise Invalid("pack_refused", "pack", f"Name one of these: {known}.")
    old = local.trust.latest_pack(now)
    return Preview(old, new, new.digest in local.trust.own.packs, simulate(old, new), list(conditions(old, new)))


async def adopt(registrar: Registrar, found: Preview) -> bool:
    """Take a pack that was shown into the own directory; False where it is there already.

    Raises:
        Invalid: `directory_conflict` when somebody else was first; sync and do it again.
        Offline: no contact; nothing was appended.

    """
    if found.adopted:
        return False
    await registrar.append([d.PackInForce(found.new.digest, day_number(found.new.valid_from))])
    return True
