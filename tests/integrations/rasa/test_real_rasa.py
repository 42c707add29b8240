"""The bot of examples/rasa on a real Rasa server, which asks our action server."""

import asyncio
import uuid

import httpx
import pytest
import socketio

from empathy_r1.graph import wire
from empathy_r1.integrations.rasa import bot, talk
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.rasa_server import RasaServer, missing
from support.web_server import Doors
from tiers import require

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"
CRISIS = "我不想活了，今晚就想结束这一切"
REPLY = ZH_CHAIN["response"].replace("\n\n", "\n \n")
TOKEN = "a-token"


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    require("rasa", missing())
    folder = tmp_path_factory.mktemp("doors")
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/r.db",
        data_dir=folder,
        encryption_keys=new_key("t"),
        region="CN",
        rasa_token=TOKEN,
    )
    with Doors(settings, ScriptedModel(script=ZH_CHAIN)) as doors:
        yield doors


@pytest.fixture(scope="module")
def rasa(doors, tmp_path_factory):
    server = RasaServer(
        tmp_path_factory.mktemp("rasa"),
        actions=f"http://127.0.0.1:{doors.line.port}/rasa/webhook",
        token=TOKEN,
        more={"COMPRESS_ACTION_SERVER_REQUEST": "true", "TICKET_LOCK_LIFETIME": "400"},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """These tests are about who hears what, also on a busy machine."""
    monkeypatch.setattr(talk, "DEADLINE", 200.0)


@pytest.fixture
def model(doors):
    doors.model.asked.clear()
    doors.model.pause, doors.model.fail = 0.0, None
    return doors.model


@pytest.fixture
async def front(rasa):
    async with httpx.AsyncClient(base_url=rasa.url, timeout=250) as client:
        yield client


@pytest.fixture
def sender():
    return uuid.uuid4().hex


async def says(front, sender, text, **more):
    """What the person sees for a message over Rasa's REST channel: never nothing."""
    got = await front.post("/webhooks/rest/webhook", json={"sender": sender, "message": text, **more})
    assert got.status_code == 200
    return got.json()


def texts(messages):
    return [message["text"] for message in messages if "text" in message]


def replied(messages):
    """The reply, among the notices at the start of a talk and help lines that the screen may want."""
    told = texts(messages)
    return REPLY if REPLY in told else told[-1]


async def events_of(front, sender):
    return (await front.get(f"/conversations/{sender}/tracker")).json()["events"]


async def test_a_conversation_over_rest(front, model, sender):
    assert replied(await says(front, sender, POST)) == REPLY
    assert replied(await says(front, sender, "那我该怎么跟妈妈说？")) == REPLY
    assert [m.text for m in model.asked[-1][1:-1]] == [POST, ZH_CHAIN["response"], "那我该怎么跟妈妈说？"]
    kept = str(await events_of(front, sender))
    assert not any(ZH_CHAIN[section] in kept for section in wire.HIDDEN)
    ran = [e["name"] for e in await events_of(front, sender) if e["event"] == "action"]
    assert ran.count("action_empathy") == 2


async def test_a_conversation_over_socketio(rasa, model, sender):
    # Rasa 3.6 goes with python-socketio 5.9, whose protocol is the one of today's clients.
    client, heard, confirmed = socketio.AsyncClient(reconnection=False), asyncio.Queue(), asyncio.Queue()
    client.on("bot_uttered", heard.put)
    client.on("session_confirm", confirmed.put)
    await client.connect(rasa.url, transports=["websocket"], wait_timeout=30)
    try:
        await client.emit("session_request", {"session_id": sender})
        assert await asyncio.wait_for(confirmed.get(), 30) == sender
        await client.emit("user_uttered", {"message": POST, "session_id": sender})
        while (await asyncio.wait_for(heard.get(), 60))["text"] != REPLY:
            pass
        await client.emit("user_uttered", {"message": CRISIS, "session_id": sender})
        shown = []
        while not any("elements" in one for one in shown):
            shown.append(await asyncio.wait_for(heard.get(), 60))
        assert any("12356" in one.get("text", "") for one in shown)
        assert shown[-1]["card"]["region"] == "CN"
    finally:
        await client.disconnect()


async def test_a_crisis_shows_the_card_that_rasa_can_show(front, model, sender):
    shown = await says(front, sender, CRISIS)
    assert any("12356" in text and "120" in text for text in texts(shown))
    (custom,) = [one["custom"] for one in shown if "custom" in one]
    assert custom["data"]["type"] == "accordion"
    assert any("12356" in one["title"] for one in custom["data"]["elements"])
    assert model.asked == []
    assert texts(await says(front, sender, "我还在，想再说几句"))


@pytest.mark.parametrize(
    "text", ["/restart", "/back", "/session_start", '/utterance{"a": "b"}', " /human", "/nonsense"]
)
async def test_commands_that_a_person_types_do_no_harm(front, model, sender, text):
    await says(front, sender, POST)
    assert texts(await says(front, sender, text)) == [talk.GREETING]
    assert replied(await says(front, sender, "再说一点，关于妈妈")) == REPLY
    assert [m.text for m in model.asked[-1][1:-1]] == [POST, ZH_CHAIN["response"], "再说一点，关于妈妈"]
    assert not any(event["event"] in ("restart", "undo") for event in await events_of(front, sender))


async def test_to_a_human_and_back(front, model, sender):
    await says(front, sender, POST)
    shown = await says(front, sender, "转人工")
    assert "真人" in texts(shown)[0]
    assert "12356" in texts(shown)[0]
    assert await says(front, sender, "你好，是真人吗？") == []
    assert texts(await says(front, sender, "回到助手")) == [bot.AGAIN]
    assert replied(await says(front, sender, "再说一点，关于妈妈")) == REPLY
    asked = str(model.asked[-1])
    assert POST in asked
    assert "是真人吗" not in asked


async def test_a_crisis_is_met_while_a_human_has_the_talk(front, model, sender):
    await says(front, sender, "talk to a human")
    assert any("12356" in text for text in texts(await says(front, sender, CRISIS)))
    assert await says(front, sender, "好的，我等你们") == []


async def test_the_platform_gives_the_talk_back(front, model, sender):
    await says(front, sender, "转人工")
    await front.post(f"/conversations/{sender}/tracker/events", json={"event": "slot", "name": "human", "value": False})
    assert replied(await says(front, sender, POST)) == REPLY


async def test_a_message_that_the_platform_delivers_again_gets_one_answer(front, model, sender):
    sent = {"metadata": {"message_id": "m-1"}}
    assert await says(front, sender, POST, **sent) == await says(front, sender, POST, **sent)
    assert len(model.asked) == 4
    sent = {"metadata": {"message_id": "m-2"}}
    one, other = await asyncio.gather(*(says(front, sender, "再说一点，关于妈妈", **sent) for _ in range(2)))
    assert one == other
    assert len(model.asked) == 8


async def test_a_late_answer_is_announced_and_comes_with_the_next_message(front, model, sender, monkeypatch):
    monkeypatch.setattr(talk, "DEADLINE", 1.0)
    model.pause = 0.1
    assert texts(await says(front, sender, POST)) == [talk.LATER]
    model.pause = 0.0
    monkeypatch.setattr(talk, "DEADLINE", 200.0)
    assert texts(await says(front, sender, "好，我在等")).count(REPLY) == 2


async def test_a_model_that_fails_and_a_server_without_a_token_leave_nobody_in_silence(front, model, sender, doors):
    model.fail = lambda prompt, said: RuntimeError("gone")
    assert texts(await says(front, sender, POST))
    call = {"next_action": "action_empathy", "sender_id": sender, "tracker": {"sender_id": sender}}
    got = httpx.post(f"http://127.0.0.1:{doors.line.port}/rasa/webhook", json=call)
    assert got.status_code == 200
    assert "12356" in got.json()["responses"][0]["text"]


async def test_a_long_history(front, model, sender):
    said = {"event": "user", "text": "我今天又是一个人吃的饭。" * 40, "parse_data": {"intent": {"name": "utterance"}}}
    told = {"event": "bot", "text": "听起来这一天很长。" * 40, "data": {}}
    await front.post(f"/conversations/{sender}/tracker/events", json=[said, told] * 300)
    assert replied(await says(front, sender, POST)) == REPLY


async def test_ten_people_at_once(front, model):
    async def talks(number):
        sender = uuid.uuid4().hex
        return [replied(await says(front, sender, f"{POST}（{number}）")) for _ in range(2)]

    assert await asyncio.gather(*(talks(number) for number in range(10))) == [[REPLY] * 2] * 10
    for asked in model.asked:
        assert sum(f"（{number}）" in str(asked) for number in range(10)) == 1


async def test_the_embedded_model_answers_through_rasa(front, doors, sender, tmp_path):
    settings = doors.settings.model_copy(
        update={"data_dir": tmp_path, "database_url": f"sqlite+aiosqlite:///{tmp_path}/e.db"}
    )
    with Doors(settings) as embedded:
        scripted, doors.line.upstream = doors.line.upstream, embedded.line.upstream
        try:
            reply = replied(await says(front, sender, POST * 2))
        finally:
            doors.line.upstream = scripted
    assert len(reply) > 40
    assert reply != REPLY
    assert not any(f"<{section}>" in reply for section in wire.SECTIONS)
