"""What the tests of faults file, and how they look at what became of it: on a device, and in the server's database."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sluss_client import Device, Report, forms
from sluss_client.keyring import rotation
from sluss_client.testing import Town

SCENE: Final = "central-square"
AGENCIES: Final = ("security", "police")
"""Two agencies are enough to have own readers and others, and take half the time to found."""


def incident(now: datetime, text: str) -> forms.OrderIncident:
    """Return an incident that was seen five minutes ago."""
    seen = now - timedelta(minutes=5)
    return forms.OrderIncident(scene=SCENE, observed_at=seen, sub_kind="threat", severity=2, situation=text)


def texts(device: Device) -> list[str]:
    """Return the situations that a device can read, sorted; a report that is there twice is here twice."""
    return sorted(str(report.situation) for report in device.reports())


def states(device: Device) -> Counter[str]:
    """Count a device's own filings by state."""
    return Counter(str(row.state) for row in device.local.outbox.rows())


def reads(device: Device, reports: Iterable[Report]) -> list[str]:
    """Return the situations of those reports that a device can read, in their order."""
    found = {report.id: str(report.situation) for report in device.reports()}
    return [found[report.id] for report in reports if report.id in found]


def stored_versions(town: Town) -> Counter[str]:
    """Count what the server's database holds by report and version."""
    return Counter(
        f"{report}:{version}" for report, version in _ask(town, "SELECT hex(report_id), version FROM reports")
    )


def fed_twice(town: Town) -> list[tuple[Any, ...]]:
    """Return the feeds that were given one version more than once."""
    asked = "SELECT feed, digest FROM feed_entries WHERE op = 'put' GROUP BY 1, 2 HAVING count(*) > 1"
    return _ask(town, asked)


def quarantined(town: Town, device: Device) -> int:
    """Count what the server holds in quarantine of what was filed on a device."""
    own = {row.report_id for row in device.local.outbox.rows()}
    return sum(report in own for (report,) in _ask(town, "SELECT report_id FROM reports WHERE quarantine IS NOT NULL"))


def sealed_rows(path: Path, *spaces: str) -> list[bytes]:
    """Return the end of each sealed row of some spaces, as it is on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT space, sealed FROM rows").fetchall()
    return [sealed[-64:] for space, sealed in found if space in spaces]


async def new_epoch(town: Town, agency: str) -> None:
    """Open the next epoch of an agency's field audience, as its registrar's device signs it."""
    founder = town.founders[agency]
    await founder.sync()
    field = founder.local.trust.own.audience_for("field")
    assert field is not None
    rotation.request(founder.local, field)
    await founder.sync()


def backup(town: Town) -> Path:
    """Back a town's server up while it runs, as its operator does, and return the file."""
    file = town.folder / f"backup-{len(list(town.folder.glob('backup-*')))}"
    _operate(town, "backup", file)
    return file


def burn_down(town: Town, file: Path) -> None:
    """Let a town's server burn down, and make a new one at the same address out of a backup."""
    assert town.server is not None
    town.server.kill()
    shutil.rmtree(town.server.data)
    _operate(town, "restore", file)
    town.server.start()


def _operate(town: Town, command: str, file: Path) -> None:
    assert town.server is not None
    done = town.server.run(command, str(file))
    assert done.returncode == 0, done.stderr


def _ask(town: Town, statement: str) -> list[tuple[Any, ...]]:
    assert town.server is not None
    connection = sqlite3.connect(f"file:{town.server.data / 'sluss.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()
