"""ML-KEM-768 key generation and encapsulation from given seeds, as FIPS 203 describes them.

Written out because vectors have to come out the same twice, and the library's encapsulation draws its own randomness.
Slow, and not constant in time: it never sees a secret that protects anything.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

Poly = list[int]

Q: Final = 3329
N: Final = 256
K: Final = 3
DU, DV = 10, 4
PUBLIC_BYTES: Final = 384 * K + 32
_INVERSE_OF_128: Final = 3303


def _reversed_bits(number: int) -> int:
    return int(f"{number:07b}"[::-1], 2)


_ZETAS: Final = [pow(17, _reversed_bits(i), Q) for i in range(128)]
_GAMMAS: Final = [pow(17, 2 * _reversed_bits(i) + 1, Q) for i in range(128)]


def _ntt(poly: Poly) -> Poly:
    f, index, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = _ZETAS[index]
            index += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def _from_ntt(poly: Poly) -> Poly:
    f, index, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = _ZETAS[index]
            index -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * _INVERSE_OF_128 % Q for x in f]


def _times(f: Poly, g: Poly) -> Poly:
    product = []
    for i, gamma in enumerate(_GAMMAS):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        product += [(a0 * b0 + a1 * b1 * gamma) % Q, (a0 * b1 + a1 * b0) % Q]
    return product


def _plus(*polys: Poly) -> Poly:
    return [sum(each) % Q for each in zip(*polys, strict=True)]


def _dot(left: list[Poly], right: list[Poly]) -> Poly:
    return _plus(*(_times(f, g) for f, g in zip(left, right, strict=True)))


def _uniform(seed: bytes) -> Poly:
    size = 3 * N
    while True:
        stream = hashlib.shake_128(seed).digest(size)
        found = []
        for a, b, c in zip(stream[::3], stream[1::3], stream[2::3], strict=True):
            found += [each for each in (a + 256 * (b % 16), b // 16 + 16 * c) if each < Q]
        if len(found) >= N:
            return found[:N]
        size *= 2


def _small(seed: bytes, counter: int) -> Poly:
    """Return a polynomial of the centred binomial distribution with eta 2."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([counter])).digest(128), "little")
    fours = ((bits >> 4 * i) & 15 for i in range(N))
    return [((x & 1) + (x >> 1 & 1) - (x >> 2 & 1) - (x >> 3)) % Q for x in fours]


def _write(poly: Poly, width: int) -> bytes:
    total = sum(x << width * i for i, x in enumerate(poly))
    return total.to_bytes(N * width // 8, "little")


def _read(data: bytes, width: int) -> Poly:
    total = int.from_bytes(data, "little")
    return [total >> width * i & (1 << width) - 1 for i in range(N)]


def _compressed(poly: Poly, width: int) -> Poly:
    return [((x << width + 1) + Q) // (2 * Q) % (1 << width) for x in poly]


@lru_cache
def _matrix(rho: bytes) -> list[list[Poly]]:
    return [[_uniform(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


@lru_cache
def public_key(seed: bytes) -> bytes:
    """Return the encapsulation key (1,184 bytes) of a 64-byte seed d || z."""
    wide = hashlib.sha3_512(seed[:32] + bytes([K])).digest()
    rho, sigma = wide[:32], wide[32:]
    s = [_ntt(_small(sigma, i)) for i in range(K)]
    e = [_ntt(_small(sigma, K + i)) for i in range(K)]
    t = [_plus(_dot(row, s), noise) for row, noise in zip(_matrix(rho), e, strict=True)]
    return b"".join(_write(poly, 12) for poly in t) + rho


def encapsulate(public: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Return the shared secret (32 bytes) and the ciphertext (1,088 bytes) for 32 bytes of randomness."""
    wide = hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()
    shared, randomness = wide[:32], wide[32:]
    t = [_read(public[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    matrix = _matrix(public[384 * K :])
    y = [_ntt(_small(randomness, i)) for i in range(K)]
    columns = [[matrix[j][i] for j in range(K)] for i in range(K)]
    u = [_plus(_from_ntt(_dot(column, y)), _small(randomness, K + i)) for i, column in enumerate(columns)]
    bits = [1665 * bit for bit in _read(message, 1)]
    v = _plus(_from_ntt(_dot(t, y)), _small(randomness, 2 * K), bits)
    first = b"".join(_write(_compressed(poly, DU), DU) for poly in u)
    return shared, first + _write(_compressed(v, DV), DV)
