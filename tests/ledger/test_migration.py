"""Ledgers that were there before their trees get them, the same as if they had always had them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select

from sluss_schemas.codec import encode
from sluss_server.storage import ledger, schema, tables
from sluss_server.storage.engine import open_engine
from sluss_server.storage.ledger import Leaf

from tests.ledger import naive

WHOSE, AGENCY, OTHER = b"p" * 16, b"a" * 16, b"b" * 16


def _to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_a_ledger_of_before_gets_its_tree(tmp_path: Path) -> None:
    old, new = open_engine(f"sqlite:///{tmp_path}/old.db"), open_engine(f"sqlite:///{tmp_path}/new.db")
    await schema.migrate(new)
    leaves = [Leaf(OTHER if at % 9 == 0 else AGENCY, "test", encode(("test", at))) for at in range(1_200)]
    writer = await new.writer_connection()
    async with writer.begin():
        await ledger.append(writer, WHOSE, leaves, lambda size: b"s" * size)
    rows = (await writer.execute(select(tables.ledger_leaves))).mappings().all()
    heads = (await writer.execute(select(tables.ledger_heads))).mappings().all()
    await writer.close()

    connection = await old.writer_connection()
    async with connection.begin():
        await connection.run_sync(_to, "0006")
        await connection.execute(tables.ledger_leaves.insert(), [dict(row) for row in rows])
        for head in heads:
            await connection.exec_driver_sql(
                "INSERT INTO ledger_heads (partnership_id, agency, seq) VALUES (?, ?, ?)",
                (head["partnership_id"], head["agency"], head["seq"]),
            )
    await connection.close()
    await schema.migrate(old)

    found = []
    for engine in (old, new):
        async with engine.read() as reader:
            nodes = await reader.execute(select(tables.ledger_nodes).order_by(*tables.ledger_nodes.c))
            peaks = await reader.execute(select(tables.ledger_heads).order_by(tables.ledger_heads.c.agency))
            found.append(([tuple(one) for one in nodes], [tuple(one) for one in peaks]))
            tree = await ledger.tree(reader, WHOSE, AGENCY)
            stored = await ledger.leaves_after(reader, WHOSE, AGENCY, 0, 10_000)
            assert tree.root == naive.mth([encode((one.action, one.leaf)) for one in stored])
        await engine.close()
    assert found[0] == found[1]
