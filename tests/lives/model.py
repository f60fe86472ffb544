"""Who can open what, said without a word about keys: people, their telephones, and the order of things.

A moment is a number that grows with every act.
What a report was sealed to is everybody who was in the group when it was sent; who joins later reads the past if they
were invited with history; who has left gets nothing that was sent after they left.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Phone:
    """A telephone: from `since` until `until` its person was in the group; `reads_from` is where its past begins."""

    person: str
    since: int
    reads_from: int
    until: int | None = None

    @property
    def there(self) -> bool:
        return self.until is None


@dataclass
class Written:
    """A report: who wrote it on which telephone, and when it was sent (None: it waits there)."""

    author: str
    phone: str
    sent: int | None = None


@dataclass
class Model:
    """The group of one agency."""

    now: int = 0
    phones: dict[str, Phone] = field(default_factory=dict)
    reports: dict[str, Written] = field(default_factory=dict)
    past_of: dict[str, int] = field(default_factory=dict)

    def tick(self) -> int:
        self.now += 1
        return self.now

    def joins(self, phone: str, person: str, *, history: bool = True) -> None:
        """Somebody comes, or comes with another telephone: the past is the person's, not the telephone's."""
        now = self.tick()
        past = self.past_of.setdefault(person, 0 if history else now)
        self.phones[phone] = Phone(person, now, past)

    def loses(self, phone: str) -> None:
        """A telephone is gone; what its person may read is not."""
        self.phones[phone].until = self.tick()

    def leaves(self, person: str) -> None:
        """A person goes, with every telephone and with their past."""
        now = self.tick()
        self.past_of.pop(person, None)
        for phone in self.phones.values():
            if phone.person == person and phone.there:
                phone.until = now

    def writes(self, report: str, phone: str) -> None:
        self.reports[report] = Written(self.phones[phone].person, phone)

    def sends(self, phone: str) -> None:
        """Everything that waits on a telephone is sent."""
        now = self.tick()
        for report in self.reports.values():
            if report.phone == phone and report.sent is None:
                report.sent = now

    def opens(self, phone: str) -> set[str]:
        """Return the reports that a telephone can open once it has heard of everything."""
        holder = self.phones[phone]
        return {
            name
            for name, report in self.reports.items()
            if report.sent is not None
            and holder.reads_from <= report.sent
            and (holder.until is None or report.sent < holder.until)
        }

    def shows(self, phone: str) -> set[str]:
        """Return what its person is shown: also what waits on this very telephone."""
        return self.opens(phone) | {name for name, report in self.reports.items() if report.phone == phone}
