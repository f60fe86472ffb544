"""Leaves of an agency's ledger, numbered without a gap, and the tree over them.

A leaf commits to its content under a salt, so that the content can be erased later while the leaf stays.
The head's row holds the tree's frontier, so appending reads nothing else; of the tree itself every fourth level is
kept, from which a proof is a few dozen rows away.
Source: docs/protocol.md section 7.

> INVARIANT: a leaf is written in the transaction of the act that it records, and so is the tree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas import merkle
from sluss_schemas.codec import encode
from sluss_schemas.ledger import FORGET, KEPT_LEVELS, Forgotten, commitment
from sluss_schemas.ledger import leaf_hash as node_hash
from sluss_schemas.merkle import Frontier, Node
from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import ledger_heads, ledger_leaves, ledger_nodes

SALT_BYTES: Final = 32
_AT_ONCE: Final = 500
"""Rows of one question."""


class Leaf(NamedTuple):
    """What is to be recorded: `content` is canonical MessagePack."""

    agency: bytes
    action: str
    content: bytes


class StoredLeaf(NamedTuple):
    """A leaf as it is stored; salt and content are empty once they were erased."""

    seq: int
    action: str
    salt: bytes
    content: bytes
    leaf: bytes


class LedgerHead(NamedTuple):
    """How many leaves a ledger has, and its tree's frontier."""

    partnership: bytes
    agency: bytes
    seq: int
    peaks: bytes


_every_head: Final = select(
    ledger_heads.c.partnership_id, ledger_heads.c.agency, ledger_heads.c.seq, ledger_heads.c.peaks
).order_by(ledger_heads.c.partnership_id, ledger_heads.c.agency)
_heads: Final = (
    select(ledger_heads.c.agency, ledger_heads.c.seq, ledger_heads.c.peaks)
    .where(
        ledger_heads.c.partnership_id == bindparam("partnership"),
        ledger_heads.c.agency.in_(bindparam("agencies", expanding=True)),
    )
    .order_by(ledger_heads.c.agency)
)
_held_heads: Final = _heads.with_for_update()
_leaves: Final = (
    select(*(ledger_leaves.c[name] for name in StoredLeaf._fields))
    .where(
        ledger_leaves.c.partnership_id == bindparam("partnership"),
        ledger_leaves.c.agency == bindparam("agency"),
        ledger_leaves.c.seq > bindparam("after"),
    )
    .order_by(ledger_leaves.c.seq)
    .limit(bindparam("limit"))
)
_leaves_of: Final = _leaves.where(ledger_leaves.c.action.in_(bindparam("actions", expanding=True)))
_digests: Final = select(ledger_leaves.c.seq, ledger_leaves.c.action, ledger_leaves.c.leaf).where(
    ledger_leaves.c.partnership_id == bindparam("partnership"),
    ledger_leaves.c.agency == bindparam("agency"),
    ledger_leaves.c.seq.in_(bindparam("seqs", expanding=True)),
)
_nodes: Final = select(ledger_nodes.c.number, ledger_nodes.c.hash).where(
    ledger_nodes.c.partnership_id == bindparam("partnership"),
    ledger_nodes.c.agency == bindparam("agency"),
    ledger_nodes.c.level == bindparam("level"),
    ledger_nodes.c.number.in_(bindparam("numbers", expanding=True)),
)
_stored_nodes: Final = (
    select(ledger_nodes.c.level, ledger_nodes.c.number, ledger_nodes.c.hash)
    .where(
        ledger_nodes.c.partnership_id == bindparam("partnership"),
        ledger_nodes.c.agency == bindparam("agency"),
        or_(
            ledger_nodes.c.level > bindparam("above"),
            and_(ledger_nodes.c.level == bindparam("above"), ledger_nodes.c.number > bindparam("after")),
        ),
    )
    .order_by(ledger_nodes.c.level, ledger_nodes.c.number)
    .limit(bindparam("limit"))
)
_insert_head: Final = insert_all(ledger_heads)
_move_head: Final = update_by(ledger_heads, ("partnership_id", "agency"), ("seq", "peaks"))
_insert_leaf: Final = insert_all(ledger_leaves)
_insert_node: Final = insert_all(ledger_nodes)
_erase_content: Final = update_by(ledger_leaves, ("partnership_id", "agency", "seq"), ("salt", "content"))


def leaf_hash(salt: bytes, content: bytes) -> bytes:
    """Return the digest that stands in the ledger for a salted content."""
    return commitment(salt, content)


async def append(
    connection: AsyncConnection, partnership: bytes, leaves: Sequence[Leaf], random: Callable[[int], bytes]
) -> None:
    """Write the leaves, each at the next number of its agency, and grow the trees."""
    if not leaves:
        return
    agencies = sorted({leaf.agency for leaf in leaves})
    found = await connection.execute(_held_heads, {"partnership": partnership, "agencies": agencies})
    trees = {row.agency: Frontier.read(row.seq, row.peaks) for row in found}
    new = [agency for agency in agencies if agency not in trees]
    trees |= {agency: Frontier() for agency in new}
    rows, nodes = [], []
    salts = random(SALT_BYTES * len(leaves))
    for number, (agency, action, content) in enumerate(leaves):
        tree = trees[agency]
        salt = salts[SALT_BYTES * number : SALT_BYTES * (number + 1)]
        digest = commitment(salt, content)
        for (level, index), made in tree.append(node_hash(action, digest)):
            if level and level % KEPT_LEVELS == 0:
                nodes.append((partnership, agency, level, index, made))
        rows.append((partnership, agency, tree.size, action, salt, content, digest))
    await _insert_leaf.run(connection, rows)
    await _insert_node.run(connection, nodes)
    heads = [(agency, trees[agency].size, bytes(trees[agency])) for agency in agencies]
    await _insert_head.run(connection, [(partnership, *head) for head in heads if head[0] in new])
    moved = [(size, peaks, partnership, agency) for agency, size, peaks in heads if agency not in new]
    await _move_head.run(connection, moved)


async def forget(
    connection: AsyncConnection,
    partnership: bytes,
    agency: bytes,
    ranges: Sequence[tuple[int, int]],
    *,
    code: str,
    now: int,
    random: Callable[[int], bytes],
) -> None:
    """Erase the contents of leaves, from the first number to the last of each range, and record that."""
    rows = [(b"", b"", partnership, agency, seq) for first, last in ranges for seq in range(first, last + 1)]
    await _erase_content.run(connection, rows)
    content = encode(Forgotten(FORGET, tuple(ranges), code, now))
    await append(connection, partnership, [Leaf(agency, FORGET, content)], random)


async def every_head(connection: AsyncConnection) -> list[LedgerHead]:
    """Return the heads of all ledgers."""
    return [LedgerHead._make(row) for row in await connection.execute(_every_head)]


async def tree(connection: AsyncConnection, partnership: bytes, agency: bytes, *, hold: bool = False) -> Frontier:
    """Return the frontier of one ledger's tree; with `hold` nobody appends to it before the transaction ends."""
    statement = _held_heads if hold else _heads
    row = (await connection.execute(statement, {"partnership": partnership, "agencies": [agency]})).first()
    return Frontier() if row is None else Frontier.read(row.seq, row.peaks)


async def tree_of(connection: AsyncConnection, partnership: bytes, agency: bytes, size: int) -> Frontier:
    """Return the frontier of one ledger's tree as it was at a size.

    Raises:
        ValueError: it has not been of this size.

    """
    nodes = list(merkle.nodes_of((0, size)))
    found = await _hashes(connection, partnership, agency, nodes)
    return Frontier(size, [found[node] for node in nodes])


async def leaves_after(
    connection: AsyncConnection, partnership: bytes, agency: bytes, after: int, limit: int
) -> list[StoredLeaf]:
    """Return at most `limit` leaves that follow a number."""
    given = {"partnership": partnership, "agency": agency, "after": after, "limit": limit}
    return [StoredLeaf._make(row) for row in await connection.execute(_leaves, given)]


async def leaves_of(  # noqa: PLR0917  # a ledger, what, and from which number on
    connection: AsyncConnection, partnership: bytes, agency: bytes, actions: Sequence[str], after: int, limit: int
) -> list[StoredLeaf]:
    """Return at most `limit` leaves with these actions that follow a number."""
    given = {"partnership": partnership, "agency": agency, "actions": list(actions), "after": after, "limit": limit}
    return [StoredLeaf._make(row) for row in await connection.execute(_leaves_of, given)]


async def nodes_after(
    connection: AsyncConnection, partnership: bytes, agency: bytes, after: Node, limit: int
) -> list[tuple[Node, bytes]]:
    """Return at most `limit` stored nodes of a tree that follow one, by level and number."""
    given = {"partnership": partnership, "agency": agency, "above": after.level, "after": after.number, "limit": limit}
    rows = await connection.execute(_stored_nodes, given)
    return [(Node(row.level, row.number), row.hash) for row in rows]


async def consistency(
    connection: AsyncConnection, partnership: bytes, agency: bytes, old: int, size: int
) -> tuple[bytes, ...]:
    """Return the proof that the tree of `size` leaves grew out of that of `old`.

    Raises:
        ValueError: there are no such trees.

    """
    parts = merkle.consistency_parts(old, size)
    wanted = {node for part in parts for node in merkle.nodes_of(part)}
    found = await _hashes(connection, partnership, agency, wanted)
    return merkle.proof(parts, found.__getitem__)


async def _hashes(
    connection: AsyncConnection, partnership: bytes, agency: bytes, wanted: Iterable[Node]
) -> dict[Node, bytes]:
    """Return the roots of complete subtrees, from what is kept of the levels below them."""
    needed: defaultdict[int, set[int]] = defaultdict(set)
    for level, number in wanted:
        down = level % KEPT_LEVELS
        needed[level - down].update(range(number << down, (number + 1) << down))
    known: dict[Node, bytes] = {}
    whose = {"partnership": partnership, "agency": agency}
    for level, numbers in needed.items():
        ordered = sorted(numbers)
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            if level:
                rows = await connection.execute(_nodes, {**whose, "level": level, "numbers": some})
                known |= {Node(level, row.number): row.hash for row in rows}
            else:
                rows = await connection.execute(_digests, {**whose, "seqs": [number + 1 for number in some]})
                known |= {Node(0, row.seq - 1): node_hash(row.action, row.leaf) for row in rows}
    return {node: _root(node, known) for node in wanted}


def _root(node: Node, known: dict[Node, bytes]) -> bytes:
    """Return the root of a subtree.

    Raises:
        ValueError: a node or a leaf is missing below it.

    """
    down = node.level % KEPT_LEVELS
    below = [Node(node.level - down, number) for number in range(node.number << down, (node.number + 1) << down)]
    if not all(one in known for one in below):
        message = "a part of the tree is missing"
        raise ValueError(message)
    return merkle.root_of([known[one] for one in below])
