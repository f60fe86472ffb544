"""Who files case records and who receives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.report import Report
from sluss_client.testing import Town

from tests.secrecy.canaries import decrypted

CENTRAL: Final = "central-square"
CHILD: Final = forms.Person(name="Lo", role="child", age_min=13, age_max=14)


@dataclass
class People:
    """Everybody, by what they do there."""

    town: Town
    guard: Device
    other_guard: Device
    guards_boss: Device
    police: Device
    police_boss: Device
    worker: Device
    other_worker: Device
    workers_boss: Device
    reception: Device

    @property
    def everybody(self) -> dict[str, Device]:
        """Every device by its person's part."""
        return {name: device for name, device in vars(self).items() if isinstance(device, Device)}

    async def sync(self, rounds: int = 2) -> None:
        """Let everybody sync: first what waits is pushed, then all of it is pulled."""
        for _ in range(rounds):
            for device in self.everybody.values():
                await device.sync()

    def incident(self) -> forms.OrderIncident:
        """Return what a guard writes down."""
        return forms.OrderIncident(
            scene=CENTRAL, observed_at=self.town.clock.now(), sub_kind="threat", severity=2, situation="A threat."
        )

    def concern(self) -> forms.ReportOfConcern:
        """Return a report of concern, which is a duty."""
        return forms.ReportOfConcern(scene=CENTRAL, observed_at=self.town.clock.now(), subject=[CHILD])

    def defect(self) -> forms.PlaceDefect:
        """Return what is wrong with a place, of which the public may be told."""
        return forms.PlaceDefect(scene=CENTRAL, observed_at=self.town.clock.now(), situation="The lamp is out.")

    def contact(self) -> forms.OutreachContact:
        """Return what a social worker writes down."""
        return forms.OutreachContact(
            scene=CENTRAL,
            observed_at=self.town.clock.now(),
            situation="A talk on a bench.",
            subject=[forms.Person(alias="Nils")],
            care="He wants a bed for the night.",
        )

    async def filed(self, device: Device, form: forms.Form) -> Report:
        """File a report and have it sent."""
        report = device.file(form, confirm_text=True)
        await device.sync()
        return report

    def readers(self, text: str) -> set[str]:
        """Return on whose devices a text lies, whether it is shown or not."""
        return {name for name, device in self.everybody.items() if text.encode() in decrypted(device.local.store)}
