"""`Services`: every use case of the server behind one object, wired from an engine, a writer, a clock and a key.

Refuses to decide: each method hands its request to the file that is about it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluss_schemas import ledger, membership, sync
from sluss_schemas.ids import Sector
from sluss_schemas.invitation import Code
from sluss_schemas.policy.model import Pack
from sluss_schemas.problems import Invalid
from sluss_server.services.caller import Caller
from sluss_server.services.chains import Chains
from sluss_server.services.checkpoints import Checkpoints
from sluss_server.services.coded import Coded
from sluss_server.services.core import Core
from sluss_server.services.courses import Courses
from sluss_server.services.cube import Cube
from sluss_server.services.directories import Directories
from sluss_server.services.enrolling import Enrolling
from sluss_server.services.headsets import HeadSets
from sluss_server.services.health import Health
from sluss_server.services.keyring import Keyring
from sluss_server.services.notes import Note, NoteList, Notes
from sluss_server.services.pull import Pulling
from sluss_server.services.push import Pushing
from sluss_server.services.quarantine import Quarantine
from sluss_server.services.readings import Readings
from sluss_server.services.receipts import Receipts
from sluss_server.services.recording import Recording
from sluss_server.services.restoring import Restoring
from sluss_server.services.rules import Rules
from sluss_server.services.sessions import Sessions
from sluss_server.services.showing import Showing
from sluss_server.services.statements import Statements
from sluss_server.services.stocks import Stocks
from sluss_server.services.sweeping import Sweeping
from sluss_server.services.tasks import Tasks
from sluss_server.services.wake import Wake
from sluss_server.services.watching import Watching
from sluss_server.storage import schema
from sluss_server.storage.engine import Engine
from sluss_server.storage.writer import Writer


class Services:
    """The server's use cases.

    Attributes of the constructor:
        engine: readers and the writer's connection (`storage.engine.open_engine`).
        writer: the group commit (`storage.writer.Writer`), started.
        clock: Unix seconds, UTC.
        receipt_key: signs receipts; agencies pin its public half in their genesis.
        packs: every policy pack that this server knows.
        instance: 16 bytes, names this server's lineage of backups.

    """

    def __init__(
        self,
        *,
        engine: Engine,
        writer: Writer,
        clock: Callable[[], int],
        receipt_key: Ed25519PrivateKey,
        packs: tuple[Pack, ...],
        instance: bytes,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Wire the use cases; `random` is an argument so that a run can be repeated."""
        self._core: Final = Core(
            engine=engine,
            writer=writer,
            clock=clock,
            random=random,
            rules=Rules(packs),
            receipts=Receipts(receipt_key, instance),
            directories=Directories(engine),
            wake=Wake(),
            head_sets=HeadSets(),
            restoring=Restoring(engine),
        )
        recording = Recording(self._core)
        self._pushing: Final = Pushing(self._core)
        self._pulling: Final = Pulling(self._core, recording)
        self._quarantine: Final = Quarantine(self._core, recording)
        self._notes: Final = Notes(self._core)
        self._chains: Final = Chains(self._core)
        self._keyring: Final = Keyring(self._core)
        self._enrolling: Final = Enrolling(self._core)
        self._checkpoints: Final = Checkpoints(self._core)
        self._showing: Final = Showing(self._core, recording)
        self._readings: Final = Readings(self._core)
        self.cube: Final = Cube(self._core)
        """Counts, for the overview and for supervisors."""
        self.health: Final = Health(self._core)
        """Whether the own agency's devices are heard of, and how soon its reports arrive."""
        self.coded: Final = Coded(self._core, recording)
        """The own agency's coded facts, report by report."""
        self.courses: Final = Courses(self._core)
        """What became of the own agency's defects of places, and who came to its meetings."""
        self.tasks: Final = Tasks(self._core)
        """How the own agency keeps up with its duties."""
        self.sessions: Final = Sessions(self._core)
        """Browsers that are signed in to the overview."""
        self.registry: Final = Statements(self._core)
        """What agencies have stated of scenes, objectives and staffing."""
        self.stocks: Final = Stocks(self._core)
        """What the own agency has counted, and used since."""
        self.ledgers: Final = Watching(self._core, recording, self._checkpoints)
        """What is done for the ledgers without being asked."""
        self.sweeping: Final = Sweeping(self._core)
        """What time brings about without being asked."""

    async def identify(self, kid: bytes) -> Caller | None:
        """Return who a device key id is, in whatever partnership; None when no directory names it."""
        return await self._core.directories.find(kid, self._core.clock())

    async def push(self, caller: Caller, push: sync.Push) -> sync.PushAnswer:
        """Apply a push, item by item, and answer each after the commit."""
        return await self._pushing.push(caller, push)

    async def pull(self, caller: Caller, pull: sync.Pull) -> sync.PullAnswer:
        """Return what is new in the device's feeds, waiting up to `pull.wait` seconds for something."""
        await self.health.heard(caller)
        return await self._pulling.pull(caller, pull)

    async def checkpoint(self, caller: Caller, ask: ledger.CheckpointAsk) -> ledger.CheckpointAnswer:
        """Return the newest checkpoint of the own agency's ledger, with its proofs."""
        return await self._checkpoints.show(caller, ask)

    async def leaves(self, caller: Caller, ask: ledger.LeavesAsk) -> ledger.LeavesAnswer:
        """Return leaves of the own agency's ledger, for a supervisor."""
        return await self._showing.leaves(caller, ask)

    async def read(self, caller: Caller, reads: ledger.Reads) -> None:
        """Take read records into the ledgers."""
        await self._readings.take(caller, reads)

    async def denied(self, caller: Caller, code: str, path: str) -> None:
        """Record that a request was refused, where it was for want of a right."""
        await self.ledgers.denied(caller, code, path)

    async def quarantine(self, caller: Caller) -> sync.QuarantineAnswer:
        """Return what waits in quarantine for a supervisor of the own agency."""
        return await self._quarantine.waiting(caller)

    async def notes(self) -> NoteList:
        """Return the notes for everybody that hold now."""
        return await self._notes.public()

    async def note(self, name: str) -> Note:
        """Return one note, for whoever was given its id in hex."""
        return await self._notes.one(name)

    async def directory_pull(self, caller: Caller, pull: membership.DirectoryPull) -> membership.DirectoryAnswer:
        """Return what follows in every chain of the partnership."""
        return await self._chains.pull(caller, pull)

    async def directory_append(self, caller: Caller, append: membership.DirectoryAppend) -> membership.Appended:
        """Append to the own agency's chain."""
        return await self._chains.append(caller, append)

    async def pull_keys(self, caller: Caller, pull: membership.KeysPull) -> membership.KeysAnswer:
        """Return the device's wraps and shares, who lacks an epoch, what waits for a registrar, and the roster."""
        return await self._keyring.pull(caller, pull)

    async def offer_keys(self, caller: Caller, offer: membership.KeysOffer) -> None:
        """Store wraps for newcomers, proposals of epochs and splits, and a custodian's shares."""
        await self._keyring.offer(caller, offer)

    async def invite(self, caller: Caller, invitation: membership.Invitation) -> None:
        """Announce an invitation of the own agency."""
        await self._enrolling.invite(caller, invitation)

    async def enrol(self, enrolment: membership.Enrolment) -> None:
        """Keep a new device's request until a registrar has approved it."""
        await self._enrolling.enrol(enrolment)

    async def enrolments(self, caller: Caller) -> membership.Enrolments:
        """Return the enrolments that wait for a registrar of the own agency."""
        return await self._enrolling.enrolments(caller)

    async def found(self, founding: membership.Founding) -> membership.Appended:
        """Found an agency with the code that the operator gave out."""
        return await self._enrolling.found(founding)

    async def create_partnership(
        self, name: str, server_url: str, agencies: Sequence[tuple[str, Sector]]
    ) -> tuple[bytes, list[Code]]:
        """Create a partnership; return its id and one founding code per agency, the first holding the registry."""
        return await self._enrolling.create_partnership(name, server_url, agencies)

    async def ready(self) -> None:
        """Return quietly if the database answers and its schema is at head; raise otherwise."""
        if await schema.current(self._core.engine) != schema.head():
            raise Invalid("internal", "schema", "Run `sluss migrate`; the database is not at this program's schema.")
