"""Since when a provision reads as a pack applies it.

For: telling somebody by which version of a statute a part is open or closed on a day.
Refuses: nothing. A pack dates what changed; of the rest it says nothing, which is no claim that it is old.

Source: docs/secrecy-rules.md, "Earlier packs".
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec


class Statute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Since when a provision has its wording, and by which amendment.

    `status` is `V` where that was checked against the statute's text, `M` where it is yet to be.
    """

    since: date
    by: str = ""
    status: Literal["V", "M"]
