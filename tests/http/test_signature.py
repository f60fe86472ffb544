"""Who sent a request: each way of breaking a signature has its one code, and nothing but a whole one gets through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx2
import msgspec
import pytest
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519
from http_message_signatures.httpx2 import adapt_message

from sluss_schemas import codec, membership
from sluss_server.clock import now
from sluss_server.http.endpoints import ENDPOINTS, Endpoint

from tests.http.server import Device, Headers, Server, digest_of, found_agency, with_value, without

BODY = codec.encode(membership.DirectoryPull())
PATH = "/v1/directory/pull"
NOW = now()

Break = Callable[[Device], Headers]


def signed(device: Device) -> Headers:
    return device.headers("POST", PATH, BODY)


def changed(device: Device, name: str, old: str, new: str) -> Headers:
    headers = dict(signed(device))
    assert old in headers[name]
    return with_value(signed(device), name, headers[name].replace(old, new))


def two_signatures(device: Device) -> Headers:
    first, second = dict(signed(device)), dict(device.headers("POST", PATH, BODY, label="other"))
    both = {name: f"{first[name]}, {second[name]}" for name in ("signature-input", "signature")}
    return [("content-digest", first["content-digest"]), *both.items()]


def second_signature_alone(device: Device) -> Headers:
    both = f"{dict(signed(device))['signature']}, other=:AAAA:"
    return with_value(signed(device), "signature", both)


def by_another_key(device: Device) -> Headers:
    pretender = Device(url=device.url)
    return with_value(
        signed(device), "signature", dict(pretender.headers("POST", PATH, BODY, created=NOW))["signature"]
    )


def moved(device: Device) -> Headers:
    headers = device.headers("POST", PATH, BODY, created=NOW)
    value = dict(headers)["signature-input"].replace(f"created={NOW}", f"created={NOW + 1}")
    return with_value(headers, "signature-input", value)


BROKEN: list[tuple[str, Break, int, str, str]] = [
    ("nothing at all", lambda _: [], 401, "unsigned", "signature-input"),
    ("no signature", lambda d: without(signed(d), "signature"), 401, "unsigned", "signature"),
    ("no signature input", lambda d: without(signed(d), "signature-input"), 401, "unsigned", "signature-input"),
    ("no digest", lambda d: without(signed(d), "content-digest"), 401, "unsigned", "content-digest"),
    (
        "digest of another kind",
        lambda d: changed(d, "content-digest", "sha-256", "sha-512"),
        401,
        "unsigned",
        "content-digest",
    ),
    (
        "two digests in one",
        lambda d: with_value(signed(d), "content-digest", f"{digest_of(BODY)}, {digest_of(b'')}"),
        401,
        "unsigned",
        "content-digest",
    ),
    ("digest twice", lambda d: [*signed(d), ("content-digest", digest_of(BODY))], 401, "unsigned", "content-digest"),
    ("signature twice", lambda d: [*signed(d), signed(d)[2]], 401, "unsigned", "signature"),
    ("two signatures", two_signatures, 401, "unsigned", "signature-input"),
    ("a second signature without its input", second_signature_alone, 400, "bad_signature", "signature"),
    ("another label", lambda d: d.headers("POST", PATH, BODY, label="pyhms"), 401, "unsigned", "signature-input"),
    ("upper-case label", lambda d: d.headers("POST", PATH, BODY, label="SLUSS"), 401, "unsigned", "signature-input"),
    (
        "upper-case key id",
        lambda d: changed(d, "signature-input", d.kid.hex(), d.kid.hex().upper()),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "upper-case component",
        lambda d: changed(d, "signature-input", "content-digest", "Content-Digest"),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "method not covered",
        lambda d: d.headers("POST", PATH, BODY, components='"@target-uri" "content-digest"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "digest not covered",
        lambda d: d.headers("POST", PATH, BODY, components='"@method" "@target-uri"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "more covered than agreed",
        lambda d: d.headers("POST", PATH, BODY, components='"@method" "@target-uri" "content-digest" "host"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "no creation time",
        lambda d: d.headers("POST", PATH, BODY, parameters='keyid="{keyid}";alg="ed25519"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "creation time twice",
        lambda d: d.headers("POST", PATH, BODY, parameters='created={created};keyid="{keyid}";created={created}'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "no algorithm",
        lambda d: d.headers("POST", PATH, BODY, parameters='created={created};keyid="{keyid}"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "another algorithm",
        lambda d: changed(d, "signature-input", '"ed25519"', '"hmac-sha256"'),
        401,
        "unsigned",
        "signature-input",
    ),
    (
        "a parameter that nobody asked for",
        lambda d: d.headers("POST", PATH, BODY, parameters='created={created};keyid="{keyid}";alg="ed25519";nonce="x"'),
        401,
        "unsigned",
        "signature-input",
    ),
    ("too old", lambda d: d.headers("POST", PATH, BODY, created=NOW - 3600), 401, "clock_off", "created"),
    ("too new", lambda d: d.headers("POST", PATH, BODY, created=NOW + 3600), 401, "clock_off", "created"),
    (
        "a key that no directory names",
        lambda d: Device(url=d.url).headers("POST", PATH, BODY),
        401,
        "unknown_device",
        "keyid",
    ),
    ("another key's signature", by_another_key, 400, "bad_signature", "signature"),
    ("another path", lambda d: d.headers("POST", "/v1/pull", BODY), 400, "bad_signature", "signature"),
    ("another query", lambda d: d.headers("POST", f"{PATH}?a=1", BODY), 400, "bad_signature", "signature"),
    (
        "another host",
        lambda d: Device(url="http://elsewhere.example", key=d.key).headers("POST", PATH, BODY),
        400,
        "bad_signature",
        "signature",
    ),
    (
        "another scheme",
        lambda d: Device(url=d.url.replace("http:", "https:"), key=d.key).headers("POST", PATH, BODY),
        400,
        "bad_signature",
        "signature",
    ),
    ("another method", lambda d: d.headers("GET", PATH, BODY), 400, "bad_signature", "signature"),
    ("another body", lambda d: d.headers("POST", PATH, BODY + b"x"), 400, "bad_signature", "content-digest"),
    (
        "a digest that fits the body and was not signed",
        lambda d: with_value(d.headers("POST", PATH, b"other"), "content-digest", digest_of(BODY)),
        400,
        "bad_signature",
        "signature",
    ),
    ("another creation time", moved, 400, "bad_signature", "signature"),
    (
        "a signature cut short",
        lambda d: with_value(signed(d), "signature", "sluss=:AAAA:"),
        400,
        "bad_signature",
        "signature",
    ),
    (
        "a signature that is none",
        lambda d: with_value(signed(d), "signature", 'sluss="no"'),
        400,
        "bad_signature",
        "signature",
    ),
]


def test_a_signed_request_is_answered(server: Server, device: Device) -> None:
    response = device.send(server.http, "POST", PATH, membership.DirectoryPull())

    assert response.status_code == 200
    [chain] = answer_of(response).chains
    assert chain.first == 0


def test_a_signed_request_without_a_body_is_answered(server: Server, device: Device) -> None:
    assert device.send(server.http, "GET", "/v1/enrolments").status_code == 200


def test_a_query_is_part_of_what_is_signed(server: Server, device: Device) -> None:
    path = f"{PATH}?b=%C3%A5&a=1&a=2"

    assert device.send(server.http, "POST", path, membership.DirectoryPull()).status_code == 200


def test_the_parameters_may_stand_in_any_order(server: Server, device: Device) -> None:
    headers = device.headers("POST", PATH, BODY, parameters='alg="ed25519";keyid="{keyid}";created={created}')

    assert server.http.post(PATH, content=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize("offset", [-295, 0, 295])
def test_a_clock_may_be_five_minutes_off(server: Server, device: Device, offset: int) -> None:
    created = now() + offset
    headers = device.headers("POST", PATH, BODY, created=created)

    assert server.http.post(PATH, content=BODY, headers=headers).status_code == 200


def test_what_the_library_signs_is_accepted(server: Server, device: Device) -> None:
    request = httpx2.Request("POST", server.url + PATH, content=BODY)
    message = adapt_message(request)
    signer = HTTPMessageSigner(signature_algorithm=ED25519)
    prepared = signer.prepare(
        message,
        key_id=device.kid.hex(),
        created=datetime.fromtimestamp(NOW, UTC),
        label="sluss",
        covered_component_ids=("@method", "@target-uri"),
        body=BODY,
    )
    signer.apply(message, prepared, device.key.sign(prepared.signature_base))

    assert server.http.send(request).status_code == 200


@pytest.mark.parametrize(
    ("broken", "status", "code", "field"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_signature_is_refused(  # noqa: PLR0917  # one row of the table
    server: Server, device: Device, broken: Break, status: int, code: str, field: str
) -> None:
    response = server.http.post(PATH, content=BODY, headers=broken(device))

    problem = response.json()
    assert (response.status_code, problem["code"], problem["field"]) == (status, code, field)


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.signed], ids=lambda one: one.method + one.path)
def test_nothing_but_founding_and_enrolling_is_answered_unsigned(server: Server, endpoint: Endpoint) -> None:
    response = server.http.request(endpoint.method, endpoint.path)

    assert (response.status_code, response.json()["code"]) == (401, "unsigned")


def test_a_clock_that_is_off_is_told_the_time(server: Server, device: Device) -> None:
    response = server.http.post(PATH, content=BODY, headers=device.headers("POST", PATH, BODY, created=1_000))

    assert abs(response.json()["server_time"] - now()) < 60


def test_a_public_address_is_what_devices_sign(start: Callable[..., Server]) -> None:
    server = start(SLUSS_PUBLIC_URL="https://sluss.example/town/")
    device = found_agency(server)
    behind = Device(url="https://sluss.example/town", key=device.key)

    assert behind.send(server.http, "GET", "/v1/enrolments").status_code == 200
    assert device.send(server.http, "GET", "/v1/enrolments").json()["code"] == "bad_signature"


def answer_of(response: httpx2.Response) -> membership.DirectoryAnswer:
    return msgspec.msgpack.decode(response.content, type=membership.DirectoryAnswer)
