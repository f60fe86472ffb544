"""What this device has of a report of the own agency that could be disclosed: its keys, and what the parts say.

For: the author, and a colleague or supervisor for whom the parts are open now.
Refuses: another agency's report, and one that this person may not read now.

> INVARIANT: whoever cannot read a part here cannot disclose it; nothing is taken from a seal that has ended.

Source: docs/protocol.md section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from sluss_client import views, visible
from sluss_client.coarse import coarse_time
from sluss_client.errors import NotFound, Refused
from sluss_client.local import Local
from sluss_client.outbox import Row, State
from sluss_client.replica import Version
from sluss_client.sections import AuthorBrief, AuthorSection, plaintext
from sluss_schemas import brief, forms
from sluss_schemas import sync as wire
from sluss_schemas.codec import decode
from sluss_schemas.forms.base import HEADS
from sluss_schemas.ids import Compartment, ReportId, bitmap_of, slot
from sluss_schemas.manifest import read_manifest
from sluss_schemas.policy.model import Pack
from sluss_schemas.quoting import NOTHING, Quoted, read_quoted

_AUTHOR = slot("AUT")


@dataclass(frozen=True, slots=True, repr=False)
class Material:
    """One version, as far as it is open on this device.

    Attributes:
        digest: D; empty while the version has yet to be sealed, or answered.
        kind: its kind, also where that is secret.
        signer: the group key that signed it; empty while it is not sealed.
        keys: section keys by slot.
        arrays: what the full sections say that are open, by compartment.
        briefs: plaintexts of the briefs that can be made of those, by slot.
        hold: why it stays in its agency, or nothing.
        persons: whom it is about, where that is open.
        noted: when that was observed, Unix seconds.
        coarse: the time that every receiver sees.
        scene: slug of the scene, where the place is open.
        quoted: what it quotes of other reports.
        author: the author section, where that is open and has come back.

    """

    report_id: ReportId
    version: int
    digest: bytes
    kind: int
    signer: bytes
    keys: Mapping[int, bytes]
    arrays: Mapping[Compartment, Sequence[object]]
    briefs: Mapping[int, bytes]
    hold: str
    persons: tuple[forms.Person, ...]
    noted: int
    coarse: int
    scene: str | None
    quoted: Quoted = NOTHING
    author: AuthorSection | None = None

    @property
    def within(self) -> int:
        """The slots that this device can give: those whose keys it has, and the briefs that it can make."""
        return bitmap_of({*self.keys, *self.briefs})

    @property
    def filled(self) -> int:
        """The slots that have something in them here, sealed yet or not."""
        return self.within | bitmap_of(slot(part) for part in self.arrays)


def latest(local: Local, report_id: ReportId, pack: Pack, now: int) -> Material:
    """Return the latest version that this device has.

    Raises:
        NotFound: no such report of the own agency here.
        Refused: `lease_ended`, or `closed` where nothing of it is open or it quotes what was opened for a time.

    """
    row, received = local.outbox.head(report_id), local.replica.get(local.trust.own_id, report_id)
    head = None if received is None else received.heads()[0]
    if row is not None and visible.hidden_row(local, row, pack, now):
        row = None
    if row is not None and row.values and (head is None or row.version >= head.version):
        return _of_row(local, row, pack, now)
    if head is None:
        raise NotFound("report_id")
    return of_version(local, report_id, head.version, pack, now)


def of_version(local: Local, report_id: ReportId, number: int, pack: Pack, now: int, digest: bytes = b"") -> Material:  # noqa: PLR0917
    """Return a certain version; with a digest the very one; raises as `latest`."""
    row = local.outbox.get(report_id, number)
    if row is not None and visible.hidden_row(local, row, pack, now):
        row = None
    if row is not None and row.values and digest in {b"", row.digest}:
        return _of_row(local, row, pack, now)
    received = local.replica.get(local.trust.own_id, report_id)
    found = () if received is None else received.versions
    version = next((one for one in found if one.version == number and digest in {b"", one.digest}), None)
    if received is None or version is None:
        raise NotFound("report_id")
    alone = msgspec.structs.replace(received, versions=(version,))
    report = views.of_received(local, alone, pack, now)
    if report is None or not report.kind_number:
        # It is held back, and this supervisor has not opened it; or it ended meanwhile.
        raise Refused("report_id", "Open the row first, for a task or a reason: `inspect`.", code="closed")
    if not report.readable:
        raise Refused("report_id", code="lease_ended")
    return _of_version(local, version, pack, now)


def _of_row(local: Local, row: Row, pack: Pack, now: int) -> Material:
    form = forms.make(row.kind, msgspec.msgpack.decode(row.values))
    sealed = row.state is State.SENT and row.digest is not None
    arrays = forms.sections(form, local.trust.own.sector, pack, place_stays=row.place_stays)
    observed = int(form.observed_at.timestamp())
    return Material(
        ReportId(row.report_id),
        row.version,
        (row.digest or b"") if sealed else b"",
        row.kind,
        _signer_of(local, row) if sealed else b"",
        dict(row.section_keys) if sealed else {},
        arrays,
        _briefs(local, form, arrays, pack, _author_of(local), now),
        row.hold,
        tuple(forms.persons_of(form)),
        observed,
        coarse_time(observed, pack, row.kind, local.trust.own.sector),
        form.scene,
        _lasting(row.quoted),
        _returned(local, row) if sealed else None,
    )


def _returned(local: Local, row: Row) -> AuthorSection | None:
    """Return the author section of an own filing, once the server has given it back."""
    received = local.replica.get(local.trust.own_id, row.report_id)
    for version in () if received is None else received.versions:
        if version.digest == row.digest and (data := dict(version.sections).get(_AUTHOR)) is not None:
            return decode(AuthorSection, data, "author")
    return None


def _lasting(quoted: Quoted) -> Quoted:
    """Return what a report quotes; a copy that ends is its author's alone, and is told to nobody by a decision."""
    if quoted.until is not None:
        raise Refused("report_id", "It quotes what was opened for a time, and stays with its author.", code="closed")
    return quoted


def _author_of(local: Local) -> AuthorBrief:
    """Return what others are told of who files here."""
    person = local.person
    with suppress(Refused):
        return AuthorBrief(local.author().function, person.alias)
    return AuthorBrief(person.functions[0], person.alias)


def _signer_of(local: Local, row: Row) -> bytes:
    """Return which group key signed an own filing, as far as its sealed bytes or its return say it."""
    if item := local.outbox.item(row):
        return read_manifest(decode(wire.Item, item, "item").manifest).signer_kid
    received = local.replica.get(local.trust.own_id, row.report_id)
    for version in () if received is None else received.versions:
        if version.digest == row.digest:
            return read_manifest(version.manifest).signer_kid
    return b""


def _of_version(local: Local, version: Version, pack: Pack, now: int) -> Material:
    open_now = views.open_slots(local, version, pack, now)
    keys = {number: key for number, key in version.keys if open_now >> number & 1}
    sections = {number: data for number, data in version.sections if open_now >> number & 1}
    arrays: dict[Compartment, Sequence[object]] = {
        part: msgspec.msgpack.decode(sections[slot(part)], type=list[object])
        for part in HEADS
        if slot(part) in sections
    }
    document = read_manifest(version.manifest)
    author = None if _AUTHOR not in sections else decode(AuthorSection, sections[_AUTHOR], "author")
    extra = None if author is None else msgspec.msgpack.decode(author.extra)
    made, noted, scene = dict[int, bytes](), document.time, None
    if "SIT" in arrays:
        form = forms.rebuild(version.kind, arrays, pack, extra)
        who = None if author is None else AuthorBrief(author.function, author.alias)
        made, noted = _briefs(local, form, arrays, pack, who, now), int(form.observed_at.timestamp())
        scene = form.scene
    shown = forms.read(version.kind, "SUB", arrays["SUB"], pack) if "SUB" in arrays else []
    persons = tuple(shown) if isinstance(shown, list) else ()
    return Material(
        ReportId(document.report_id),
        version.version,
        version.digest,
        version.kind,
        document.signer_kid,
        keys,
        arrays,
        made,
        forms.hold_in(extra),
        persons,
        noted,
        document.time,
        scene,
        _lasting(read_quoted(forms.quoted_in(extra))),
        author,
    )


def _briefs(  # noqa: PLR0917  # what a brief follows from
    local: Local,
    form: forms.Form,
    arrays: Mapping[Compartment, Sequence[object]],
    pack: Pack,
    author: AuthorBrief | None,
    now: int,
) -> dict[int, bytes]:
    """Return the briefs of what is open here: nobody but the author's device has the key of one that was sealed."""
    agreed = local.trust.reduced(form.KIND, form.scene, now)
    found = {
        slot(part, brief=True): plaintext(array)
        for part, array in brief.briefs(form, local.trust.own.sector, pack, agreed).items()
        if part in arrays
    }
    if author is not None:
        found[slot("AUT", brief=True)] = plaintext(author)
    return found
