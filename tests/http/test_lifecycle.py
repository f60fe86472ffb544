"""A server's life: it says when it listens, refuses what it cannot serve, and stops without losing anything."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import msgspec
import pytest

from sluss_schemas import membership, sync
from sluss_server.clock import now

from tests.http.server import Device, Server, found_agency, run

INVITES = 50


def test_a_stop_is_orderly(start: Callable[..., Server]) -> None:
    server = start()
    assert server.http.get("/health/live").status_code == 200

    assert server.stop() == 0
    assert [line for line in server.lines() if line["event"] != "request"] == []


def test_an_interrupt_is_orderly_too(start: Callable[..., Server]) -> None:
    server = start()
    server.http.close()
    server.process.send_signal(signal.SIGINT)

    assert server.process.wait(30) == 0


def test_who_waits_for_news_is_answered_at_the_stop(start: Callable[..., Server]) -> None:
    server = start()
    device = found_agency(server)
    with ThreadPoolExecutor(1) as pool, httpx2.Client(base_url=server.url, timeout=60) as http:
        waiting = pool.submit(device.send, http, "POST", "/v1/pull", sync.Pull(wait=25))
        # The pull was sent before these; the server reads what comes in the order in which it comes.
        while not server_has_connections(server, 2):
            server.http.get("/health/live")
        server.http.get("/health/live")

        assert server.stop() == 0
        response = waiting.result(timeout=20)

    assert response.status_code == 200
    assert msgspec.msgpack.decode(response.content, type=sync.PullAnswer).pages == ()
    # Long before the 25 seconds that it would have waited.
    [line] = [one for one in server.lines() if one["route"] == "/v1/pull"]
    assert line["duration_ms"] < 20_000


def server_has_connections(server: Server, wanted: int) -> bool:
    """Tell whether the process holds so many connections, as the operating system sees it."""
    sockets = Path(f"/proc/{server.process.pid}/net/tcp")
    if not sockets.exists():
        return True
    port = f":{server.port:04X}"
    rows = [line.split() for line in sockets.read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" for row in rows) >= wanted


def test_what_was_acknowledged_before_a_stop_is_stored(start: Callable[..., Server]) -> None:
    server = start()
    device = found_agency(server)
    enough = threading.Event()

    def invite(http: httpx2.Client, number: int) -> int:
        invitation = membership.Invitation(number.to_bytes(16, "big"), now() + 3600)
        try:
            response = device.send(http, "POST", "/v1/invites", invitation)
        except httpx2.TransportError:
            return 0
        if number > INVITES // 10:
            enough.set()
        return response.status_code

    with httpx2.Client(base_url=server.url, timeout=60) as http, ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(invite, http, number) for number in range(INVITES)]
        assert enough.wait(30)
        server.process.send_signal(signal.SIGTERM)
        statuses = [answer.result() for answer in answers]

    assert server.process.wait(30) == 0
    with closing(sqlite3.connect(server.database)) as database:
        stored = {bytes(row[0]) for row in database.execute("SELECT invite FROM invitations")}
    acknowledged = {number.to_bytes(16, "big") for number, status in enumerate(statuses) if status == 204}
    assert acknowledged
    assert acknowledged <= stored
    assert set(statuses) <= {0, 204}


def test_a_device_is_known_to_the_next_process(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    device = found_agency(server)
    server.stop()
    again = Restarted(server)
    try:
        known = Device(url=again.url, key=device.key)
        assert known.send(again.http, "GET", "/v1/enrolments").status_code == 200
    finally:
        again.stop()
    assert list(tmp_path.glob("data0/receipt.key"))


class Restarted(Server):
    """The same data folder, served once more."""

    def __init__(self, before: Server) -> None:
        """Serve what `before` served."""
        super().__init__(before.folder, found=("health",))


def test_the_test_clock_moves_the_server(start: Callable[..., Server], tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    server = start(SLUSS_TEST_CLOCK=str(offset))
    device = found_agency(server)
    assert device.send(server.http, "GET", "/v1/enrolments").status_code == 200

    offset.write_text("7200\n", encoding="ascii")
    response = device.send(server.http, "GET", "/v1/enrolments")
    headers = device.headers("GET", "/v1/enrolments", created=now() + 7200)

    assert response.json()["code"] == "clock_off"
    assert abs(response.json()["server_time"] - now() - 7200) < 60
    assert server.http.get("/v1/enrolments", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda _: None, "not_migrated"),
        (lambda folder: (folder / "sluss.sqlite").write_bytes(b"no database at all, " * 100), "database_unreachable"),
        (lambda folder: (folder / "receipt.key").write_bytes(b"short"), "key_damaged"),
        (lambda folder: (folder / "instance").write_bytes(b""), "key_damaged"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    tmp_path: Path, prepare: Callable[[Path], object], code: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    prepare(folder)

    done = run("serve", "--port", "0", folder=folder)

    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"sluss: {code}: ")


def test_a_port_that_is_taken_is_refused_in_one_line(server: Server, tmp_path: Path) -> None:
    run("migrate", folder=tmp_path)

    done = run("serve", "--port", str(server.port), folder=tmp_path)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("sluss: address_unusable: ")


def test_the_servers_files_are_its_owners_alone(start: Callable[..., Server]) -> None:
    server = start()

    modes = {name: (server.folder / name).stat().st_mode & 0o777 for name in ("receipt.key", "instance")}

    assert modes == {"receipt.key": 0o600, "instance": 0o600}
    assert server.folder.stat().st_mode & 0o077 == 0
