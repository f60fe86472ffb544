"""A town of agencies for tests: a real server over a real socket, and enrolled devices with real keys.

```python
async with Town(clock=clock) as town:
    guard = await town.device("security", "field", scenes=["central-square"])
    boss = await town.device("social_services", "supervisors")
    town.clock.advance(hours=5)
```

`Town(hostile=True)` puts a man in the middle at the server's address, whom a test tells how to lie.
Source: docs/contract.md, "Testing".

> INVARIANT: nothing is mocked; what a test sees through a town a device in the field would see.
"""

from __future__ import annotations

from sluss_client.testing.clock import Clock
from sluss_client.testing.hostile import Exchange, Hostile, Problem
from sluss_client.testing.server import Server
from sluss_client.testing.town import AGENCIES, PASSPHRASE, SCENES, Town

__all__ = ["AGENCIES", "PASSPHRASE", "SCENES", "Clock", "Exchange", "Hostile", "Problem", "Server", "Town"]
