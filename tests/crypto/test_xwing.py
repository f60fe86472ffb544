"""X-Wing and HPKE: what `cryptography` makes, a second implementation and the draft's own numbers agree on."""

from __future__ import annotations

import hashlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_client import crypto
from sluss_client.crypto import CannotOpen, KemKey

from tests.vectors.second import mlkem
from tests.vectors.second import primitives as p

# draft-connolly-cfrg-xwing-kem, appendix of vectors, the first: its seeds are the SHAKE-128 stream of nothing.
_STREAM: Final = hashlib.shake_128(b"").digest(96)
SEED, RANDOMNESS = _STREAM[:32], _STREAM[32:]
SHARED: Final = "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384"


def test_the_draft_gives_the_same_shared_secret() -> None:
    shared, encapsulated = p.encapsulate(KemKey(SEED).public, RANDOMNESS)

    assert SEED.hex().startswith("7f9c2ba4e88f827d")
    assert shared.hex() == SHARED
    assert p.decapsulate(SEED, encapsulated).hex() == SHARED


@given(st.binary(min_size=32, max_size=32))
def test_a_seed_gives_one_key_to_both(seed: bytes) -> None:
    wide = hashlib.shake_256(seed).digest(96)
    public = KemKey(seed).public

    assert len(public) == mlkem.PUBLIC_BYTES + 32 == 1216
    assert public == p.kem_public(seed)
    assert public[: mlkem.PUBLIC_BYTES] == mlkem.public_key(wide[:64])


@given(
    seed=st.binary(min_size=32, max_size=32),
    randomness=st.binary(min_size=64, max_size=64),
    info=st.binary(max_size=100),
    text=st.binary(min_size=1, max_size=100),
)
def test_messages_cross(seed: bytes, randomness: bytes, info: bytes, text: bytes) -> None:
    public = KemKey(seed).public

    assert KemKey(seed).open(p.hpke_seal(public, info, text, randomness), info) == text
    assert p.hpke_open(seed, info, crypto.seal(public, info, text)) == text


def test_a_message_is_never_the_same_twice() -> None:
    public = KemKey(SEED).public

    assert crypto.seal(public, b"info", b"text") != crypto.seal(public, b"info", b"text")


@pytest.mark.parametrize("half", [slice(0, 1088), slice(1088, 1120)], ids=["lattice", "curve"])
def test_both_halves_of_the_key_are_needed(half: slice) -> None:
    # The half of another message, whole and well formed, still opens nothing.
    public = KemKey(SEED).public
    message, another = bytearray(crypto.seal(public, b"info", b"text")), crypto.seal(public, b"info", b"text")
    message[half] = another[half]

    with pytest.raises(CannotOpen):
        KemKey(SEED).open(bytes(message), b"info")


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_a_curve_point_without_a_secret_opens_nothing(point: bytes) -> None:
    message = bytearray(crypto.seal(KemKey(SEED).public, b"info", b"text"))
    message[1088:1120] = point

    with pytest.raises(CannotOpen):
        KemKey(SEED).open(bytes(message), b"info")
