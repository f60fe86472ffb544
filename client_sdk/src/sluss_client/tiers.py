"""What a sealed report tells in clear: its scene, and the coded facts that the pack names.

For: the two tiers of facts, each under a salt of its own.
Refuses: nothing by itself; which facts there are is the pack's, and what may be one is the form's.

> INVARIANT: what no pack names as a fact is in neither tier.

Source: docs/protocol.md section 3, docs/secrecy-rules.md ("Facts").
"""

from __future__ import annotations

from sluss_client import crypto
from sluss_client.coarse import coarse_time, iso_week
from sluss_client.sections import contributor
from sluss_client.trust import Trust
from sluss_schemas import forms
from sluss_schemas import sync as wire
from sluss_schemas.codec import encode
from sluss_schemas.ids import PersonId
from sluss_schemas.policy.model import Pack


def tiers(
    form: forms.Form, trust: Trust, pack: Pack, now: int, *, count_key: bytes, person: PersonId
) -> tuple[wire.Tier | None, wire.Tier | None]:
    """Return the tiers of a form that a person files; None where the pack names nothing for one."""
    owner, observed = trust.own.sector, int(form.observed_at.timestamp())
    scene, values = forms.facts(form, pack, trust.scene_numbers(now), owner=owner)
    first = None if scene is None else wire.Tier(crypto.random_key(), encode(scene))
    if values is None:
        return first, None
    facts = wire.Tier1(
        coarse_time(observed, pack, form.KIND, owner),
        tuple(tuple(value) if isinstance(value, list) else value for value in values),
        contributor(count_key, person, iso_week(observed, pack)),
    )
    return first, wire.Tier(crypto.random_key(), encode(facts))
