"""What people do in any order, with twins of everything; what the acts are stands in the modules of each concern."""

from __future__ import annotations

from typing import Final

from tests.secrecy.deciding import Deciding
from tests.secrecy.living import Living
from tests.secrecy.talking import Talking

ACTS: Final = (
    *("file",) * 3,
    "amend",
    "answer",
    *("disclose",) * 4,
    "rest_on_consent",
    "withdraw",
    "recall",
    "wait",
    "days_pass",
    "protect",
    "release",
    "open_row",
    "begin_shift",
    "sync_some",
    *("quote",) * 2,
    "link",
    *("agree",) * 2,
    "disagree",
    "limit",
    "review",
    "leave",
    "lose",
    "suspend",
    "rotate",
    "end_shift",
    "list_place",
    "unprotect",
    "preserve",
    "ask",
    "tell",
    "note",
)


class Flow(Talking, Deciding, Living):
    """What happens, beside the model of it."""
