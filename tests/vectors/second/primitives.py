"""The building blocks, put together a second time: HKDF, X-Wing, HPKE base mode, Cobblestone-256, padding.

Out of `cryptography` come AES-GCM, X25519, Ed25519 and ML-KEM's decapsulation, and nothing that is already a recipe.
Randomness is an argument everywhere, so the same seeds give the same bytes.
Source: docs/protocol.md notation and section 3.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.vectors.second import mlkem

_XWING_LABEL: Final = rb"\.//^\ "[:6]
_KEM_CIPHERTEXT: Final = 1088
ENCAPSULATED: Final = _KEM_CIPHERTEXT + 32
_HPKE: Final = b"HPKE-v1"
_SUITE: Final = b"HPKE" + bytes.fromhex("647a00010002")
_CHUNK: Final = 16 * 1024
_TAG: Final = 16
_SALT: Final = 24
_COMMITMENT: Final = 32
_CHUNKED: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


class Closed(Exception):
    """It does not open with this key in this context."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def kid(public: bytes) -> bytes:
    return sha256(public)[:16]


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def expand(prk: bytes, info: bytes, length: int, algorithm: str = "sha256") -> bytes:
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), algorithm)
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf(secret: bytes, info: bytes) -> bytes:
    """Return HKDF-SHA256 with empty salt, 32 bytes."""
    return expand(mac(bytes(32), secret), info, 32)


# signatures


@lru_cache
def sign_public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Raise `InvalidSignature` for a wrong one."""
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


# X-Wing


def _expanded(seed: bytes) -> tuple[bytes, bytes]:
    wide = hashlib.shake_256(seed).digest(96)
    return wide[:64], wide[64:]


def _x25519(private: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


@lru_cache
def kem_public(seed: bytes) -> bytes:
    lattice, curve = _expanded(seed)
    private = X25519PrivateKey.from_private_bytes(curve)
    return mlkem.public_key(lattice) + private.public_key().public_bytes_raw()


def _combined(lattice: bytes, curve: bytes, ciphertext: bytes, public: bytes) -> bytes:
    return hashlib.sha3_256(lattice + curve + ciphertext + public + _XWING_LABEL).digest()


def encapsulate(public: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """Return the shared secret and the 1,120 bytes that carry it, for 64 bytes of randomness."""
    lattice, curve = public[: mlkem.PUBLIC_BYTES], public[mlkem.PUBLIC_BYTES :]
    first, ciphertext = mlkem.encapsulate(lattice, randomness[:32])
    ephemeral = X25519PrivateKey.from_private_bytes(randomness[32:]).public_key().public_bytes_raw()
    second = _x25519(randomness[32:], curve)
    return _combined(first, second, ephemeral, curve), ciphertext + ephemeral


def decapsulate(seed: bytes, encapsulated: bytes) -> bytes:
    lattice, curve = _expanded(seed)
    ciphertext, ephemeral = encapsulated[:_KEM_CIPHERTEXT], encapsulated[_KEM_CIPHERTEXT:]
    first = MLKEM768PrivateKey.from_seed_bytes(lattice).decapsulate(ciphertext)
    return _combined(first, _x25519(curve, ephemeral), ephemeral, kem_public(seed)[mlkem.PUBLIC_BYTES :])


# HPKE base mode, one message


def _extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    return mac(salt or bytes(32), _HPKE + _SUITE + label + secret)


def _labeled(prk: bytes, label: bytes, context: bytes, length: int) -> bytes:
    return expand(prk, length.to_bytes(2, "big") + _HPKE + _SUITE + label + context, length)


def _schedule(shared: bytes, info: bytes) -> tuple[AESGCM, bytes]:
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    return AESGCM(_labeled(secret, b"key", context, 32)), _labeled(secret, b"base_nonce", context, 12)


def hpke_seal(public: bytes, info: bytes, plaintext: bytes, randomness: bytes) -> bytes:
    shared, encapsulated = encapsulate(public, randomness)
    cipher, nonce = _schedule(shared, info)
    return encapsulated + cipher.encrypt(nonce, plaintext, b"")


def hpke_open(seed: bytes, info: bytes, sealed: bytes) -> bytes:
    if len(sealed) < ENCAPSULATED + _TAG:
        raise Closed
    cipher, nonce = _schedule(decapsulate(seed, sealed[:ENCAPSULATED]), info)
    return _opened(cipher, nonce, sealed[ENCAPSULATED:])


def _opened(cipher: AESGCM, nonce: bytes, data: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, data, b"")
    except InvalidTag:
        raise Closed from None


# wraps


def wrap(secret: bytes, info: bytes, key: bytes) -> bytes:
    return AESGCM(hkdf(secret, info)).encrypt(bytes(12), key, b"")


def unwrap(secret: bytes, info: bytes, wrapped: bytes) -> bytes:
    return _opened(AESGCM(hkdf(secret, info)), bytes(12), wrapped)


# Cobblestone-256


def _message_key(key: bytes, salt: bytes, context: bytes) -> tuple[AESGCM, int, bytes]:
    wide = expand(key, _CHUNKED + salt + context, 32 + 12 + _COMMITMENT, "sha512")
    return AESGCM(wide[:32]), int.from_bytes(wide[32:44], "big"), wide[44:]


def _pieces(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield numbered pieces; the last one is always shorter than the others, and may be empty."""
    return ((number, data[number * size : (number + 1) * size]) for number in range(len(data) // size + 1))


def encrypt(key: bytes, context: bytes, plaintext: bytes, salt: bytes) -> bytes:
    cipher, nonce, commitment = _message_key(key, salt, context)
    chunks = (
        cipher.encrypt((nonce ^ number).to_bytes(12, "big"), chunk, b"") for number, chunk in _pieces(plaintext, _CHUNK)
    )
    return salt + commitment + b"".join(chunks)


def decrypt(key: bytes, context: bytes, data: bytes) -> bytes:
    salt, commitment, body = data[:_SALT], data[_SALT : _SALT + _COMMITMENT], data[_SALT + _COMMITMENT :]
    cipher, nonce, expected = _message_key(key, salt, context)
    if commitment != expected:
        raise Closed
    chunks = _pieces(body, _CHUNK + _TAG)
    return b"".join(_opened(cipher, (nonce ^ number).to_bytes(12, "big"), chunk) for number, chunk in chunks)


# padding


def padded_size(length: int) -> int:
    """Return the size to which so many bytes of data are padded."""
    need = length + 4
    if need <= _CHUNK:
        return max(256, 1 << (need - 1).bit_length())
    # Padmé: the exponent's own bits are kept of the mantissa, the rest is rounded up.
    exponent = need.bit_length() - 1
    step = 1 << exponent - exponent.bit_length()
    return -(-need // step) * step


def pad(data: bytes) -> bytes:
    return (len(data).to_bytes(4, "big") + data).ljust(padded_size(len(data)), b"\x00")


def unpad(padded: bytes) -> bytes:
    data = padded[4 : 4 + int.from_bytes(padded[:4], "big")]
    if pad(data) != padded:
        raise Closed
    return data
