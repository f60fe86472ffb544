"""What a case record is checked against: who files it, when, and what the directories and the pack say.

Decides nothing by itself; `caserecords.py` and its neighbours ask it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.agency import EpochKeys
from sluss_schemas.codec import decode
from sluss_schemas.ids import Kid
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_schemas.records import Case, Record
from sluss_schemas.replay import Directory
from sluss_server.services.caller import Caller
from sluss_server.services.core import Core
from sluss_server.services.directories import View
from sluss_server.storage.disclosure import RecordRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A record that another follows; `coming` says that it is in the same push and has yet to be stored."""

    agency: bytes
    case: Case
    coming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """One device's filing of records, and the state of things that it is checked against.

    Attributes:
        at: when the records were received, Unix seconds.
        past: whether an earlier instance of the server had taken them: rights and clocks are not asked about again.
        coming: the records that stand before this one in the same push, by id.

    """

    core: Core
    connection: AsyncConnection
    view: View
    caller: Caller
    at: int
    past: bool
    coming: Mapping[bytes, Case]

    @property
    def directory(self) -> Directory:
        """The own agency's directory."""
        return self.view.directories[self.caller.agency]

    def pack(self) -> Pack:
        """Return the pack that is in force for the own agency.

        Raises:
            Invalid: `unknown_pack`.

        """
        rules = self.core.rules
        digest = rules.now(self.directory.packs, self.at)
        found = None if digest is None else rules.pack(digest)
        if found is None:
            raise Invalid("unknown_pack", "record.kind")
        return found


def functions_of(directory: Directory, device: bytes) -> frozenset[str]:
    """Return the functions of the own agency that a device is a member of."""
    return frozenset(one.function for one in directory.audiences.values() if Kid(device) in one.members)


def case_of(row: RecordRow) -> Case | None:
    """Return the case record of a row; None for a record of another kind."""
    record: Record = decode(Record, row.record, "record")  # type: ignore[arg-type]  # a union is no class
    return record if isinstance(record, Case) else None


def addressed(filing: Filing, kids: set[bytes]) -> bool:
    """Tell whether one of these key ids is the caller's device, or an epoch that it is entitled to."""
    directory, device = filing.directory, Kid(filing.caller.device)
    for kid in kids:
        found = filing.view.receiver(kid)
        if found is None or found[0] is not directory:
            continue
        keys = found[1]
        if isinstance(keys, EpochKeys):
            first = directory.audiences[keys.audience].members.get(device)
            if first is not None and keys.epoch >= first:
                return True
        elif keys.kid == device:
            return True
    return False
