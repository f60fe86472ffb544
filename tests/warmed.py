"""What a process that server processes are forked off has done before the first of them: `tests.warm` names it.

> INVARIANT: it imports and reads what every server process imports and reads, and opens nothing.
"""

from __future__ import annotations

import gc

import sluss_server.cli
from sluss_schemas.policy import builtin

__all__ = ["sluss_server"]

builtin()
# A collection in a child would copy every page that it looks at.
gc.collect()
gc.freeze()
