"""One town for all tests of this folder: building it takes longer than any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.secrecy.populated import Populated, populated
from tests.server.postgres import cluster, databases

__all__ = ["cluster", "databases", "square"]


@pytest.fixture(scope="package")
def square() -> Iterator[Populated]:
    """A town in which every kind was filed by every owner, and everybody has synced."""
    with populated() as town:
        yield town
