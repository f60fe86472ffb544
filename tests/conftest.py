"""What every test stands on: the repository's folders, and an environment that says nothing.

No developer's setting, clock file or keyring may reach a test, and no test may reach theirs.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from sluss_client import store
from sluss_client.testing import Town, server

from tests import warm

ROOT: Final = Path(__file__).resolve().parent.parent

# Set on import: a process that a test starts inherits it, however early it starts.
for name in [name for name in os.environ if name.startswith("SLUSS_")]:
    del os.environ[name]
# A machine without an OS keyring, which is also what most servers that run these tests are.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"

# Stores and databases wait for the disk at every commit, and no test asks what a power cut would do to them. In memory,
# where there is room enough, a third of the time is gone; whoever sets TMPDIR has chosen.
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # folders of their own are made in it, as in any TMPDIR
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2 << 30:
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)

# A passphrase costs 65 ms to try, on purpose, and the tests open hundreds of stores that hold nothing secret; a store's
# costs stand in its header. `test_store.py` keeps to the real ones.
REAL_COSTS: Final = (store._MEMORY_KIB, store._PASSES, store._LANES)
store._MEMORY_KIB, store._PASSES = 32, 1  # type: ignore[misc]  # in the tests' processes alone

# A new interpreter takes 0.7 s to import the server; here it is forked off one that has.
server.START, server.RUN = warm.start, warm.run

# The fast suite gives the same answer twice; the soak looks for new ones. Machines are noisy: no deadline.
settings.register_profile("fast", derandomize=True, database=None, deadline=None)
settings.register_profile("soak", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile("fast")


def pytest_collection_finish() -> None:
    """Take what was imported and collected, all of which stays to the end, out of what the collector looks at."""
    gc.collect()
    gc.freeze()


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Function) -> None:
    """Give a test the time of its own town: one process has one clock file, and towns of other files may stand open."""
    given = [getattr(value, "town", value) for name, value in item.funcargs.items() if name != "request"]
    towns = {id(one): one for one in given if isinstance(one, Town)}
    if len(towns) == 1:
        towns.popitem()[1].keep_time()
