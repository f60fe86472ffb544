"""The OpenAPI document, made from the table of endpoints and the structures themselves.

For: whoever writes a client in another language, and the tests that hold the document to the server.
Refuses to be edited: what is not in the table or in a structure is not in the document.

Source: docs/protocol.md sections 5 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from sluss_schemas import sync
from sluss_schemas.disclosure import GrantItem
from sluss_schemas.problems import CATALOGUE
from sluss_schemas.records import SignedRecord
from sluss_server.http import bodies, problem, signature
from sluss_server.http.endpoints import ENDPOINTS, Endpoint, Page

Node = dict[str, Any]

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = re.compile(r"[^a-z]+")

_REF: Final = "#/components/schemas/{name}"
_BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_RAW_IN_PUSH: Final[dict[str, type[msgspec.Struct]]] = {
    "items": sync.Item,
    "grants": GrantItem,
    "records": SignedRecord,
}
"""A push holds these as raw bytes, so that one bad item does not spoil the others."""

_DESCRIPTION: Final = (
    "Every structure is an array of fixed order. "
    "It travels as MessagePack, where bytes are binary; or, by `Content-Type` and `Accept`, as JSON, where bytes are "
    "base64. "
    "A refusal is always a problem body in JSON."
)
_SIGNATURE: Final = (
    f"RFC 9421, one signature labelled `{signature.LABEL}` over "
    f"{', '.join(f'`{name}`' for name in signature.COVERED)}, with the parameters `created` (Unix seconds, at most "
    f"{sync.MAX_CLOCK_SKEW_S} seconds off), `keyid` (the device's key id in lower-case hex) and `alg` (`ed25519`). "
    "Also a request without a body carries the digest of the empty body."
)
_SCHEMES: Final = {
    "signatureInput": "Signature-Input",
    "signature": "Signature",
    "contentDigest": "Content-Digest",
}


def document(endpoints: Sequence[Endpoint] = ENDPOINTS, pages: Iterable[Page] = ()) -> Node:
    """Return the OpenAPI 3.1 document of these endpoints and pages."""
    shown = list(pages)
    structures = [one for endpoint in endpoints for one in (endpoint.takes, endpoint.gives) if one is not None]
    structures += [page.gives for page in shown if page.gives is not None]
    names, schemas = _schemas([*structures, problem.Problem])
    paths: dict[str, Node] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, names)
    for page in shown:
        paths.setdefault(page.path, {})["get"] = _page(page, names)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Sluss",
            "version": _version(),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": _problem_response(names)},
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": header, "description": _SIGNATURE}
                for name, header in _SCHEMES.items()
            },
        },
    }


def _schemas(types: Sequence[type[msgspec.Struct]]) -> tuple[dict[type, Node], dict[str, Node]]:
    """Return a reference for each type, and the schemas of all that they are made of."""
    every = list(dict.fromkeys([*types, *_RAW_IN_PUSH.values()]))
    references, schemas = msgspec.json.schema_components(every, ref_template=_REF)
    names: dict[type, Node] = dict(zip(every, references, strict=True))
    push = schemas[names[sync.Push]["$ref"].rsplit("/", 1)[1]]
    fields = [field.name for field in msgspec.structs.fields(sync.Push)]
    for name, of in _RAW_IN_PUSH.items():
        push["prefixItems"][fields.index(name)]["items"] = names[of]
    code = schemas[names[problem.Problem]["$ref"].rsplit("/", 1)[1]]["properties"]["code"]
    code["enum"] = [code for code, (status, _) in CATALOGUE.items() if status]
    for schema in schemas.values():
        _say_base64(schema)
        if not schema.get("prefixItems", True):
            # Of a structure without fields; JSON Schema wants one place at least.
            del schema["prefixItems"]
    return names, schemas


def _say_base64(node: object) -> None:
    """Say in every schema of bytes how base64 is written: with its padding, in the common alphabet."""
    if isinstance(node, dict):
        if node.get("contentEncoding") == "base64":
            node["pattern"] = _BASE64
        for inner in node.values():
            _say_base64(inner)
    elif isinstance(node, list):
        for inner in node:
            _say_base64(inner)


def _operation(endpoint: Endpoint, names: dict[type, Node]) -> Node:
    """Return one operation."""
    word = endpoint.path.removeprefix("/v1/").replace("/", "-")
    operation: Node = {
        "operationId": f"{endpoint.method.lower()}-{word}",
        "summary": endpoint.summary,
        "responses": {**_success(endpoint, names), **_refusals(endpoint.codes)},
        "security": [{name: [] for name in _SCHEMES}] if endpoint.signed else [],
    }
    if endpoint.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {endpoint.limit} bytes.",
            "content": _both(names[endpoint.takes]),
        }
    return operation


def _page(page: Page, names: dict[type, Node]) -> Node:
    """Return the operation of one page."""
    schema: Node = {"type": "object"} if page.media == bodies.JSON else {"type": "string"}
    if page.gives is not None:
        schema = names[page.gives]
    named = _PARAMETER.findall(page.path)
    parameters = [{"name": one, "in": "path", "required": True, "schema": {"type": "string"}} for one in named]
    operation: Node = {"parameters": parameters} if parameters else {}
    return operation | {
        "operationId": f"get-{_WORDS.sub('-', page.path).strip('-')}",
        "summary": page.summary,
        "security": [],
        "responses": {
            "200": {"description": page.summary, "content": {page.media: {"schema": schema}}},
            **_refusals(page.problems),
        },
    }


def _success(endpoint: Endpoint, names: dict[type, Node]) -> Node:
    """Return the response of a success."""
    if endpoint.gives is None:
        return {"204": {"description": "Done."}}
    return {"200": {"description": "The answer.", "content": _both(names[endpoint.gives])}}


def _both(schema: Node) -> Node:
    """Return a structure's content in both media types."""
    return {bodies.MSGPACK: {"schema": schema}, bodies.JSON: {"schema": schema}}


def _refusals(codes: Iterable[str]) -> Node:
    """Return one response for each status, which names the codes that it stands for."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code][0], []).append(code)
    return {
        str(status): {
            "$ref": "#/components/responses/Problem",
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in found)}.",
        }
        for status, found in sorted(by_status.items())
    }


def _problem_response(names: dict[type, Node]) -> Node:
    """Return the one response of every refusal."""
    return {
        "description": "A refusal: a stable code, and what to do about it.",
        "content": {problem.MEDIA_TYPE: {"schema": names[problem.Problem]}},
    }


def _version() -> str:
    """Return the installed version."""
    try:
        return version("sluss-server")
    except PackageNotFoundError:
        return "0"
