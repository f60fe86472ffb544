"""Seeded randomness: each value by its name, so that one more of them changes none of the others."""

from __future__ import annotations

import hashlib


class Stream:
    """Draws bytes that depend on the stream's label and the value's name alone."""

    def __init__(self, label: str) -> None:
        self._label = label

    def draw(self, name: str, length: int = 32) -> bytes:
        return hashlib.shake_256(f"sluss vectors 1/{self._label}/{name}".encode()).digest(length)
