"""The files that pages load: one style sheet and one icon of our own, and what is vendored beside them.

Each is named with its hash, so that browsers keep it for a year and fetch it anew when it changes.
Refuses every name that is not in the folder: a name is looked up, never joined to a path.

> INVARIANT: an answer's ETag is the hash of its bytes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from sluss_server.web import guard

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
KEPT: Final = "public, max-age=31536000, immutable"
ASKED: Final = "public, no-cache"


class File(NamedTuple):
    """A file as it is sent."""

    body: bytes
    media: str
    version: str

    @property
    def etag(self) -> str:
        """Its strong ETag."""
        return f'"{self.version}"'


@cache
def names() -> dict[str, Path]:
    """Return the files that may be asked for, by name."""
    found = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _MEDIA)
    return {path.relative_to(_FOLDER).as_posix(): path for path in found}


def file(name: str) -> File | None:
    """Return a file, None where there is none of this name."""
    # Only what exists is remembered: anybody may ask for anything.
    return _read(name) if name in names() else None


def address(name: str) -> str:
    """Return the address of a file that exists."""
    return f"{guard.ROOT}/static/{name}?v={_read(name).version}"


@cache
def _read(name: str) -> File:
    path = names()[name]
    body = path.read_bytes()
    return File(body, _MEDIA[path.suffix], hashlib.sha256(body).hexdigest()[:32])
