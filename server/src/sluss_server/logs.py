"""What the server writes down about itself: one JSON line per event, on standard error.

For: who asked (four bytes of a key id), which route, what came of it and how long it took; and where a fault lies.
Refuses everything else: no query string, body, header, address or message of an exception, because any of them may
hold what a person wrote.
A fault is told by its type and by the file and line that raised it, without its message and without values.

> INVARIANT: a line holds keys of `KEYS` and nothing else, whoever logs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from typing_extensions import override

KEYS: Final = frozenset(
    {
        "at",
        "cause",
        "code",
        "device",
        "duration_ms",
        "event",
        "level",
        "logger",
        "method",
        "panel",
        "raised",
        "request_id",
        "route",
        "status",
        "time",
        "type",
        "version",
    }
)
"""Every key that a line may have."""
KID_SHOWN_BYTES: Final = 4
"""So much of a device's key id is logged: enough to tell devices apart in one night, too little to look one up."""

_LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PACKAGE: Final = Path(__file__).resolve().parent
_encode: Final = msgspec.json.Encoder().encode

Fields = MutableMapping[str, Any]
Log = structlog.typing.FilteringBoundLogger


def configure(level: str, clock: Callable[[], int], stream: BinaryIO | None = None) -> None:
    """Send every line of this process to `stream` (standard error), from `level` upwards.

    What other packages log through the standard library comes out in the same form and without its message; below a
    warning it does not come out at all.
    """
    stream = stream or sys.stderr.buffer

    def finish(_logger: object, method: str, fields: Fields) -> bytes:
        line = {key: fields[key] for key in fields if key in KEYS}
        return _encode({"time": datetime.fromtimestamp(clock(), UTC), "level": method, **line})

    structlog.configure(
        processors=[finish],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(_OthersHandler())
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "litestar", "sqlalchemy", "alembic"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        # Unset, so that the root's level holds: SQLAlchemy would otherwise write statements with their values.
        other.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught


def get() -> Log:
    """Return the logger; bind it after `configure`."""
    log: Log = structlog.get_logger()
    return log


def fault(error: BaseException) -> dict[str, str]:
    """Return what may be said of an exception: its type, what caused it, and two places in the code.

    `at` is the last line of Sluss on the way, `raised` the line that raised.
    """
    places = list(_places(error.__traceback__))
    own = [place for place in places if place.startswith(f"{_PACKAGE.name}/")]
    told = {"type": _type(error), "at": own[-1] if own else "", "raised": places[-1] if places else ""}
    cause = error.__cause__ or error.__context__
    if cause is not None:
        told["cause"] = _type(cause)
    return told


def _type(error: BaseException) -> str:
    """Return the dotted name of an exception's type."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _places(traceback: TracebackType | None) -> list[str]:
    """Return `file:line` of each frame, outermost first, without the folders of this machine."""
    places = []
    while traceback is not None:
        places.append(_place(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return places


def _place(file: str, line: int) -> str:
    """Return `package/file.py:line`."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return f"{_PACKAGE.name}/{path.relative_to(_PACKAGE).as_posix()}:{line}"
    # Two parts name the module well enough and say nothing about the machine.
    return f"{'/'.join(path.parts[-2:])}:{line}"


class _OthersHandler(logging.Handler):
    """Writes what other packages log as one of our lines: who and where, never what they say."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Write one record without its message, which may quote what was sent to us."""
        told: dict[str, str] = {"logger": record.name, "at": _place(record.pathname, record.lineno)}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            told |= fault(error)
        log = get()
        (log.error if record.levelno >= logging.ERROR else log.warning)("library", **told)


def _uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    """Write what nobody caught in the same form; the interpreter would print its message."""
    if not isinstance(error, KeyboardInterrupt):
        get().error("fault", **fault(error))
