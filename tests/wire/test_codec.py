"""The one encoding: what comes in goes out byte for byte, and what has another encoding is refused."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from sluss_schemas import disclosure, invitation, manifest
from sluss_schemas.codec import MAX_DOCUMENT_BYTES, Document, decode, encode
from sluss_schemas.directory import DeviceAdd, Epoch, EpochWrap, Genesis, MemberAdd, SignedEntry
from sluss_schemas.problems import Invalid
from sluss_schemas.sync import Receipt, Tier

from tests.vectors.second import wire
from tests.wire.documents import any_document, documents

ONE: Final = MemberAdd(b"a" * 16, b"d" * 16, 1)


@given(any_document())
def test_every_document_comes_back_as_it_went(document: Document) -> None:
    data = encode(document)

    assert decode(type(document), data) == document
    assert encode(decode(type(document), data)) == data


@given(any_document())
def test_every_document_is_an_array_without_maps_and_floats_in_the_one_encoding(document: Document) -> None:
    # The second reader knows neither, and refuses whatever is longer than it needs to be.
    data = encode(document)

    array = wire.read(data)

    tag = document.__struct_config__.tag
    assert array[: tag is not None] == ([] if tag is None else [tag])
    assert len(array) == (tag is not None) + len(document.__struct_fields__)
    assert wire.write(array) == data


@given(any_document(), st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_says_something_else_in_the_one_encoding(
    document: Document, at: int, change: int
) -> None:
    data = bytearray(encode(document))
    data[at % len(data)] ^= change
    try:
        found = decode(type(document), bytes(data))
    except Invalid as refusal:
        code = refusal.code
    else:
        code = ""
        assert encode(found) == data
        assert encode(found) != encode(document)
    assert code in {"", "malformed", "not_canonical"}


@given(any_document(), st.integers(min_value=0))
def test_a_truncated_document_is_refused(document: Document, at: int) -> None:
    data = encode(document)

    with pytest.raises(Invalid) as refused:
        decode(type(document), data[: at % len(data)], "field")
    assert (refused.value.code, refused.value.field) == ("malformed", "field")


@given(any_document(), st.binary(min_size=1, max_size=20))
def test_nothing_may_follow_a_document(document: Document, tail: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        decode(type(document), encode(document) + tail)
    assert refused.value.code == "malformed"


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_but_a_refusal(noise: bytes) -> None:
    for document in documents():
        try:
            assert encode(decode(document, noise)) == noise
        except Invalid:
            continue


@pytest.mark.parametrize("document", list(documents()), ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_what_is_signed_is_an_array_that_refuses_what_it_does_not_know(document: type[Document]) -> None:
    config = document.__struct_config__

    assert (config.array_like, config.forbid_unknown_fields, config.frozen) == (True, True, True)


def test_the_walk_sees_the_structures_that_matter() -> None:
    names = {one.__name__ for one in documents()}

    assert names >= {"Manifest", "Grant", "Item", "Entry", "Epoch", "AuthorSection", "Code", "Open", "Receipt"}
    assert names >= {"Countersign", "EpochProposal", "ShareProposal", "SealedShare", "SealedRoster", "Enrolment"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wire.write([b"a" * 16, b"d" * 16, 1]), None),
        (wire.write([b"a" * 16, b"d" * 16, wire.Raw(b"\xcc\x01")]), "not_canonical"),
        (wire.write([b"a" * 16, b"d" * 16, wire.Raw(b"\xcd\x00\x01")]), "not_canonical"),
        (wire.write([b"a" * 16, b"d" * 16, wire.Raw(b"\xd0\x01")]), "not_canonical"),
        (wire.write([b"a" * 16, wire.Raw(b"\xc5\x00\x10" + b"d" * 16), 1]), "not_canonical"),
        (b"\xdc\x00\x03" + wire.write([b"a" * 16, b"d" * 16, 1])[1:], "not_canonical"),
        (wire.write([b"a" * 16, b"d" * 16, True]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, wire.Raw(b"\xcb" + bytes(8))]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, "1"]), "malformed"),
        (wire.write([b"a" * 16, "d" * 16, 1]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, -1]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, 2**32]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, None]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16]), "malformed"),
        (wire.write([b"a" * 16, b"d" * 16, 1, None]), "malformed"),
        (wire.write([b"a" * 15, b"d" * 16, 1]), "malformed"),
        (wire.write([b"a" * 17, b"d" * 16, 1]), "malformed"),
        (b"\x81\xa8audience\xc4\x10" + b"a" * 16, "malformed"),
        (b"", "malformed"),
        (b"\xc0", "malformed"),
        (b"\xc1", "malformed"),
    ],
)  # fmt: skip
def test_one_structure_has_one_encoding(data: bytes, code: str | None) -> None:
    if code is None:
        assert decode(MemberAdd, data) == ONE
        return
    with pytest.raises(Invalid) as refused:
        decode(MemberAdd, data)
    assert refused.value.code == code


def test_a_document_beyond_its_limit_is_not_decoded() -> None:
    with pytest.raises(Invalid) as refused:
        decode(MemberAdd, bytes(101), "field", limit=100)
    assert (refused.value.code, refused.value.field) == ("body_too_large", "field")
    with pytest.raises(Invalid) as refused:
        decode(MemberAdd, bytes(MAX_DOCUMENT_BYTES + 1))
    assert refused.value.code == "body_too_large"
    assert decode(MemberAdd, encode(ONE), limit=len(encode(ONE))) == ONE


def test_arrays_within_arrays_do_not_take_the_reader_down() -> None:
    for depth in (100, 1_000, 100_000):
        for document in (MemberAdd, manifest.Manifest, disclosure.Grant):
            with pytest.raises(Invalid):
                decode(document, b"\x91" * depth + b"\xc0")


@pytest.mark.parametrize("head", [b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"])
def test_a_length_that_is_not_there_is_refused(head: bytes) -> None:
    for document in (MemberAdd, manifest.Manifest, disclosure.Grant):
        with pytest.raises(Invalid):
            decode(document, head)


def test_a_refusal_repeats_nothing_of_the_input() -> None:
    with pytest.raises(Invalid) as refused:
        decode(invitation.Code, encode(["canary-in-the-code" * 30, *([b""] * 6)]), "code")

    shown = f"{refused.value!r} {refused.value} {refused.value.__cause__!r}"
    assert "canary" not in shown


# bounds

_KEM: Final = bytes(1216)


@pytest.mark.parametrize(
    ("document", "good", "field", "bad"),
    [
        (Receipt, [1, bytes(32), "created", bytes(16), 0], 0, [-1, 256]),
        (Receipt, [1, bytes(32), "created", bytes(16), 0], 1, [bytes(31), bytes(33), ""]),
        (Receipt, [1, bytes(32), "created", bytes(16), 0], 4, [-1, 253_402_300_800]),
        (Tier, [bytes(32), bytes(4096)], 1, [bytes(4097)]),
        (SignedEntry, [bytes(65_536), bytes(16), bytes(64)], 0, [bytes(65_537)]),
        (SignedEntry, [bytes(65_536), bytes(16), bytes(64)], 2, [bytes(63), bytes(65)]),
        (EpochWrap, [bytes(16), True, bytes(1168)], 2, [bytes(1167), bytes(1169)]),
        (DeviceAdd, [bytes(16), bytes(16), bytes(32), _KEM, bytes(64)], 3, [bytes(1215), bytes(1217)]),
        (Epoch, [bytes(16), 1, 2, _KEM, bytes(32), bytes(32), [bytes(16)]], 1, [0, 2**32]),
        (Epoch, [bytes(16), 1, 2, _KEM, bytes(32), bytes(32), [bytes(16)]], 6, [[], [bytes(15)], bytes(16)]),
        (disclosure.Wrap, [15, bytes(48)], 0, [-1, 16]),
        (disclosure.Wrap, [15, bytes(48)], 1, [bytes(47), bytes(49)]),
        (disclosure.Sealed, [bytes(16), bytes(1170), [[0, bytes(48)]]], 1, [bytes(1169), bytes(1171)]),
        (disclosure.Sealed, [bytes(16), bytes(1170), [[0, bytes(48)]]], 2, [[], [[0, bytes(48)]] * 17]),
        (disclosure.Approval, [bytes(16), bytes(64)], 1, [bytes(63)]),
        (Genesis, [bytes(16), "police", "POL", "P", "P", True, *[bytes(32)] * 3], 1, ["", "Police", "-p", "p" * 65]),
        (Genesis, [bytes(16), "police", "POL", "P", "P", True, *[bytes(32)] * 3], 2, ["XXX", 1, None]),
        (Genesis, [bytes(16), "police", "POL", "P", "P", True, *[bytes(32)] * 3], 3, ["", "P" * 121]),
        (Genesis, [bytes(16), "police", "POL", "P", "P", True, *[bytes(32)] * 3], 5, [1, None]),
    ],
)  # fmt: skip
def test_a_value_beyond_its_bound_is_malformed(
    document: type[Document], good: list[Any], field: int, bad: list[Any]
) -> None:
    assert encode(decode(document, wire.write(good))) == wire.write(good)
    for value in bad:
        with pytest.raises(Invalid) as refused:
            decode(document, wire.write([*good[:field], value, *good[field + 1 :]]))
        assert refused.value.code == "malformed"


def test_a_manifest_and_a_grant_have_limits_of_their_own() -> None:
    with pytest.raises(Invalid) as refused:
        manifest.read_manifest(bytes(64 * 1024 + 1))
    assert refused.value.code == "body_too_large"
    with pytest.raises(Invalid) as refused:
        disclosure.read_grant(bytes(8193))
    assert refused.value.code == "body_too_large"


def test_the_codec_itself_checks_any_type() -> None:
    small = Annotated[int, Meta(le=3)]
    assert decode(tuple[int], b"\x91\x05") == (5,)
    with pytest.raises(Invalid):
        decode(small, b"\x05")
    with pytest.raises(Invalid):
        decode(tuple[int], b"\x91\xcc\x05")
    assert msgspec.msgpack.decode(b"\x91\xcc\x05") == [5]
