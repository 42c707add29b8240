"""Turns over HTTP: one answer however often it is asked for, resumable at every event, stopped only on request."""

import asyncio
import json

import pytest

from empathy_r1.integrations.web import sse
from empathy_r1.plugin.errors import StorageUnavailableError

from .conftest import parse
from support.models import ZH_CHAIN

POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接。"
CRISIS = "我不想活了，今晚就想结束这一切"


async def test_json_waits_for_the_reply(session):
    answer = await session.send(POST)
    assert answer.status_code == 200
    body = answer.json()
    assert body["reply"] == ZH_CHAIN["response"]
    assert body["level"] == "none"
    assert body["chain"] is None
    assert body["turn_id"]


async def test_events_are_named_and_numbered(session):
    answer = await session.stream(POST)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    events = parse(answer.text)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert all(name == data["type"] and number == data["seq"] for number, name, data in events)
    assert events[0][1] == "accepted"
    assert events[-1][1] == "committed"
    assert "".join(data["text"] for _, name, data in events if name == "token") == ZH_CHAIN["response"]


async def test_a_stream_resumes_after_every_event(session):
    events = parse((await session.stream(POST)).text)
    turn_id = events[0][2]["turn_id"]
    for number, _, _ in events:
        again = parse((await session.get(f"/turns/{turn_id}/events", **{"Last-Event-ID": str(number)})).text)
        assert again == events[number:]
    assert parse((await session.get(f"/turns/{turn_id}/events")).text) == events


async def test_the_same_key_gives_the_same_turn(session):
    first, second = await asyncio.gather(*(session.send(POST, Idempotency_Key="k1") for _ in range(2)))
    assert first.json()["turn_id"] == second.json()["turn_id"]
    assert len((await session.get()).json()["turns"]) == 1
    other = await session.send("换了一段话", Idempotency_Key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def test_a_client_that_leaves_does_not_stop_the_turn(session, model):
    model.pause = 0.02
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.stream(POST, Idempotency_Key="k"), 0.3)
    assert (await session.send(POST, Idempotency_Key="k")).json()["reply"] == ZH_CHAIN["response"]


async def test_cancel_stops_the_turn_for_good(session, model):
    model.pause = 0.05
    running = asyncio.create_task(session.stream(POST))
    turns = await session.turns(1)
    path = f"/turns/{turns[0]['turn_id']}/cancel"
    assert (await session.post(path)).json() == {"cancelled": True}
    assert parse((await running).text)[-1][1] == "cancelled"
    assert (await session.post(path)).json() == {"cancelled": False}
    assert (await session.get()).json()["turns"][0]["status"] == "cancelled"


async def test_json_says_that_a_turn_was_stopped(session, model):
    model.pause = 0.05
    running = asyncio.create_task(session.send(POST))
    turns = await session.turns(1)
    await session.post(f"/turns/{turns[0]['turn_id']}/cancel")
    answer = await running
    assert (answer.status_code, answer.json()["code"]) == (409, "turn_cancelled")


async def test_a_post_in_crisis_brings_the_card(session, model):
    answer = (await session.send(CRISIS)).json()
    assert answer["level"] in ("high", "imminent")
    assert "12356" in json.dumps(answer["card"])
    assert model.asked == []


async def test_a_post_in_crisis_is_answered_with_the_database_down(client, session, monkeypatch):
    async def down(*_, **__):
        raise OSError

    monkeypatch.setattr(client.app.state.engine._parts.database, "run", down)
    events = parse((await session.stream(CRISIS)).text)
    assert events[-1][1] == "committed"
    assert "12356" in events[1][2]["card"]["text"] or events[1][2]["card"]["lines"]
    refused = await session.stream(POST)
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")


async def test_an_unchecked_token_opens_nothing_when_the_database_is_back(client, session, monkeypatch):
    engine = client.app.state.engine

    async def down(*_):
        raise StorageUnavailableError("OperationalError")

    monkeypatch.setattr(engine, "authorize", down)
    for post in (POST, CRISIS):
        answer = await session.stream(post)
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


async def test_silence_is_filled_with_comments(session, model, monkeypatch):
    monkeypatch.setattr(sse, "KEEPALIVE_SECONDS", 0.02)
    model.pause = 0.05
    assert "\n: ping\n\n" in (await session.stream(POST)).text


async def test_a_broken_model_ends_in_words_for_the_person(session, model):
    model.fail = lambda messages, said: RuntimeError("secret detail")
    answer = await session.stream(POST)
    name, data = parse(answer.text)[-1][1:]
    assert name in ("committed", "failed")
    assert data.get("reply") or data["message"]
    assert "secret detail" not in answer.text
