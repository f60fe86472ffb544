"""A PostgreSQL cluster of the tests' own, and empty databases in it for whoever asks.

It runs in a temporary folder, in memory where there is such a place, on a loopback port, trusts everybody there, and is
gone afterwards.
PostgreSQL refuses to run as root: there it runs as an unprivileged user, who owns the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from sluss_server.storage.engine import open_engine
from sluss_server.storage.schema import migrate

USER: Final = "sluss"
UNPRIVILEGED: Final = ("postgres", "nobody")
# No disk is waited for: what a power cut would do to it is not what these tests ask.
# Two that wait for each other are told after a twentieth of a second.
SETTINGS: Final = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=60",
    "deadlock_timeout=50ms",
)
_MEMORY: Final = "/dev/shm"  # noqa: S108  # a folder of its own is made in it
_BINARIES: Final = Path("/usr/lib/postgresql")
_names = count(1)


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    binaries: Path
    port: int
    migrated: list[str] = field(default_factory=list)
    """The database with this program's schema and nothing in it, once somebody has asked for one like it."""

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the cluster's client programs."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        subprocess.run([self.binaries / program, *where, *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Databases:
    """A test's databases, which go with it."""

    cluster: Cluster
    names: list[str] = field(default_factory=list)

    def new(self, *like: str) -> str:
        """Make an empty database, or one like another, and return its address, as SLUSS_DATABASE_URL has it."""
        name = f"town{next(_names)}"
        self.cluster.run("createdb", *(f"--template={one}" for one in like), name)
        self.names.append(name)
        return self._address(name)

    async def migrated(self) -> str:
        """Make a database with the schema and nothing in it: a copy of one that is migrated once for all tests."""
        if not self.cluster.migrated:
            first = f"migrated{next(_names)}"
            self.cluster.run("createdb", first)
            engine = open_engine(self._address(first))
            await migrate(engine)
            await engine.close()
            self.cluster.migrated.append(first)
        return self.new(*self.cluster.migrated)

    def _address(self, name: str) -> str:
        return f"postgresql+asyncpg://{USER}@127.0.0.1:{self.cluster.port}/{name}"

    def drop(self) -> None:
        """Take all of them away."""
        for name in self.names:
            self.cluster.run("dropdb", "--force", name)


def binaries() -> Path | None:
    """Return the folder of the newest server programs of this machine, or None."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    folders = [one.parent for one in _BINARIES.glob("*/bin/initdb")]
    return max(folders, key=lambda one: float(one.parent.name), default=None)


@contextmanager
def running() -> Iterator[Cluster]:
    """Make a cluster, run it, and take it away again."""
    folder = binaries()
    if folder is None:
        pytest.skip("no PostgreSQL server programs here: neither on the path nor under /usr/lib/postgresql")
    who = _whom()
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sluss-postgres-", dir=memory) as place, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        if who:
            os.chown(place, who["user"], who["group"])
        data, log = Path(place, "data"), Path(place, "log")
        _run([folder / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], who)
        probe.close()
        options = [f"listen_addresses=127.0.0.1 port={port}".split(), ["unix_socket_directories="], SETTINGS]
        given = " ".join(f"-c {one}" for group in options for one in group)
        _run([folder / "pg_ctl", "start", "-w", "-s", "-D", data, "-l", log, "-o", given], who)
        try:
            yield Cluster(folder, port)
        finally:
            _run([folder / "pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", data], who)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests that ask for it."""
    with running() as found:
        yield found


@pytest.fixture
def databases(cluster: Cluster) -> Iterator[Databases]:
    """Databases for one test."""
    found = Databases(cluster)
    yield found
    found.drop()


def _whom() -> dict[str, Any]:
    """Return whom the programs run as: this process's user, or somebody without rights where that is root."""
    if os.geteuid() != 0:
        return {}
    names = {one.pw_name: one for one in pwd.getpwall()}
    who = next((names[name] for name in UNPRIVILEGED if name in names), None)
    if who is None:
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)} here")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _run(command: list[Any], who: dict[str, Any]) -> None:
    """Run one of its programs to the end; what it prints is shown where it fails."""
    # `pg_ctl` leaves the server behind it, which would keep a pipe open for ever: hence a file.
    with tempfile.TemporaryFile() as out:
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, **who)
        out.seek(0)
        assert done.returncode == 0, out.read().decode(errors="replace")
