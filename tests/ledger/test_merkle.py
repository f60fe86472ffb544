"""The tree and its proofs are those of RFC 9162, and a proof shows that one thing and nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluss_schemas import merkle
from sluss_schemas.merkle import Frontier, Node, consistent, includes, leaf_hash

from tests.ledger import naive

SIZES = st.integers(min_value=0, max_value=200)


def leaves_of(size: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(size)]


def hashes_of(size: int) -> list[bytes]:
    return [leaf_hash(leaf) for leaf in leaves_of(size)]


def subtree(node: Node) -> bytes:
    return naive.mth(leaves_of(node.first + (1 << node.level))[node.first :])


@given(SIZES)
def test_the_root_is_the_rfcs(size: int) -> None:
    assert merkle.root_of(hashes_of(size)) == naive.mth(leaves_of(size))


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=8))
def test_however_it_is_appended_the_tree_is_the_same(batches: list[int]) -> None:
    size, tree, made = sum(batches), Frontier(), dict[Node, bytes]()
    hashes = hashes_of(size)
    ends = [0]
    for batch in batches:
        ends.append(ends[-1] + batch)
    for first, end in pairwise(ends):
        # As a row of the database holds it in between.
        tree = Frontier.read(tree.size, bytes(tree))
        for leaf in hashes[first:end]:
            made.update(tree.append(leaf))
        assert tree.root == naive.mth(leaves_of(end))
    wanted = {Node(level, at) for level in range(size.bit_length()) for at in range(size >> level)}
    assert made == {node: subtree(node) for node in wanted}


@given(st.integers(min_value=1, max_value=200).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_an_inclusion_proof_is_the_rfcs_and_shows_that_leaf_alone(place: tuple[int, int]) -> None:
    index, size = place
    leaves, hashes = leaves_of(size), hashes_of(size)
    path, root = merkle.proof(merkle.inclusion_parts(index, size), subtree), naive.mth(leaves)

    assert list(path) == naive.path(index, leaves)
    assert [at for at in range(size) if includes(hashes[at], at, size, path, root)] == [index]
    assert [at for at in range(size) if includes(hashes[index], at, size, path, root)] == [index]
    assert not includes(hashes[index], index, size, [*path, root], root)
    assert not includes(hashes[index], size, size, path, root)
    assert size == 1 or not includes(hashes[index], index, size, path[:-1], root)


@given(SIZES.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_consistency_proof_is_the_rfcs_and_shows_that_growth_alone(sizes: tuple[int, int]) -> None:
    old, size = sizes
    leaves = leaves_of(size)
    before, root = naive.mth(leaves[:old]), naive.mth(leaves)
    path = merkle.proof(merkle.consistency_parts(old, size), subtree)

    assert list(path) == (naive.proof(old, leaves) if old else [])
    assert consistent(old, size, path, before, root)
    assert not consistent(old, size, [*path, root], before, root)
    if 0 < old < size:
        assert not consistent(old, size, path[:-1], before, root)
        assert not consistent(old, size, path, naive.mth(leaves[: old - 1]), root)
        assert not consistent(old, size, path, before, before)
        other = naive.mth([b"another", *leaves[1:]])
        assert not consistent(old, size, path, before, other)


@given(st.binary(max_size=40), st.integers(min_value=0, max_value=9))
def test_a_broken_frontier_is_none(data: bytes, size: int) -> None:
    if len(data) == 32 * size.bit_count():
        assert bytes(Frontier.read(size, data)) == data
    else:
        with pytest.raises(ValueError, match="frontier"):
            Frontier.read(size, data)
