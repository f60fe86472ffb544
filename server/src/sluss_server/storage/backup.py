"""Backups: everything that the database holds, in one file that either engine takes back.

A line that names the format; then frames, each its length (4 bytes, big-endian) and as many bytes of MessagePack: one
`Header`, for every table one `Table` and the `Rows` of it, one `End`; then SHA-256 over all that stands before it.
Tables and columns are read from the database itself, so that one of an older revision can be backed up as it is.
Refuses to judge what stands in a row, and a file whose digest is not its content's.

> INVARIANT: what is read is the caller's one snapshot, what is written the caller's one transaction, and neither side
> holds more than one frame in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
from sqlalchemy import Connection, MetaData, Table, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluss_schemas.problems import Invalid
from sluss_server.storage.bulk import Prepared

FORMAT: Final = 1
_MAGIC: Final = b"sluss backup\n"
_VERSION_TABLE: Final = "alembic_version"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 4
_BLOCK: Final = 1 << 20
_BATCH: Final = 100
"""Rows in a frame: a row is some kilobytes, and a megabyte or two at most."""

Tell = Callable[[int], None]
"""Is told how many rows there were so far."""


class Header(msgspec.Struct, frozen=True, array_like=True, tag="header"):
    """What the file is: its format, the schema's revision, when it was made (Unix seconds), whose it is.

    `receipt_key` is the seed of the key that signs receipts: agencies pin its public half, so a restored server needs
    the very same one.
    """

    format: int
    revision: str
    made_at: int
    instance: bytes
    receipt_key: bytes


class Rowset(msgspec.Struct, frozen=True, array_like=True, tag="table"):
    """The rows that follow are of this table, and their values of these columns."""

    table: str
    columns: tuple[str, ...]


class Rows(msgspec.Struct, frozen=True, array_like=True, tag="rows"):
    """Some rows; a value is a number, text, bytes, a truth value or nothing."""

    rows: list[tuple[Any, ...]]


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """Nothing follows; there were so many rows in all."""

    rows: int


Frame = Header | Rowset | Rows | End
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Frame]] = msgspec.msgpack.Decoder(Frame)


async def write(connection: AsyncConnection, out: BinaryIO, header: Header, tell: Tell) -> int:
    """Write everything that the connection sees, and return how many rows it was.

    Raises:
        OSError: the file cannot be written.

    """
    digest = hashlib.sha256()

    def put(data: bytes) -> None:
        digest.update(data)
        out.write(data)

    def frame(what: Frame) -> None:
        data = _encoder.encode(what)
        put(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    count = 0
    put(_MAGIC)
    frame(header)
    for table in await connection.run_sync(_tables):
        frame(Rowset(str(table.name), tuple(str(column.name) for column in table.columns)))
        found = await connection.stream(select(table).execution_options(yield_per=_BATCH))
        async for part in found.partitions():
            frame(Rows([tuple(row) for row in part]))
            count += len(part)
            tell(count)
    frame(End(count))
    out.write(digest.digest())
    return count


def verify(file: BinaryIO) -> Header:
    """Read a whole file, to its digest, and return its header; the next read is of the frame after it.

    Raises:
        Invalid: `backup_damaged`.

    """
    if file.read(len(_MAGIC)) != _MAGIC:
        raise Invalid("backup_damaged")
    digest, last = hashlib.sha256(_MAGIC), b""
    while block := file.read(_BLOCK):
        last += block
        digest.update(last[:-_DIGEST_BYTES])
        last = last[-_DIGEST_BYTES:]
    if digest.digest() != last:
        raise Invalid("backup_damaged")
    file.seek(len(_MAGIC))
    header = _next(file)
    if not isinstance(header, Header) or header.format != FORMAT:
        raise Invalid("backup_damaged", say="Restore with the version of Sluss that made this backup, or a later one.")
    return header


async def fill(connection: AsyncConnection, file: BinaryIO, tell: Tell) -> int:
    """Write every row of a verified file into empty tables of its revision, and return how many there were.

    Raises:
        Invalid: `backup_damaged`.

    """
    tables = {table.name: table for table in await connection.run_sync(_tables)}
    insertion: Prepared | None = None
    count = 0
    for frame in _frames(file):
        if isinstance(frame, Rowset):
            insertion = _insertion(tables.get(frame.table), frame.columns)
        elif isinstance(frame, Rows) and insertion is not None:
            await insertion.run(connection, frame.rows)
            count += len(frame.rows)
            tell(count)
        elif isinstance(frame, End) and frame.rows == count:
            return count
        else:
            break
    raise Invalid("backup_damaged")


async def is_empty(connection: AsyncConnection) -> bool:
    """Tell whether there is no table yet, of ours or of anybody."""
    return not await connection.run_sync(_reflected)


def _frames(file: BinaryIO) -> Iterator[Frame]:
    while True:
        yield _next(file)


def _next(file: BinaryIO) -> Frame:
    size = int.from_bytes(file.read(_LENGTH_BYTES), "big")
    try:
        return _decoder.decode(file.read(size))
    except msgspec.DecodeError:
        raise Invalid("backup_damaged") from None


def _reflected(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return found.sorted_tables


def _tables(connection: Connection) -> list[Table]:
    return [table for table in _reflected(connection) if table.name != _VERSION_TABLE]


def _insertion(table: Table | None, columns: tuple[str, ...]) -> Prepared:
    if table is None or {column.name for column in table.columns} != set(columns):
        raise Invalid("backup_damaged")
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return Prepared(insert(table).values(values), columns)
