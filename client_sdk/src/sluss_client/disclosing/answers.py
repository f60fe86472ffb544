"""What the calls about disclosures answer with: values, without methods that could fail.

Source: docs/contract.md, "The SDK".
"""

from __future__ import annotations

from dataclasses import dataclass

from sluss_schemas.cases import DisclosureState, DisputeState
from sluss_schemas.ids import PersonId, ReportId


@dataclass(frozen=True, slots=True)
class Asked:
    """A precondition that whoever decides must affirm; a `written` one needs a written reason."""

    code: str
    en: str
    sv: str
    written: bool


@dataclass(frozen=True, slots=True)
class Offence:
    """An offence that weighs enough for a ground; `attempt` says whether an attempt at it does too."""

    code: str
    en: str
    sv: str
    attempt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A ground on which parts of a report may be disclosed to one agency now, as far as its form goes.

    Attributes:
        agency: slug of the receiving agency.
        code: of the ground, for instance `L03`.
        en: its name in English.
        sv: its name in Swedish.
        law: its statutes.
        duty: whether the statute obliges instead of permitting.
        decides: the function that decides.
        may_decide: whether this device's person may.
        tests: what has to be affirmed.
        compartments: names of the parts that it may give, of those that have something in them here.
        max_hours: the longest time that it may last; None where the ground sets none.
        approval: who has to agree besides, or `none`.
        consent: whether a recorded consent has to be in force.
        review_hours: within how many hours somebody looks at the decision afterwards; None where nobody has to.
        excluded: why it is not open now: `over_age` or `age_unknown`; empty where it is.
        offences: those of which one has to be named; empty where the ground asks for none.

    """

    agency: str
    code: str
    en: str
    sv: str
    law: tuple[str, ...]
    duty: bool
    decides: str
    may_decide: bool
    tests: tuple[Asked, ...]
    compartments: tuple[str, ...]
    max_hours: int | None
    approval: str
    consent: bool
    review_hours: int | None
    excluded: str
    offences: tuple[Offence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """A decision of this device's person.

    Attributes:
        id: the grant's id, 16 bytes.
        gateway: the ground's code; `BASE` for a release.
        to: aliases of the receivers; labels such as `police/field` for audiences.
        compartments: names of the parts.
        state: `waiting` for the next sync, `proposed` to whoever has to approve it, `released`, `refused`, `lapsed`,
            `disputed` by somebody while it stands, `recalled`, `confirmed` when all its receivers have let go of it,
            or `withdrawn` before it left.
        reason: a problem code where it was refused.
        field: what that is about, as the server named it.
        until: when it ends, Unix seconds; None where it has no end of its own.
        review_by: until when somebody has to look at it again.

    """

    id: bytes
    report_id: ReportId
    version: int
    gateway: str
    to: tuple[str, ...]
    compartments: tuple[str, ...]
    state: DisclosureState
    decided_at: int
    not_before: int
    until: int | None
    reason: str
    field: str
    review_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A disclosure that somebody proposes, and that waits for this person's word.

    Attributes:
        record: the id to answer with.
        by: the proposer's alias.
        reasons: what was written, by the code of the test.

    """

    record: bytes
    report_id: ReportId
    gateway: str
    to: tuple[str, ...]
    compartments: tuple[str, ...]
    tests: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]
    by: str
    until: int | None
    proposed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A decision that somebody has to look at again, by when."""

    grant_id: bytes
    report_id: ReportId
    gateway: str
    to: tuple[str, ...]
    compartments: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]
    by: str
    review_by: int
    upheld: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A recall, and which of the receivers' devices have confirmed that they let go of it.

    Of another agency's recall the own supervisors know which own devices have confirmed, and nothing else.

    Attributes:
        grant_id: of what was recalled; empty for another agency's.
        code: `recalled`, `corrected`, `withdrawn` with a consent, or empty for another agency's.
        confirmed: (alias, key id of the device, when), for those that have.
        missing: (alias, key id of the device), for those that have not.

    """

    record: bytes
    grant_id: bytes
    code: str
    recalled_at: int
    confirmed: tuple[tuple[str, bytes, int], ...]
    missing: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What another agency disclosed to this person, or to an audience of theirs, and that stands now.

    Attributes:
        grant_id: 16 bytes, by which it can be disputed.
        agency: slug of the owner.
        gateway: the ground's code.
        until: when it ends, Unix seconds; None where it has no end of its own.
        state: `released` or `disputed`.

    """

    grant_id: bytes
    report_id: ReportId
    agency: str
    gateway: str
    until: int | None
    state: DisclosureState


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """That somebody challenges a disclosure, for the supervisors of both agencies.

    Attributes:
        grant_id: which disclosure.
        agency: slug of the agency that challenges it, and
        by: alias of the person who does.
        text: why.
        since: when, Unix seconds.
        state: `disputed` or `settled`.
        settled: the words that settled it.

    """

    grant_id: bytes
    agency: str
    by: str
    text: str
    since: int
    state: DisputeState
    settled: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody named to receive: a person of another agency."""

    agency: str
    alias: str
    person: PersonId
