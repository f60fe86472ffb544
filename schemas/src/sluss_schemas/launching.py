"""What a supervisor's device is given to sign a browser in to the overview.

Source: docs/contract.md, "The overview"; docs/decisions/0026-sign-in-by-launch.md.
"""

from __future__ import annotations

import msgspec


class LaunchAsk(msgspec.Struct, frozen=True, array_like=True):
    """Ask for a link into the overview; there is nothing to choose."""


class Launch(msgspec.Struct, frozen=True, array_like=True):
    """A token that signs one browser in, once and before `expires_at`."""

    token: str
    expires_at: int
