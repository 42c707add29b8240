"""The schema: made from nothing and from every revision with rows in it, once, and told from one that does not fit."""

import asyncio
import re
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, DateTime, LargeBinary, MetaData, String, func, insert, select, text

from empathy_r1.storage import Database, KeyRing, migrate
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.errors import SchemaError, StorageError
from empathy_r1.storage.rotation import SEALED
from empathy_r1.storage.tables import Base

from support.stores import Store

REVISIONS = sorted(s.revision for s in ScriptDirectory.from_config(migrate._config()).walk_revisions())
STATUS = "committed"


@asynccontextmanager
async def opened(address):
    database = Database(address)
    try:
        yield database
    finally:
        await database.close()


async def bring_to(address, revision):
    """The schema as a release of `revision` left it."""
    async with opened(address) as database, database.write() as connection:
        await connection.run_sync(lambda c: command.upgrade(migrate._config(c), revision))


async def fill(address, keys):
    """One row in every table, whatever its columns are by then."""
    ring, made, found = KeyRing(keys), {}, MetaData()
    async with opened(address) as database, database.write() as db:
        await db.run_sync(found.reflect)
        for table in found.sorted_tables:
            if table.name in ("alembic_version", "schema_compat"):
                continue
            row = {}
            for column in table.columns:
                if column.foreign_keys:
                    row[column.name] = made[next(iter(column.foreign_keys)).column.table.name]
                elif isinstance(column.type, JSON):
                    row[column.name] = [] if table.name == "api_keys" else None
                elif isinstance(column.type, DateTime):
                    row[column.name] = datetime.now(UTC)
                elif isinstance(column.type, String):
                    row[column.name] = STATUS if column.name == "status" else uuid.uuid4().hex[: column.type.length]
                elif isinstance(column.type, LargeBinary):
                    row[column.name] = b""
                else:
                    row[column.name] = column.type.python_type(1)
            key = [row[name.name] for name in table.primary_key]
            for column, place in SEALED:
                if column.class_.__tablename__ == table.name and column.key in row:
                    row[column.key] = ring.seal("{}", place(key))
            made[table.name] = row.get("id")
            await db.execute(insert(table).values(**row))
    return made


async def counts(address):
    found = MetaData()
    async with opened(address) as database, database.read() as db:
        await db.run_sync(found.reflect)
        return {
            table.name: await db.scalar(select(func.count()).select_from(table))
            for table in found.tables.values()
            if table.name not in ("alembic_version", "schema_compat")
        }


async def differences(address):
    async with opened(address) as database, database.read() as db:
        return await db.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), Base.metadata))


def test_revisions_are_numbers_in_order():
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
    assert migrate.head() == REVISIONS[-1]


async def test_the_migrations_make_what_the_tables_say(database_url):
    assert await migrate.upgrade(database_url) == migrate.head()
    assert await differences(database_url) == []
    await migrate.check(database_url)
    assert await migrate.upgrade(database_url) == migrate.head()


@pytest.mark.parametrize("revision", REVISIONS)
async def test_rows_of_every_revision_are_there_after_the_upgrade_and_back(database_url, revision):
    keys = new_key("k1")
    await bring_to(database_url, revision)
    made = await fill(database_url, keys)
    before = await counts(database_url)
    await migrate.upgrade(database_url)
    assert await differences(database_url) == []
    store = Store(database_url, keys)
    (turn,) = await store.journal.of_session(made["sessions"])
    assert turn.post == "{}"
    assert (await store.sessions.get(made["sessions"])).metadata == {}
    await store.db.close()
    assert {name: count for name, count in (await counts(database_url)).items() if name in before} == before
    assert await migrate.downgrade(database_url, revision) == revision
    assert await counts(database_url) == before
    assert await migrate.upgrade(database_url) == migrate.head()
    assert await differences(database_url) == []


async def test_processes_that_start_together_migrate_once(database_url):
    code = (
        "import asyncio, sys; from empathy_r1.storage import migrate; sys.stdin.readline(); "
        "print(asyncio.run(migrate.upgrade(sys.argv[1])))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, database_url], stdin=-1, stdout=-1, stderr=-1, text=True)
        for _ in range(3)
    ]
    await asyncio.sleep(3)  # all of them have read their code by then
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [await asyncio.to_thread(process.communicate, timeout=120) for process in processes]
    assert [out.strip() for out, _ in said] == [migrate.head()] * 3, [err[-500:] for _, err in said]
    assert await differences(database_url) == []


async def newer(address, *, oldest):
    """The schema of a release after this one: one more column and table, of which this code knows nothing."""
    async with opened(address) as database, database.write() as db:
        await db.execute(text("ALTER TABLE sessions ADD COLUMN later TEXT"))
        await db.execute(text("CREATE TABLE later (id INTEGER PRIMARY KEY)"))
        await db.execute(text("UPDATE alembic_version SET version_num = '9000'"))
        await db.execute(text("UPDATE schema_compat SET oldest = :oldest"), {"oldest": oldest})


async def test_this_code_works_on_a_newer_schema_that_only_adds(database_url):
    store = await Store.open(database_url)
    before = await store.session()
    await newer(database_url, oldest=migrate.head())
    await migrate.check(database_url)
    assert await migrate.upgrade(database_url) == "9000"
    session = await store.session(metadata={"a": 1})
    await store.talk(session, "a post", "a reply")
    assert [turn.post for turn in await store.journal.of_session(session)] == ["a post"]
    assert {record.id for record in await store.sessions.newest(9)} == {session, before}
    await store.db.close()


async def test_a_newer_schema_that_does_not_fit_is_refused(database_url):
    await migrate.upgrade(database_url)
    await newer(database_url, oldest="9000")
    for attempt in (migrate.check, migrate.upgrade):
        with pytest.raises(SchemaError, match=r"at revision 9000.*install the newer release"):
            await attempt(database_url)


async def test_an_empty_or_older_database_is_not_worked_on(database_url):
    with pytest.raises(SchemaError, match=r"missing.*db upgrade"):
        await migrate.check(database_url)
    await bring_to(database_url, "0001")
    with pytest.raises(SchemaError, match=r"at revision 0001.*db upgrade"):
        await migrate.check(database_url)


@pytest.mark.parametrize("revision", ["0009", "base", "", "-1"])
async def test_there_is_no_way_down_to_nowhere(database_url, revision):
    await migrate.upgrade(database_url)
    with pytest.raises(SchemaError, match=re.escape(f"cannot go down to {revision!r}")):
        await migrate.downgrade(database_url, revision)


async def test_a_database_that_is_not_there_is_named_as_such():
    with pytest.raises(StorageError, match="cannot be reached"):
        await migrate.upgrade("postgresql+psycopg://nobody@127.0.0.1:1/none")
