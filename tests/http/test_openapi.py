"""The OpenAPI document: it is valid, it lists what is answered, and what is answered is what it says."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from typing_extensions import override

from sluss_schemas import codec, membership, sync
from sluss_schemas.problems import CATALOGUE
from sluss_server.http import openapi
from sluss_server.http.endpoints import ENDPOINTS
from sluss_server.http.routes import PAGES

from tests.http.server import JSON, MSGPACK, Device, Server

CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]
Node = dict[str, Any]


def described() -> Node:
    return msgspec.json.decode(msgspec.json.encode(openapi.document(ENDPOINTS, PAGES)), type=dict)


def in_json(document: Node) -> Node:
    """Leave out what the tool cannot write: it knows no MessagePack."""
    for path in document["paths"].values():
        for operation in path.values():
            operation.get("requestBody", {}).get("content", {}).pop(MSGPACK, None)
    return document


def answer_schema(document: Node, path: str, method: str, status: str = "200") -> Node:
    schema: Node = document["paths"][path][method]["responses"][status]["content"][JSON]["schema"]
    return {**schema, "components": document["components"]}


schema = schemathesis.openapi.from_dict(in_json(described()))
FREE = {(one.method, one.path) for one in ENDPOINTS if not one.signed} | {("GET", one.path) for one in PAGES}
unsigned = schema.include(lambda context: (context.operation.method.upper(), context.operation.path) in FREE)
signed = schema.exclude(lambda context: (context.operation.method.upper(), context.operation.path) in FREE)


def test_the_document_is_valid() -> None:
    schema.validate()


def test_the_server_gives_this_document(server: Server) -> None:
    response = server.http.get("/openapi.json")

    assert response.headers["content-type"] == JSON
    assert response.json() == described()


def test_the_document_lists_every_route() -> None:
    listed = {(method.upper(), path) for path, item in described()["paths"].items() for method in item}

    assert listed == {(one.method, one.path) for one in ENDPOINTS} | {("GET", one.path) for one in PAGES}


def test_every_listed_route_is_answered(server: Server) -> None:
    for path, item in described()["paths"].items():
        for method in item:
            response = server.http.request(method, path)
            # What a parameter names may not be there; then its route says so, and not the framework.
            answered = "{" in path and response.json().get("field") == path.rsplit("{", 1)[1].rstrip("}")
            assert answered or response.status_code not in {404, 405}, (method, path)


def test_what_is_signed_says_so() -> None:
    document = described()

    for endpoint in ENDPOINTS:
        security = document["paths"][endpoint.path][endpoint.method.lower()]["security"]
        assert bool(security) == endpoint.signed
    schemes = document["components"]["securitySchemes"]
    assert {one["name"] for one in schemes.values()} == {"Signature-Input", "Signature", "Content-Digest"}


def test_every_structure_comes_in_both_media_types() -> None:
    document = described()

    for endpoint in ENDPOINTS:
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        if endpoint.takes is not None:
            assert operation["requestBody"]["content"].keys() == {MSGPACK, JSON}
        if endpoint.gives is not None:
            assert operation["responses"]["200"]["content"].keys() == {MSGPACK, JSON}


def test_the_problem_body_names_every_code_of_the_network() -> None:
    codes = described()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]

    assert set(codes) == {code for code, (status, _) in CATALOGUE.items() if status}


def test_the_items_of_a_push_are_described() -> None:
    push = described()["components"]["schemas"]["Push"]

    assert [one["items"]["$ref"].rsplit("/", 1)[1] for one in push["prefixItems"]] == [
        "Item",
        "GrantItem",
        "SignedRecord",
        "PastReceipt",
    ]


@pytest.mark.parametrize(
    ("method", "path", "value"),
    [
        ("post", "/v1/directory/pull", membership.DirectoryPull()),
        ("post", "/v1/pull", sync.Pull()),
        ("post", "/v1/push", sync.Push(items=(msgspec.Raw(b"[]"),))),
        ("post", "/v1/keys/pull", membership.KeysPull()),
        ("get", "/v1/enrolments", None),
    ],
)
def test_an_answer_is_what_the_document_says(
    server: Server, device: Device, method: str, path: str, value: object
) -> None:
    response = device.send(server.http, method.upper(), path, value, media=JSON)

    assert response.status_code == 200
    jsonschema_rs.validate(answer_schema(described(), path, method), response.json())


def test_a_wrong_answer_would_be_seen() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(answer_schema(described(), "/v1/pull", "post"), [[], [], []])


def test_a_refusal_is_what_the_document_says(server: Server) -> None:
    document = described()
    problem = {**document["components"]["schemas"]["Problem"], "components": document["components"]}

    jsonschema_rs.validate(problem, server.http.get("/nowhere").json())


@unsigned.parametrize()
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_unsigned_is_answered_as_described(server: Server, case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(base_url=server.url, checks=CHECKS)


class Signing(requests.auth.AuthBase):
    """Signs what the tool made, just before it is sent."""

    def __init__(self, device: Device) -> None:
        self._device = device

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        assert request.method is not None
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        assert isinstance(body, bytes)
        request.headers.update(self._device.headers(request.method, request.path_url, body))
        return request


@signed.parametrize()
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_device_signs_is_answered_as_described(
    server: Server, device: Device, case: schemathesis.Case[Any]
) -> None:
    if isinstance(case.body, list) and case.path == "/v1/pull":
        # Nobody has time to wait for news here.
        case.body[2:] = []

    case.call_and_validate(base_url=server.url, checks=CHECKS, auth=Signing(device))


def test_the_founding_structure_is_the_canonical_one() -> None:
    # The document may not promise more than the one encoding allows.
    assert issubclass(membership.Enrolment, codec.Document)
