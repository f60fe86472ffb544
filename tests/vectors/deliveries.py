"""Deliveries: reports that open, and reports with exactly one thing wrong, each with the code that says what.

A bad one is made from the same seeds as the good one that it is based on, so that they differ in the fault and in what
follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.vectors import world
from tests.vectors.second import primitives as p
from tests.vectors.second import report as r
from tests.vectors.second import wire
from tests.vectors.second.stream import Stream

SIT, SIT_BRIEF, PLC, SUB, SAF, AUT, AUT_BRIEF = 0, 1, 2, 4, 10, 12, 13
OWN: Final = (SIT, PLC, SUB, SAF, AUT)
ACROSS: Final = (SIT, PLC, SAF, AUT_BRIEF)
CONCERN: Final = (SIT, PLC, SUB, SAF, AUT_BRIEF)
TOWN: Final = world.build()
_OBSERVED: Final = world.NOW - 5 * 3600
_HOUR: Final = _OBSERVED - _OBSERVED % 3600
EVENT: Final = bytes(range(16))

Edit = Callable[[list[Any]], None]


def bits(slots: tuple[int, ...]) -> int:
    return sum(1 << slot for slot in slots)


def kem(name: str) -> bytes:
    return p.kem_public(TOWN.kem_seeds()[name])


PLAIN: Final = {
    SIT: wire.write([1, _OBSERVED, "Quarrel at the fountain, six persons, nobody hurt.", [1, 2, 2, [1], []], EVENT]),
    PLC: wire.write(["central-square", ["The fountain", None, None, None, None, None]]),
    SUB: wire.write([[1, 3, *[None] * 6, None, "Tall, red jacket.", None, None, None]]),
    SAF: wire.write([1]),
    AUT_BRIEF: wire.write(["field", "S-1"]),
}


def order_incident(reader: str = "security/field", **changes: Any) -> r.Draft:  # noqa: ANN401  # fields of the draft
    """Return a guard's report as one of its readers gets it."""
    own = reader.startswith("security/")
    base = r.Draft(
        stream=Stream("order incident"),
        agency=TOWN.chains["security"].agency,
        group=TOWN.groups["security/field"],
        author_person=TOWN.people["guard"],
        readers={
            kem("security/field"): bits(OWN),
            kem("security/supervisors"): bits(OWN),
            kem("police/field"): bits(ACROSS),
        },
        reader=kem(reader),
        plain=PLAIN,
        deliver=OWN if own else ACROSS,
        kind=1,
        time=_HOUR,
        pack=world.PACK,
        heads=TOWN.heads,
        scene=1,
        facts=wire.write([_HOUR, [1, 2], Stream("order incident").draw("contributor", 8)]),
        recorded_at=_OBSERVED + 600,
        extra=[59_329_324, 18_068_581],
        own=own,
    )
    return replace(base, **changes)


def concern(**changes: Any) -> r.Draft:  # noqa: ANN401  # fields of the draft
    """Return the same report as a duty gives it to social services."""
    grant = r.GrantDraft(gateway="L11", slots=CONCERN, tests=("child",))
    return order_incident("social_services/reception", **{"deliver": CONCERN, "grant": grant, **changes})


def case_note(kind: int, clear: int, **changes: Any) -> r.Draft:  # noqa: ANN401  # fields of the draft
    """Return a report that goes to one fieldworker's device alone."""
    base = r.Draft(
        stream=Stream(f"case note {kind}"),
        agency=TOWN.chains["social_services"].agency,
        group=TOWN.groups["social_services/field"],
        author_person=TOWN.people["fieldworker"],
        readers={kem("fieldworker"): bits((SIT, AUT))},
        reader=kem("fieldworker"),
        plain={SIT: wire.write([kind, _OBSERVED, "Not seen for two weeks.", []])},
        deliver=(SIT, AUT),
        kind=clear,
        time=_HOUR,
        pack=world.PACK,
        heads=TOWN.heads,
        recorded_at=_OBSERVED + 600,
    )
    return replace(base, **changes)


def _amended() -> r.Draft:
    first = r.digest_of(r.make(order_incident()).manifest)
    return order_incident(stream=Stream("amendment"), version=2, parents=(first,))


def _resolved() -> r.Draft:
    first = r.digest_of(r.make(order_incident()).manifest)
    left, right = (
        r.digest_of(r.make(order_incident(stream=Stream(label), version=2, parents=(first,))).manifest)
        for label in ("amendment", "another amendment")
    )
    return order_incident(stream=Stream("resolution"), version=3, parents=(left, right))


@dataclass(frozen=True, kw_only=True)
class Good:
    """A delivery that opens; `kind` and `slots` are what the reader finds, `held` that only its manifest came."""

    name: str
    what: str
    reader: str
    draft: r.Draft
    kind: int = 1
    function: str = "field"
    named: bool = False
    held: bool = False


GOOD: Final = (
    Good(name="own_field", what="A report as the author's colleagues get it.", reader="security/field",
         draft=order_incident()),
    Good(name="across", what="The same report as the police get it: fewer slots, no second tier.",
         reader="police/field", draft=order_incident("police/field")),
    Good(name="held", what="The same report before a supervisor has opened it: manifest and facts only.",
         reader="security/supervisors", function="supervisors", held=True,
         draft=order_incident("security/supervisors", deliver=())),
    Good(name="opened_row", what="The same report after a supervisor has opened it.",
         reader="security/supervisors", function="supervisors", draft=order_incident("security/supervisors")),
    Good(name="duty", what="The same report under the grant of a duty.", reader="social_services/reception",
         function="reception", draft=concern()),
    Good(name="released", what="The same report under the grant of a release.", reader="police/field",
         draft=order_incident("police/field", grant=r.GrantDraft(gateway="BASE", slots=ACROSS))),
    Good(name="amended", what="A second version names its parent.", reader="security/field", draft=_amended()),
    Good(name="resolved", what="A third version names two parents and so ends a fork.", reader="security/field",
         draft=_resolved()),
    Good(name="named_device", what="A case note, sealed to one device.", reader="fieldworker", kind=7, named=True,
         draft=case_note(7, 7)),
    Good(name="secret_kind", what="A kind whose existence is secret: 0 in clear, the true one in the situation.",
         reader="fieldworker", kind=6, named=True, draft=case_note(6, 0)),
    Good(name="empty_text", what="No text, no persons: the smallest section there is.", reader="security/field",
         draft=order_incident(
             stream=Stream("empty"), plain={SIT: wire.write([1, _OBSERVED, None, [1, None, None, [], []]])},
             deliver=(SIT, AUT), readers={kem("security/field"): bits((SIT, AUT))}, scene=None, facts=None,
             extra=None)),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A delivery that is refused with `code`; `change` touches what was delivered after everything was signed."""

    name: str
    code: str
    base: str
    draft: r.Draft
    change: Callable[[r.Put], None] = lambda _: None


def _at(index: int, value: Any) -> Edit:  # noqa: ANN401  # any value may be the wrong one
    def edit(array: list[Any]) -> None:
        array[index] = value

    return edit


def _long_integer(array: list[Any]) -> bytes:
    # The version in two bytes where one is enough.
    return wire.write([*array[:5], wire.Raw(b"\xcc" + bytes([array[5]])), *array[6:]])


def _long_length(array: list[Any]) -> bytes:
    return wire.write([*array[:3], wire.Raw(b"\xc5\x00\x10" + array[3]), *array[4:]])


def _flip(data: bytes, at: int = -1) -> bytes:
    index = at % len(data)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def _set(**fields: Any) -> Callable[[r.Put], None]:  # noqa: ANN401  # fields of the delivery
    def change(put: r.Put) -> None:
        for name, value in fields.items():
            setattr(put, name, value)

    return change


def _without(part: str, slot: int) -> Callable[[r.Put], None]:
    return lambda put: getattr(put, part).pop(slot)


def _swap_sections(put: r.Put) -> None:
    put.sections[SIT], put.sections[PLC] = put.sections[PLC], put.sections[SIT]


def _change_section(how: Callable[[bytes], bytes]) -> Callable[[r.Put], None]:
    def change(put: r.Put) -> None:
        put.sections[SIT] = how(put.sections[SIT])

    return change


def _change_wrap(how: Callable[[bytes], bytes]) -> Callable[[r.Put], None]:
    def change(put: r.Put) -> None:
        put.wraps[SIT] = how(put.wraps[SIT])

    return change


def _change_tier(put: r.Put) -> None:
    tier = put.tiers[0]
    assert tier is not None
    put.tiers[0] = (tier[0], wire.write([2]))


def _author_message() -> bytes:
    return r.author_message(wire.read(r.make(order_incident()).manifest))


def _flipped_author_signature() -> bytes:
    return _flip(p.sign(TOWN.people["guard"].sign_seed, _author_message()))


_PLAIN_PAD: Final = p.pad(PLAIN[SIT])
_EMPTY_REPORT: Final = (bytes(16), bytes(16))

_police: Final = TOWN.groups["police/field"].sign_seed
_officer: Final = p.kid(kem("police/field"))


def _bad(name: str, code: str, change: Callable[[r.Put], None] = lambda _: None, /, **wrong: Any) -> Bad:  # noqa: ANN401
    return Bad(name=name, code=code, base="own_field", draft=order_incident(**wrong), change=change)


def _bad_grant(name: str, code: str, *, draft: dict[str, Any] | None = None, **wrong: Any) -> Bad:  # noqa: ANN401
    grant = replace(r.GrantDraft(gateway="L11", slots=CONCERN, tests=("child",)), **wrong)
    return Bad(name=name, code=code, base="duty", draft=concern(grant=grant, **(draft or {})))


def _other_order(array: list[Any]) -> None:
    array[13] = array[13][::-1]


def _twice(array: list[Any]) -> None:
    array[13] = [array[13][0], *array[13]]


def _other_promise(array: list[Any]) -> None:
    array[13] = [[kid, _flip(promise)] for kid, promise in array[13]]


def _without_the_reader(array: list[Any]) -> None:
    array[13] = [each for each in array[13] if each[0] != p.kid(kem("security/field"))]


def _one_slot_less(array: list[Any]) -> None:
    array[14] = array[14][:-1]


def _wrong_time(array: list[Any]) -> bytes:
    # The time as a float64.
    return wire.write([*array[:12], wire.Raw(b"\xcb" + b"\x41" + bytes(7)), *array[13:]])


BAD: Final = (
    # the manifest's form, each with a good signature over what it is
    _bad("integer_longer_than_needed", "not_canonical", encode=_long_integer),
    _bad("length_longer_than_needed", "not_canonical", encode=_long_length),
    _bad("trailing_bytes", "malformed", encode=lambda array: wire.write(array) + b"\xc0"),
    _bad("truncated", "malformed", encode=lambda array: wire.write(array)[:-1]),
    _bad("unknown_extra_field", "malformed", edit=lambda array: array.append(0)),
    _bad("field_missing", "malformed", edit=lambda array: array.pop()),
    _bad("float_where_an_integer_stands", "malformed", encode=_wrong_time),
    _bad("wrong_format", "malformed", edit=_at(0, 2)),
    _bad("wrong_suite", "malformed", edit=_at(1, 1)),
    _bad("kind_out_of_range", "malformed", edit=_at(2, 20)),
    _bad("version_zero", "malformed", edit=_at(5, 0)),
    _bad("fifteen_slots", "malformed", edit=_one_slot_less),
    _bad("short_agency", "malformed", edit=_at(3, bytes(15))),
    _bad("unsorted_recipients", "malformed", edit=_other_order),
    _bad("repeated_recipient", "malformed", edit=_twice),
    _bad("parents_for_version_1", "malformed", edit=_at(6, [bytes(32)])),
    _bad("missing_parents", "malformed", edit=_at(5, 2)),
    _bad("repeated_parent", "malformed", version=2, parents=(bytes(32), bytes(32))),
    _bad("three_parents", "malformed", version=2, parents=(bytes(32), b"\x01" * 32, b"\x02" * 32)),
    # who signed
    _bad("unknown_agency", "unknown_agency", edit=_at(3, world.id16("an agency that nobody pinned"))),
    _bad("agency_of_another_signer", "unknown_signer", edit=_at(3, TOWN.chains["police"].agency)),
    _bad("unknown_signer", "unknown_signer", edit=_at(10, world.id16("a key that no directory has"))),
    _bad("signature_flipped", "bad_signature", lambda put: _set(signature=_flip(put.signature))(put)),
    _bad("signature_by_another_group", "bad_signature", signer=_police),
    _bad("signature_by_a_device", "bad_signature", signer=TOWN.people["guard"].sign_seed),
    # the seal
    _bad("commitment_differs", "commitment_differs", edit=_other_promise),
    _bad("bitmap_not_the_promised", "commitment_differs", bits=bits((SIT, AUT))),
    _bad("seal_for_another_recipient", "cannot_open", seal_for=_officer),
    _bad("seal_of_a_grant", "cannot_open", seal_grant=world.id16("some grant")),
    _bad("seal_flipped", "cannot_open", lambda put: _set(seal=_flip(put.seal or b""))(put)),
    _bad("seal_truncated", "cannot_open", lambda put: _set(seal=(put.seal or b"")[:1136])(put)),
    _bad("seal_too_long_inside", "malformed_seal", tail=b"\x00"),
    _bad("reader_not_among_the_recipients", "cannot_open", edit=_without_the_reader),
    # what the server left out or mixed up
    _bad("section_withheld", "withheld", _without("sections", SIT)),
    _bad("wrap_withheld", "withheld", _without("wraps", SUB)),
    _bad("sections_swapped_in_the_delivery", "section_differs", _swap_sections),
    _bad("section_flipped", "section_differs", _change_section(_flip)),
    _bad("section_truncated", "section_differs", _change_section(lambda data: data[:-1])),
    _bad("wrap_of_another_slot", "cannot_open", wrap_slot={SIT: PLC}),
    _bad("wrap_flipped", "cannot_open", _change_wrap(_flip)),
    _bad("wrap_truncated", "cannot_open", _change_wrap(lambda data: data[:-1])),
    # a group that signs what does not hold together
    _bad("section_bound_to_another_slot", "cannot_open",
         contexts={SIT: r.section_context(*_EMPTY_REPORT, 1, PLC)}),
    _bad("section_bound_to_another_report", "cannot_open",
         contexts={SIT: r.section_context(*_EMPTY_REPORT, 1, SIT)}),
    _bad("padding_not_zero", "cannot_open", padded={SIT: _flip(_PLAIN_PAD)}),
    _bad("padding_length_lies", "cannot_open", padded={SIT: b"\x00\x00\x10\x00" + _PLAIN_PAD[4:]}),
    _bad("padding_longer_than_needed", "cannot_open", padded={SIT: _PLAIN_PAD + bytes(256)}),
    _bad("padding_missing", "cannot_open", padded={SIT: PLAIN[SIT]}),
    _bad("kind_differs", "kind_differs", plain={**PLAIN, SIT: wire.write([2, *wire.read(PLAIN[SIT])[1:]])}),
    _bad("situation_is_no_array", "malformed_section", plain={**PLAIN, SIT: wire.write(1)}),
    _bad("situation_is_no_value", "malformed_section", plain={**PLAIN, SIT: b"\xc1"}),
    _bad("tier_differs", "facts_differ", _change_tier),
    # the author
    _bad("author_signature_flipped", "bad_signature", author={"signature": _flipped_author_signature()}),
    _bad("author_signature_by_a_colleague", "bad_signature",
         author={"signature": p.sign(TOWN.people["colleague"].sign_seed, _author_message())}),
    _bad("author_alias_not_registered", "unknown_author", author={"alias": "S-9"}),
    _bad("author_alias_of_a_colleague", "unknown_author", author={"alias": "S-2"}),
    _bad("author_device_not_registered", "unknown_author", author={"device": bytes(16)}),
    _bad("author_device_of_a_colleague", "unknown_author", author={"device": TOWN.people["colleague"].device}),
    _bad("author_person_not_the_devices", "unknown_author", author={"person": TOWN.people["colleague"].person}),
    _bad("author_section_short", "malformed", author={"salt": bytes(31)}),
    _bad("author_ref_of_another_device", "another_author", author_ref_of=TOWN.people["colleague"].device),
    Bad(name="author_brief_alias_not_registered", code="unknown_author", base="across",
        draft=order_incident("police/field", plain={**PLAIN, AUT_BRIEF: wire.write(["field", "S-9"])})),
    # grants
    _bad_grant("grant_of_another_report", "grant_of_another_report", edit=_at(2, bytes(32))),
    _bad_grant("grant_by_a_stranger", "bad_grant_signature", signer=_police),
    _bad_grant("grant_wrong_format", "malformed", edit=_at(0, 2)),
    _bad_grant("grant_unsorted_slots", "malformed", edit=_at(3, list(CONCERN[::-1]))),
    _bad_grant("grant_repeated_receiver", "malformed", edit=_at(4, [p.kid(kem("social_services/reception"))] * 2)),
    _bad_grant("grant_to_another_receiver", "cannot_open", edit=_at(4, [_officer])),
    _bad_grant("seal_wider_than_the_grant", "wider_than_the_grant", draft={"bits": bits((*CONCERN, AUT))}),
    _bad_grant("seal_of_another_grant", "cannot_open", draft={"seal_grant": world.id16("some grant")}),
    _bad_grant("base_seal_under_a_grant", "cannot_open", draft={"seal_grant": r.NO_GRANT}),
    # a kind whose existence is secret
    Bad(name="secret_kind_beside_a_clear_one", code="kind_differs", base="named_device", draft=case_note(7, 7, plain={
        SIT: wire.write([6, _OBSERVED, "Not seen for two weeks.", []])})),
)  # fmt: skip
