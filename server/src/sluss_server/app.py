"""The composition root: settings in, a running server out.

For: opening the database and the writer, reading the receipt key, wiring the services under the HTTP surface, and
running all of it until a signal says to stop.
Refuses to start on a database whose schema is not this program's, to change that schema by itself, and to start on
what a restore has left unfinished or in the name of another instance than the database knows.

> INVARIANT: nothing imports this module but the command line.

Source: docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Litestar
from sqlalchemy.exc import SQLAlchemyError

from sluss_schemas.ids import Sector
from sluss_schemas.invitation import Code
from sluss_schemas.policy import builtin
from sluss_server import logs
from sluss_server.clock import Clock
from sluss_server.datadir import INSTANCE_FILE, KEY_FILE, NotRunnableError, finished, folder, instance, receipt_key
from sluss_server.http import listener, problem
from sluss_server.http.frame import Frame
from sluss_server.http.routes import routes
from sluss_server.http.shell import Shell
from sluss_server.services import Services
from sluss_server.settings import Settings
from sluss_server.storage import restores, schema
from sluss_server.storage.engine import Engine, open_engine
from sluss_server.storage.writer import Writer
from sluss_server.web import charts, maps
from sluss_server.web import routes as overview
from sluss_server.web.drawing import Drawer
from sluss_server.web.weekly import routes as weekly


async def identity(data_dir: Path, engine: Engine) -> tuple[Ed25519PrivateKey, bytes]:
    """Return the receipt key and the instance of a server that can start on this folder and this database.

    Raises:
        NotRunnableError: it cannot.

    """
    folder(data_dir)
    finished(data_dir)
    # Before the key is looked for: where nothing was founded or restored yet, none is made.
    await check_schema(engine)
    key, lineage = receipt_key(data_dir), instance(data_dir)
    async with engine.read() as connection:
        known = await restores.latest(connection)
    if any(one.instance != lineage for one in known.values()):
        say = f"Copy {KEY_FILE} and {INSTANCE_FILE} from the data folder that this database was restored with."
        raise NotRunnableError("key_damaged", say)
    return key, lineage


@contextlib.asynccontextmanager
async def running(settings: Settings, clock: Callable[[], int]) -> AsyncIterator[Services]:
    """Open everything below the HTTP surface; on the way out the writer finishes what it has accepted.

    Raises:
        NotRunnableError: the database does not answer, its schema is not at head, or it is another instance's.

    """
    async with database(settings) as engine:
        key, lineage = await identity(settings.data_dir, engine)
        writer = Writer(engine)
        await writer.start()
        try:
            yield Services(
                engine=engine, writer=writer, clock=clock, receipt_key=key, packs=builtin(), instance=lineage
            )
        finally:
            await writer.close()


@contextlib.asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Engine]:
    """Open the database, and close it on the way out; nothing is asked of it yet."""
    engine = open_engine(settings.database_url)
    try:
        yield engine
    finally:
        await engine.close()


async def revision(engine: Engine) -> str | None:
    """Return the schema's revision, None for a new database.

    Raises:
        NotRunnableError: the database does not answer.

    """
    try:
        return await schema.current(engine)
    except (SQLAlchemyError, OSError) as error:
        # The driver's message may hold the address, and with it a password.
        message = "Check SLUSS_DATABASE_URL and that the database runs; it does not answer"
        raise NotRunnableError("database_unreachable", f"{message} ({type(error).__name__}).") from None


async def check_schema(engine: Engine) -> None:
    """Return quietly if the schema is this program's.

    Raises:
        NotRunnableError: it is not, or the database does not answer.

    """
    found = await revision(engine)
    if found is None:
        raise NotRunnableError("not_migrated", "The database is new; run `sluss found NAME`, or `sluss migrate`.")
    if found != schema.head():
        raise NotRunnableError(
            "not_migrated", "Make a backup and run `sluss migrate`; the database is of another version."
        )


async def found(
    settings: Settings, name: str, server_url: str, agencies: Sequence[tuple[str, Sector]]
) -> tuple[bytes, list[Code]]:
    """Create a partnership, in a database that is made if there is none yet; return its id and founding codes.

    Raises:
        NotRunnableError: as `running`.
        Invalid: what `Services.create_partnership` refuses.

    """
    folder(settings.data_dir)
    finished(settings.data_dir)
    async with database(settings) as engine:
        if await revision(engine) is None:
            await schema.migrate(engine)
    async with running(settings, Clock(settings.test_clock)) as services:
        return await services.create_partnership(name, server_url, agencies)


async def migrate(settings: Settings) -> tuple[str | None, str]:
    """Bring the schema to head; return the revision before, None for a new database, and the one after.

    Raises:
        NotRunnableError: the data folder cannot be made, or the database does not answer.

    """
    folder(settings.data_dir)
    finished(settings.data_dir)
    async with database(settings) as engine:
        return await revision(engine), await schema.migrate(engine)


def create_app(settings: Settings, *, clock: Callable[[], int] | None = None, shell: Shell | None = None) -> Litestar:
    """Return the application; it opens the database when it starts and closes it when it stops.

    Args:
        settings: from the environment.
        clock: Unix seconds; the clock of the settings if None.
        shell: what the requests share; made here if None.

    """
    clock = clock or Clock(settings.test_clock)
    shared = shell or Shell(clock=clock, new_id=_request_id, public_url=settings.public_url)

    drawer = Drawer()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with running(settings, clock) as services, services.ledgers.working(), services.sweeping.working():
            shared.services = services
            try:
                yield
            finally:
                await drawer.close()

    app = Litestar(
        route_handlers=[
            *routes(shared),
            *overview.routes(shared),
            *charts.routes(shared, drawer),
            *maps.routes(shared),
            *weekly.routes(shared),
        ],
        lifespan=[lifespan],
        exception_handlers=overview.handlers(shared, problem.handlers(shared)),
        # Ours is made from the table of endpoints and says more; and nobody but `logs` writes a log.
        openapi_config=None,
        logging_config=None,
        debug=False,
        # Each endpoint has its own limit, which `http.bodies` keeps.
        request_max_body_size=None,
    )
    app.asgi_handler = Frame(app.asgi_handler, shared)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 takes a free one.

    Raises:
        NotRunnableError: the address cannot be had.

    """
    try:
        return listener.bind(host, port)
    except OSError as error:
        say = f"Give --host and --port an address of this machine that is free and allowed ({error.strerror})."
        raise NotRunnableError("address_unusable", say) from None


def run(settings: Settings, bound: socket.socket, announce: Callable[[], None]) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT; requests in progress are finished first.

    Args:
        settings: from the environment.
        bound: the socket to listen on.
        announce: called once requests are really answered.

    Raises:
        NotRunnableError: before anything listens.

    """
    clock = Clock(settings.test_clock)
    # Before the server is built, so that a refusal is one sentence and no failed start.
    asyncio.run(_preflight(settings))
    logs.configure(settings.log_level, clock)
    shell = Shell(clock=clock, new_id=_request_id, public_url=settings.public_url)
    if settings.metrics_port is not None:
        try:
            shell.metrics.serve(settings.metrics_port)
        except OSError:
            say = "Set SLUSS_METRICS_PORT to a port that is free on this machine's loopback."
            raise NotRunnableError("address_unusable", say) from None
    listener.serve(create_app(settings, clock=clock, shell=shell), shell=shell, bound=bound, announce=announce)


async def _preflight(settings: Settings) -> None:
    """Return quietly if the server can start."""
    async with database(settings) as engine:
        await identity(settings.data_dir, engine)


def _request_id() -> str:
    """Return the id of one request."""
    return secrets.token_hex(8)
