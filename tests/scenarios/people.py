"""Everybody on the square, what they write down, and who of them has a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.errors import NotFound
from sluss_client.report import Report
from sluss_client.testing import Town
from sluss_schemas.ids import ReportId

from tests.secrecy.canaries import decrypted

CENTRAL: Final = "central-square"
SUBURBAN: Final = "suburban-square"
BOSSES: Final = ("guards_boss", "police_boss", "workers_boss", "municipal_boss")
SUM: Final = 1 << 20
"""The value of a fact's sum among counts."""
KALLE: Final = forms.Person(name="Kalle", role="suspect", age_min=30, age_max=40)
CHILD: Final = forms.Person(name="Lo", role="child", age_min=13, age_max=14)


@dataclass
class People:
    """Everybody on the square, by what they do there."""

    town: Town
    guard: Device
    other_guard: Device
    guards_boss: Device
    police: Device
    suburban_police: Device
    police_boss: Device
    worker: Device
    other_worker: Device
    third_worker: Device
    workers_boss: Device
    other_boss: Device
    reception: Device
    official: Device
    municipal_boss: Device
    nurse: Device

    @property
    def everybody(self) -> dict[str, Device]:
        """Every device by its person's part."""
        return {name: device for name, device in vars(self).items() if isinstance(device, Device)}

    async def sync(self) -> None:
        """Let everybody sync: first what waits is pushed, then all of it is pulled."""
        for _ in range(2):
            for device in self.everybody.values():
                await device.sync()

    def incident(self, **changes: object) -> forms.OrderIncident:
        """Return what the guard writes down."""
        values: dict[str, object] = {
            "scene": CENTRAL,
            "observed_at": self.town.clock.now(),
            "sub_kind": "threat",
            "severity": 2,
            "number_band": "2-4",
            "situation": "A shop assistant was threatened at the kiosk.",
            "place": "at the kiosk",
            "subject": [KALLE],
            "care": "A scratch, cleaned on the spot.",
            "enforcement": "He is known to the guards.",
            "enforcement_category": None,
            "safety": ["armed_knife"],
        }
        return forms.OrderIncident(**(values | changes))  # type: ignore[arg-type]  # the form checks them

    def contact(self) -> forms.OutreachContact:
        """Return what the social worker writes down."""
        return forms.OutreachContact(
            scene=CENTRAL,
            observed_at=self.town.clock.now(),
            situation="A talk on a bench.",
            place="the bench by the fountain",
            subject=[forms.Person(alias="Nils")],
            care="He wants a bed for the night.",
        )


def have(square: People, report_id: ReportId) -> set[str]:
    """Return who has a report."""
    return {name for name, device in square.everybody.items() if find(device, report_id) is not None}


def find(device: Device, report_id: ReportId) -> Report | None:
    """Return a report as a device has it; its list and `get` must agree."""
    listed = [report for report in device.reports() if report.id == report_id]
    try:
        found = device.get(report_id)
    except NotFound:
        assert listed == []
        return None
    assert [report.readable for report in listed] == [found.readable]
    return found


def held(device: Device, report_id: ReportId) -> list[int]:
    """Return the versions of a row that a device holds unopened."""
    return [row.version for row in device.held() if row.report_id == report_id]


def sight(device: Device, report_id: ReportId) -> str:
    """Return what a device can read of a report: its open parts, a brief with a tilde; nothing if it has none."""
    report = find(device, report_id)
    if report is None:
        return ""
    return " ".join(part + "~" * (report.form_of(part) == "brief") for part in report.readable)


def sights(square: People, report_id: ReportId) -> dict[str, str]:
    """Return what everybody who has a report can read of it."""
    seen = {name: sight(device, report_id) for name, device in square.everybody.items()}
    return {name: parts for name, parts in seen.items() if parts}


def holders(square: People, report_id: ReportId) -> set[str]:
    """Return on whose device anything at all names a report, also where it is not shown."""
    return {name for name, device in square.everybody.items() if bytes(report_id) in decrypted(device.local.store)}


async def counted(boss: Device, kind: str, dim: str = "", value: int = 0, scene: str = "") -> int:
    """Return what a supervisor's own agency counts, exactly, of a kind in these days; what others count is hidden.

    Of all scenes together, or of one.
    """
    now = datetime.fromtimestamp(boss.now(), UTC)
    weeks = ((now + timedelta(days=days)).isocalendar() for days in (-2, 1))
    first, last = (f"{week.year}-W{week.week:02}" for week in weeks)
    found = await boss.counts(first, last, kinds=[kind])
    assert [one for one in found.others if one.figure is not None] == []
    return sum(one.number for one in found.own if (one.dim, one.value) == (dim, value) and scene in {"", one.scene})


async def counts(square: People, kind: str, dim: str = "", value: int = 0) -> dict[str, int]:
    """Return the same for the supervisors of everybody on the square."""
    return {name: await counted(square.everybody[name], kind, dim, value) for name in BOSSES}
