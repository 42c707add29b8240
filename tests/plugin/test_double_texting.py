"""Posts that come while another is answered, in sessions that join them."""

import asyncio

import pytest

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.events import Committed

from support.posts import CRISIS

WORDS = ["今天又被老板当着大家骂了", "我一句话都没敢回", "回家路上一直想哭"]


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"coalesce_seconds": 1.0, "double_texting": "coalesce"})


async def test_quick_posts_get_one_reply(engine, model):
    session = await engine.create_session()
    first, second, last = [engine.stream(session.session_id, words) for words in WORDS]
    for stream in (first, second, last):
        await anext(stream)
    events = [[event async for event in stream] for stream in (first, second, last)]
    turns = (await engine.session(session.session_id)).turns
    assert [e[-1].joined_into for e in events] == [turns[1].turn_id, turns[2].turn_id, None]
    assert [bool(e[-1].reply) for e in events] == [False, False, True]
    assert model.asked[0][1].text == "\n".join(WORDS)
    assert len(model.asked) == 4
    assert [turn.joined_into for turn in turns] == [turns[2].turn_id, turns[2].turn_id, None]


async def test_later_turns_see_joined_posts_as_one(engine, model):
    session = await engine.create_session()
    await asyncio.gather(*(engine.turn(session.session_id, words) for words in WORDS[:2]))
    await engine.turn(session.session_id, WORDS[2])
    said = [m.text for m in model.asked[-1][1:-1]]
    assert len(said) == 3
    assert set(said[0].split("\n")) == set(WORDS[:2])


async def test_the_same_key_of_a_joined_post_gives_the_same_turn(engine):
    session = await engine.create_session()
    first = asyncio.create_task(engine.turn(session.session_id, WORDS[0], idempotency_key="a"))
    await asyncio.sleep(0.2)
    last = await engine.turn(session.session_id, WORDS[1])
    assert (await first).joined_into == last.turn_id
    assert await engine.turn(session.session_id, WORDS[0], idempotency_key="a") == await first


async def test_posts_that_do_not_fit_in_one_are_answered_one_by_one(engine, model):
    session = await engine.create_session()
    long = "这一段很长。" * 400
    done = await asyncio.gather(*(engine.turn(session.session_id, f"{long}{i}") for i in range(3)))
    assert all(turn.reply and turn.joined_into is None for turn in done)


async def test_a_crisis_does_not_wait_for_more_words(engine, model):
    session = await engine.create_session(region="CN")
    waiting = engine.stream(session.session_id, WORDS[0])
    await anext(waiting)
    answer = await engine.turn(session.session_id, CRISIS)
    assert "12356" in answer.reply
    assert answer.joined_into is None
    assert isinstance([event async for event in waiting][-1], Committed)


async def test_another_process_answers_joined_posts_whole(settings, model):
    settings = settings.model_copy(update={"coalesce_seconds": 1.0})
    async with EmpathyEngine.open(settings, model=model) as one, EmpathyEngine.open(settings, model=model) as other:
        session = await one.create_session()
        a = one.stream(session.session_id, WORDS[0])
        await anext(a)
        one._worker.draining = True
        done = await other.turn(session.session_id, WORDS[1])
        assert done.reply
        assert model.asked[0][1].text == "\n".join(WORDS[:2])
        assert [event async for event in a][-1].joined_into == done.turn_id
