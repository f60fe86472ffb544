"""A disk that is full: it says so, the store survives, and saving goes on once there is room."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sluss_client import StoreError
from sluss_client.testing import PASSPHRASE, Town

from tests.faults import victim
from tests.faults.samples import incident, reads

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def mounts() -> bool:
    """Tell whether this machine lets a process mount a file system for itself."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


async def fill(shared: Town, folder: Path, limit: str, *within: str) -> dict[str, object]:
    guard = await shared.device("security")
    await guard.close()
    path = Path(shutil.copy(guard.path, folder))
    (printed,) = victim.run("fill", path, PASSPHRASE, limit, within=within)
    said: dict[str, object] = json.loads(printed)
    return said


def check(said: dict[str, object]) -> None:
    assert said["when_full"] == said["still_full"] == "disk_full"
    assert isinstance(said["filed"], int)
    assert said["filed"] > 10
    assert said["kept"] is True
    assert said["opens_when_full"] in {"yes", "disk_full"}
    assert said["after"] is said["whole"] is said["reopened"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files here")
async def test_a_limit_on_the_file_says_disk_full_and_loses_nothing(shared: Town, tmp_path: Path) -> None:
    check(await fill(shared, tmp_path, "file"))


async def test_a_full_file_system_says_disk_full_and_loses_nothing(shared: Town, tmp_path: Path) -> None:
    if not mounts():
        pytest.skip("no file system of its own: this machine lets a process mount none")
    check(await fill(shared, tmp_path, "3m", *OWN_MOUNTS))


async def test_a_sync_on_a_full_disk_loses_nothing_and_goes_on_later(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    sent = [guard.file(incident(shared.clock.now(), f"{number} " + "x" * 4000)) for number in range(60)]
    await guard.sync()
    own = police.file(incident(shared.clock.now(), "saved before the disk was full"))
    connection = police.local.store._connection
    ((pages,),) = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")

    with pytest.raises(StoreError) as problem:
        await police.sync()
    assert problem.value.code == "disk_full"
    assert police.get(own.id).situation == "saved before the disk was full"
    assert police.local.store.check()

    connection.execute("PRAGMA max_page_count = 1073741823")
    result = await police.sync()
    assert result.waiting == 0
    assert reads(police, [own]) == ["saved before the disk was full"]
    assert len(reads(police, sent)) == len(sent)
