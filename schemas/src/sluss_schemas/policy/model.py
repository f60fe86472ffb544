"""What a policy pack is once it has been read: frozen data that every decision is made from.

For: naming the parts of a pack, and looking one up.
Refuses: nothing and decides nothing; `pack.py` reads and checks, `decide.py` decides.

> INVARIANT: nothing here changes after it was made, so a digest names one set of decisions for ever.

Source: docs/secrecy-rules.md B4 and B5.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from sluss_schemas.ids import Column, Compartment, Digest, Function, Sector
from sluss_schemas.policy.cells import Cell, PackRefused, rule_id
from sluss_schemas.policy.extract import ExtractRules
from sluss_schemas.policy.jurisdiction import Jurisdiction
from sluss_schemas.policy.requests import RequestType
from sluss_schemas.policy.statutes import Statute

Precision = Literal["hour", "daypart", "day", "week"]
PRECISIONS: tuple[Precision, ...] = ("hour", "daypart", "day", "week")  # from finest to coarsest
Lifts = Literal["full", "scene", "none"]
AtProtected = Literal["refused", "owner_only", "scene"]
Status = Literal["law", "sketch"]
"""A sketch shows that the format carries another law; no agency may adopt it."""
CellKey = tuple[int, Sector, Compartment, Column]
RowKey = tuple[Sector, Compartment, Column]


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages."""

    en: str
    sv: str


class Test(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A precondition that the person who decides must affirm, and what it asks; `written` ones need written reasons."""

    __test__ = False  # the test runner would otherwise take the name for a test class

    code: str
    en: str
    sv: str
    written: bool = False


class AgeLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An age below which a ground holds: the name of a parameter, and by which end of a plausible age it is judged.

    A ground that permits needs the `oldest` below the limit, a duty that protects only the `youngest`.
    """

    parameter: str
    by: Literal["oldest", "youngest"]


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a closed code list: its number on the wire and what people read."""

    n: int
    en: str
    sv: str


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A legal ground on which a closed cell may open (docs/secrecy-rules.md B4).

    Attributes:
        code: `L01`, as the cells name it.
        en: name in English.
        sv: name in Swedish.
        law: the statutes.
        decides: the function of the owner that may decide.
        owners: sectors whose data the ground is about.
        receivers: sectors that may receive on it.
        receiver_function: the function of the receiving agency that gets it.
        receiver_fallback: the function that gets it where the receiving agency has no such function.
        receiver_authority: whether the receiver must be a public authority.
        tests: what must be affirmed in writing, each by its code.
        max_hours: the longest time that a grant may last; None where the ground sets none.
        duty: whether the statute obliges instead of permitting.
        about_child: whether it is about somebody who may be under the pack's `child_age`.
        at_filing: whether the author may send when filing, without anybody's decision.
        decides_case: the function that decides where the code stands among a cell's gateways; `decides` if not given.
        age: the age limit of whom it is about; a grant ends on that birthday at the latest.
        basis: what has to be in force besides, recorded by itself.
        task_hours: the clock of a duty that its author has not answered; None where a decision is nobody's duty.
        on_shift: whether receivers get what is about a person's danger only while on shift at the scene.
        approval: who must agree besides the one that decides.
        review_hours: within how many hours a decision must be looked at afterwards.
        lifts: at what precision situation and place follow a grant about a person.
        offence: whether an offence has to be named that reaches the pack's threshold, one with prison in its scale, or
            one of `chapters`.
        chapters: where the offences stand that such a ground is about.
        least: the name of the parameter with the months that the scale of such an offence begins at, at least; the
            attempt at one has no such scale of its own.
        note_to: who gets a note on this ground that holds no keys.
        held: whether it is the own agency's supervision, for which the key exists but is held back.
        status: `V` checked against the statute's text, `M` yet to be checked.

    """

    code: str = ""
    en: str
    sv: str
    law: tuple[str, ...]
    decides: Function
    owners: tuple[Sector, ...]
    receivers: tuple[Sector, ...]
    receiver_function: Function = "field"
    receiver_fallback: Function | None = None
    receiver_authority: bool = False
    tests: tuple[Test, ...]
    max_hours: int | None = None
    duty: bool = False
    about_child: bool = False
    at_filing: bool = False
    decides_case: Function | None = None
    age: AgeLimit | None = None
    basis: Literal["none", "consent"] = "none"
    task_hours: int | None = None
    on_shift: bool = False
    approval: Literal["none", "supervisors", "legal_officer"] = "none"
    review_hours: int | None = None
    lifts: Lifts = "none"
    offence: Literal["none", "threshold", "prison", "chapter"] = "none"
    chapters: tuple[str, ...] = ()
    least: str = ""
    note_to: Label | None = None
    held: bool = False
    status: Literal["V", "M"]

    @property
    def recommended(self) -> bool:
        """Whether the form recommends to tell: the author may, and it is never due."""
        return self.at_filing and not self.duty


class MadeNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The note on the market that a report makes by itself.

    Attributes:
        kind: the note's kind, for instance `K18`; only an owner that files it makes one.
        hours: how long the note holds unless the report says so.
        by: the coded field by whose value the rest is chosen.
        direction: where the market is likely to go, by that value.
        caution: what the note asks for, by that value.

    """

    kind: str
    hours: int
    by: str
    direction: dict[str, str] = {}
    caution: dict[str, str] = {}


class Embargo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a report is kept back by itself: a yes-or-no field of the form, and for which owners."""

    flag: str
    owners: tuple[Sector, ...]


class FilingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device does when a report is filed (docs/secrecy-rules.md, free text and protected places).

    Attributes:
        confirm_text: whose free text leaves the agency only when the author has confirmed that it names nobody.
        protects: whose supervisors say which places are protected.
        holds_places: whose devices have that list; it is sealed to nobody else.
        listed_places: who choose from public places where there is a list of them.
        coordinates_stay: whose free coordinates stay in the own agency; others see the place as it is named.
        may_suspect: who may call a person a suspect.

    """

    confirm_text: tuple[Sector, ...] = ()
    protects: tuple[Sector, ...] = ()
    holds_places: tuple[Sector, ...] = ()
    listed_places: tuple[Sector, ...] = ()
    coordinates_stay: tuple[Sector, ...] = ()
    may_suspect: tuple[Sector, ...] = ()


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an owner's reports, or those of one kind, are kept; `days` is None where nothing is culled here.

    `visible_hours` is for a kind alone: after so many the own supervisors alone have it, each time for a reason.
    """

    days: int | None = None
    visible_hours: int | None = None
    law: tuple[str, ...]
    en: str
    sv: str
    status: Literal["V", "M"]


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of report.

    Attributes:
        number: 1 to 19.
        name: stable name, for instance `order_incident`.
        en: label in English.
        sv: label in Swedish.
        owners: sectors that file it.
        clear: whether the kind stands in clear; False where its existence is itself secret.
        counted: whether aggregates may count it.
        case_staff: whether `O` means the author and named staff, by device, not the field audience.
        whole_field: compartments that go to the whole own field audience in spite of `case_staff`.
        author_to_supervisors: set, with the reason, where the author section goes to the own supervisors
            though its cell is `X`.
        duty_itself: whether such a report is itself what the duty asks for, so that it is always due.
        facts: names of the coded facts that the server may read.
        sensitive: whether a count needs `k_sensitive` to be shown to others, not `k`.
        contributors: of how many of the staff a count has to be, so that it shows nobody's work.
        delayed: whether counts reach others `outreach_delay_days` later.
        precision: how coarse the manifest's time is, per owner.
        makes_note: the note on the market that such a report makes by itself.
        embargo: when such a report is kept back until somebody releases it.
        at_protected: what becomes of it at a protected place, per owner: refused, kept in the own agency, or told
            with the scene alone. An owner that is not named there keeps it in the own agency.
        no_scene_from: owners whose reports of this kind name no scene.
        retention: how long reports of this kind are kept, in the place of what holds for their owner.
        public_needs: whose supervisors approve a note word by word before its owner releases it; their own decision
            is enough where they are the owner.
        note_grounds: grounds on which a note goes to the one reader without keys whom each of them names.

    """

    number: int = 0
    name: str
    en: str
    sv: str
    owners: tuple[Sector, ...]
    clear: bool = True
    counted: bool = True
    case_staff: bool = False
    whole_field: tuple[Compartment, ...] = ()
    author_to_supervisors: Label | None = None
    duty_itself: bool = False
    facts: tuple[str, ...]
    sensitive: bool = False
    contributors: int = 1
    delayed: bool = False
    precision: dict[Sector, Precision] = {}
    makes_note: MadeNote | None = None
    embargo: Embargo | None = None
    at_protected: dict[Sector, AtProtected] = {}
    no_scene_from: tuple[Sector, ...] = ()
    retention: Retention | None = None
    public_needs: Sector | None = None
    note_grounds: tuple[str, ...] = ()

    def time_fact(self, owner: Sector) -> Precision | None:
        """Return how finely the server may read the time: the coarser of the fact and the owner's precision."""
        named = [each for each in PRECISIONS if each in self.facts]
        return max((*named, self.precision[owner]), key=PRECISIONS.index) if named else None

    def coded_facts(self) -> tuple[str, ...]:
        """Return the facts besides scene and time, in their order in tier 1."""
        return tuple(fact for fact in self.facts if fact != "scene" and fact not in PRECISIONS)


class Offence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An offence as the penal law has it, for grounds that ask for a certain weight of crime.

    Attributes:
        en: name in English.
        sv: name in Swedish.
        law: the statutes.
        chapter: the chapter or the act that it stands in, for grounds that are about some of them alone.
        min_months: the least imprisonment; 0 where fines are possible or the scale has no minimum of its own.
        max_months: the most imprisonment; 0 where there is none, and 1200 for life.
        listed: whether the pack's law names it among the crimes that weigh enough.
        status: `V` checked against the statute's text, `M` yet to be checked.

    """

    en: str
    sv: str
    law: tuple[str, ...]
    chapter: str = ""
    min_months: int
    max_months: int
    listed: bool = False
    status: Literal["V", "M"]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pack's numbers and switches (docs/secrecy-rules.md, end of B4)."""

    under21_age: int | None = None
    child_age: int
    criminal_age: int
    consent_age: int
    guardian_below: int
    crime_threshold: Literal["months", "listed", "none"]
    min_penalty_months: int = 0
    min_penalty_months_attempt: int = 0
    min_penalty_months_close: int | None = None
    lease_gateway_h: int
    lease_across_h: int
    lease_within_h: int
    k: int
    k_sensitive: int
    counted_whole: tuple[Sector, ...] = ()
    outreach_delay_days: int
    round_to: int = 5
    history: dict[Function, Literal["full", "from_join"]]
    retention_sealed_own_days: int
    retention_decisions_days: int | None = None
    quarantine_closed_epoch_days: int
    log_review_days: int | None = None
    log_review_within_days: int = 0


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """One policy pack, complete: the decision for every kind, owner, compartment and column.

    Attributes:
        extends: the id of the pack that this one is built on; empty where it stands by itself.
        status: whether it is law, or a sketch that nobody may adopt.
        digest: SHA-256 of the file's bytes; what documents and grants name.
        bounds: what every pack of its jurisdiction has to keep, from a file of its own.
        offences: the penal law's offences, for the grounds that ask for a weight of crime.
        retention: how long each owner's reports are kept.
        extract: what the person that a report is about is told of it, and what not; None where nothing is.
        requests: what may be asked of an owner besides, whatever the cells say, by its code.
        base: the rows of each owner before any override, under which an agency's own pack may not go.
        cells: every cell, by kind, owner, compartment and column.
        codes: code lists by name, where the pack carries them.
        law: since when provisions have the wording that is applied, by their citation; those that the pack dates.
        stands_in: whether it stands in for one that is in force and not here, and so shares nothing.

    """

    id: str
    extends: str = ""
    jurisdiction: str
    status: Status = "law"
    valid_from: date
    zone: str
    notice: Label
    partnership: tuple[str, ...]
    authorities: tuple[Sector, ...]
    digest: Digest
    bounds: Jurisdiction
    parameters: Parameters
    filing: FilingRules = FilingRules()
    gateways: dict[str, Gateway]
    kinds: dict[int, Kind]
    offences: dict[str, Offence] = {}
    retention: dict[Sector, Retention] = {}
    extract: ExtractRules | None = None
    requests: dict[str, RequestType] = {}
    base: dict[RowKey, Cell]
    cells: dict[CellKey, Cell]
    codes: dict[str, dict[str, Code]]
    law: dict[str, Statute] = {}
    stands_in: bool = False

    def cell(self, kind: int, owner: Sector, compartment: Compartment, column: Column) -> Cell:
        """Return one cell.

        Raises:
            PackRefused: the pack has no such cell, for instance because the owner does not file the kind.

        """
        found = self.cells.get((kind, owner, compartment, column))
        if found is None:
            raise PackRefused(rule_id(kind, owner, compartment, column), "The pack has no such cell.")
        return found

    def kept_days(self, kind: int, owner: Sector) -> int | None:
        """Return how many days an owner's reports of a clear kind are kept; None for as long as nobody says.

        What an owner keeps by another law than the pack's is never culled here, whatever its kind.
        """
        of_owner, of_kind = self.retention.get(owner), self.kinds.get(kind)
        if of_owner is None or of_owner.days is None:
            return None
        own = None if of_kind is None else of_kind.retention
        return of_owner.days if own is None or own.days is None else own.days

    def kind_named(self, name: str) -> Kind | None:
        """Return the kind called `order_incident`, or None."""
        return next((kind for kind in self.kinds.values() if kind.name == name), None)

    def clear_kind(self, kind: int) -> int:
        """Return the kind that the manifest shows: 0 where the kind's existence is secret."""
        return kind if self.kinds[kind].clear else 0
