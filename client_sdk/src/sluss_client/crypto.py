"""All of the cryptography that a device does, in one file and without options.

It seals, opens, signs, wraps, pads and derives; it decides nothing and stores nothing.
No other module of Sluss imports a cipher, a KEM or a password hash, and the server has none of this at all.
Source: docs/protocol.md, notation and sections 1 and 3.

> INVARIANT: every ciphertext is bound to a context; sizes are checked before anything is decrypted.
> INVARIANT: a failure is `CannotOpen` and says nothing about why.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
_MLKEM_PUBLIC_BYTES: Final = 1184
_HPKE_OVERHEAD: Final = 1120 + 16  # the encapsulated key and the tag
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_PAD_FIRST: Final = 256
_PAD_DOUBLING_UP_TO: Final = 16 * 1024

_suite: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class CannotOpen(Exception):  # it names what the device could not do, as the reader will say it
    """A ciphertext, seal or wrap that does not open with this key in this context."""


def random_key() -> bytes:
    """Return 32 random bytes."""
    return os.urandom(KEY_BYTES)


def derive(secret: bytes, label: bytes) -> bytes:
    """Return HKDF-SHA256(secret, info=label), empty salt, 32 bytes."""
    _need(secret)
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=label).derive(secret)


def mac(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256."""
    return hmac.digest(key, message, "sha256")


def _need(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        # A short key is a bug; padding it would make it a weak one.
        message = "a key has 32 bytes"
        raise ValueError(message)


class KemKey:
    """An X-Wing private key, made from a 32-byte seed; only the seed can be stored."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Expand the seed by SHAKE-256 to an ML-KEM-768 and an X25519 key."""
        _need(seed)
        wide = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(wide[:64])
        x25519 = X25519PrivateKey.from_private_bytes(wide[64:])
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Return what was sealed to this key under `info`, or raise `CannotOpen`."""
        if len(sealed) <= _HPKE_OVERHEAD:
            raise CannotOpen
        try:
            return _suite.decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError):
            raise CannotOpen from None


@lru_cache(maxsize=1024)
def _kem_public(public: bytes) -> MLKEM768X25519PublicKey:
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_BYTES:]),
    )


def seal(public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Return an HPKE message (1,136 bytes longer than the plaintext) to an X-Wing public key."""
    return _suite.encrypt(plaintext, _kem_public(public), info)


@lru_cache(maxsize=1024)
def usable(public: bytes) -> bool:
    """Tell whether anything can be sealed to this key: one that is malformed on purpose must not stop all sealing."""
    try:
        seal(public, b"", b"\0")
    except ValueError:
        return False
    return True


class SignKey:
    """An Ed25519 private key from its 32-byte seed."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Load the key."""
        _need(seed)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self._private.sign(message)


def pad(data: bytes) -> bytes:
    """Return length, data and zeros, up to 256 x 2^k bytes and from 16 KiB on up to the next Padmé size."""
    need = _LENGTH_BYTES + len(data)
    size = _PAD_FIRST
    while size < need and size < _PAD_DOUBLING_UP_TO:
        size *= 2
    if size < need:
        size = _padme(need)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data + bytes(size - need)


def _padme(length: int) -> int:
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


def unpad(padded: bytes) -> bytes:
    """Return the data of a padded plaintext; anything but zeros behind it is `CannotOpen`."""
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    data = padded[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if len(padded) < _LENGTH_BYTES or len(data) != length or pad(data) != padded:
        raise CannotOpen
    return data


def encrypt_section(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Return the padded plaintext under Cobblestone-256; the key serves this one message only."""
    _need(key)
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(pad(plaintext)) + encryptor.finalize()


def decrypt_section(key: bytes, context: bytes, section: bytes) -> bytes:
    """Return the plaintext of a section, or raise `CannotOpen`."""
    _need(key)
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        padded = decryptor.update(section) + decryptor.finalize()
    except (InvalidTag, ValueError):
        raise CannotOpen from None
    return unpad(padded)


def wrap(secret: bytes, info: bytes, section_key: bytes) -> bytes:
    """Return a section key under AES-256-GCM with HKDF(secret, info): 48 bytes."""
    _need(section_key)
    # The derived key is used for this one wrap (its info names manifest, slot and grant), so a fixed nonce is safe.
    return AESGCM(derive(secret, info)).encrypt(bytes(_NONCE_BYTES), section_key, None)


def unwrap(secret: bytes, info: bytes, wrapped: bytes) -> bytes:
    """Return the section key, or raise `CannotOpen`."""
    if len(wrapped) != KEY_BYTES + _TAG_BYTES:
        raise CannotOpen
    try:
        return AESGCM(derive(secret, info)).decrypt(bytes(_NONCE_BYTES), wrapped, None)
    except InvalidTag:
        raise CannotOpen from None


class RowCipher:
    """Seals the rows of the device's own store under one key, each bound to its place."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        """Load the store key."""
        _need(key)
        self._aead = AESGCM(key)

    def seal(self, place: bytes, data: bytes) -> bytes:
        """Return nonce and ciphertext."""
        # Random 96-bit nonces: a store would need 2^32 rows before a repetition is worth a thought.
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, place)

    def open(self, place: bytes, sealed: bytes) -> bytes:
        """Return the data, or raise `CannotOpen`."""
        if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
            raise CannotOpen
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except InvalidTag:
            raise CannotOpen from None


def passphrase_key(passphrase: str, salt: bytes, *, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Return the 32-byte key of a passphrase by Argon2id (RFC 9106); the costs stand in the store's header."""
    hasher = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    return hasher.derive(passphrase.encode())
