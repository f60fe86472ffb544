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

from sqlalchemy import LargeBinary, and_, bindparam, literal, null, or_, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.ids import DIGEST_BYTES, ID_BYTES, Kid
from sluss_server.storage import restores
from sluss_server.storage.bulk import insert_all, update_by
from sluss_server.storage.tables import directory_heads, feed_entries, feed_heads, grants, records, reports

SALT_BYTES: Final = 32
BASE, GRANT, OPENED, CASE = 0, 1, 2, 3
"""Why a recipient holds an entry: a seal of the report itself, a grant, a supervisor's record; or a case record."""
RANGES: Final = 4
"""Ranges of feeds in one question about heads: a device has its own feed and at most three functions."""
_NOWHERE: Final = (b"", b"")


class NewEntry(NamedTuple):
    """An entry without its number; a `drop` or `erase` has no recipient, seal or wraps, a `case` only its recipient.

    The digest of a `case` is the record's; that of a `drop` is D, or D and the grant's id for what a grant gave.
    """

    feed: bytes
    op: Literal["put", "drop", "erase", "case"]
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
    """An entry and, for a `put`, the report that it is about, from `agency` on; for a `case`, the record.

    What the entry is not about is None, also where the type does not say so: a `put` always has its report.
    """

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
    record: bytes | None
    record_signature: bytes | None
    grant_excerpts: bytes | None = None
    grant_begins: int | None = None
    grant_ended: int | None = None
    received_at: int | None = None


class Placed(NamedTuple):
    """That a feed was given, or lost, a version."""

    feed: bytes
    op: str
    digest: bytes
    via: int


class Held(NamedTuple):
    """That a feed holds a version now, and by what; a grant's id and gateway where it was that."""

    feed: bytes
    digest: bytes
    via: int
    recipient: bytes
    grant_id: bytes | None
    gateway: str | None
    wraps: bytes
    seal: bytes | None
    not_after: int | None


class Live(NamedTuple):
    """An entry that a feed holds of a report, as far as what the pack gives now is decided from it."""

    feed: bytes
    seq: int
    digest: bytes
    via: int
    recipient: bytes
    grant_id: bytes | None
    gateway: str | None
    not_after: int | None
    seal: bytes | None
    wraps: bytes
    agency: bytes
    kind: int
    tiers: bytes


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
_end_granted: Final = update_by(feed_entries, ("partnership_id", "feed", "digest", "via", "grant_id"), ("ended",))

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
        *(feed_entries.c[name] for name in StoredEntry._fields[: StoredEntry._fields.index("agency")]),
        reports.c.agency,
        reports.c.kind,
        reports.c.manifest,
        reports.c.signature,
        reports.c.tiers,
        reports.c.sections,
        grants.c.grant_bytes,
        grants.c.signature.label("grant_signature"),
        records.c.record,
        records.c.signature.label("record_signature"),
        grants.c.excerpts.label("grant_excerpts"),
        grants.c.not_before.label("grant_begins"),
        grants.c.ended_at.label("grant_ended"),
        reports.c.received_at,
    )
    .select_from(
        feed_entries.outerjoin(
            reports,
            and_(reports.c.partnership_id == feed_entries.c.partnership_id, reports.c.digest == feed_entries.c.digest),
        )
        .outerjoin(
            grants,
            and_(
                grants.c.partnership_id == feed_entries.c.partnership_id,
                grants.c.agency == reports.c.agency,
                grants.c.grant_id == feed_entries.c.grant_id,
            ),
        )
        .outerjoin(
            records,
            and_(
                records.c.partnership_id == feed_entries.c.partnership_id,
                records.c.record_digest == feed_entries.c.digest,
                feed_entries.c.via == CASE,
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

_held: Final = (
    select(*(feed_entries.c[name] for name in Held._fields))
    .where(
        feed_entries.c.partnership_id == _bytes("partnership"),
        feed_entries.c.digest.in_(bindparam("digests", expanding=True)),
        feed_entries.c.op == "put",
        feed_entries.c.ended.is_(False),
    )
    .order_by(feed_entries.c.feed, feed_entries.c.seq)
)

_live: Final = (
    select(
        *(feed_entries.c[name] for name in Live._fields[:10]),
        reports.c.agency,
        reports.c.kind,
        reports.c.tiers,
    )
    .select_from(
        feed_entries.join(
            reports,
            and_(reports.c.partnership_id == feed_entries.c.partnership_id, reports.c.digest == feed_entries.c.digest),
        )
    )
    .where(
        feed_entries.c.partnership_id == _bytes("partnership"),
        tuple_(feed_entries.c.feed, feed_entries.c.seq) > tuple_(_bytes("feed"), bindparam("seq")),
        feed_entries.c.op == "put",
        feed_entries.c.ended.is_(False),
    )
    .order_by(feed_entries.c.feed, feed_entries.c.seq)
    .limit(bindparam("limit"))
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
    drops = [entry for entry in entries if entry.op == "drop"]
    ended = [(True, partnership, one.feed, one.digest, BASE) for one in drops if len(one.digest) == DIGEST_BYTES]
    await _end_entry.run(connection, ended)
    await _end_granted.run(connection, [_granted(partnership, one) for one in drops if len(one.digest) > DIGEST_BYTES])
    if new:
        generation = await restores.generation(connection, partnership)
        await _insert_head.run(connection, [(partnership, feed, generation, heads[feed]) for feed in new])
    old = set(feeds) - set(new)
    await _move_head.run(connection, [(heads[feed], partnership, feed) for feed in feeds if feed in old])


def _granted(partnership: bytes, drop: NewEntry) -> tuple[object, ...]:
    """Return the end of what a grant gave, by a `drop` that names D and the grant."""
    about, grant_id = drop.digest[:DIGEST_BYTES], drop.digest[DIGEST_BYTES:]
    return True, partnership, drop.feed, about, GRANT, grant_id


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


async def held(connection: AsyncConnection, partnership: bytes, digests: Sequence[bytes]) -> list[Held]:
    """Return which feeds hold these versions, each feed in its order; what was taken back is held no longer."""
    if not digests:
        return []
    given = {"partnership": partnership, "digests": list(digests)}
    return [Held._make(row) for row in await connection.execute(_held, given)]


async def live(connection: AsyncConnection, partnership: bytes, after: tuple[bytes, int], limit: int) -> list[Live]:
    """Return what feeds hold of reports, in the order of feeds and numbers, from after a feed and number."""
    given = {"partnership": partnership, "feed": after[0], "seq": after[1], "limit": limit}
    return [Live._make(row) for row in await connection.execute(_live, given)]


async def sealed(connection: AsyncConnection, partnership: bytes, feed: bytes, digest: bytes) -> Sealed | None:
    """Return what a feed holds of a version by a seal of the report itself, or None."""
    given = {"partnership": partnership, "feed": feed, "digest": digest}
    row = (await connection.execute(_sealed, given)).first()
    return None if row is None else Sealed._make(row)
