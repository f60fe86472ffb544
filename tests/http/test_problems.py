"""Every refusal is one problem body, also those that nobody meant, and none of them repeats what was sent."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing

import httpx2
import pytest

from sluss_schemas import codec, membership, sync
from sluss_schemas.problems import CATALOGUE
from sluss_server.http.endpoints import ENDPOINTS
from sluss_server.http.frame import SECURITY_HEADERS

from tests.http.server import MSGPACK, Device, Server, found_agency, with_value

CANARY = "CANARY-IN-INVITE"
ENROLMENT = membership.Enrolment(bytes(16), CANARY.encode(), bytes(32), bytes(1216), bytes(64), bytes(32))
MEMBERS = {"type", "title", "status", "detail", "code", "field", "request_id", "server_time"}

Ask = Callable[[httpx2.Client], httpx2.Response]

REFUSED: list[tuple[str, Ask, int, str]] = [
    ("an unknown address", lambda http: http.get(f"/v1/{CANARY}"), 404, "not_found"),
    ("the root", lambda http: http.get("/"), 404, "not_found"),
    ("an address below another", lambda http: http.post("/v1/push/x"), 404, "not_found"),
    ("a path that climbs", lambda http: http.get("/openapi.json/../../etc/passwd"), 404, "not_found"),
    ("a path that is no text", lambda http: http.get("/v1/%ff%fe"), 404, "not_found"),
    ("a method that it does not have", lambda http: http.delete("/v1/push"), 405, "method_not_allowed"),
    ("a method of no list", lambda http: http.request("PROPFIND", "/v1/push"), 405, "method_not_allowed"),
    ("an unsigned request", lambda http: http.post("/v1/push"), 401, "unsigned"),
    ("a body that is none", lambda http: http.post("/v1/found", content=CANARY.encode()), 400, "malformed"),
    (
        "a host that is none",
        lambda http: http.get("/health/live", headers={"host": f"{CANARY} {CANARY}"}),
        400,
        "invalid_request",
    ),
]


@pytest.mark.parametrize(("ask", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_refusal_is_a_problem(server: Server, ask: Ask, status: int, code: str) -> None:
    response = ask(server.http)

    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem.keys() == MEMBERS
    assert problem["type"] == f"urn:sluss:problem:{code}"
    assert problem["detail"] == CATALOGUE[code][1]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert CANARY not in response.text


@pytest.mark.parametrize(
    "text",
    [
        b"CANARY\r\n\r\n",
        b"GET / HTTP/1.1\r\nCANARY\r\n\r\n",
        b"POST /v1/push HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /v1/push HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_as_a_problem(server: Server, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(text)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "invalid_request"
    assert b"CANARY" not in answer


def test_a_refused_method_is_told_the_right_ones(server: Server) -> None:
    assert "POST" in server.http.delete("/v1/push").headers["allow"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/openapi.json", "/nowhere"])
def test_every_answer_has_an_id_and_the_headers(server: Server, path: str) -> None:
    response = server.http.get(path)

    assert len(response.headers["x-request-id"]) == 16
    assert {name.decode(): value.decode() for name, value in SECURITY_HEADERS}.items() <= dict(response.headers).items()
    assert "server" not in response.headers


def test_an_id_is_never_taken_from_the_request(server: Server) -> None:
    response = server.http.get("/health/live", headers={"x-request-id": CANARY})

    assert CANARY not in response.headers["x-request-id"]


def test_strict_transport_is_asked_for_behind_https_alone(start: Callable[..., Server], server: Server) -> None:
    behind = start(SLUSS_PUBLIC_URL="https://sluss.example")

    assert "strict-transport-security" in behind.http.get("/health/live").headers
    assert "strict-transport-security" not in server.http.get("/health/live").headers


def test_a_fault_says_nothing_of_itself_and_nothing_of_what_was_sent(start: Callable[..., Server]) -> None:
    server = start()
    with closing(sqlite3.connect(server.database)) as database:
        # What the service will ask for is gone; the database's own words would quote the statement and its values.
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            database.execute(f"DROP TABLE {name}")
    headers = {"content-type": MSGPACK, "user-agent": CANARY, "x-canary": CANARY}

    response = server.http.post(f"/v1/enrolments?q={CANARY}", content=codec.encode(ENROLMENT), headers=headers)

    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert response.json()["detail"] == CATALOGUE["internal"][1]
    assert server.line_of(response)["code"] == "internal"
    [fault] = [line for line in server.lines() if line["event"] == "fault"]
    assert fault["request_id"] == response.headers["x-request-id"]
    assert fault["type"] == "sqlalchemy.exc.OperationalError"
    assert fault["at"].startswith("sluss_server/")
    for said in (response.text, server.log()):
        assert CANARY not in said
        assert CANARY.encode().hex() not in said
        assert "SELECT" not in said
        assert "Traceback" not in said


def test_a_server_without_its_tables_is_alive_and_not_ready(start: Callable[..., Server]) -> None:
    server = start()
    assert server.http.get("/health/ready").json() == {"status": "ready"}
    with closing(sqlite3.connect(server.database)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
        database.commit()

    response = server.http.get("/health/ready")

    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
    assert server.http.get("/health/live").json() == {"status": "live"}


def test_every_code_of_the_table_crosses_the_network() -> None:
    assert [code for one in ENDPOINTS for code in one.codes if not CATALOGUE[code][0]] == []


def test_the_log_tells_who_and_where_and_never_what(start: Callable[..., Server]) -> None:
    server = start()
    device = found_agency(server)
    body = codec.encode(membership.DirectoryPull())
    target = f"/v1/directory/pull?q={CANARY}"
    headers = [*device.headers("POST", target, body), ("user-agent", CANARY), ("x-canary", CANARY)]
    good = server.http.post(target, content=body, headers=headers)
    unknown = server.http.request(CANARY.replace("-", ""), f"/{CANARY}?{CANARY}", headers={"referer": CANARY})
    broken = server.http.post(target, content=CANARY.encode(), headers=with_value(headers, "signature", CANARY))

    assert [good.status_code, unknown.status_code, broken.status_code] == [200, 400, 400]
    line = server.line_of(good)
    assert line.keys() == {
        "time", "level", "event", "request_id", "method", "route", "status", "duration_ms", "device", "code"
    }  # fmt: skip
    assert (line["route"], line["status"], line["code"]) == ("/v1/directory/pull", 200, "")
    assert line["device"] == device.kid[:4].hex()
    # A device that was only claimed is not named.
    assert (server.line_of(broken)["device"], server.line_of(broken)["code"]) == ("", "bad_signature")
    assert server.stop() == 0
    assert "CANARY" not in server.log()
    assert device.kid.hex() not in server.log()
    assert all(line["event"] for line in server.lines())
    # Only the first bytes of the device's id may stand there.
    assert Device(url="", key=device.key).public.hex() not in server.log()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_device_is_shown_the_counters(server: Server) -> None:
    assert server.http.get("/metrics").status_code == httpx2.codes.NOT_FOUND


def test_the_counters_know_routes_and_codes_and_nothing_else(start: Callable[..., Server]) -> None:
    port = free_port()
    server = start(SLUSS_METRICS_PORT=str(port))
    device = found_agency(server)
    device.send(server.http, "POST", "/v1/push", sync.Push(items=()))
    server.http.get(f"/{CANARY}")
    server.http.request("CANARY", "/v1/push")

    text = httpx2.get(f"http://127.0.0.1:{port}/metrics").text

    assert 'sluss_requests_total{method="POST",route="/v1/push",status="200"} 1.0' in text
    assert 'sluss_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'sluss_problems_total{code="not_found"} 1.0' in text
    assert "CANARY" not in text
    assert device.kid.hex()[:8] not in text
