"""The device's cryptography: nothing opens but with its key and in its context, and no secret shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client import crypto
from sluss_client.agency import founding
from sluss_client.crypto import CannotOpen, KemKey, RowCipher, SignKey
from sluss_client.keys import DeviceKeys, DeviceSeeds, HeldEpoch, KeyRing, open_epoch, wrap_epoch
from sluss_schemas import manifest, signing
from sluss_schemas.directory import EpochWrap
from sluss_schemas.ids import AgencyId, AudienceId, Digest, GrantId, Kid, ReportId
from sluss_schemas.problems import Invalid

keys: Final = st.binary(min_size=32, max_size=32)
ids: Final = st.binary(min_size=16, max_size=16)
contexts: Final = st.binary(max_size=80)
texts: Final = st.binary(max_size=700)
KEY: Final = b"k" * 32
CONTEXT: Final = b"context"
KEM: Final = KemKey(KEY)


# keys


@pytest.mark.parametrize("key", [b"", b"k" * 16, b"k" * 31, b"k" * 33, b"k" * 64], ids=len)
@pytest.mark.parametrize(
    "use",
    [
        lambda key: crypto.derive(key, b"label"),
        lambda key: crypto.wrap(key, b"info", KEY),
        lambda key: crypto.wrap(KEY, b"info", key),
        lambda key: crypto.unwrap(key, b"info", bytes(48)),
        lambda key: crypto.encrypt_section(key, CONTEXT, b"text"),
        lambda key: crypto.decrypt_section(key, CONTEXT, bytes(400)),
        KemKey,
        SignKey,
        RowCipher,
    ],
    ids=["derive", "wrap", "wrapped", "unwrap", "encrypt", "decrypt", "kem", "sign", "row"],
)
def test_a_key_of_another_length_is_refused_and_never_stretched(use: Callable[[bytes], object], key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        use(key)


def test_random_keys_are_long_enough_and_differ() -> None:
    drawn = {crypto.random_key() for _ in range(50)}

    assert len(drawn) == 50
    assert {len(key) for key in drawn} == {crypto.KEY_BYTES}


def test_no_secret_is_in_a_repr() -> None:
    marker = bytes(range(200, 232))
    seeds = DeviceSeeds(marker, marker)
    device = DeviceKeys.of(seeds)
    ring = KeyRing(device)
    held = HeldEpoch(bytes(16), 1, marker, whole=True)
    ring.add(held)
    founded = founding.Founded((), bytes(16), bytes(32), marker, marker)

    for thing in (KemKey(marker), SignKey(marker), RowCipher(marker), seeds, device, ring, held, founded):
        shown = f"{thing!r} {thing!s}"
        for form in (repr(marker)[2:-1], marker.hex(), marker.hex(" "), str(list(marker))[1:-1]):
            assert form not in shown, type(thing).__name__


def test_a_failure_says_nothing_about_why() -> None:
    reasons = []
    for sealed in (b"", bytes(1136), bytes(1200), KEM_MESSAGE[:-1], KEM_MESSAGE + b"\x00"):
        with pytest.raises(CannotOpen) as failed:
            KEM.open(sealed, CONTEXT)
        reasons.append((failed.value.args, failed.value.__cause__, failed.value.__suppress_context__))
    assert {(args, cause) for args, cause, _ in reasons} == {((), None)}


# sizes come first


KEM_MESSAGE: Final = crypto.seal(KEM.public, CONTEXT, b"message")


@pytest.mark.parametrize("size", [0, 1, 1119, 1120, 1135, 1136])
def test_a_seal_that_is_too_short_is_not_decrypted(size: int) -> None:
    key = KemKey(KEY)
    key._private = None  # type: ignore[assignment]  # whoever decrypts first fails otherwise

    with pytest.raises(CannotOpen):
        key.open(KEM_MESSAGE[:size], CONTEXT)


@pytest.mark.parametrize("size", [0, 16, 32, 47, 49, 64])
def test_a_wrap_of_another_size_is_not_decrypted(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "AESGCM", None)

    with pytest.raises(CannotOpen):
        crypto.unwrap(KEY, b"info", bytes(size))


@pytest.mark.parametrize("size", [0, 12, 27])
def test_a_row_that_is_too_short_is_not_decrypted(size: int) -> None:
    row = RowCipher(KEY)
    row._aead = None  # type: ignore[assignment]  # whoever decrypts first fails otherwise

    with pytest.raises(CannotOpen):
        row.open(b"place", bytes(size))


@pytest.mark.parametrize("size", [0, 1, 23, 24, 55, 56, 71])
def test_a_section_that_is_too_short_does_not_open(size: int) -> None:
    section = crypto.encrypt_section(KEY, CONTEXT, b"text")

    with pytest.raises(CannotOpen):
        crypto.decrypt_section(KEY, CONTEXT, section[:size])


@given(st.binary(max_size=400))
def test_noise_is_no_section_and_no_wrap(noise: bytes) -> None:
    with pytest.raises(CannotOpen):
        crypto.decrypt_section(KEY, CONTEXT, noise)
    with pytest.raises(CannotOpen):
        crypto.unwrap(KEY, CONTEXT, noise[:48].ljust(48, b"\x00"))


# what fits opens, what differs does not


@given(key=keys, context=contexts, text=texts)
def test_a_section_opens_with_its_key_in_its_context(key: bytes, context: bytes, text: bytes) -> None:
    assert crypto.decrypt_section(key, context, crypto.encrypt_section(key, context, text)) == text


@given(key=keys, other=keys, context=contexts, another=contexts)
def test_a_section_opens_with_no_other_key_and_in_no_other_context(
    key: bytes, other: bytes, context: bytes, another: bytes
) -> None:
    section = crypto.encrypt_section(key, context, b"text")
    for wrong_key, wrong_context in {(other, context), (key, another), (other, another)} - {(key, context)}:
        with pytest.raises(CannotOpen):
            crypto.decrypt_section(wrong_key, wrong_context, section)


@given(context=contexts, another=contexts, other=keys, text=st.binary(min_size=1, max_size=100))
def test_a_seal_opens_with_its_key_and_info_alone(context: bytes, another: bytes, other: bytes, text: bytes) -> None:
    sealed = crypto.seal(KEM.public, context, text)

    assert len(sealed) == len(text) + 1136
    assert KEM.open(sealed, context) == text
    if another != context:
        with pytest.raises(CannotOpen):
            KEM.open(sealed, another)
    if other != KEY:
        with pytest.raises(CannotOpen):
            KemKey(other).open(sealed, context)


@given(secret=keys, other=keys, info=contexts, another=contexts, key=keys)
def test_a_wrap_opens_with_its_secret_and_info_alone(
    secret: bytes, other: bytes, info: bytes, another: bytes, key: bytes
) -> None:
    wrapped = crypto.wrap(secret, info, key)

    assert crypto.unwrap(secret, info, wrapped) == key
    for pair in {(other, info), (secret, another)} - {(secret, info)}:
        with pytest.raises(CannotOpen):
            crypto.unwrap(*pair, wrapped)


@given(place=contexts, another=contexts, data=texts)
def test_a_row_opens_in_its_place_alone(place: bytes, another: bytes, data: bytes) -> None:
    cipher = RowCipher(KEY)
    sealed = cipher.seal(place, data)

    assert cipher.open(place, sealed) == data
    assert cipher.seal(place, data) != sealed
    if another != place:
        with pytest.raises(CannotOpen):
            cipher.open(another, sealed)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_changed_bit_closes_everything(at: int, bit: int) -> None:
    def changed(data: bytes) -> bytes:
        index = at % len(data)
        return data[:index] + bytes([data[index] ^ 1 << bit]) + data[index + 1 :]

    with pytest.raises(CannotOpen):
        crypto.decrypt_section(KEY, CONTEXT, changed(SECTION))
    with pytest.raises(CannotOpen):
        crypto.unwrap(KEY, CONTEXT, changed(WRAP))
    with pytest.raises(CannotOpen):
        KEM.open(changed(KEM_MESSAGE), CONTEXT)
    with pytest.raises(Invalid):
        signing.verify(SIGN.public, changed(SIGNATURE), b"message")


SECTION: Final = crypto.encrypt_section(KEY, CONTEXT, b"text")
WRAP: Final = crypto.wrap(KEY, CONTEXT, KEY)
SIGN: Final = SignKey(KEY)
SIGNATURE: Final = SIGN.sign(b"message")


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (SIGN.public, SIGNATURE[:-1]),
        (SIGN.public, SIGNATURE + b"\x00"),
        (SIGN.public, b""),
        (SIGN.public[:-1], SIGNATURE),
        (b"", SIGNATURE),
        (b"\xff" * 32, SIGNATURE),
        (SignKey(b"o" * 32).public, SIGNATURE),
    ],
)
def test_a_signature_that_is_none_is_bad_whatever_is_wrong_with_it(public: bytes, signature: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        signing.verify(public, signature, b"message")

    assert (refused.value.code, refused.value.field) == ("bad_signature", "signature")


# contexts


@given(st.data())
def test_two_different_places_never_have_one_context(data: st.DataObject) -> None:
    digest, report, author, recipient, grant = (data.draw(ids) for _ in range(5))
    wide = Digest(digest + author)
    version, slot = data.draw(st.integers(1, 2**32 - 1)), data.draw(st.integers(0, 15))
    made = [
        manifest.section_context(ReportId(report), author, version, slot),
        manifest.section_context(ReportId(report), author, version ^ 1, slot),
        manifest.section_context(ReportId(report), author, version, slot ^ 1),
        manifest.section_context(ReportId(_other(report)), author, version, slot),
        manifest.section_context(ReportId(report), _other(author), version, slot),
        manifest.seal_info(wide, Kid(recipient), GrantId(grant)),
        manifest.seal_info(wide, Kid(_other(recipient)), GrantId(grant)),
        manifest.seal_info(wide, Kid(recipient), GrantId(_other(grant))),
        manifest.seal_info(Digest(_other(wide)), Kid(recipient), GrantId(grant)),
        manifest.wrap_info(wide, slot, GrantId(grant)),
        manifest.wrap_info(wide, slot ^ 1, GrantId(grant)),
        manifest.wrap_info(wide, slot, GrantId(_other(grant))),
        manifest.wrap_info(Digest(_other(wide)), slot, GrantId(grant)),
    ]

    assert len(set(made)) == len(made)
    # Fixed widths: no value can run into its neighbour.
    assert [len(one) for one in made] == [len(b"sluss/section") + 37] * 5 + [len(b"sluss/seal") + 64] * 4 + [
        len(b"sluss/wrap") + 49
    ] * 4


def _other(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def test_no_label_begins_another_where_both_are_signed_by_one_kind_of_key() -> None:
    # Ed25519 signs label and message joined, so a label that is the beginning of another would be ambiguous.
    labels = [value for name, value in vars(signing).items() if name.endswith("_LABEL")]
    labels += [b"sluss/proposal", b"sluss/section", b"sluss/seal", b"sluss/wrap", b"sluss/epoch", b"sluss/group"]

    assert len(set(labels)) == len(labels)
    assert [(a, b) for a in labels for b in labels if a != b and b.startswith(a)] == []


# padding


@given(st.integers(0, 200_000))
def test_padding_gives_back_what_it_was_given_and_costs_little(length: int) -> None:
    data = b"d" * length
    padded = crypto.pad(data)

    assert crypto.unpad(padded) == data
    assert len(padded) >= max(256, length + 4)
    if length + 4 <= 16 * 1024:
        assert len(padded).bit_count() == 1
    else:
        assert len(padded) <= (length + 4) * 1.12


def test_sizes_that_padding_leaves_are_few() -> None:
    sizes = {len(crypto.pad(bytes(length))) for length in range(0, 65_536, 64)}

    assert {size for size in sizes if size <= 16 * 1024} == {256 << power for power in range(7)}
    assert len(sizes) < 45


@given(st.binary(max_size=600))
def test_nothing_but_a_padded_text_is_unpadded(noise: bytes) -> None:
    try:
        data = crypto.unpad(noise)
    except CannotOpen:
        return
    assert crypto.pad(data) == noise


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        b"\x00" * 3,
        bytes(255),
        bytes(257),
        bytes(512),
        b"\x00\x00\x00\x01" + bytes(251),
        b"\x00\x00\x00\xfd" + bytes(252),
        b"\xff\xff\xff\xff" + bytes(252),
        b"\x00\x00\x00\x01a" + bytes(250) + b"\x01",
    ],
)
def test_padding_that_lies_is_refused(padded: bytes) -> None:
    with pytest.raises(CannotOpen):
        crypto.unpad(padded)


# epochs


DEVICE: Final = DeviceKeys.of(DeviceSeeds(KEY, KEY))
HELD: Final = HeldEpoch(b"a" * 16, 3, b"e" * 32, whole=True)


@pytest.mark.parametrize("whole", [True, False])
def test_a_device_gets_of_an_epoch_what_was_wrapped_for_it(whole: bool) -> None:  # noqa: FBT001  # a row of the table
    wrap = wrap_epoch(HELD, AgencyId(b"g" * 16), DEVICE.kid, DEVICE.kem.public, whole=whole)

    held = open_epoch(DEVICE, AgencyId(b"g" * 16), AudienceId(b"a" * 16), 3, wrap)

    assert held.whole is whole
    assert held.sign_seed() == HELD.sign_seed()
    assert (held.secret == HELD.secret) is whole


def test_the_signing_key_alone_cannot_be_passed_off_as_the_whole_epoch() -> None:
    wrap = wrap_epoch(HELD, AgencyId(b"g" * 16), DEVICE.kid, DEVICE.kem.public, whole=False)

    with pytest.raises(CannotOpen):
        open_epoch(DEVICE, AgencyId(b"g" * 16), AudienceId(b"a" * 16), 3, EpochWrap(wrap.device, True, wrap.wrap))  # noqa: FBT003  # the wire's order


def test_the_three_keys_of_an_epoch_are_three() -> None:
    derived: list[Any] = [HELD.secret, HELD.sign_seed(), HELD.kem_seed()]

    assert len(set(derived)) == 3
