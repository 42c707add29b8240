"""What nobody used for so long goes; what is in use, or younger, stays."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from empathy_r1.storage.audit import entries
from empathy_r1.storage.erasure import erase
from empathy_r1.storage.registers import AuditRow, RateRow
from empathy_r1.storage.retention import sweep
from empathy_r1.storage.tables import SessionRow, TurnRow


async def aged(store, days, **kind):
    session = await store.session(**kind)
    await store.talk(session, "a post", "a reply")
    at = datetime.now(UTC) - timedelta(days=days)
    await store.set(SessionRow, {"last_active": at}, SessionRow.id == session)
    return session


async def left(store):
    async with store.db.read() as db:
        return set(await db.scalars(select(SessionRow.id)))


async def test_old_sessions_go_and_young_ones_stay(store):
    young = await aged(store, 29)
    for number in range(5):
        await aged(store, 31 + number, tenant="ab"[number % 2])
    swept = await sweep(store.db, days=30, audit_days=None, batch=2)
    assert await left(store) == {young}
    assert swept.sessions == 5
    assert swept.rows == {"events": 10, "stages": 5, "turns": 5, "sessions": 5}
    log = await entries(store.db)
    assert sum(entry.action == "session.erased" for entry in log) == 5
    assert {entry.actor for entry in log} == {"sweeper"}
    assert {entry.subject for entry in log if entry.action == "erasure.receipt"} == set(swept.receipts)
    assert (await sweep(store.db, days=30, audit_days=None)).sessions == 0


async def test_without_a_time_everything_stays(store):
    session = await aged(store, 10_000)
    await sweep(store.db, days=None, audit_days=None)
    assert await left(store) == {session}


async def test_a_session_with_a_turn_to_answer_stays(store):
    session = await aged(store, 100)
    await store.set(TurnRow, {"status": "accepted"}, TurnRow.session_id == session)
    await sweep(store.db, days=30, audit_days=None)
    assert await left(store) == {session}


async def test_the_audit_log_is_swept_after_its_own_time_and_never_before_thirty_days(store):
    for days in (1, 31, 200):
        at = datetime.now(UTC) - timedelta(days=days)
        async with store.db.write() as db:
            await db.execute(insert(AuditRow).values(at=at, actor="operator", action="x", subject=f"{days}"))
    await sweep(store.db, days=None, audit_days=100)
    assert [entry.subject for entry in await entries(store.db)] == ["1", "31"]
    await sweep(store.db, days=None, audit_days=0)
    assert [entry.subject for entry in await entries(store.db)] == ["1"]


async def test_rates_that_nobody_uses_go(store):
    async with store.db.write() as db:
        await db.execute(insert(RateRow).values(tenant="old", paid_until=1.0))
    assert (await sweep(store.db, days=None, audit_days=None)).rows == {"rates": 1}


async def test_a_session_that_is_used_while_the_sweep_begins_stays(store):
    session = await aged(store, 100)
    since = datetime.now(UTC) - timedelta(days=30)
    await store.set(SessionRow, {"last_active": datetime.now(UTC)}, SessionRow.id == session)
    done = await erase(store.db, [session], tenant="default", actor="sweeper", unused_since=since)
    assert not any(done.rows.values())
    assert await left(store) == {session}
    assert len(await store.journal.of_session(session)) == 1


async def test_a_post_that_comes_in_while_the_sweep_waits_for_its_session_saves_it(store):
    """The sweep has chosen the session; a post holds its row, and commits: the sweep looks again."""
    if store.db.engine.dialect.name == "sqlite":
        pytest.skip("on SQLite one waits for the other before it looks")
    session = await aged(store, 100)
    since = datetime.now(UTC) - timedelta(days=30)
    async with store.db.write() as db:
        await db.execute(select(SessionRow.id).where(SessionRow.id == session).with_for_update())
        sweeping = asyncio.create_task(
            erase(store.db, [session], tenant="default", actor="sweeper", unused_since=since)
        )
        await asyncio.sleep(0.5)
        await db.execute(update(SessionRow).where(SessionRow.id == session).values(last_active=datetime.now(UTC)))
    assert (await sweeping).sessions == 0
    assert await left(store) == {session}
