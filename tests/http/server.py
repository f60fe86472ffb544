"""A real server process on a real socket, and a device that signs by hand.

The signing here is written from the RFC and shares no code with the server or with the library that it uses, so that
a mistake in either shows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluss_schemas import codec, membership
from sluss_schemas import directory as d
from sluss_schemas.ids import kid_of
from sluss_schemas.invitation import Code, read_code
from sluss_server.clock import now

from tests import warm

SLUSS: Final = (sys.executable, "-m", "sluss_server.cli")
STARTS_WITHIN_S: Final = 30
STOPS_WITHIN_S: Final = 30
MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"
Headers = list[tuple[str, str]]


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, in a data folder of its own."""
    return warm.run([*SLUSS, *arguments], environment_of(folder, environment), STARTS_WITHIN_S)


def environment_of(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process whose data is in `folder`."""
    return {**os.environ, "SLUSS_DATA_DIR": str(folder), **more}


class Server:
    """`sluss serve` in a folder; its log is a file, so that it can be read whole."""

    def __init__(self, folder: Path, *, found: Sequence[str] = ("police",), **environment: str) -> None:
        """Found a partnership of these agencies and serve it on a free port."""
        self.folder = folder
        self.log_file = folder.parent / f"{folder.name}.log"
        arguments = [one for slug in found for one in ("--agency", slug)]
        done = run("found", "Testtown", *arguments, "--json", folder=folder)
        assert done.returncode == 0, done.stderr
        self.founded: dict[str, Any] = json.loads(done.stdout)
        self.codes: dict[str, Code] = {one["agency"]: read_code(one["code"]) for one in self.founded["codes"]}
        self.process = warm.start([*SLUSS, "serve", "--port", "0"], environment_of(folder, environment), self.log_file)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], STARTS_WITHIN_S)
        self.line = self.process.stdout.readline() if ready else ""
        assert self.line.startswith("sluss listening on "), self.log()
        self.url = self.line.removeprefix("sluss listening on ").strip()
        self.http = httpx2.Client(base_url=self.url, timeout=STARTS_WITHIN_S)

    @property
    def port(self) -> int:
        """The port that it took."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def database(self) -> Path:
        """Its database file."""
        return self.folder / "sluss.sqlite"

    def log(self) -> str:
        """Everything that it has logged so far."""
        return self.log_file.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """The log, line by line; each has to be JSON."""
        return [json.loads(line) for line in self.log().splitlines()]

    def line_of(self, response: httpx2.Response) -> dict[str, Any]:
        """The one line in the log about a request that was answered."""
        name = response.headers["x-request-id"]
        deadline = time.monotonic() + STOPS_WITHIN_S
        # The line is written just after the answer.
        while time.monotonic() < deadline:
            found = [one for one in self.lines() if one.get("request_id") == name and one["event"] == "request"]
            if found:
                [line] = found
                return line
        message = f"no line for request {name}"
        raise AssertionError(message)

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOPS_WITHIN_S)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()


@dataclass(kw_only=True)
class Device:
    """A device that signs its requests."""

    url: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        """Its raw public key."""
        return self.key.public_key().public_bytes_raw()

    @property
    def kid(self) -> bytes:
        """Its key id."""
        return kid_of(self.public)

    def headers(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        created: int | None = None,
        components: str = '"@method" "@target-uri" "content-digest"',
        parameters: str = 'created={created};keyid="{keyid}";alg="ed25519"',
        label: str = "sluss",
    ) -> Headers:
        """Return the headers of a signed request; the keywords are there to be wrong."""
        digest = digest_of(body)
        values = {"@method": method, "@target-uri": self.url + path, "content-digest": digest}
        created = now() if created is None else created
        written = parameters.format(created=created, keyid=self.kid.hex())
        signed = f"({components});{written}"
        names = [name for name in values if f'"{name}"' in components]
        base = "\n".join([*(f'"{name}": {values[name]}' for name in names), f'"@signature-params": {signed}'])
        signature = b64encode(self.key.sign(base.encode())).decode()
        return [
            ("content-digest", digest),
            ("signature-input", f"{label}={signed}"),
            ("signature", f"{label}=:{signature}:"),
        ]

    def send(
        self, http: httpx2.Client, method: str, path: str, value: object = None, *, media: str = MSGPACK
    ) -> httpx2.Response:
        """Send a signed request and return its answer."""
        body = b"" if value is None else encode(value, media)
        headers = [*self.headers(method, path, body), ("content-type", media), ("accept", media)]
        return http.request(method, path, content=body, headers=headers)


def encode(value: object, media: str) -> bytes:
    """Return a body in a media type."""
    return codec.encode(value) if media == MSGPACK else msgspec.json.encode(value)


def digest_of(body: bytes) -> str:
    """Return a Content-Digest field."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def without(headers: Headers, *names: str) -> Headers:
    """Return the headers without some."""
    return [(name, value) for name, value in headers if name not in names]


def with_value(headers: Headers, name: str, value: str) -> Headers:
    """Return the headers with one replaced."""
    return [*without(headers, name), (name, value)]


def founding(code: Code, device: Device) -> membership.Founding:
    """Return the first entries of an agency whose only device is this one, with every function and a registrar's."""
    assert code.founding is not None
    slug, sector, registry, checkpoint = code.founding
    root = Ed25519PrivateKey.generate()
    committed = hashlib.sha256(secrets.token_bytes(32)).digest()
    root_key = root.public_key().public_bytes_raw()
    person, kem_key = secrets.token_bytes(16), secrets.token_bytes(d.KEM_PUBLIC_BYTES)
    own = device.key.sign(d.enrolment_message(code.partnership, code.invite, device.public, kem_key))
    bodies: list[tuple[d.Body, Ed25519PrivateKey]] = [
        (
            d.Genesis(code.partnership, slug, sector, "Agency", "Myndighet", registry, root_key, committed, checkpoint),
            root,
        ),
        (d.RegistrarAdd(device.public), root),
        (d.PersonAdd(person, "P-1", ("field", "supervisors"), None, None), device.key),
        (d.DeviceAdd(person, code.invite, device.public, kem_key, own), device.key),
    ]
    entries: list[d.SignedEntry] = []
    before = d.GENESIS_PREV
    for body, key in bodies:
        data = d.entry_bytes(len(entries), before, body, now())
        signer = kid_of(key.public_key().public_bytes_raw())
        entries.append(d.SignedEntry(data, signer, key.sign(d.entry_message(data))))
        before = d.entry_hash(data)
    joined = hashlib.sha256(b"".join(entry.entry for entry in entries)).digest()
    mac = hmac.digest(code.secret, joined, "sha256")
    return membership.Founding(code.partnership, code.invite, mac, tuple(entries))


def found_agency(server: Server, slug: str = "police") -> Device:
    """Found an agency on a device of its own, and return the device."""
    device = Device(url=server.url)
    body = codec.encode(founding(server.codes[slug], device))
    response = server.http.post("/v1/found", content=body, headers={"content-type": MSGPACK})
    assert response.status_code == 200, response.text
    return device
