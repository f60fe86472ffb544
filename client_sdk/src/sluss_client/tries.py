"""How often a wrong passphrase was tried at a store, in a small file beside it.

After five in a row the next one waits a minute, and each further one twice as long, up to an hour.
That holds up a finder with a keyboard; whoever takes the store's file away guesses elsewhere, and there the cost of the
passphrase's own derivation has to do.

> INVARIANT: nothing here touches the store or destroys anything, and no wait is longer than an hour.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from sluss_client.errors import StoreError

_FREE: Final = 5
_FIRST_WAIT_S: Final = 60
_LONGEST_WAIT_S: Final = 3600
_MOST_COUNTED: Final = 1000
_CONTENT: Final = re.compile(rb"([1-9]\d{0,3}) (\d{1,12})\n")
_MOST_BYTES: Final = 64


class _Failures(NamedTuple):
    """Wrong passphrases in a row, and when the last one was."""

    number: int
    at: int

    def until(self) -> int:
        """Return when the next passphrase may be tried."""
        if self.number < _FREE:
            return self.at
        doublings = min(self.number - _FREE, _LONGEST_WAIT_S.bit_length())
        return self.at + min(_FIRST_WAIT_S << doublings, _LONGEST_WAIT_S)


def beside(path: Path) -> Path:
    """Return where the failures at a store are kept."""
    return path.with_name(path.name + ".tries")


def check(path: Path, now: int) -> None:
    """Return quietly if a passphrase may be tried at the store of this path now.

    Raises:
        StoreError: `passphrase_wait`, with the time from which on.

    """
    failures = _read(path)
    if failures is None:
        failures = _Failures(_FREE, now)
        _write(path, failures)
    elif failures.at > now:
        # The clock was set back, and must not make anybody wait for a time that is years away.
        failures = failures._replace(at=now)
        _write(path, failures)
    until = failures.until()
    if until > now:
        named = datetime.fromtimestamp(until, UTC).astimezone().isoformat(timespec="seconds")
        say = f"Too many wrong passphrases; try again at {named}, in {until - now} s."
        raise StoreError("passphrase_wait", "passphrase", say)


def failed(path: Path, now: int) -> None:
    """Count a wrong passphrase."""
    before = _read(path)
    count = _FREE if before is None else min(before.number + 1, _MOST_COUNTED)
    _write(path, _Failures(count, now))


def clear(path: Path) -> None:
    """Forget the failures, after the right passphrase or with the store itself."""
    with suppress(OSError):
        beside(path).unlink()


def _read(path: Path) -> _Failures | None:
    """Return the failures at a store; None where the file does not say."""
    try:
        with beside(path).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return _Failures(0, 0)
    except OSError:
        return None
    found = _CONTENT.fullmatch(content)
    return None if found is None else _Failures(int(found[1]), int(found[2]))


def _write(path: Path, failures: _Failures) -> None:
    """Replace the file as a whole; where nothing can be written, a passphrase is as easy to try as without the file."""
    file = beside(path)
    new = file.with_name(f".{file.name}.new")
    with suppress(OSError):
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(handle, b"%d %d\n" % failures)
            os.fsync(handle)
        finally:
            os.close(handle)
        new.replace(file)
