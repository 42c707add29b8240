"""Sessions of the engine on both databases: who opens one, whose it is, and what its erase leaves."""

import asyncio
import sqlite3

import pytest

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import SessionNotFoundError, UnauthorizedError

from support.models import ZH_CHAIN
from support.posts import CRISIS, POST
from support.tracing import traced


async def test_a_token_opens_its_session_only(engine):
    one, other = await engine.create_session(), await engine.create_session()
    await engine.authorize(one.session_id, one.token)
    with pytest.raises(UnauthorizedError):
        await engine.authorize(one.session_id, other.token)
    with pytest.raises(SessionNotFoundError):
        await engine.authorize("s_unknown", one.token)
    with pytest.raises(SessionNotFoundError):
        await engine.session(one.session_id, tenant="another")


async def test_after_an_erase_nothing_is_left(engine, settings, tmp_path):
    session = await engine.create_session(external_user="visitor-9")
    await engine.turn(session.session_id, POST)
    receipt = await engine.erase_user("visitor-9")
    assert receipt.sessions == 1
    assert receipt.rows["turns"] == 1
    with pytest.raises(SessionNotFoundError):
        await engine.session(session.session_id)


async def test_a_tracer_of_the_process_sees_nothing_of_a_talk(settings, model):
    with traced() as seen:
        async with EmpathyEngine.open(settings, model=model) as engine:
            session = await engine.create_session(region="CN")
            assert (await engine.turn(session.session_id, POST)).reply == ZH_CHAIN["response"]
            assert "12356" in (await engine.turn(session.session_id, CRISIS)).reply
    assert seen == []


async def test_the_database_holds_no_readable_text(engine, settings, tmp_path):
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("the files of a PostgreSQL cluster are looked into in tests/storage")
    session = await engine.create_session(metadata={"note": "只有我知道"})
    await engine.turn(session.session_id, POST)
    raw = b"".join(p.read_bytes() for p in tmp_path.glob("test.db*"))
    for text in (POST, ZH_CHAIN["response"], ZH_CHAIN["cause"], "只有我知道", session.token):
        assert text.encode() not in raw
    assert sqlite3.connect(tmp_path / "test.db").execute("SELECT count(*) FROM turns").fetchone() == (1,)


async def test_a_hosts_user_has_one_session_whichever_process_asks(engine, settings, model):
    async with EmpathyEngine.open(settings, model=model) as other:
        asked = [e.session_for("用户 1", tenant="clinic", locale="zh", region="CN") for e in (engine, other) * 4]
        ids = set(await asyncio.gather(*asked))
    assert len(ids) == 1
    (session_id,) = ids
    view = await engine.session(session_id, tenant="clinic")
    assert (view.locale, view.region) == ("zh", "CN")
    assert await engine.session_for("用户 2", tenant="clinic") != session_id
    assert await engine.session_for("用户 1", tenant="other") != session_id


async def test_a_hosts_user_is_erased_and_may_come_back(engine):
    session_id = await engine.session_for("u", tenant="clinic")
    await engine.turn(session_id, POST)
    assert (await engine.erase_user("u", tenant="clinic")).sessions == 1
    assert await engine.session_for("u", tenant="clinic") == session_id
    assert (await engine.session(session_id)).turns == []
