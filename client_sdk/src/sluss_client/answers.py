"""What the SDK's calls answer with: small values, without methods that could fail.

Source: docs/contract.md, "The SDK".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sluss_client.report import Report
from sluss_schemas.ids import PersonId, ReportId


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one sync did, in numbers of report versions; `waiting` are on this device alone, `alarms` were kept out."""

    sent: int
    received: int
    dropped: int
    quarantined: int
    waiting: int
    alarms: int


class ReaderRow(NamedTuple):
    """One compartment that one audience will read, and the rule behind it."""

    audience: str
    compartment: str
    form: str
    rule: str
    reason: str
    law: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version that the server has not acknowledged; `reason` is a problem code where it refused."""

    report_id: ReportId
    kind: str
    version: int
    state: str
    filed_at: int
    reason: str | None
    field: str | None
    say: str


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty that the form put to the author and that nobody has answered yet, or that nobody could receive yet.

    `receivable` says whether anybody here can receive it now; `say` tells what to do where nobody can, or where the
    report waits in quarantine.
    """

    report_id: ReportId
    version: int
    code: str
    name: str
    since: int
    receivable: bool = True
    say: str = ""


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person of the partnership: an alias, and a name where the own agency's roster has one."""

    id: PersonId
    alias: str
    agency: str
    functions: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A row of the own agency that a supervisor may open for a task or a reason."""

    report_id: ReportId
    version: int
    kind: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A version that waits in quarantine for a supervisor of the own agency.

    Attributes:
        kind: its name; empty where it is secret and this device cannot open it.
        alias: who filed it, where this device can read that.
        reason: a problem code.
        received_at: when the server got it, in Unix seconds.
        report: what this device can read of it; None where it does not open here or does not hold together.

    """

    report_id: ReportId
    version: int
    digest: bytes
    kind: str
    alias: str | None
    reason: str
    received_at: int
    report: Report | None
