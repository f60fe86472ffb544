"""The migrations build the tables that the program uses, and nothing runs on any other schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, SelectBase, inspect
from sqlalchemy.dialects.postgresql import asyncpg

from sluss_schemas.problems import Invalid
from sluss_server.storage import (
    checkpoints,
    custody,
    directory,
    disclosure,
    enrolment,
    facts,
    feeds,
    heads,
    keys,
    ledger,
    readings,
    reports,
    restores,
    schema,
)
from sluss_server.storage.bulk import Prepared
from sluss_server.storage.engine import open_engine
from sluss_server.storage.tables import metadata

from tests.server.town import Town


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def _shape(connection: Connection) -> dict[str, tuple[object, ...]]:
    found = inspect(connection)
    return {
        name: (
            [(one["name"], str(one["type"]), one["nullable"]) for one in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((str(one["name"]), one["column_names"]) for one in found.get_indexes(name)),
            sorted((str(one["name"]), one["column_names"]) for one in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


async def test_the_migrations_build_what_the_tables_say(tmp_path: Path) -> None:
    migrated, made = open_engine(f"sqlite:///{tmp_path}/migrated.db"), open_engine(f"sqlite:///{tmp_path}/made.db")
    await schema.migrate(migrated)
    connection = await made.writer_connection()
    async with connection.begin():
        await connection.run_sync(metadata.create_all)
    await connection.close()

    async with migrated.read() as one, made.read() as other:
        differences = await one.run_sync(_differences)
        shapes = (await one.run_sync(_shape), await other.run_sync(_shape))

    await migrated.close()
    await made.close()
    assert differences == []
    assert shapes[0] == shapes[1]
    assert set(shapes[0]) == set(metadata.tables)


def test_every_table_begins_its_key_with_the_partnership() -> None:
    firsts = {name: next(iter(table.primary_key.columns)).name for name, table in metadata.tables.items()}

    assert set(firsts.values()) == {"partnership_id"}


async def test_a_new_database_has_no_revision_and_a_migrated_one_the_head(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")

    before = await schema.current(engine)
    first, again = await schema.migrate(engine), await schema.migrate(engine)
    after = await schema.current(engine)
    await engine.close()

    assert (before, first, again, after) == (None, schema.head(), schema.head(), schema.head())


async def test_the_server_is_ready_on_its_own_schema_and_on_no_other(tmp_path: Path) -> None:
    town = await Town(tmp_path / "ready.db").open()
    await town.services.ready()

    await town.writer.submit(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")
    )
    with pytest.raises(Invalid, match="sluss migrate"):
        await town.services.ready()
    await town.close()


async def test_wraps_of_before_their_makers_were_kept_are_still_there(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.db")
    connection = await engine.writer_connection()
    async with connection.begin():
        await connection.run_sync(_upgrade_to, "0002")
        await connection.exec_driver_sql("INSERT INTO epoch_wraps VALUES (x'01', x'02', x'03', x'04', 5, 1, x'06')")
    await connection.close()

    await schema.migrate(engine)
    async with engine.read() as reader:
        [wrap] = await keys.wraps_for(reader, b"\x01", b"\x02", b"\x03")

    await engine.close()
    assert wrap == keys.WrapRow(b"\x01", b"\x02", b"\x03", b"\x04", 5, True, b"", b"\x06")  # noqa: FBT003  # a row


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _statements() -> Iterator[tuple[str, object]]:
    modules = (checkpoints, custody, directory, disclosure, enrolment, facts, feeds, heads, keys, ledger, readings)
    for module in (*modules, reports, restores):
        yield from ((f"{module.__name__}.{name}", one) for name, one in vars(module).items())


def test_every_prepared_statement_is_also_postgresqls() -> None:
    dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has not typed it
    names = list[str]()

    for name, statement in _statements():
        if isinstance(statement, Prepared):
            text, _ = statement._write(dialect)
            assert "$1" in text
            names.append(name)
        elif isinstance(statement, SelectBase):
            statement.compile(dialect=dialect)
            names.append(name)

    assert len(names) > 30
