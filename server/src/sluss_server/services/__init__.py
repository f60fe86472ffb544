"""The use cases of the server, one per file, behind one surface that an endpoint calls.

Refuses HTTP and SQL alike: a service decides what happens in which transaction; `storage` says how.
Expected answers are values; a refusal of the whole request is `problems.Invalid` with a code of the catalogue.

> INVARIANT: a service owns its transaction, and an outcome is stored with its effect or not at all.
"""

from __future__ import annotations

from sluss_server.services.caller import Caller
from sluss_server.services.service import Services

__all__ = ["Caller", "Services"]
