"""Caps, the breaker, the deadline's shares, takeover, and stopping: what a busy or failing house still promises."""

import asyncio
import logging

import pytest

from empathy_r1.graph import wire
from empathy_r1.graph.errors import ModelUnavailableError
from empathy_r1.graph.speech import FIXED
from empathy_r1.plugin import _admission
from empathy_r1.plugin._breaker import FAILURES, FIRST_PAUSE, Breaker
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import OverloadedError
from empathy_r1.plugin.events import Committed, Failed
from empathy_r1.plugin.settings import Settings, Switches

from support.models import ZH_CHAIN, ScriptedModel
from support.posts import CRISIS, POST


async def opened(engine, **more):
    return (await engine.create_session(locale="zh", region="CN", **more)).session_id


async def test_looking_for_turns_that_wait_takes_no_place_from_a_post(settings, model):
    async with EmpathyEngine.open(settings.model_copy(update={"process_max_open": 1}), model=model) as engine:
        journal, looking, enough = engine._parts.journal, asyncio.Event(), asyncio.Event()
        claim = journal.claim

        async def slow(*given, **more):
            looking.set()
            await enough.wait()
            return await claim(*given, **more)

        journal.claim = slow
        engine._worker._work.set()
        await looking.wait()
        try:
            assert (await engine.turn(await opened(engine), POST)).reply == ZH_CHAIN["response"]
        finally:
            enough.set()


@pytest.mark.parametrize("cap", ["tenant_max_open", "process_max_open"])
async def test_a_cap_refuses_with_a_time_and_never_a_crisis(settings, model, cap):
    model.pause = 0.5
    async with EmpathyEngine.open(settings.model_copy(update={cap: 2}), model=model) as engine:
        streams = [engine.stream(await opened(engine), POST) for _ in range(2)]
        turns = [await anext(stream) for stream in streams]
        with pytest.raises(OverloadedError) as refused:
            await engine.turn(await opened(engine), POST)
        assert 1 <= refused.value.retry_after <= 60
        assert "12356" in (await engine.turn(await opened(engine), CRISIS)).reply
        for turn in turns:
            await engine.cancel(turn.session_id, turn.turn_id)


async def test_another_tenant_is_not_kept_waiting(settings, model):
    model.pause = 0.5
    async with EmpathyEngine.open(settings.model_copy(update={"tenant_max_open": 1}), model=model) as engine:
        one = await anext(engine.stream(await opened(engine), POST))
        two = await anext(engine.stream(await opened(engine, tenant="other"), POST))
        for turn in (one, two):
            await engine.cancel(turn.session_id, turn.turn_id)


async def test_fifty_posts_at_once_do_not_pass_the_cap_of_a_session(engine, model):
    model.pause = 0.2
    session = await opened(engine)

    async def send():
        try:
            return await anext(engine.stream(session, POST))
        except OverloadedError:
            return None

    done = await asyncio.gather(*(send() for _ in range(50)))
    assert sum(turn is not None for turn in done) == engine.settings.session_max_open
    for turn in filter(None, done):
        await engine.cancel(session, turn.turn_id)


async def test_a_post_that_is_let_in_runs_to_its_end(settings, model):
    model.pause = 0.02
    async with EmpathyEngine.open(settings.model_copy(update={"max_running": 1}), model=model) as engine:
        sessions = [await opened(engine) for _ in range(3)]
        done = await asyncio.gather(*(engine.turn(session, POST) for session in sessions))
    assert all(isinstance(turn, Committed) for turn in done)


async def test_a_model_that_is_away_is_left_alone_for_a_while(engine, model):
    model.fail = lambda messages, said: ModelUnavailableError("http://x", "refused")
    for _ in range(FAILURES):
        [*_, last] = [event async for event in engine.stream(await opened(engine), POST)]
        assert isinstance(last, Failed)
    asked = len(model.asked)
    with pytest.raises(OverloadedError) as refused:
        await engine.turn(await opened(engine), POST)
    assert refused.value.retry_after <= FIRST_PAUSE
    assert len(model.asked) == asked
    assert "12356" in (await engine.turn(await opened(engine), CRISIS)).reply


def test_the_breaker_tries_with_one_turn_and_waits_longer_each_time():
    now = 0.0
    breaker = Breaker(now=lambda: now)
    for _ in range(FAILURES):
        assert breaker.seconds == 0
        breaker.begins()
        breaker.failed()
    assert breaker.seconds == FIRST_PAUSE
    now += FIRST_PAUSE
    assert breaker.seconds == 0
    breaker.begins()
    assert breaker.seconds > 0
    breaker.failed()
    assert breaker.seconds == 2 * FIRST_PAUSE
    now += 2 * FIRST_PAUSE
    breaker.begins()
    breaker.abandoned()
    assert breaker.seconds == 0
    breaker.begins()
    breaker.succeeded()
    assert breaker.seconds == 0
    breaker.begins()
    assert breaker.seconds == 0


class Stuck(ScriptedModel):
    """Does not finish what is asked from `stuck` on, so many times."""

    stuck: str
    times: int = 99

    async def _astream(self, messages, *given, **more):
        async for chunk in super()._astream(messages, *given, **more):
            if self.times and messages[-1].text.endswith(wire.open_tag(self.stuck)):
                self.times -= 1
                await asyncio.sleep(60)
            yield chunk


async def test_a_stage_that_takes_its_share_of_the_deadline_is_left_out(settings):
    chosen = settings.model_copy(update={"turn_deadline": 5.0})
    async with EmpathyEngine.open(chosen, model=Stuck(script=ZH_CHAIN, stuck="cause", times=1)) as engine:
        done = await engine.turn(await opened(engine), POST)
    assert done.reply == ZH_CHAIN["response"]
    assert done.degraded == "one_pass"


async def test_a_model_that_never_speaks_leaves_honest_words(settings):
    chosen = settings.model_copy(update={"turn_deadline": 4.0})
    model = Stuck(script=ZH_CHAIN, stuck="emotion")
    async with EmpathyEngine.open(chosen, model=model) as engine:
        done = await engine.turn(await opened(engine), POST)
    assert (done.reply, done.degraded) == (FIXED["zh"], "fixed")


async def test_where_emotions_may_not_be_read_the_model_writes_the_reply_alone(settings, model):
    regions = {"US-IL": Switches(emotion_inference=False)}
    async with EmpathyEngine.open(settings.model_copy(update={"regions": regions}), model=model) as engine:
        session = await engine.create_session(locale="zh", region="US-IL")
        events = [event async for event in engine.stream(session.session_id, POST)]
        assert events[-1].reply == ZH_CHAIN["response"]
        assert [e.name for e in events if e.type == "stage"] == ["response", "guard"]
        assert [messages[-1].text for messages in model.asked] == [wire.open_tag("response")]
        assert await engine._parts.journal.stages(events[0].turn_id) == {}
        other = await engine.create_session(locale="zh", region="US-NY")
        await engine.turn(other.session_id, POST)
        assert len(model.asked) == 5


def test_a_part_of_a_country_comes_before_the_country(tmp_path):
    off = {"emotion_inference": False}
    chosen = Settings(data_dir=tmp_path, regions={"US": {"handover": False}, "US-IL": off})
    assert not chosen.switches("us-il").emotion_inference
    assert not chosen.switches("US-NY").handover
    assert chosen.switches("CN").emotion_inference
    assert chosen.switches(None).handover


async def test_a_process_that_stops_hands_its_turns_and_listeners_over(settings, model):
    model.pause = 0.1
    chosen = settings.model_copy(update={"drain_seconds": 0.0})
    async with EmpathyEngine.open(settings, model=ScriptedModel(script=ZH_CHAIN)) as other:
        async with EmpathyEngine.open(chosen, model=model) as first:
            session = await opened(first)
            stream = first.stream(session, POST)
            seen = [await anext(stream)]

            async def listen():
                seen.extend([event async for event in stream])

            listener = asyncio.create_task(listen())
            await asyncio.sleep(0.3)
        await listener
        assert not isinstance(seen[-1], Committed | Failed)
        rest = [event async for event in other.events(session, seen[0].turn_id, after=seen[-1].seq)]
    assert isinstance(rest[-1], Committed)
    assert [event.seq for event in seen + rest] == list(range(1, len(seen + rest) + 1))


async def test_who_takes_over_in_mid_reply_takes_the_first_words_back(settings, model):
    model.pause = 0.1
    async with EmpathyEngine.open(settings, model=model) as first:
        session = await opened(first)
        stream = first.stream(session, POST)
        seen = []
        async for event in stream:
            seen.append(event)
            if event.type == "token":
                break
        turn_id = seen[0].turn_id
        await first._worker._halt(turn_id)
        first._worker.draining = True
        await first._parts.journal.release(turn_id)
        async with EmpathyEngine.open(settings, model=ScriptedModel(script=ZH_CHAIN)) as other:
            seen = [event async for event in other.events(session, turn_id)]
    said = ""
    for event in seen:
        if event.type == "token":
            said = event.text if event.reset else said + event.text
    assert said == seen[-1].reply == ZH_CHAIN["response"]


async def test_a_crisis_does_not_wait_for_a_silent_database(engine, monkeypatch):
    session = await opened(engine)

    async def silent(*args, **more):
        await asyncio.sleep(60)

    monkeypatch.setattr(_admission, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(engine._parts.database, "run", silent)
    answer = await engine.turn(session, CRISIS)
    assert "12356" in answer.reply or answer.turn_id == "unstored"
    monkeypatch.undo()


async def test_an_engine_that_closes_at_once_leaves_nothing_behind(settings, model, caplog):
    for seconds in (0, 0.001, 0.01, 0.05):
        async with EmpathyEngine.open(settings, model=model):
            await asyncio.sleep(seconds)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
