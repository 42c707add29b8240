"""The audit log is only ever added to: the database itself refuses the rest."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from empathy_r1.storage import audit
from empathy_r1.storage.audit import entries
from empathy_r1.storage.registers import AuditRow


async def add(store, *, days_ago=0.0, subject="s_1", tenant="a"):
    async with store.db.write() as db:
        await db.execute(
            insert(AuditRow).values(
                at=datetime.now(UTC) - timedelta(days=days_ago),
                tenant=tenant,
                actor="operator",
                action="session.erased",
                subject=subject,
            )
        )


@pytest.mark.parametrize("statement", [update(AuditRow).values(actor="nobody"), delete(AuditRow)])
async def test_entries_are_not_changed_nor_taken_back(store, statement):
    await add(store)
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.db.write() as db:
            await db.execute(statement)
    assert [entry.actor for entry in await entries(store.db)] == ["operator"]


async def test_the_table_is_not_emptied(store):
    if store.db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.db.write() as db:
            await db.execute(text("TRUNCATE audit"))


async def test_entries_older_than_thirty_days_may_go_but_not_change(store):
    await add(store, days_ago=30.1)
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.db.write() as db:
            await db.execute(update(AuditRow).values(actor="nobody"))
    async with store.db.write() as db:
        assert (await db.execute(delete(AuditRow))).rowcount == 1


async def test_an_entry_of_29_days_stays(store):
    await add(store, days_ago=29.9)
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.db.write() as db:
            await db.execute(delete(AuditRow))


async def test_entries_are_read_by_tenant_and_subject_in_pages(store):
    for number in range(5):
        await add(store, subject=f"s_{number}", tenant="ab"[number % 2])
    assert [e.subject for e in await entries(store.db, tenant="a")] == ["s_0", "s_2", "s_4"]
    assert [e.subject for e in await entries(store.db, subject="s_1")] == ["s_1"]
    first = await entries(store.db, limit=2)
    assert [e.subject for e in await entries(store.db, after=first[-1].id, limit=2)] == ["s_2", "s_3"]


async def test_nothing_is_written_for_nobody(store):
    async with store.db.write() as db:
        await audit.write(db, "session.erased", [], tenant=None, actor="operator")
    assert await entries(store.db) == []
