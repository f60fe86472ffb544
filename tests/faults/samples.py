"""What the tests of faults file, and how they look at what became of it: on a device, and in the server's database."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sluss_client import Device, Report, forms, keyshare
from sluss_client.testing import Town
from sluss_schemas import sync as wire

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


async def new_epoch(town: Town, agency: str) -> None:
    """Open the next epoch of an agency's field audience, as its registrar's device signs it."""
    founder = town.founders[agency]
    await founder.sync()
    field = founder.local.trust.own.audience_for("field")
    assert field is not None
    offer = wire.KeysOffer((), (keyshare.propose(founder.local, field),))
    await founder._transport.post("/v1/keys", offer, type(None))
    await founder.sync()


def _ask(town: Town, statement: str) -> list[tuple[Any, ...]]:
    assert town.server is not None
    connection = sqlite3.connect(f"file:{town.server.data / 'sluss.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()
