"""After an erasure nothing of the person stands in the database's files: no plain text ever, and no sealed bytes."""

import asyncio
import sqlite3

import pytest

from empathy_r1.storage import Consents, Database
from empathy_r1.storage.audit import entries
from empathy_r1.storage.erasure import compact, empty_log, erase

from support.raw_files import files, found
from support.stores import Store

POST = "我把那封没寄出的信折好放进抽屉 the letter that I never sent"
REPLY = "那封信里有很多没说出口的话 there is much in that letter"
WORDS = [text.encode() for text in (POST, REPLY, "note-of-the-host", "没寄出", "never sent")]


async def busy(store, sessions=20, turns=4):
    """Sessions of several people, among them one that is erased; returns it, its sealed bytes, and theirs."""
    others = []
    for _ in range(sessions // 2):
        others.append(await store.session(metadata={"note": "else"}))
        await store.talk(others[-1], "another post " * 20, "another reply " * 30, turns=turns)
    theirs = await store.sealed()
    mine = await store.session(user="ann", metadata={"note": "note-of-the-host"})
    await store.talk(mine, POST * 8, REPLY * 8, turns=turns)
    await Consents(store.db).record(mine, "training", "1", given=True, actor="token")
    sealed = [field for field in await store.sealed() if field not in theirs]
    for _ in range(sessions // 2):
        others.append(await store.session(metadata={"note": "else"}))
        await store.talk(others[-1], "another post " * 20, "another reply " * 30, turns=turns)
    return mine, sealed, others


async def test_the_receipt_says_what_went_and_the_log_says_who_did_it(store):
    mine, _, others = await busy(store)
    done = await erase(store.db, [mine], tenant="default", actor="token")
    assert done.sessions == 1
    assert done.rows == {"events": 8, "stages": 4, "turns": 4, "handovers": 0, "sessions": 1, "consents": 1}
    assert await store.sessions.get(mine) is None
    assert len(await store.journal.of_session(others[0])) == 4
    log = await entries(store.db)
    assert [(e.action, e.subject) for e in log[-2:]] == [("session.erased", mine), ("erasure.receipt", done.receipt_id)]
    assert log[-1].counts == done.rows
    again = await erase(store.db, [mine], tenant="default", actor="token")
    assert again.sessions == 0
    assert not any(again.rows.values())


async def test_what_was_said_stands_in_no_file_in_plain_before_or_after(store):
    mine, sealed, _ = await busy(store)
    await empty_log(store.db)
    assert await found(store, WORDS, log=True) == []
    assert await found(store, sealed), "the search finds what is there"
    await erase(store.db, [mine], tenant="default", actor="token")
    assert await found(store, WORDS, log=True) == []


async def test_after_an_erasure_sqlite_holds_no_sealed_byte_of_it(store):
    if store.db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL overwrites nothing: see the next test")
    mine, sealed, _ = await busy(store)
    assert await found(store, sealed)
    await erase(store.db, [mine], tenant="default", actor="token")
    pieces = [field[5:37] for field in sealed] + [field[-16:] for field in sealed]
    assert await found(store, pieces) == []
    assert (await files(store)).get("test.db-wal", b"") == b""


async def test_after_a_compaction_no_table_holds_a_sealed_byte_of_it(store):
    mine, sealed, others = await busy(store)
    await erase(store.db, [mine], tenant="default", actor="token")
    await compact(store.db)
    pieces = [field[5:37] for field in sealed] + [field[-16:] for field in sealed]
    assert await found(store, pieces) == []
    assert len(await store.journal.of_session(others[-1])) == 4


async def test_a_reader_that_stays_delays_the_emptying_of_the_log_only(store):
    if store.db.engine.dialect.name != "sqlite":
        pytest.skip("of SQLite's log")
    mine, sealed, _ = await busy(store, sessions=4)
    reader = sqlite3.connect(store.address.partition(":///")[2], isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM turns").fetchone()
    await erase(store.db, [mine], tenant="default", actor="token")
    assert await store.sessions.get(mine) is None
    assert not await empty_log(store.db)
    reader.close()
    assert await empty_log(store.db)
    assert await found(store, [field[5:37] for field in sealed]) == []


async def test_erasing_beside_writers_leaves_nothing_of_the_erased(store):
    mine, sealed, _ = await busy(store, sessions=6)
    writing = Store(store.address, store.keys)

    async def write():
        for _ in range(6):
            await writing.talk(await writing.session(), "more posts", "more replies", turns=2)

    await asyncio.gather(write(), erase(store.db, [mine], tenant="default", actor="token"))
    await writing.db.close()
    await empty_log(store.db)
    if store.db.engine.dialect.name != "sqlite":
        await compact(store.db)
    assert await found(store, [field[5:37] for field in sealed]) == []


async def test_a_database_in_memory_is_erased_too():
    database = Database("sqlite+aiosqlite:///:memory:")
    assert await empty_log(database)
    await database.close()
