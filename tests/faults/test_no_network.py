"""Without network everything but the sync works, and afterwards nothing is missing."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from sluss_client import Offline
from sluss_client.testing import PASSPHRASE, Town

from tests.faults import victim
from tests.faults.samples import incident, reads, stored_versions, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_NETWORK = ("unshare", "--user", "--map-root-user", "--net")


async def test_without_a_server_everything_but_the_sync_works(shared: Town) -> None:
    guard, police = await shared.device("security"), await shared.device("police")
    assert shared.server is not None
    shared.server.stop()

    form = incident(shared.clock.now(), "filed offline")
    shown = guard.readers(form)
    report = guard.file(form)
    amended = await guard.amend(report.id, situation="amended offline")
    for _ in range(2):
        with pytest.raises(Offline) as offline:
            await guard.sync()
        assert offline.value.code == "offline"

    assert {row.audience for row in shown} >= {"security/field", "police/field"}
    assert guard.readers(amended) == shown
    assert guard.get(report.id).situation == "amended offline"
    assert texts(guard) == ["amended offline"]
    assert [(one.version, one.state) for one in guard.waiting()] == [(1, "filed"), (2, "filed")]

    shared.server.start()
    result = await guard.sync()
    await police.sync()
    assert (result.sent, result.waiting) == (2, 0)
    assert guard.waiting() == []
    assert reads(police, [report]) == reads(guard, [report]) == ["amended offline"]
    assert set(stored_versions(shared).values()) == {1}


def has_unshare() -> bool:
    """Tell whether this machine takes the network from a process."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0


async def test_in_a_process_that_has_no_network_at_all_everything_but_the_sync_works(shared: Town) -> None:
    if not has_unshare():
        pytest.skip("no process without network: this machine takes it from none")
    guard = await shared.device("security")
    await guard.close()

    (printed,) = victim.run("alone", guard.path, PASSPHRASE, within=NO_NETWORK)

    said = json.loads(printed)
    assert {"security/field", "police/field"} <= set(said["readers"])
    assert said["got"] == "filed without network"
    assert "filed without network" in said["listed"]
    assert said["waiting"] == said["after"] == ["filed"]
    assert said["sync"] == "offline"
    again = await shared.reopen(guard)
    assert (await again.sync()).sent == 1
    assert texts(again).count("filed without network") == 1
