"""Erasing what another process works on, and sweeping by one process of several; on both databases."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from empathy_r1.plugin._sweeper import LEASE
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import EngineError, SessionNotFoundError
from empathy_r1.plugin.settings import Settings
from empathy_r1.plugin.views import Contact
from empathy_r1.storage import Database, leases
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.erasure import compact
from empathy_r1.storage.tables import EventRow, SessionRow, StageRow, TurnRow

from support.models import ZH_CHAIN, ScriptedModel
from support.raw_files import found
from support.stores import Store

POST = "第三次面试又挂了，走到最后一轮才被拒。"


@pytest.fixture
def settings(tmp_path, database_url):
    return Settings(
        database_url=database_url, data_dir=tmp_path, encryption_keys=new_key("t"), lease_seconds=1, drain_seconds=1
    )


@asynccontextmanager
async def engines(settings, *, pause=0.0, count=2):
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                EmpathyEngine.open(settings, model=ScriptedModel(script=ZH_CHAIN, pause=pause))
            )
            for _ in range(count)
        ]


async def rows(settings):
    database = Database(settings.database_url)
    try:
        async with database.read() as db:
            tables = (SessionRow, TurnRow, StageRow, EventRow)
            return [await db.scalar(select(func.count()).select_from(table)) for table in tables]
    finally:
        await database.close()


async def test_a_turn_that_runs_elsewhere_ends_with_the_session_and_leaves_no_row(settings):
    async with engines(settings, pause=0.2) as (working, erasing):
        session = await working.create_session()

        async def listen():
            async for _ in working.stream(session.session_id, POST):
                pass

        listening = asyncio.create_task(listen())
        while (await rows(settings))[2] == 0:  # until a hidden stage is written
            await asyncio.sleep(0.02)
        receipt = await erasing.erase(session.session_id)
        assert receipt.rows["turns"] == 1
        for _ in range(500):
            if not (await working.ready()).running:
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("the turn of the erased session still runs")
        assert await rows(settings) == [0, 0, 0, 0]
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        with pytest.raises(SessionNotFoundError):
            await working.turn(session.session_id, POST)


async def test_posts_that_race_with_an_erasure_are_answered_or_refused_and_leave_nothing(settings):
    async with engines(settings) as (posting, erasing):
        session = await posting.create_session()

        async def post(number):
            try:
                await posting.turn(session.session_id, f"{POST}{number}")
            except EngineError as error:
                return type(error).__name__

        answers = asyncio.gather(*(post(number) for number in range(4)))
        await erasing.erase(session.session_id)
        assert {*await asyncio.wait_for(answers, 60)} <= {None, "SessionNotFoundError", "TurnFailedError"}
        assert await rows(settings) == [0, 0, 0, 0]


async def test_only_the_process_that_holds_the_lease_sweeps(settings):
    settings = settings.model_copy(update={"retention_days": 1e-9, "sweep_minutes": 0.002})
    database = Database(settings.database_url)
    async with engines(settings.model_copy(update={"sweep_minutes": 1000}), count=1) as (plain,):
        session = await plain.create_session()
        assert await leases.take(database, LEASE, "another process", 60)
        async with engines(settings) as (first, second):
            await asyncio.sleep(1)
            assert await first.session(session.session_id)
            await leases.give(database, LEASE, "another process")
            for _ in range(500):
                if await second.sessions() == []:
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("nobody swept")
        log = await plain.custody.audit(subject=session.session_id)
        assert [(entry.action, entry.actor) for entry in log] == [("session.erased", "sweeper")]
        assert await leases.take(database, LEASE, "another process", 60), "given back by the one that stopped"
    await database.close()


async def test_after_an_erasure_no_file_holds_anything_of_a_whole_talk(settings):
    """Posts, replies, stages, events, metadata, a contact and a handover, as the engine writes them."""
    settings = settings.model_copy(update={"handover_url": "http://127.0.0.1:9/told"})
    words = ["折好放进抽屉", "note-of-the-host", "Wang-the-contact", ZH_CHAIN["cause"][:10], ZH_CHAIN["response"][:10]]
    words = [word.encode() for word in (*words, "ann-of-the-host")]
    store = Store(settings.database_url, settings.encryption_keys.get_secret_value())
    async with engines(settings, count=1) as (engine,):
        other = await engine.create_session(external_user="bob")
        await engine.turn(other.session_id, POST)
        theirs = await store.sealed()
        session = await engine.create_session(external_user="ann-of-the-host", metadata={"note": "note-of-the-host"})
        contact = {
            "name": "Wang-the-contact",
            "reach": "555-0100",
            "consent_version": "1",
            "consented": datetime.now(UTC),
        }
        await engine.set_contact(session.session_id, Contact(**contact))
        await engine.turn(session.session_id, "我把那封信折好放进抽屉，谁也没告诉。")
        await engine.turn(session.session_id, "我不想活了，今晚就想结束自己的生命。")
        held = await engine.export(session.session_id)
        assert held["session"]["contact"]["name"] == "Wang-the-contact"
        assert held["handovers"][0]["told"]
        assert held["crisis"]
        assert held["notices"]
        sealed = [field for field in await store.sealed() if field not in theirs]
        assert len(sealed) > 12
        assert await found(store, words, log=True) == []
        await engine.erase_user("ann-of-the-host")
        if store.db.engine.dialect.name != "sqlite":
            await compact(store.db)
        pieces = [field[5:37] for field in sealed] + [field[-16:] for field in sealed]
        assert await found(store, words, log=True) == []
        assert await found(store, pieces) == []
        assert len((await engine.session(other.session_id)).turns) == 1
    await store.db.close()
