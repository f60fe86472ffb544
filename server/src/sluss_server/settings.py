"""What an operator can set: the environment, read once into a frozen struct.

For: naming every variable, its default and its meaning in one table, which the documentation is compared with.
Refuses: a value that cannot be meant; the refusal names the variable and never repeats the value, which may hold a
password.

> INVARIANT: nothing else in the server reads the environment, except the clock's test file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from sluss_schemas.problems import Invalid

PREFIX: Final = "SLUSS_"
LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: Final[tuple[LogLevel, ...]] = ("debug", "info", "warning", "error")
DATABASE_SCHEMES: Final = ("sqlite+aiosqlite", "sqlite", "postgresql+asyncpg", "postgresql")
DATABASE_FILE: Final = "sluss.sqlite"
# The devices' command line may be used in the same shell.
_OF_DEVICES: Final = frozenset({"SLUSS_STORE", "SLUSS_PASSPHRASE"})
_MAX_PORT: Final = 65_535


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One variable: its name, what holds without it, and what it is for."""

    name: str
    default: str
    meaning: str


VARIABLES: Final[tuple[Variable, ...]] = (
    Variable(
        name="SLUSS_DATA_DIR",
        default="./sluss-data",
        meaning="The folder of the database file and of the server's receipt key.",
    ),
    Variable(
        name="SLUSS_DATABASE_URL",
        default=f"sqlite+aiosqlite:///<SLUSS_DATA_DIR>/{DATABASE_FILE}",
        meaning="The database: `sqlite+aiosqlite:///path` or `postgresql+asyncpg://user:password@host/name`.",
    ),
    Variable(name="SLUSS_HOST", default="127.0.0.1", meaning="The address that `sluss serve` listens on."),
    Variable(name="SLUSS_PORT", default="8000", meaning="The port that `sluss serve` listens on; 0 takes a free one."),
    Variable(
        name="SLUSS_PUBLIC_URL",
        default="",
        meaning="The address that devices use, where a proxy stands in between: signed requests name it.",
    ),
    Variable(
        name="SLUSS_METRICS_PORT",
        default="",
        meaning="A port on this machine's loopback for the counters (Prometheus text); without it there are none.",
    ),
    Variable(
        name="SLUSS_LOG_LEVEL", default="info", meaning="The least that is logged: debug, info, warning or error."
    ),
    Variable(
        name="SLUSS_TEST_CLOCK",
        default="",
        meaning="For tests alone: a file that holds the seconds to add to the clock.",
    ),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one server process.

    Attributes:
        data_dir: folder of the database file and the receipt key; made when it is first needed.
        database_url: SQLAlchemy's address of the database.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        public_url: what devices sign as the beginning of the target, without a slash at its end; empty for the
            request's own scheme and host.
        metrics_port: port of the counters on the loopback; None for none.
        log_level: the least that is logged.
        test_clock: file with the clock's offset; None for real time.

    """

    data_dir: Path
    database_url: str
    host: str
    port: int
    public_url: str
    metrics_port: int | None
    log_level: LogLevel
    test_clock: Path | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; a variable that is empty counts as not set.

        Raises:
            Invalid: `unknown_code`, `wrong_type` or `out_of_range`; `field` is the variable's name.

        """
        data_dir = Path(_value(environment, "DATA_DIR") or "sluss-data").expanduser().absolute()
        level = _value(environment, "LOG_LEVEL").lower() or "info"
        if level not in LOG_LEVELS:
            raise Invalid("unknown_code", "SLUSS_LOG_LEVEL", f"Set SLUSS_LOG_LEVEL to one of: {', '.join(LOG_LEVELS)}.")
        clock = _value(environment, "TEST_CLOCK")
        metrics = _value(environment, "METRICS_PORT")
        return cls(
            data_dir=data_dir,
            database_url=_database(_value(environment, "DATABASE_URL"), data_dir),
            host=_value(environment, "HOST") or "127.0.0.1",
            port=_port(_value(environment, "PORT") or "8000"),
            public_url=_url(_value(environment, "PUBLIC_URL")),
            metrics_port=_port(metrics, "SLUSS_METRICS_PORT") if metrics else None,
            log_level=level,
            test_clock=Path(clock) if clock else None,
        )


def unknown(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that begin like a setting and are none: a misspelt one would be passed over in silence."""
    known = {variable.name for variable in VARIABLES} | _OF_DEVICES
    return tuple(sorted(name for name in environment if name.startswith(PREFIX) and name not in known))


def table() -> str:
    """Return the Markdown table of all variables, as the documentation shows it."""
    rows = [f"| `{one.name}` | {f'`{one.default}`' if one.default else '-'} | {one.meaning} |" for one in VARIABLES]
    return "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _value(environment: Mapping[str, str], name: str) -> str:
    """Return a variable without the blanks around it."""
    return environment.get(PREFIX + name, "").strip()


def _database(url: str, data_dir: Path) -> str:
    """Return the database's address; a file in the data folder where none is given."""
    if not url:
        return f"sqlite+aiosqlite:///{data_dir / DATABASE_FILE}"
    if url.partition("://")[0] not in DATABASE_SCHEMES:
        say = f"Begin SLUSS_DATABASE_URL with one of: {', '.join(f'{scheme}://' for scheme in DATABASE_SCHEMES)}."
        raise Invalid("unknown_code", "SLUSS_DATABASE_URL", say)
    return url


def _port(text: str, name: str = "SLUSS_PORT") -> int:
    """Return a port number."""
    if not text.isascii() or not text.isdigit():
        raise Invalid("wrong_type", name, f"Set {name} to a whole number.")
    if len(text) > len(str(_MAX_PORT)) or int(text) > _MAX_PORT:
        raise Invalid("out_of_range", name, f"Set {name} to a number from 0 to {_MAX_PORT}.")
    return int(text)


def _url(text: str) -> str:
    """Return the public address without the slash at its end."""
    if not text:
        return ""
    say = "Set SLUSS_PUBLIC_URL to an address such as https://sluss.example, without query or fragment."
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise Invalid("wrong_type", "SLUSS_PUBLIC_URL", say) from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        raise Invalid("wrong_type", "SLUSS_PUBLIC_URL", say)
    return text.rstrip("/")
