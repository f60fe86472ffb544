"""Root keys on paper: as text that can be read aloud and typed back, and as a page to print.

Refuses a text with a slip in it, and to write over a file.

> INVARIANT: a key is shown only to be put into a safe; nothing here stores one.
"""

from __future__ import annotations

import html
import io
import os
from pathlib import Path
from typing import Final

import segno

from sluss_client import crypto
from sluss_client.errors import Invalid, StoreError
from sluss_schemas import spoken

PREFIX: Final = "SLUSSROOT1"
_PRIVATE: Final = 0o600
_STYLE: Final = (
    "body{font:14pt/1.5 sans-serif;margin:2cm}section{page-break-after:always}code{font-size:15pt;word-break:break-all}"
    "svg{width:7cm;height:7cm}"
)
_SHEETS: Final = (
    (
        "Safe A: the root key",
        "It names and removes registrars. Keep it apart from the key in safe B: who has both has the agency.",
    ),
    (
        "Safe B: the next root key",
        "It replaces the root key when that is lost or was seen by somebody. Keep it apart from the key in safe A.",
    ),
)


def write_key(seed: bytes) -> str:
    """Return a root key as text: groups of eight with a checksum."""
    return spoken.write(PREFIX, seed)


def read_key(text: str) -> bytes:
    """Return the root key that a text says, however it was spaced or cased.

    Raises:
        Invalid: `damaged_root_key`.

    """
    try:
        seed = spoken.read(PREFIX, text)
    except Invalid:
        seed = b""
    if len(seed) != crypto.KEY_BYTES:
        raise Invalid("damaged_root_key", "root_key")
    return seed


def write_page(file: Path, agency: str, fingerprint: bytes, keys: tuple[bytes | None, bytes]) -> None:
    """Write one page to print, a sheet for each key: the root key (None: it lies in its safe already), and the next.

    Raises:
        StoreError: `store_exists` for a file that is there, `disk_full` for one that cannot be written.

    """
    sheets = "".join(
        _sheet(agency, fingerprint, title, use, key)
        for (title, use), key in zip(_SHEETS, keys, strict=True)
        if key is not None
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Root keys</title><style>{_STYLE}</style>{sheets}'
    )
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as out:
            out.write(page)
    except FileExistsError:
        raise StoreError("store_exists", "paper", "Choose another file for the paper; this one is there.") from None
    except OSError:
        raise StoreError("disk_full", "paper", "The paper cannot be written there; nothing is lost.") from None


def _sheet(agency: str, fingerprint: bytes, title: str, use: str, key: bytes) -> str:
    text = write_key(key)
    picture = io.BytesIO()
    segno.make(text, error="m").save(picture, kind="svg", xmldecl=False, svgns=True, scale=4)
    return (
        f"<section><h1>{html.escape(title)}</h1><p>Agency: {html.escape(agency)}. Root fingerprint: "
        f"{fingerprint.hex()[:16]}</p><p>{html.escape(use)}</p><p><code>{text}</code></p>{picture.getvalue().decode()}"
        "<p>Print this, delete the file, lock the sheet away.</p></section>"
    )
