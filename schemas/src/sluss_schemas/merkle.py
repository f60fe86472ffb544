"""The Merkle tree of RFC 9162, section 2: roots, proofs of inclusion and of consistency, and their verification.

Values in, values out: whoever keeps the nodes gives them, and whoever appends is told which subtrees became complete.
A tree of n leaves is held as its frontier, the roots of the complete subtrees that n is the sum of, so that appending
and taking the root need no other node.
Source: RFC 9162, section 2.1; docs/protocol.md section 7.

> INVARIANT: a leaf and an inner node never hash alike, and no proof verifies for another size than its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
_LEAF: Final = b"\x00"
_INNER: Final = b"\x01"
EMPTY: Final = hashlib.sha256(b"").digest()
"""The root of no leaves."""


class Node(NamedTuple):
    """A complete subtree: `number` counts the subtrees of its level from 0, and level 0 are the leaves."""

    level: int
    number: int

    @property
    def first(self) -> int:
        """The number of its first leaf, from 0."""
        return self.number << self.level


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(_LEAF + data).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two halves."""
    return hashlib.sha256(_INNER + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """A tree as far as it is needed to grow: its size, and the roots of its complete subtrees, the largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def read(cls, size: int, data: bytes) -> Frontier:
        """Return the frontier that `bytes` wrote.

        Raises:
            ValueError: these are not the peaks of a tree of this size.

        """
        peaks = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        if size < 0 or len(data) != HASH_BYTES * size.bit_count():
            message = "the frontier is not one of this size"
            raise ValueError(message)
        return cls(size, peaks)

    def __bytes__(self) -> bytes:
        """Return the peaks, one after the other."""
        return b"".join(self.peaks)

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return fold(self.peaks)

    def append(self, leaf: bytes) -> Iterator[tuple[Node, bytes]]:
        """Append the hash of a leaf, and yield every subtree that is complete with it, the leaf first."""
        number, level, made = self.size, 0, leaf
        self.size += 1
        yield Node(0, number), made
        while number & 1:
            made = inner_hash(self.peaks.pop(), made)
            number, level = number >> 1, level + 1
            yield Node(level, number), made
        self.peaks.append(made)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append the hashes of leaves."""
        for leaf in leaves:
            for _ in self.append(leaf):
                pass


def fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over the roots of complete subtrees, the largest first."""
    if not peaks:
        return EMPTY
    *rest, root = peaks
    for peak in reversed(rest):
        root = inner_hash(peak, root)
    return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the hashes of leaves."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root


# proofs: which parts of the tree they are made of

Part = tuple[int, int]
"""The leaves from the first number to before the second; a proof's hash is the root over them."""


def inclusion_parts(index: int, size: int) -> list[Part]:
    """Return the parts of the proof that a leaf is in a tree (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: there is no such leaf.

    """
    if not 0 <= index < size:
        message = "there is no such leaf"
        raise ValueError(message)
    first, end, parts = 0, size, list[Part]()
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((first, middle))
            first = middle
    return parts[::-1]


def consistency_parts(old: int, size: int) -> list[Part]:
    """Return the parts of the proof that a tree grew out of a smaller one (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: the one is not the beginning of the other.

    """
    if not 0 <= old <= size:
        message = "a tree does not shrink"
        raise ValueError(message)
    first, end, known, parts = 0, size, True, list[Part]()
    while 0 < old < end and old != end:
        middle = first + _split(end - first)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((first, middle))
            first, known = middle, False
    if 0 < old < size and not known:
        parts.append((first, end))
    return parts[::-1]


def nodes_of(part: Part) -> Iterator[Node]:
    """Yield the complete subtrees whose roots make up a part's, the largest first."""
    first, end = part
    while first < end:
        level = (end - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        yield Node(level, first >> level)
        first += 1 << level


def proof(parts: Iterable[Part], hash_of: Callable[[Node], bytes]) -> tuple[bytes, ...]:
    """Return a proof's hashes, given those of complete subtrees."""
    return tuple(fold([hash_of(node) for node in nodes_of(part)]) for part in parts)


def _split(size: int) -> int:
    """Return the largest power of two below a size of two or more."""
    return 1 << (size - 1).bit_length() - 1


# verification


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows the hash of a leaf at its place in a tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, made = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = inner_hash(step, made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            made = inner_hash(made, step)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root


def consistent(old: int, size: int, path: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """Tell whether a proof shows that a tree is the beginning of another (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old in {0, size}:
        return not path and old_root == (root if old else EMPTY)
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = inner_hash(step, before), inner_hash(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = inner_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root
