"""Who may import what, read from the syntax trees: the trust line, purity, the layers' outer edges, the one clock.

The arrows between the packages are import-linter's (pyproject.toml), and the last test runs it.
Here stands what it cannot say: single modules of other people's packages, and rules about modules that may be absent.
Every rule is also shown a sample that breaks it, so that a rule which no longer sees anything fails.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.sources import ROOT, Source, everything, product, under

Finding = tuple[int, str]
Rule = Callable[[Source], Iterable[Finding]]

# Signatures are verified on both sides, so this is all that the server and the schemas may know of cryptography.
VERIFYING: Final = (
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.serialization",
)
# What opens, seals or agrees on a key. Hashes and key derivation open nothing and are not here.
OPENING: Final = (
    "cryptography.cobblestone",
    "cryptography.fernet",
    "cryptography.hazmat.decrepit",
    "cryptography.hazmat.primitives.asymmetric.dh",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.asymmetric.mlkem",
    "cryptography.hazmat.primitives.asymmetric.padding",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.asymmetric.x25519",
    "cryptography.hazmat.primitives.asymmetric.x448",
    "cryptography.hazmat.primitives.ciphers",
    "cryptography.hazmat.primitives.hpke",
    "cryptography.hazmat.primitives.keywrap",
    # Prefixes through which the names above could be reached without being named.
    "cryptography.hazmat.bindings",
    "cryptography.hazmat.backends",
)
# Importing a package itself (`from cryptography.hazmat import primitives`) would reach all that is in it.
PARENTS: Final = (
    "cryptography",
    "cryptography.hazmat",
    "cryptography.hazmat.primitives",
    "cryptography.hazmat.primitives.asymmetric",
)
OTHER_CRYPTO: Final = (
    "nacl",
    "Crypto",
    "Cryptodome",
    "pyhpke",
    "hpke",
    "jwcrypto",
    "oqs",
    "pqcrypto",
    "rage",
    "pyrage",
)
IMPURE: Final = (
    "aiosqlite",
    "alembic",
    "anyio",
    "asyncio",
    "asyncpg",
    "concurrent",
    "ctypes",
    "glob",
    "http",
    "httpx",
    "httpx2",
    "importlib",
    "io",
    "keyring",
    "litestar",
    "multiprocessing",
    "os",
    "pathlib",
    "platformdirs",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "uvicorn",
)
PURE: Final = ("sluss_schemas.policy", "sluss_server.aggregates")
# It reads the packs that lie beside it, and nothing else.
LOADER: Final = "sluss_schemas.policy.pack"
LOADER_MAY: Final = ("importlib.resources", "pathlib")
CLOCK_CALLS: Final = (
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.clock_gettime",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
)
STORAGE: Final = ("sluss_server.storage", "sqlalchemy", "alembic", "aiosqlite", "asyncpg", "sqlite3")
FOLDERS: Final = ("client_sdk", "schemas", "server")


def only_crypto_opens(source: Source) -> Iterable[Finding]:
    """HPKE, ciphers, key agreement and other packages' cryptography are imported by sluss_client.crypto alone."""
    if source.module == "sluss_client.crypto":
        return
    for line, name in source.imports():
        if under(name, *OPENING, *OTHER_CRYPTO) or name in PARENTS:
            yield line, name


def server_only_verifies(source: Source) -> Iterable[Finding]:
    """Of cryptography, the server and the schemas import Ed25519 and what it needs."""
    if under(source.module, "sluss_schemas", "sluss_server"):
        for line, name in source.imports():
            if under(name, "cryptography") and not under(name, *VERIFYING):
                yield line, name


def packages_keep_apart(source: Source) -> Iterable[Finding]:
    """The device and the server never import each other; what both agree on imports neither."""
    forbidden = {
        "sluss_schemas": ("sluss_client", "sluss_server"),
        "sluss_client": ("sluss_server",),
        "sluss_server": ("sluss_client",),
    }
    for line, name in source.imports():
        if under(name, *forbidden.get(source.module.split(".")[0], ())):
            yield line, name


def rules_are_pure(source: Source) -> Iterable[Finding]:
    """The policy and the aggregates import no I/O, no clock and no randomness."""
    if under(source.module, *PURE):
        for line, name in source.imports():
            loads = source.module == LOADER and under(name, *LOADER_MAY)
            if under(name, *IMPURE) and not loads:
                yield line, name


def endpoints_hold_no_sql(source: Source) -> Iterable[Finding]:
    """An endpoint parses, calls one service and answers: it never reaches a table."""
    if under(source.module, "sluss_server.http", "sluss_server.web"):
        for line, name in source.imports():
            if under(name, *STORAGE):
                yield line, name


def nothing_imports_the_wiring(source: Source) -> Iterable[Finding]:
    """`sluss_server.app` wires everything, so whatever imported it would import everything; the command line may."""
    if not under(source.module, "sluss_server.app", "sluss_server.cli"):
        for line, name in source.imports():
            if under(name, "sluss_server.app"):
                yield line, name


def one_clock(source: Source) -> Iterable[Finding]:
    """Time is an argument; only a clock.py asks for it."""
    if source.path.name != "clock.py":
        for line, name in source.uses():
            if name in CLOCK_CALLS:
                yield line, name


def no_folder_as_package(source: Source) -> Iterable[Finding]:
    """`import server` succeeds from the repository's root, as an empty namespace."""
    for line, name in source.imports():
        if under(name, *FOLDERS):
            yield line, name


RULES: Final[dict[Rule, Callable[[], Iterable[Source]]]] = {
    only_crypto_opens: product,
    server_only_verifies: product,
    packages_keep_apart: product,
    rules_are_pure: product,
    endpoints_hold_no_sql: product,
    nothing_imports_the_wiring: product,
    one_clock: everything,
    no_folder_as_package: everything,
}

BREACHES: Final[list[tuple[Rule, str, str]]] = [
    (only_crypto_opens, "sluss_client.store", "from cryptography.hazmat.primitives import hpke"),
    (only_crypto_opens, "sluss_client.keys", "from cryptography.hazmat.primitives.ciphers.aead import AESGCM"),
    (only_crypto_opens, "sluss_client.keys", "def f():\n    import cryptography.cobblestone as c"),
    (only_crypto_opens, "sluss_client.keys", "from cryptography.hazmat.primitives.asymmetric import mlkem"),
    (
        only_crypto_opens,
        "sluss_client.keys",
        "from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey",
    ),
    (only_crypto_opens, "sluss_client.keys", "import cryptography"),
    (only_crypto_opens, "sluss_client.keys", "from cryptography.hazmat import primitives"),
    (only_crypto_opens, "sluss_client.keys", "from nacl.secret import SecretBox"),
    (only_crypto_opens, "sluss_client.app.crypto", "from cryptography.hazmat.primitives.ciphers import aead"),
    (only_crypto_opens, "sluss_server.services.push", "from cryptography.fernet import Fernet"),
    (server_only_verifies, "sluss_schemas.signing", "from cryptography.hazmat.primitives.kdf.hkdf import HKDF"),
    (server_only_verifies, "sluss_server.http.auth", "from cryptography.hazmat.primitives import hashes"),
    (packages_keep_apart, "sluss_client.testing", "def f():\n    from sluss_server import app"),
    (packages_keep_apart, "sluss_server.cli", "import sluss_client"),
    (packages_keep_apart, "sluss_schemas.ids", "import sluss_client.errors"),
    (rules_are_pure, "sluss_schemas.policy.decide", "import os.path"),
    (rules_are_pure, "sluss_schemas.policy.explain", "from importlib.resources import files"),
    (rules_are_pure, "sluss_schemas.policy.pack", "import time"),
    (rules_are_pure, "sluss_server.aggregates.cube", "from secrets import randbelow"),
    (rules_are_pure, "sluss_server.aggregates", "import sqlalchemy as sa"),
    (endpoints_hold_no_sql, "sluss_server.http.push", "from sqlalchemy.ext.asyncio import AsyncConnection"),
    (endpoints_hold_no_sql, "sluss_server.http", "from sluss_server import storage"),
    (endpoints_hold_no_sql, "sluss_server.http.push", "from ..storage import tables"),
    (nothing_imports_the_wiring, "sluss_server.services.push", "from sluss_server.app import build"),
    (one_clock, "sluss_server.services.push", "import datetime as dt\nnow = dt.datetime.now(dt.UTC)"),
    (one_clock, "sluss_client.sync", "from datetime import datetime\nask = datetime.utcnow"),
    (one_clock, "sluss_client.sync", "from time import time as seconds\nseconds()"),
    (one_clock, "sluss_client.sync", "import time\ntime.time_ns()"),
    (one_clock, "tests.sync.test_sync", "from datetime import date\ndate.today()"),
    (no_folder_as_package, "tests.test_one", "import server"),
    (no_folder_as_package, "tests.test_one", "from schemas.src import sluss_schemas"),
]

ALLOWED: Final[list[tuple[Rule, str, str]]] = [
    (only_crypto_opens, "sluss_client.crypto", "from cryptography.hazmat.primitives import hpke"),
    (only_crypto_opens, "sluss_client.keys", "from cryptography.hazmat.primitives.kdf.argon2 import Argon2id"),
    (server_only_verifies, "sluss_schemas.signing", "from cryptography.exceptions import InvalidSignature"),
    (
        server_only_verifies,
        "sluss_schemas.signing",
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey",
    ),
    (rules_are_pure, "sluss_schemas.policy.pack", "from importlib.resources import files"),
    (rules_are_pure, "sluss_schemas.policy.decide", "import datetime"),
    (endpoints_hold_no_sql, "sluss_server.services.push", "import sqlalchemy"),
    (nothing_imports_the_wiring, "sluss_server.cli.serve", "from sluss_server.app import build"),
    (one_clock, "sluss_client.sync", "import time\nstarted = time.monotonic()"),
    (one_clock, "sluss_client.sync", "def f(datetime):\n    return datetime.now()"),
    (no_folder_as_package, "sluss_client.testing", "from sluss_client import server"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_sources_keep(rule: Rule) -> None:
    found = [
        f"{source.path.relative_to(ROOT)}:{line}: {name}" for source in RULES[rule]() for line, name in rule(source)
    ]

    assert found == [], rule.__doc__


@pytest.mark.parametrize(("rule", "module", "text"), BREACHES)
def test_a_breach_is_seen(rule: Rule, module: str, text: str) -> None:
    assert list(rule(sample(module, text)))


@pytest.mark.parametrize(("rule", "module", "text"), ALLOWED)
def test_what_is_allowed_is_left_alone(rule: Rule, module: str, text: str) -> None:
    assert list(rule(sample(module, text))) == []


def test_a_clock_may_ask_for_the_time() -> None:
    text = "import time\ntime.time()"

    assert list(one_clock(Source.of(text, module="sluss_server.clock", path=Path("clock.py")))) == []


def test_the_import_contract_is_kept() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed; `make test` installs it")

    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def sample(module: str, text: str) -> Source:
    """Make the text a file of that module."""
    return Source.of(text, module=module, path=Path(module.rsplit(".", 1)[-1] + ".py"))
