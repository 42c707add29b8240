"""Handovers: a crisis reaches the operator's people once they listen, signed, whatever happens between."""

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from empathy_r1.plugin import _handover
from empathy_r1.plugin.engine import EMERGENCY_CONTACT, EmpathyEngine
from empathy_r1.plugin.settings import Settings, Switches
from empathy_r1.plugin.views import Contact

from support.posts import CRISIS, POST

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class People:
    """The operator's people: a real HTTP server that answers with `statuses`, then 200."""

    def __init__(self):
        self.statuses = []
        self.heard = []
        self.url = ""

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def told(self, count):
        for _ in range(400):
            if len(self.heard) >= count:
                return [json.loads(body) for _, body in self.heard]
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(self.heard)} handovers after 20 s, expected {count}")


@asynccontextmanager
async def listening(people, port=0):
    server = await asyncio.start_server(people.answer, "127.0.0.1", port)
    people.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/crisis"
    yield
    server.close()
    await server.wait_closed()


@pytest.fixture
async def people():
    people = People()
    async with listening(people):
        yield people


@pytest.fixture
def settings(settings, people, monkeypatch):
    monkeypatch.setattr(_handover, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(_handover, "_LOOK_SECONDS", 0.1)
    return settings.model_copy(update={"handover_url": people.url, "handover_secret": _secret()})


def _secret():
    return Settings(handover_url="http://x", handover_secret=SECRET).handover_secret


async def counts(engine):
    return await engine._parts.outbox.counts()


async def test_a_crisis_is_told_signed_and_without_the_post(engine, people):
    session = await engine.create_session(region="CN", metadata={"room": "7"}, tenant="clinic")
    await engine.turn(session.session_id, CRISIS)
    [told] = await people.told(1)
    assert told["session_id"] == session.session_id
    assert told["level"] in ("high", "imminent")
    assert told["metadata"] == {"room": "7"}
    assert (told["tenant"], told["contact"]) == ("clinic", None)
    assert CRISIS not in json.dumps(told, ensure_ascii=False)
    headers, body = people.heard[0]
    assert headers["webhook-id"] == told["id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"0123456789abcdef0123456789abcdef", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


async def test_an_ordinary_post_is_told_to_nobody(engine, people):
    await engine.turn((await engine.create_session()).session_id, POST)
    assert await counts(engine) == {"delivered": 0, "waiting": 0, "given_up": 0}


async def test_it_is_sent_until_somebody_takes_it_under_one_id(engine, people):
    people.statuses = [500, 302, 429]
    await engine.turn((await engine.create_session()).session_id, CRISIS)
    told = await people.told(4)
    assert len({each["id"] for each in told}) == 1
    for _ in range(100):
        if (await counts(engine))["delivered"]:
            break
        await asyncio.sleep(0.05)
    assert await counts(engine) == {"delivered": 1, "waiting": 0, "given_up": 0}


async def test_the_same_crisis_is_not_told_at_every_post(engine, people):
    session = await engine.create_session()
    for _ in range(3):
        await engine.turn(session.session_id, CRISIS)
    await people.told(1)
    await asyncio.sleep(0.3)
    assert len(people.heard) == 1


async def test_nothing_is_lost_while_nobody_listens_and_the_process_goes(settings, model):
    nobody = settings.model_copy(update={"handover_url": "http://127.0.0.1:9/"})
    async with EmpathyEngine.open(nobody, model=model) as first:
        await first.turn((await first.create_session()).session_id, CRISIS)
    people = People()
    async with listening(people):
        chosen = settings.model_copy(update={"handover_url": people.url})
        async with EmpathyEngine.open(chosen, model=model):
            await people.told(1)


async def test_the_contact_goes_with_it_as_long_as_the_person_agrees(engine, people):
    session_id = (await engine.create_session()).session_id
    held = Contact(
        name="小林", reach="wechat: xiaolin", relation="室友", consent_version="1", consented=datetime.now(UTC)
    )
    await engine.set_contact(session_id, held)
    assert (await engine.session(session_id)).contact == held
    await engine.turn(session_id, CRISIS)
    [told] = await people.told(1)
    assert told["contact"]["reach"] == "wechat: xiaolin"
    people.statuses = [500] * 3
    await engine.set_contact(session_id, None)
    entries = await engine.custody.consents(session_id)
    assert [(e.purpose, e.given) for e in entries] == [(EMERGENCY_CONTACT, True), (EMERGENCY_CONTACT, False)]
    assert (await engine.session(session_id)).contact is None


async def test_the_contact_is_nowhere_readable(engine, settings, tmp_path):
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("the files of a PostgreSQL cluster are looked into in tests/storage")
    session_id = (await engine.create_session()).session_id
    held = Contact(name="小林", reach="wechat: xiaolin", consent_version="1", consented=datetime.now(UTC))
    await engine.set_contact(session_id, held)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
    assert "小林".encode() not in raw
    assert b"xiaolin" not in raw


async def test_it_is_told_with_the_database_down(engine, people, monkeypatch):
    async def gone(*args, **more):
        raise OSError

    session = await engine.create_session(region="CN")
    monkeypatch.setattr(engine._parts.database, "run", gone)
    people.statuses = [500]
    await engine.turn(session.session_id, CRISIS)
    told = await people.told(2)
    assert (told[1]["session_id"], told[1]["stored"]) == (session.session_id, False)
    assert told[0]["id"] == told[1]["id"]
    monkeypatch.undo()


async def test_a_region_may_have_nobody_to_tell(settings, model, people):
    chosen = settings.model_copy(update={"regions": {"CN": Switches(handover=False)}, "handover_words": True})
    async with EmpathyEngine.open(chosen, model=model) as engine:
        await engine.turn((await engine.create_session(region="CN")).session_id, CRISIS)
        await engine.turn((await engine.create_session(region="US")).session_id, CRISIS)
        [told] = await people.told(1)
        assert (told["region"], told["post"]) == ("US", CRISIS)


def test_a_webhook_without_a_secret_is_refused():
    with pytest.raises(ValueError, match="handover_secret"):
        Settings(handover_url="http://x")
