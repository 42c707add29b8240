"""Rasa's socket.io channel with a real client over a socket."""

import asyncio

import pytest
import socketio

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.web_server import live

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
async def url(tmp_path, model):
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/s.db",
        data_dir=tmp_path,
        encryption_keys=new_key("t"),
        region="CN",
        rasa_token="let-me-in",
    )
    async with live(create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))) as line:
        yield line.url


class Client:
    """A front end that talks to Rasa."""

    def __init__(self):
        self.io = socketio.AsyncClient(reconnection=False)
        self.heard = asyncio.Queue()
        self.confirmed = asyncio.Queue()
        self.io.on("bot_uttered", self.heard.put)
        self.io.on("session_confirm", self.confirmed.put)

    async def open(self, url, token="let-me-in", transports=("polling", "websocket")):
        await self.io.connect(url, auth={"token": token}, transports=list(transports), wait_timeout=20)

    async def says(self, text, **more):
        """The first message that is no notice of the start of a talk."""
        await self.io.emit("user_uttered", {"message": text, **more})
        while True:
            heard = await asyncio.wait_for(self.heard.get(), 60)
            if "不是真人" not in str(heard):
                return heard

    async def close(self):
        # Not the client's own way: over polling it waits for its last request to run out, half a minute.
        await self.io.eio.disconnect(abort=True)


@pytest.mark.parametrize("transports", [("polling",), ("websocket",)])
async def test_a_person_is_answered(url, transports):
    client = Client()
    await client.open(url, transports=transports)
    await client.io.emit("session_request", {"session_id": "someone"})
    assert await asyncio.wait_for(client.confirmed.get(), 20) == "someone"
    told = await client.says(POST, session_id="someone")
    assert told["text"].split() == ZH_CHAIN["response"].split()
    assert not any(ZH_CHAIN[section] in str(told) for section in ("emotion", "cause", "intention", "strategy"))
    await client.close()


async def test_a_person_in_crisis_meets_help(url):
    client = Client()
    await client.open(url)
    heard = [await client.says("我不想活了，今晚就想结束这一切")]
    while not client.heard.empty() or "12356" not in str(heard):
        heard.append(await asyncio.wait_for(client.heard.get(), 20))
    assert "12356" in str(heard)
    await client.close()


async def test_a_wrong_token_opens_nothing(url):
    with pytest.raises(socketio.exceptions.ConnectionError):
        await Client().open(url, token="wrong")


async def test_what_is_no_text_is_met_with_words(url):
    client = Client()
    await client.open(url)
    assert (await client.says({"a": 1}))["text"]
    await client.close()


async def test_a_message_delivered_again_gets_one_answer(url, model):
    for _ in range(2):
        client = Client()
        await client.open(url)
        told = await client.says(POST, session_id="someone", metadata={"message_id": "m-1"})
        assert told["text"].split() == ZH_CHAIN["response"].split()
        await client.close()
    assert len(model.asked) == 4
