"""Feeds: for each audience and scene, and for each device, what it gets and in which order.

An entry carries its recipient's seal and wraps, so that a page is one scan of one index.
Source: docs/protocol.md section 6.

> INVARIANT: a feed's numbers have no gap. They come from its head's row, in the transaction that writes the entries.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import LargeBinary, and_, bindparam, literal, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.ids import ID_BYTES, Kid
from sluss_server.storage import restores
from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import directory_heads, feed_entries, feed_heads, grants, reports

SALT_BYTES: Final = 32
BASE, GRANT, OPENED = 0, 1, 2
"""Why a recipient holds an entry: a seal of the report itself, a grant, or a supervisor's record."""
RANGES: Final = 4
"""Ranges of feeds in one question about heads: a device has its own feed and at most three functions."""
_NOWHERE: Final = (b"", b"")


class NewEntry(NamedTuple):
    """An entry without its number; a `drop` has no recipient, seal or wraps."""

    feed: bytes
    op: Literal["put", "drop"]
    digest: bytes
    via: int = BASE
    recipient: bytes = b""
    grant_id: bytes | None = None
    gateway: str | None = None
    not_after: int | None = None
    seal: bytes | None = None
    wraps: bytes = b""


class FeedHead(NamedTuple):
    """Where a feed ends."""

    feed: bytes
    generation: int
    seq: int


class StoredEntry(NamedTuple):
    """An entry and, for a `put`, the report that it is about."""

    seq: int
    op: str
    digest: bytes
    salt: bytes
    via: int
    recipient: bytes
    gateway: str | None
    not_after: int | None
    seal: bytes | None
    wraps: bytes
    ended: bool
    agency: bytes
    kind: int
    manifest: bytes
    signature: bytes
    tiers: bytes
    sections: bytes
    grant_bytes: bytes | None
    grant_signature: bytes | None


class Placed(NamedTuple):
    """That a feed was given, or lost, a version."""

    feed: bytes
    op: str
    digest: bytes
    via: int


class Sealed(NamedTuple):
    """What one recipient was given of a version."""

    recipient: bytes
    seal: bytes | None
    wraps: bytes


def _bytes(name: str) -> Any:  # noqa: ANN401  # SQLAlchemy's parameters have no useful type
    return bindparam(name, type_=LargeBinary())


_heads_of: Final = (
    select(feed_heads.c.feed, feed_heads.c.seq)
    .where(
        feed_heads.c.partnership_id == _bytes("partnership"),
        feed_heads.c.feed.in_(bindparam("feeds", expanding=True)),
    )
    .order_by(feed_heads.c.feed)
    .with_for_update()
)
_insert_head: Final = insert_all(feed_heads)
_move_head: Final = update_by(feed_heads, ("partnership_id", "feed"), ("seq",))
_insert_entry: Final = insert_all(feed_entries)
_end_entry: Final = update_by(feed_entries, ("partnership_id", "feed", "digest", "via"), ("ended",))

# One question tells an idle device everything: the ends of its feeds, and whether a directory has moved.
_news: Final = union_all(
    select(feed_heads.c.feed, feed_heads.c.generation, feed_heads.c.seq, null().label("hash")).where(
        feed_heads.c.partnership_id == _bytes("partnership"),
        or_(
            *(
                and_(feed_heads.c.feed >= _bytes(f"from{number}"), feed_heads.c.feed < _bytes(f"to{number}"))
                for number in range(RANGES)
            )
        ),
    ),
    select(directory_heads.c.agency, literal(-1), directory_heads.c.seq, directory_heads.c.hash).where(
        directory_heads.c.partnership_id == _bytes("partnership")
    ),
)

_entries: Final = (
    select(
        feed_entries.c.seq,
        feed_entries.c.op,
        feed_entries.c.digest,
        feed_entries.c.salt,
        feed_entries.c.via,
        feed_entries.c.recipient,
        feed_entries.c.gateway,
        feed_entries.c.not_after,
        feed_entries.c.seal,
        feed_entries.c.wraps,
        feed_entries.c.ended,
        reports.c.agency,
        reports.c.kind,
        reports.c.manifest,
        reports.c.signature,
        reports.c.tiers,
        reports.c.sections,
        grants.c.grant_bytes,
        grants.c.signature.label("grant_signature"),
    )
    .select_from(
        feed_entries.join(
            reports,
            and_(reports.c.partnership_id == feed_entries.c.partnership_id, reports.c.digest == feed_entries.c.digest),
        ).outerjoin(
            grants,
            and_(
                grants.c.partnership_id == feed_entries.c.partnership_id,
                grants.c.agency == reports.c.agency,
                grants.c.grant_id == feed_entries.c.grant_id,
            ),
        )
    )
    .where(
        feed_entries.c.partnership_id == _bytes("partnership"),
        feed_entries.c.feed == _bytes("feed"),
    )
    .limit(bindparam("limit"))
)
_page: Final = _entries.where(feed_entries.c.seq > bindparam("after")).order_by(feed_entries.c.seq)
_past: Final = _entries.where(feed_entries.c.seq < bindparam("below")).order_by(feed_entries.c.seq.desc())

_placed: Final = (
    select(feed_entries.c.feed, feed_entries.c.op, feed_entries.c.digest, feed_entries.c.via)
    .where(
        feed_entries.c.partnership_id == _bytes("partnership"),
        feed_entries.c.digest.in_(bindparam("digests", expanding=True)),
    )
    .order_by(feed_entries.c.feed, feed_entries.c.seq)
)

_sealed: Final = select(feed_entries.c.recipient, feed_entries.c.seal, feed_entries.c.wraps).where(
    feed_entries.c.partnership_id == _bytes("partnership"),
    feed_entries.c.feed == _bytes("feed"),
    feed_entries.c.digest == _bytes("digest"),
    feed_entries.c.op == "put",
    feed_entries.c.via == BASE,
)


def audience_feed(audience: bytes, scene: int) -> bytes:
    """Return the name of an audience's feed at a scene, or of its feed for no scene (`ids.NO_SCENE`)."""
    return audience + scene.to_bytes(2, "big") if scene else audience


def device_feed(device: bytes) -> bytes:
    """Return the name of a device's own feed."""
    return b"d" + device


def device_of(feed: bytes) -> Kid | None:
    """Return the device whose own feed this is, or None for an audience's, which is of another length."""
    return Kid(feed[1:]) if len(feed) == 1 + ID_BYTES else None


def commitment(salt: bytes, digest: bytes, op: str) -> bytes:
    """Return what a `skip` carries in place of the entry."""
    return hashlib.sha256(salt + digest + op.encode()).digest()


async def append(
    connection: AsyncConnection, partnership: bytes, entries: Sequence[NewEntry], random: Callable[[int], bytes]
) -> None:
    """Write the entries in their order, each at the next number of its feed."""
    if not entries:
        return
    feeds = sorted({entry.feed for entry in entries})
    found = await connection.execute(_heads_of, {"partnership": partnership, "feeds": feeds})
    heads: Counter[bytes] = Counter({row.feed: row.seq for row in found})
    new = [feed for feed in feeds if feed not in heads]
    salts = random(SALT_BYTES * len(entries))
    rows = []
    for number, (feed, op, digest, *rest) in enumerate(entries):
        heads[feed] += 1
        salt = salts[SALT_BYTES * number : SALT_BYTES * (number + 1)]
        rows.append((partnership, feed, heads[feed], op, digest, salt, *rest, False))
    await _insert_entry.run(connection, rows)
    # After the insert, because a version and the one that takes it back may come in one transaction.
    ended = [(True, partnership, entry.feed, entry.digest, BASE) for entry in entries if entry.op == "drop"]
    await _end_entry.run(connection, ended)
    if new:
        generation = await restores.generation(connection, partnership)
        await _insert_head.run(connection, [(partnership, feed, generation, heads[feed]) for feed in new])
    old = set(feeds) - set(new)
    await _move_head.run(connection, [(heads[feed], partnership, feed) for feed in feeds if feed in old])


async def news(
    connection: AsyncConnection, partnership: bytes, ranges: Sequence[tuple[bytes, bytes]]
) -> tuple[list[FeedHead], list[tuple[bytes, int, bytes]]]:
    """Return the heads of all feeds within the ranges, and every directory's head, in one query.

    A range is from its first name to before its second; there are at most `RANGES`.
    """
    given: dict[str, object] = {"partnership": partnership}
    for number in range(RANGES):
        first, end = ranges[number] if number < len(ranges) else _NOWHERE
        given |= {f"from{number}": first, f"to{number}": end}
    heads, chains = list[FeedHead](), list[tuple[bytes, int, bytes]]()
    for name, generation, seq, hash_ in await connection.execute(_news, given):
        if generation < 0:
            chains.append((name, seq, hash_))
        else:
            heads.append(FeedHead(name, generation, seq))
    return heads, chains


async def page(
    connection: AsyncConnection, partnership: bytes, feed: bytes, after: int, limit: int
) -> list[StoredEntry]:
    """Return at most `limit` entries of a feed that follow number `after`."""
    given = {"partnership": partnership, "feed": feed, "after": after, "limit": limit}
    return [StoredEntry._make(row) for row in await connection.execute(_page, given)]


async def past(
    connection: AsyncConnection, partnership: bytes, feed: bytes, below: int, limit: int
) -> list[StoredEntry]:
    """Return at most `limit` entries of a feed before number `below`, the latest first."""
    given = {"partnership": partnership, "feed": feed, "below": below, "limit": limit}
    return [StoredEntry._make(row) for row in await connection.execute(_past, given)]


async def placed(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> list[Placed]:
    """Return where versions were put and dropped, each feed in its order."""
    if not digests:
        return []
    given = {"partnership": partnership, "digests": list(digests)}
    return [Placed._make(row) for row in await connection.execute(_placed, given)]


async def sealed(connection: AsyncConnection, partnership: bytes, feed: bytes, digest: bytes) -> Sealed | None:
    """Return what a feed holds of a version by a seal of the report itself, or None."""
    given = {"partnership": partnership, "feed": feed, "digest": digest}
    row = (await connection.execute(_sealed, given)).first()
    return None if row is None else Sealed._make(row)
