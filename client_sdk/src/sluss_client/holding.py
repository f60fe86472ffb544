"""What keeps a report in its own agency when it is filed, and what its author is asked before its text leaves.

For: an embargo, by the author's word or where the pack says so; a text that looks as if it named somebody, or that a
sector has to confirm and has not; and a place that is protected.
Refuses: to keep a duty back. What the author has to tell goes out whatever is held.

> INVARIANT: a hold takes readers away and never adds one.
> INVARIANT: free text that its agency has to confirm leaves only when its author has said that it names nobody.

Source: docs/secrecy-rules.md ("Free text"), B6 step 4, B7 25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from sluss_client.local import Local
from sluss_schemas import forms
from sluss_schemas.forms import namecheck
from sluss_schemas.ids import COMPARTMENTS, Compartment, bit
from sluss_schemas.policy.model import Pack

Hold = Literal["embargo", "review", "protected"]
"""Kept back until somebody releases it; until its text was looked at; for as long as its place is protected."""
NAMED: Final = "named"


def only_own(local: Local, shown: Mapping[str, int]) -> dict[str, int]:
    """Return of the readers shown those of the own agency."""
    own = f"{local.trust.own.slug}/"
    return {label: bits for label, bits in shown.items() if label == NAMED or label.startswith(own)}


def leaving(local: Local, shown: Mapping[str, int]) -> frozenset[Compartment]:
    """Return the compartments that some other agency would get in full by itself."""
    others = [bits for label, bits in shown.items() if label not in only_own(local, shown)]
    return frozenset(part for part in COMPARTMENTS if any(bits & bit(part) for bits in others))


def embargoed(form: forms.Form, pack: Pack, local: Local) -> bool:
    """Tell whether the pack keeps such a report back by itself."""
    rule = pack.kinds[form.KIND].embargo
    return rule is not None and local.trust.own.sector in rule.owners and getattr(form, rule.flag, None) is True


def findings(local: Local, form: forms.Form, shown: Mapping[str, int]) -> tuple[namecheck.Finding, ...]:
    """Return what looks like a person in the texts that would leave the agency."""
    return namecheck.findings(form, parts=leaving(local, shown))


def unconfirmed(local: Local, form: forms.Form, shown: Mapping[str, int], pack: Pack) -> bool:
    """Tell whether text would leave that has to be confirmed, whatever it looks like."""
    confirms = local.trust.own.sector in pack.filing.confirm_text
    return confirms and namecheck.has_text(form, leaving(local, shown) & namecheck.CHECKED)


def hold_of(
    local: Local, form: forms.Form, pack: Pack, shown: Mapping[str, int], *, asked: str, confirmed: bool
) -> str:
    """Return why a form stays in its agency, or nothing.

    `asked` is the author's own wish, or the hold of the version before; a text that was confirmed lifts a review alone.
    """
    if asked and asked != "review":
        return asked
    if embargoed(form, pack, local):
        return "embargo"
    if confirmed:
        return ""
    if asked or findings(local, form, shown) or unconfirmed(local, form, shown, pack):
        return "review"
    return ""
