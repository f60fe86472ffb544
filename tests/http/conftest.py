"""One server for the tests that only ask, and a place to start others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.http.server import Device, Server, found_agency


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that several tests share; none of them may harm it."""
    running = Server(tmp_path_factory.mktemp("http") / "data")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def device(server: Server) -> Device:
    """The device that founded the police on the shared server."""
    return found_agency(server)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own."""
    running: list[Server] = []

    def make(**environment: str) -> Server:
        running.append(Server(tmp_path / f"data{len(running)}", **environment))
        return running[-1]

    yield make
    for one in running:
        one.stop()
