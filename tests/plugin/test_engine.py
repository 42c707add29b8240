"""The engine on both databases: what is accepted is answered once, and kept, and can be erased."""

import asyncio
import itertools
import json

import pytest
from pydantic import ValidationError

from empathy_r1.graph import wire
from empathy_r1.graph.errors import EmptyPostError, ModelUnavailableError, PostTooLongError
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import (
    IdempotencyConflictError,
    OverloadedError,
    SessionBusyError,
    StorageUnavailableError,
    TurnFailedError,
)
from empathy_r1.plugin.events import Cancelled, Committed, Failed
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.posts import CRISIS, POST


@pytest.fixture
def settings(database_url, tmp_path):
    return Settings(
        database_url=database_url, data_dir=tmp_path, encryption_keys=new_key("t"), lease_seconds=1, drain_seconds=5
    )


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
async def engine(settings, model):
    async with EmpathyEngine.open(settings, model=model) as engine:
        yield engine


async def events(stream):
    return [event async for event in stream]


async def test_a_turn_is_streamed_committed_and_kept(engine):
    session = await engine.create_session(locale="zh", metadata={"from": "test"})
    seen = await events(engine.stream(session.session_id, POST))
    assert [e.seq for e in seen] == list(range(1, len(seen) + 1))
    assert [e.type for e in seen if e.type not in ("token", "stage")] == ["accepted", "committed"]
    assert [e.name for e in seen if e.type == "stage"] == ["emotion", "cause", "intention", "response", "guard"]
    assert "".join(e.text for e in seen if e.type == "token") == seen[-1].reply == ZH_CHAIN["response"]
    view = await engine.session(session.session_id)
    assert [(t.post, t.reply, t.status) for t in view.turns] == [(POST, ZH_CHAIN["response"], "committed")]
    assert view.metadata == {"from": "test"}


async def test_no_event_holds_an_inner_inference(engine):
    session = await engine.create_session()
    said = json.dumps(
        [e.model_dump(mode="json") async for e in engine.stream(session.session_id, POST)], ensure_ascii=False
    )
    said += json.dumps(await engine.export(session.session_id), ensure_ascii=False, default=str)
    assert not any(ZH_CHAIN[section] in said for section in wire.HIDDEN)


async def test_the_chain_is_there_when_the_operator_reveals_it(settings, model):
    async with EmpathyEngine.open(settings.model_copy(update={"reveal_chain": True}), model=model) as engine:
        session = await engine.create_session()
        done = await engine.turn(session.session_id, POST)
        assert done.chain == {s: ZH_CHAIN[s] for s in wire.HIDDEN}
        exported = await engine.export(session.session_id)
        assert exported["session"]["turns"][0]["chain"]["cause"] == ZH_CHAIN["cause"]


async def test_later_turns_see_posts_and_replies_only(engine, model):
    session = await engine.create_session()
    await engine.turn(session.session_id, POST)
    await engine.turn(session.session_id, "那我该怎么跟妈妈说？")
    texts = [m.text for m in model.asked[-1][1:-1]]
    assert texts == [POST, ZH_CHAIN["response"], "那我该怎么跟妈妈说？"]


async def test_the_same_key_gives_the_same_turn(engine, model):
    session = await engine.create_session()
    first = await engine.turn(session.session_id, POST, idempotency_key="k")
    again = await engine.turn(session.session_id, POST, idempotency_key="k")
    assert again == first
    assert len(model.asked) == 4
    with pytest.raises(IdempotencyConflictError):
        await engine.turn(session.session_id, "别的话，别的话", idempotency_key="k")


async def test_the_same_key_at_the_same_moment_is_answered_once(engine, model):
    session = await engine.create_session()
    model.pause = 0.005
    turns = await asyncio.gather(*(engine.turn(session.session_id, POST, idempotency_key="k") for _ in range(4)))
    assert len({t.turn_id for t in turns}) == 1
    assert len(model.asked) == 4


async def test_posts_of_one_session_are_answered_one_after_the_other(engine, model):
    session = await engine.create_session()
    model.pause = 0.002
    await asyncio.gather(*(engine.turn(session.session_id, f"{POST}{i}") for i in range(4)))
    view = await engine.session(session.session_id)
    assert [t.status for t in view.turns] == ["committed"] * 4
    ends = [(t.created, t.finished) for t in view.turns]
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(ends))


async def test_a_second_post_is_refused_where_the_session_says_so(engine, model):
    session = await engine.create_session(double_texting="reject")
    model.pause = 0.05
    running = engine.stream(session.session_id, POST)
    await anext(running)
    with pytest.raises(SessionBusyError):
        await engine.turn(session.session_id, "再说一句")
    await events(running)


async def test_a_second_post_stops_the_first_where_the_session_says_so(engine, model):
    session = await engine.create_session(double_texting="interrupt")
    model.pause = 1.0
    running = engine.stream(session.session_id, POST)
    await anext(running)
    while not model.asked:
        await asyncio.sleep(0.01)
    model.pause = 0.0
    done = await engine.turn(session.session_id, "等等，我重说")
    assert done.reply
    assert isinstance((await events(running))[-1], Cancelled)


async def test_a_session_takes_only_so_many_waiting_posts(engine, model):
    session = await engine.create_session()
    model.pause = 0.2
    streams = [engine.stream(session.session_id, f"{POST}{i}") for i in range(5)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(OverloadedError) as refused:
        await engine.turn(session.session_id, "第六句")
    assert refused.value.retry_after > 0
    for turn in (await engine.session(session.session_id)).turns:
        await engine.cancel(session.session_id, turn.turn_id)


async def test_a_crisis_passes_every_queue(engine, model):
    session = await engine.create_session(region="CN")
    model.pause = 0.2
    running = engine.stream(session.session_id, POST)
    first = await anext(running)
    answer = await engine.turn(session.session_id, CRISIS)
    assert answer.level in ("high", "imminent")
    assert "12356" in answer.reply
    assert len(model.asked) <= 1
    await engine.cancel(session.session_id, first.turn_id)


async def test_the_crisis_dialogue_remembers_where_it_stands(engine, model):
    session = await engine.create_session(region="CN")
    first = await engine.turn(session.session_id, CRISIS)
    second = await engine.turn(session.session_id, "有")
    assert second.reply != first.reply
    assert not model.asked


async def test_a_crisis_is_met_with_help_when_the_database_is_gone(engine, monkeypatch):
    session = await engine.create_session(region="CN")

    async def gone(*args, **more):
        raise OSError

    monkeypatch.setattr(engine._parts.database, "run", gone)
    seen = await events(engine.stream(session.session_id, CRISIS))
    assert seen[-1].turn_id == "unstored"
    assert "12356" in seen[-1].reply
    with pytest.raises(StorageUnavailableError):
        await engine.turn(session.session_id, POST)


async def test_cancelling_stops_the_model_and_ends_the_stream(engine, model):
    session = await engine.create_session()
    model.pause = 0.05
    running = engine.stream(session.session_id, POST)
    accepted = await anext(running)
    await asyncio.sleep(0.2)
    assert await engine.cancel(session.session_id, accepted.turn_id)
    assert isinstance((await events(running))[-1], Cancelled)
    asked = len(model.asked)
    await asyncio.sleep(0.3)
    assert len(model.asked) == asked
    assert not await engine.cancel(session.session_id, accepted.turn_id)
    assert (await engine.session(session.session_id)).turns[0].status == "cancelled"


async def test_a_listener_that_leaves_does_not_stop_the_turn(engine, model):
    session = await engine.create_session()
    model.pause = 0.01
    running = engine.stream(session.session_id, POST)
    accepted = await anext(running)
    await running.aclose()
    seen = await events(engine.events(session.session_id, accepted.turn_id, after=1))
    assert isinstance(seen[-1], Committed)


async def test_a_stream_resumes_after_any_event(engine):
    session = await engine.create_session()
    whole = await events(engine.stream(session.session_id, POST))
    for cut in range(len(whole)):
        assert await events(engine.events(session.session_id, whole[0].turn_id, after=cut)) == whole[cut:]


async def test_another_worker_takes_an_abandoned_turn_over_and_goes_on(settings, model):
    model.pause = 0.02
    async with EmpathyEngine.open(settings, model=model) as first, EmpathyEngine.open(settings, model=model) as second:
        session = await first.create_session()
        running = first.stream(session.session_id, POST)
        accepted = await anext(running)
        while not await first._parts.journal.stages(accepted.turn_id):
            await asyncio.sleep(0.01)
        dead = first._worker.running.pop(accepted.turn_id)
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        first._worker.draining = True
        asked = len(model.asked)
        seen = await events(second.events(session.session_id, accepted.turn_id))
        assert isinstance(seen[-1], Committed)
        assert [e.seq for e in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].reply == ZH_CHAIN["response"]
        assert len(model.asked) - asked <= 4
        assert not any(m[-1].text == "<emotion>\n" for m in model.asked[asked:])


async def test_a_turn_runs_once_in_a_process_that_claims_what_it_runs_already(settings, model):
    model.pause = 0.05
    async with EmpathyEngine.open(settings.model_copy(update={"lease_seconds": 0.4}), model=model) as engine:
        journal, worker = engine._parts.journal, engine._worker
        claim, claimed = journal.claim, []

        async def late(lease, running=(), **more):
            found = await claim(lease, (), **more)  # as it looked before the turn began
            claimed.extend(work[0].id for work in found or [])
            return found

        async def never(turn_ids, lease):
            return [], []

        journal.claim, journal.renew = late, never  # no heartbeat: the lease ends while the turn runs
        session = await engine.create_session()
        seen = []
        async for event in engine.stream(session.session_id, POST):
            seen.append(event)
            worker._work.set()
            await asyncio.sleep(0.1)
        assert claimed == [seen[0].turn_id] * len(claimed)
        assert claimed
        assert seen[-1].reply == ZH_CHAIN["response"]
        assert len(model.asked) == 4


async def test_a_model_that_is_away_fails_the_turn_and_keeps_the_post(engine, model):
    model.fail = lambda messages, said: ModelUnavailableError("http://x", "refused")
    session = await engine.create_session()
    seen = await events(engine.stream(session.session_id, POST))
    assert isinstance(seen[-1], Failed)
    assert (seen[-1].code, seen[-1].retryable) == ("model_unavailable", True)
    assert "你写的都还在" in seen[-1].message
    with pytest.raises(TurnFailedError):
        await engine.turn(session.session_id, POST)
    model.fail = None
    assert (await engine.turn(session.session_id, POST)).reply == ZH_CHAIN["response"]
    assert [t.status for t in (await engine.session(session.session_id)).turns] == ["failed", "failed", "committed"]


@pytest.mark.parametrize(("text", "error"), [("", EmptyPostError), ("长" * 8001, PostTooLongError)])
async def test_a_post_that_cannot_be_answered_is_not_stored(engine, text, error):
    session = await engine.create_session()
    with pytest.raises(error):
        await engine.turn(session.session_id, text)
    assert (await engine.session(session.session_id)).turns == []


@pytest.mark.parametrize("last", ["", CRISIS])
async def test_a_long_post_is_answered_up_to_the_limit_that_was_set(settings, model, last):
    async with EmpathyEngine.open(settings.model_copy(update={"max_post_chars": 20_000}), model=model) as engine:
        session = await engine.create_session(locale="zh")
        post = (POST * 600)[: 20_000 - len(last)] + last
        end = await engine.turn(session.session_id, post)
        assert end.reply == ZH_CHAIN["response"] or end.level == "imminent"
        assert (await engine.session(session.session_id)).turns[0].post == post
        with pytest.raises(PostTooLongError, match=r"20001 .* 20000"):
            await engine.turn(session.session_id, post + "长")


def test_a_limit_beyond_what_makes_sense_is_refused(settings):
    with pytest.raises(ValidationError, match=r"max_post_chars\n.*less than or equal to 100000"):
        Settings(database_url=settings.database_url, max_post_chars=100_001)


async def test_readiness(engine):
    health = await engine.ready()
    assert health.ready
    await engine.drain()
    assert not (await engine.ready()).ready
