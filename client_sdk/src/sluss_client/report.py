"""One report as this person may read it.

A compartment is an attribute: its value when the pack opens it, None when it is open and empty, a `Brief` when only the
reduced form is open, and `Refused` when it is closed.
Whether it is closed follows from the pack and the way in which the report is held, never from its content.
Source: docs/contract.md, "The SDK".

> INVARIANT: a closed compartment answers the same whether it is filled or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from sluss_client.errors import Refused
from sluss_client.sections import AuthorBrief, NamedAuthor, read_author
from sluss_schemas import brief, forms
from sluss_schemas.codec import decode
from sluss_schemas.forms.base import field_named
from sluss_schemas.ids import COMPARTMENT_CODES, COMPARTMENT_NAMES, Compartment, PersonId, ReportId, bit, slot
from sluss_schemas.policy.model import Pack
from sluss_schemas.quoting import Quoted, read_quoted

FORM_COMPARTMENTS: Final[tuple[Compartment, ...]] = ("SIT", "PLC", "SUB", "CAR", "ENF", "SAF")
"""The compartments whose sections a form makes."""
_FORM_S: Final = 4
"""How much of a situation's array is the form's; what follows is the event's mark."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who filed: function and alias for everybody; the person for those whom the pack tells.

    `name` is there where another agency released who the author is; the own agency's names are in its roster.
    """

    function: str
    alias: str
    person: PersonId | None = None
    recorded_at: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a compartment is closed: the rule, what it says, and its statutes."""

    rule: str
    say: str
    law: tuple[str, ...] = ()
    code: str = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Why a compartment is open: the rule and its statutes, and the decision where it rests on one.

    Attributes:
        rule: the cell.
        law: the statutes of the ground, or of the cell where nobody had to decide.
        gateway: the ground of the decision; empty where it is open by itself.
        grant: the id of the decision; empty where there is none.
        until: when that ends, Unix seconds; None where it has no end of its own.
        full: whether it opens the whole part and not its brief.
        excerpt: whether it gives less than the part.

    """

    rule: str
    law: tuple[str, ...]
    gateway: str = ""
    grant: bytes = b""
    until: int | None = None
    full: bool = True
    excerpt: bool = False


def _unexplained(_part: Compartment) -> tuple[Because, ...]:
    """Say nothing: an own filing is its author's."""
    return ()


def _unlinked() -> tuple[ReportId, ...]:
    """Know of no other report."""
    return ()


def _unwatched(_slot: int) -> None:
    """Tell nobody."""


class Report:
    """A report; `readable` lists the compartments that are open, in full or as a brief.

    Attributes:
        id: 16 bytes.
        digest: D of the version; empty for an own filing that has not come back.
        kind: name of the kind, for instance `order_incident`; empty while a secret kind is held back.
        agency: slug of the owning agency.
        version: number of this version.
        forked: whether two versions wait for a person to resolve them.
        state: `waiting`, `refused`, `quarantined` or `sent` for own filings, `received` for others.
        scene: slug of the scene where the place is open, else None.
        time: coarse time of the observation that every receiver sees.

    """

    def __init__(
        self,
        *,
        report_id: ReportId,
        kind: int,
        agency: str,
        version: int,
        forked: bool,
        state: str,
        scene: str | None,
        time: int,
        pack: Pack,
        may: int,
        sections: Mapping[int, bytes],
        closed: Callable[[Compartment], Reason],
    ) -> None:
        """Take what the device has worked out; use `Device.get` and `Device.reports`."""
        self.id = report_id
        self.kind_number = kind
        self.kind = pack.kinds[kind].name if kind else ""
        self.agency = agency
        self.version = version
        self.forked = forked
        self.state = state
        self.scene = scene
        self._pack = pack
        self._may = may
        self._sections = sections
        self._closed = closed
        self.digest = b""
        self._opened: Callable[[int], None] = _unwatched
        self._because: Callable[[Compartment], tuple[Because, ...]] = _unexplained
        self._others: Callable[[], tuple[ReportId, ...]] = _unlinked
        self.time = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(pack.zone))

    def watched(self, opened: Callable[[int], None]) -> None:
        """Have `opened` called with the slot of every filled section before it is read."""
        self._opened = opened

    def narrowed(self, may: int, briefs: Mapping[int, bytes], closed: Callable[[Compartment], Reason]) -> Report:
        """Return this report with no more than these slots open, of which `briefs` are made here; `closed` says why.

        It does not say through what a part is open: that is this person's alone to know.
        """
        found = copy(self)
        vars(found).update(
            scene=self.scene if may & (bit("PLC") | bit("PLC", brief=True)) else None,
            _may=may,
            _sections={number: data for number, data in {**self._sections, **briefs}.items() if may >> number & 1},
            _closed=closed,
            _because=_unexplained,
            _others=_unlinked,
        )
        return found

    @property
    def may(self) -> int:
        """The slots that are open, as a bitmap."""
        return self._may

    def why_closed(self, part: Compartment) -> Reason:
        """Return why a part is closed."""
        return self._closed(part)

    def explained(self, because: Callable[[Compartment], tuple[Because, ...]]) -> None:
        """Have `because` say through what a compartment is open."""
        self._because = because

    def because(self, compartment: str) -> tuple[Because, ...]:
        """Return through what a compartment is open, by its code or name, the fullest first; nothing where it is not.

        An own filing is open to its author in any case, and says nothing.
        """
        return self._because(COMPARTMENT_CODES.get(compartment, compartment))  # type: ignore[arg-type]

    def among(self, others: Callable[[], tuple[ReportId, ...]]) -> None:
        """Have `others` find the reports of the same event, when somebody asks."""
        self._others = others

    @property
    def linked(self) -> tuple[ReportId, ...]:
        """The other reports of the same event whose situations this person reads in full, as this one's."""
        return self._others()

    def __repr__(self) -> str:
        """Show no content."""
        return f"Report({self.id.hex()}, {self.kind}, {self.agency}, version={self.version}, readable={self.readable})"

    @property
    def readable(self) -> tuple[str, ...]:
        """The open compartments by name."""
        return tuple(name for code, name in COMPARTMENT_NAMES.items() if self.form_of(code) is not None)

    def form_of(self, compartment: str) -> str | None:
        """Return `full`, `brief` or None for a compartment, by its code or name."""
        code = COMPARTMENT_CODES.get(compartment, compartment)
        if self._may & bit(code):  # type: ignore[arg-type]
            return "full"
        return "brief" if self._may & bit(code, brief=True) else None  # type: ignore[arg-type]

    @property
    def situation(self) -> str | brief.Brief | None:
        """What happened."""
        return self._value("SIT")  # type: ignore[return-value]

    @property
    def place(self) -> forms.Place | brief.Brief | None:
        """Where at the scene."""
        return self._value("PLC")  # type: ignore[return-value]

    @property
    def subject(self) -> list[forms.Person] | brief.Brief | None:
        """Whom it is about."""
        return self._value("SUB")  # type: ignore[return-value]

    @property
    def care(self) -> str | brief.Brief | None:
        """Care and health."""
        return self._value("CAR")  # type: ignore[return-value]

    @property
    def enforcement(self) -> str | brief.Brief | None:
        """Offences, suspicion and tactics."""
        return self._value("ENF")  # type: ignore[return-value]

    @property
    def safety(self) -> list[str] | brief.Brief | None:
        """Cues for the safety of staff."""
        return self._value("SAF")  # type: ignore[return-value]

    @property
    def attachments(self) -> None:
        """Photographs and documents."""
        self._need("ATT")

    @property
    def author(self) -> Author | None:
        """Who filed it."""
        form = self._need("AUT")
        if form == "full":
            data = self._open(slot("AUT"))
            if data is None:
                return None
            full = read_author(data)
            at = datetime.fromtimestamp(full.recorded_at, UTC).astimezone(ZoneInfo(self._pack.zone))
            name = full.name if isinstance(full, NamedAuthor) else ""
            return Author(full.function, full.alias, PersonId(full.person), at, name)
        data = self._open(slot("AUT", brief=True))
        if data is None:
            return None
        reduced = decode(AuthorBrief, data, "author")
        return Author(reduced.function, reduced.alias)

    @property
    def observed_at(self) -> datetime:
        """The time of the observation: exact where the situation is open in full, else as coarse as everybody sees."""
        exact = self.coded("situation").get("observed_at") if self.form_of("SIT") == "full" else None
        if not isinstance(exact, datetime):
            return self.time
        return exact.astimezone(ZoneInfo(self._pack.zone))

    def coded(self, compartment: str) -> dict[str, object]:
        """Return the coded fields of a compartment that is open in full; empty where there are none.

        Raises:
            Refused: the compartment is closed, or open only as a brief.

        """
        code = COMPARTMENT_CODES[compartment]
        if self._need(code) == "brief":
            raise self._refusal(code)
        array = self._array(slot(code))
        if array is None or code not in FORM_COMPARTMENTS or not self.kind_number:
            return {}
        return forms.coded(self.kind_number, code, array, self._pack)

    def __getattr__(self, name: str) -> object:
        """Return a coded field of the kind, for instance `sub_kind`, from the compartment that holds it."""
        if name.startswith("_"):
            raise AttributeError(name)
        field = field_named(forms.form_type(self.kind_number), name) if self.kind_number else None
        if field is None:
            raise AttributeError(name)
        return self.coded(COMPARTMENT_NAMES[field.compartment]).get(name)

    @property
    def event(self) -> bytes:
        """The mark of what happened, where the situation is open in full; by itself it says nothing of the report."""
        data = self._sections.get(slot("SIT"))
        if data is None or self.form_of("SIT") != "full":
            return b""
        return forms.event_in(msgspec.msgpack.decode(data, type=list[object]))

    def full_arrays(self) -> dict[Compartment, list[object]]:
        """Return the arrays of the full sections that are open, as the form cuts them; without the event's mark."""
        found: dict[Compartment, list[object]] = {}
        for code in FORM_COMPARTMENTS:
            array = self._array(slot(code)) if self.form_of(code) == "full" else None
            if array is not None:
                found[code] = array[:_FORM_S] if code == "SIT" else array
        return found

    def author_extra(self) -> list[object] | None:
        """Return what the form moved into the author section, where that is open."""
        data = self._sections.get(slot("AUT"))
        if data is None or self.form_of("AUT") != "full":
            return None
        return msgspec.msgpack.decode(read_author(data).extra)  # type: ignore[no-any-return]

    @property
    def hold(self) -> str:
        """Why this version went to the own agency alone, for those who read its author; empty where it did not."""
        return forms.hold_in(self.author_extra())

    @property
    def limits_known(self) -> bool:
        """Whether its author section is here, which says why it is held and what it quotes; a copy may lack it."""
        return self.form_of("AUT") == "full" and slot("AUT") in self._sections

    @property
    def quoted(self) -> Quoted:
        """What this version quotes, which limits its readers, for those who read its author; else nothing."""
        return read_quoted(forms.quoted_in(self.author_extra()))

    def _open(self, number: int) -> bytes | None:
        data = self._sections.get(number)
        if data is not None:
            self._opened(number)
        return data

    def _array(self, number: int) -> list[object] | None:
        data = self._open(number)
        return None if data is None else msgspec.msgpack.decode(data, type=list[object])

    def _need(self, code: Compartment) -> str:
        form = self.form_of(code)
        if form is None:
            raise self._refusal(code)
        return form

    def _refusal(self, code: Compartment) -> Refused:
        why = self._closed(code)
        return Refused(COMPARTMENT_NAMES[code], why.say, rule=why.rule, law=why.law, code=why.code)

    def _value(self, code: Compartment) -> object:
        form = self._need(code)
        array = self._array(slot(code, brief=form == "brief"))
        if array is None:
            return None
        if form == "brief":
            return brief.read_brief(code, array, self._pack)
        value = forms.read(self.kind_number, code, array, self._pack)
        return None if value == [] else value
