"""Bodies: how large, in which media type, in which encoding; and that both media types say the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from sluss_schemas import codec, membership, sync
from sluss_server.http import bodies
from sluss_server.http.endpoints import ENDPOINTS, PUSH_LIMIT, Endpoint

from tests.http.server import JSON, MSGPACK, Device, Server, encode

ENROLMENT = membership.Enrolment(bytes(16), bytes(16), bytes(32), bytes(1216), bytes(64), bytes(32))
ITEM = sync.Item(b"no manifest", bytes(64), (sync.Section(3, b"\x00\xff"),), (), (None, None), (), ())
# A list of two as an array16, which MessagePack allows and the one encoding does not.
WIDE_ARRAY = b"\xdc\x00\x06"

MALFORMED: list[tuple[str, str, bytes, str]] = [
    ("nothing", MSGPACK, b"", "malformed"),
    ("nothing as JSON", JSON, b"", "malformed"),
    ("no MessagePack", MSGPACK, b"\xc1", "malformed"),
    ("no JSON", JSON, b"{", "malformed"),
    ("no text", JSON, b'["\xff"]', "malformed"),
    ("cut short", MSGPACK, codec.encode(ENROLMENT)[:-1], "malformed"),
    ("more behind it", MSGPACK, codec.encode(ENROLMENT) + b"\x00", "malformed"),
    ("an object", JSON, b'{"partnership": "AAAA"}', "malformed"),
    ("a field too few", MSGPACK, codec.encode([bytes(16)] * 5), "malformed"),
    ("a field too many", MSGPACK, codec.encode([*msgspec.structs.astuple(ENROLMENT), 1]), "malformed"),
    ("a key of another length", MSGPACK, codec.encode(msgspec.structs.replace(ENROLMENT, sign_key=b"x")), "malformed"),
    ("no base64", JSON, encode(["*"] * 6, JSON), "malformed"),
    ("nested without end", JSON, b"[" * 4_000, "malformed"),
    ("nested without end, packed", MSGPACK, b"\x91" * 4_000, "malformed"),
    ("another encoding", MSGPACK, WIDE_ARRAY + codec.encode(ENROLMENT)[1:], "not_canonical"),
]
MEDIA: list[tuple[str, str, str]] = [
    ("", "", MSGPACK),
    ("", "*/*", MSGPACK),
    (MSGPACK, "", MSGPACK),
    ("application/vnd.msgpack", "application/vnd.msgpack", MSGPACK),
    (JSON, "", JSON),
    ("Application/JSON; charset=utf-8", "*/*", JSON),
    (MSGPACK, JSON, JSON),
    (MSGPACK, "text/html, application/json;q=0.5", JSON),
    (JSON, MSGPACK, MSGPACK),
    (JSON, "application/msgpack;q=0.2, application/json;q=0.9", JSON),
    (MSGPACK, "application/json;q=0", MSGPACK),
    (MSGPACK, "application/json;q=no", MSGPACK),
]


def bodied() -> list[Endpoint]:
    return [endpoint for endpoint in ENDPOINTS if endpoint.takes is not None]


@pytest.mark.parametrize(("media", "body", "code"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_body_that_is_none_is_refused(server: Server, media: str, body: bytes, code: str) -> None:
    response = server.http.post("/v1/enrolments", content=body, headers={"content-type": media})

    problem = response.json()
    assert (response.status_code, problem["code"], problem["field"]) == (400, code, "body")


@pytest.mark.parametrize("endpoint", bodied(), ids=lambda one: one.path)
def test_no_endpoint_takes_a_body_of_another_shape(server: Server, device: Device, endpoint: Endpoint) -> None:
    body = codec.encode({"canary": 1})
    headers = device.headers("POST", endpoint.path, body) if endpoint.signed else []

    response = server.http.post(endpoint.path, content=body, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/cbor", "nonsense"])
def test_another_media_type_is_refused(server: Server, media: str) -> None:
    response = server.http.post("/v1/enrolments", content=b"x", headers={"content-type": media})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["field"] == "content-type"


def test_a_compressed_body_is_refused(server: Server) -> None:
    response = server.http.post("/v1/enrolments", content=b"x", headers={"content-encoding": "gzip"})

    assert (response.status_code, response.json()["field"]) == (400, "content-encoding")


@pytest.mark.parametrize("endpoint", bodied(), ids=lambda one: one.path)
def test_a_body_beyond_the_limit_is_refused(server: Server, device: Device, endpoint: Endpoint) -> None:
    body = bytes(endpoint.limit + 1)
    headers = device.headers("POST", endpoint.path, body) if endpoint.signed else []

    response = server.http.post(endpoint.path, content=body, headers=headers)

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_push_of_a_mebibyte_is_read(server: Server, device: Device) -> None:
    push = sync.Push(items=(msgspec.Raw(codec.encode(bytes(sync.MAX_PUSH_BYTES))),))
    assert sync.MAX_PUSH_BYTES < len(codec.encode(push)) < PUSH_LIMIT

    response = device.send(server.http, "POST", "/v1/push", push)

    assert response.status_code == 200 or response.json()["field"] != "body"


@pytest.mark.parametrize("length", [9_999, 9_999_999_999])
def test_a_length_beyond_the_limit_is_refused_before_anything_is_read(server: Server, length: int) -> None:
    head = b"POST /v1/enrolments HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % length
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    # The end of the connection is the end of the answer: what would follow is not waited for.
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


def test_a_body_without_a_length_is_read_no_further_than_the_limit(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        # A hundred times the limit: enough to be noticed if it were read.
        for _ in range(100):
            yield bytes(8 * 1024)

    response = server.http.post("/v1/enrolments", content=endless())

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"


def test_a_stranger_makes_the_server_read_no_body(server: Server) -> None:
    head = b"POST /v1/push HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head)
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_request_without_a_body_may_bring_none(server: Server, device: Device) -> None:
    headers = device.headers("GET", "/v1/enrolments", b"x")

    response = server.http.request("GET", "/v1/enrolments", content=b"x", headers=headers)

    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("sent", "accept", "answered"), MEDIA)
def test_the_answer_comes_in_the_media_type_that_was_asked_for(sent: str, accept: str, answered: str) -> None:
    media = bodies.sent_as([(b"content-type", sent.encode())])

    assert bodies.answered_as(accept, media) == answered


@pytest.mark.parametrize(
    ("path", "value", "gives"),
    [
        ("/v1/directory/pull", membership.DirectoryPull(), membership.DirectoryAnswer),
        ("/v1/pull", sync.Pull(), sync.PullAnswer),
    ],
)
def test_both_media_types_say_the_same(
    server: Server, device: Device, path: str, value: object, gives: type[membership.DirectoryAnswer | sync.PullAnswer]
) -> None:
    packed = device.send(server.http, "POST", path, value)
    text = device.send(server.http, "POST", path, value, media=JSON)

    assert (packed.headers["content-type"], text.headers["content-type"]) == (MSGPACK, JSON)
    first = msgspec.msgpack.decode(packed.content, type=gives)
    second = msgspec.json.decode(text.content, type=gives)
    assert msgspec.structs.replace(first, time=0) == msgspec.structs.replace(second, time=0)


def test_a_push_in_json_is_applied_as_one_in_messagepack(server: Server, device: Device) -> None:
    packed = device.send(server.http, "POST", "/v1/push", sync.Push(items=(raw(ITEM, MSGPACK),)))
    text = device.send(server.http, "POST", "/v1/push", sync.Push(items=(raw(ITEM, JSON),)), media=JSON)

    first = msgspec.msgpack.decode(packed.content, type=sync.PushAnswer)
    second = msgspec.json.decode(text.content, type=sync.PushAnswer)
    assert first == second
    # Both saw the item itself: its digest is in the answer.
    assert first.items[0].outcome is sync.OutcomeCode.REFUSED
    assert first.items[0].digest != bytes(32)


def test_one_bad_item_in_json_does_not_sink_its_neighbour(server: Server, device: Device) -> None:
    push = sync.Push(items=(msgspec.Raw(b'{"not": "an item"}'), raw(ITEM, JSON)))

    response = device.send(server.http, "POST", "/v1/push", push, media=JSON)

    answer = msgspec.json.decode(response.content, type=sync.PushAnswer)
    assert [one.outcome for one in answer.items] == [sync.OutcomeCode.REFUSED, sync.OutcomeCode.REFUSED]
    assert answer.items[0].digest != answer.items[1].digest


def raw(item: sync.Item, media: str) -> msgspec.Raw:
    return msgspec.Raw(encode(item, media))
