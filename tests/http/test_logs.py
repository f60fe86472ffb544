"""The log: closed keys, no messages, and nothing of what others log but who and where."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from sluss_schemas.problems import Invalid
from sluss_server import logs

CANARY = "CANARY"


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """The stream that the log goes to; afterwards the process logs as before."""
    root = logging.getLogger()
    before, level, hook = list(root.handlers), root.level, sys.excepthook
    out = io.BytesIO()
    logs.configure("info", lambda: 1_700_000_000, out)
    yield out
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, sys.excepthook = before, level, hook


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_time_of_the_clock(stream: io.BytesIO) -> None:
    logs.get().info("request", status=200)

    assert lines(stream) == [{"time": "2023-11-14T22:13:20Z", "level": "info", "event": "request", "status": 200}]


def test_a_key_that_is_not_on_the_list_is_left_out(stream: io.BytesIO) -> None:
    logs.get().info("request", body=CANARY, headers=CANARY, status=200)

    assert CANARY.encode() not in stream.getvalue()
    assert lines(stream)[0].keys() == {"time", "level", "event", "status"}


def test_what_is_below_the_level_is_not_written(stream: io.BytesIO) -> None:
    logs.get().debug("request")
    logging.getLogger("sqlalchemy.engine").info("SELECT %s", CANARY)

    assert lines(stream) == []


def test_others_are_told_by_name_and_place(stream: io.BytesIO) -> None:
    logging.getLogger("uvicorn.error").error("it went wrong: %s", CANARY)
    logging.getLogger("some.package").warning(f"quoting {CANARY}")  # noqa: G004  # as careless as others are

    first, second = lines(stream)
    assert (first["level"], first["event"], first["logger"]) == ("error", "library", "uvicorn.error")
    assert (second["level"], second["logger"]) == ("warning", "some.package")
    assert first["at"].startswith("http/test_logs.py:")
    assert CANARY.encode() not in stream.getvalue()


def test_an_exception_is_told_by_type_and_place(stream: io.BytesIO) -> None:
    try:
        fail()
    except ValueError as error:
        logs.get().error("fault", **logs.fault(error))
        logging.getLogger("asyncio").exception("quoting %s", CANARY)

    for line in lines(stream):
        assert (line["type"], line["cause"]) == ("builtins.ValueError", "builtins.KeyError")
        assert line["raised"].startswith("http/test_logs.py:")
    assert CANARY.encode() not in stream.getvalue()


def test_a_place_of_our_own_is_told_first(stream: io.BytesIO) -> None:
    with pytest.raises(KeyError) as raised:
        logs.configure(CANARY, lambda: 0, stream)

    told = logs.fault(raised.value)
    assert told["at"] == told["raised"]
    assert told["at"].startswith("sluss_server/logs.py:")


def test_a_refusal_is_told_by_its_type_alone() -> None:
    assert logs.fault(Invalid("malformed", CANARY)) == {
        "type": "sluss_schemas.problems.Invalid",
        "at": "",
        "raised": "",
    }


def test_a_warning_is_told_without_its_words(stream: io.BytesIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(CANARY, UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)

    assert lines(stream)[0]["logger"] == "py.warnings"
    assert CANARY.encode() not in stream.getvalue()


def test_what_nobody_caught_is_told_without_its_words() -> None:
    program = "from sluss_server import logs; logs.configure('info', lambda: 0); raise ValueError('CAN' + 'ARY')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["type"]) == ("fault", "builtins.ValueError")
    assert CANARY not in done.stderr


def fail() -> None:
    try:
        os.environ[CANARY]
    except KeyError as error:
        raise ValueError(CANARY) from error
