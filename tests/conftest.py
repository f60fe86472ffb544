"""What every test stands on: the repository's folders, and an environment that says nothing.

No developer's setting, clock file or keyring may reach a test, and no test may reach theirs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from sluss_client import store

ROOT: Final = Path(__file__).resolve().parent.parent

# Set on import: a process that a test starts inherits it, however early it starts.
for name in [name for name in os.environ if name.startswith("SLUSS_")]:
    del os.environ[name]
# A machine without an OS keyring, which is also what most servers that run these tests are.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# A passphrase costs 65 ms to try, on purpose, and the tests open hundreds of stores that hold nothing secret; a store's
# costs stand in its header. `test_store.py` keeps to the real ones.
REAL_COSTS: Final = (store._MEMORY_KIB, store._PASSES, store._LANES)
store._MEMORY_KIB, store._PASSES = 32, 1  # type: ignore[misc]  # in the tests' processes alone

# The fast suite gives the same answer twice; the soak looks for new ones. Machines are noisy: no deadline.
settings.register_profile("fast", derandomize=True, database=None, deadline=None)
settings.register_profile("soak", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile("fast")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data(repository: Path) -> Path:
    """The folder of real public records beside the repository, which is not part of it."""
    folder = repository.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real records here: they are looked for in ../shared/data beside the repository")
    return folder
