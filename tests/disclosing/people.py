"""Who decides and who receives, and what they write down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from sluss_client import forms
from sluss_client.device import Device
from sluss_client.disclosing.answers import Disclosure
from sluss_client.report import Report
from sluss_client.testing import Town

CENTRAL: Final = "central-square"
YOUNG: Final = forms.Person(name="Alva", role="child", age_min=17, age_max=19, contact="070-000 00 00")


class Ground(TypedDict):
    """What a ground asks, answered."""

    tests: dict[str, bool]
    reasons: dict[str, str]


L03: Final[Ground] = {
    "tests": {"under_21": True, "concrete_circumstances": True, "not_inappropriate": True, "not_committed_crime": True},
    "reasons": {
        "concrete_circumstances": "She was asked twice to carry a bag.",
        "not_inappropriate": "The plan does not stand against it.",
    },
}
L17: Final[Ground] = {
    "tests": {"danger_now": True, "minimum": True},
    "reasons": {"danger_now": "She has taken something and walks towards the tracks."},
}


@dataclass
class People:
    """Everybody, by what they do there."""

    town: Town
    worker: Device
    workers_boss: Device
    other_boss: Device
    officer: Device
    other_officer: Device
    police_boss: Device
    police_chief: Device
    guard: Device
    nurse: Device

    @property
    def everybody(self) -> list[Device]:
        """Every device."""
        return [device for device in vars(self).values() if isinstance(device, Device)]

    async def sync(self, rounds: int = 2) -> None:
        """Let everybody sync: first what waits is pushed, then all of it is pulled."""
        for _ in range(rounds):
            for device in self.everybody:
                await device.sync()

    def contact(self, *subject: forms.Person, **changes: object) -> forms.OutreachContact:
        """Return what the social worker writes down."""
        values: dict[str, object] = {
            "scene": CENTRAL,
            "observed_at": self.town.clock.now(),
            "situation": "A talk on a bench.",
            "place": "the bench by the fountain",
            "subject": list(subject or (YOUNG,)),
            "care": "She wants to talk to somebody at the clinic.",
            "enforcement": "Somebody asked her to carry a bag.",
        }
        return forms.OutreachContact(**(values | changes))  # type: ignore[arg-type]  # the form checks them

    async def filed(self, *subject: forms.Person, **changes: object) -> Report:
        """File a contact, and let the supervisor open it."""
        report = self.worker.file(self.contact(*subject, **changes), confirm_text=True)
        await self.worker.sync()
        await self.workers_boss.sync()
        await self.workers_boss.inspect(report.id, reason="to decide on a disclosure")
        await self.workers_boss.sync()
        return report

    async def disclosed(self, by: Device, made: Disclosure, *to: Device) -> Disclosure:
        """Let a decision leave and arrive, and return it as it is then."""
        await by.sync()
        for device in to:
            await device.sync()
        return next(one for one in by.disclosures() if one.id == made.id)
