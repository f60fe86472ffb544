"""The exceptions of the SDK.

```
SlussError                 code, field, say
├── Invalid                what was given is wrong; nothing was changed
├── NotFound               no such report on this device (or none that this person may know of)
├── Refused                the pack does not open this part for this person
├── StoreError             the store on disk: passphrase, damage, full disk, in use
├── Untrusted              the server showed something that the agencies' signatures do not support
└── Offline                no contact, or an answer that is no answer; what was filed waits
```

Every one carries a stable code from `sluss_schemas.problems`.
"""

from __future__ import annotations

from sluss_schemas.problems import Invalid, SlussError

__all__ = ["Invalid", "NotFound", "Offline", "Refused", "SlussError", "StoreError", "Untrusted"]


class NotFound(SlussError):  # names of answers, as a reader meets them
    """There is no such report on this device."""

    def __init__(self, field: str = "report") -> None:
        """Say which thing was asked for, never its value."""
        super().__init__("unknown_report", field)


class Refused(SlussError):
    """The policy pack does not open this part; the rule says why, the same whether the part is filled or empty."""

    rule: str
    law: tuple[str, ...]

    def __init__(
        self, field: str, say: str = "", *, rule: str = "", law: tuple[str, ...] = (), code: str = "closed"
    ) -> None:
        """Name the compartment, the rule and its statutes."""
        self.rule = rule
        self.law = law
        super().__init__(code, field, say)


class StoreError(SlussError):
    """The encrypted store cannot be opened or written; what was saved before is safe."""


class Untrusted(SlussError):
    """The server showed something that does not hold together; nothing of it was used."""


class Offline(SlussError):
    """The server could not be reached, or answered with an error of its own."""
