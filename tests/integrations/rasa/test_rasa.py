"""Rasa's protocols as Rasa 3.6.21 and its front ends speak them, over the real engine."""

import json
import zlib

import pytest

from empathy_r1.graph import wire
from empathy_r1.integrations.app import create_app
from empathy_r1.integrations.rasa import talk
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.serving import serving

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"
CRISIS = "我不想活了，今晚就想结束这一切"
LISTEN = {"event": "followup", "timestamp": None, "name": "action_listen"}
REPLY = ZH_CHAIN["response"].replace("\n\n", "\n \n")


@pytest.fixture
def settings(tmp_path):
    return Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/r.db",
        data_dir=tmp_path,
        encryption_keys=new_key("t"),
        lease_seconds=2,
        drain_seconds=5,
        region="CN",
    )


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
async def client(settings, model):
    async with serving(create_app, settings, model) as client:
        yield client


def call(text, *, message_id="m1", turns=0, sender="p1"):
    """The request of Rasa's RemoteAction."""
    said = {
        "intent": {"name": "utterance", "confidence": 1.0},
        "entities": [],
        "text": text,
        "message_id": message_id,
        "metadata": {},
    }
    event = {"event": "user", "timestamp": 1.0, "text": "x" * 200, "parse_data": said, "input_channel": "rest"}
    tracker = {
        "sender_id": sender,
        "slots": {"session_started_metadata": None},
        "latest_message": said,
        "latest_event_time": 1.0,
        "followup_action": None,
        "paused": False,
        "events": [{"event": "action", "name": "action_session_start"}, *[event] * turns],
        "latest_input_channel": "rest",
        "active_loop": {},
        "latest_action": {"action_name": "action_listen"},
    }
    return {
        "next_action": "action_empathy",
        "sender_id": sender,
        "tracker": tracker,
        "domain": {"actions": ["action_empathy"], "intents": ["utterance"]},
        "version": "3.6.21",
    }


def replies(responses):
    """The texts but the notices at the start of a talk and help lines that the screen may want."""
    told = [one["text"] for one in responses if "text" in one]
    return [text for text in told if "不是真人" not in text and not text.startswith("全国统一心理援助热线")]


async def ask(client, body, **how):
    got = await client.post("/rasa/webhook", json=body, **how)
    assert got.status_code == 200
    answer = got.json()
    assert answer["events"] == [LISTEN]
    assert any(one.get("text") for one in answer["responses"])
    return answer["responses"]


async def test_a_post_gets_one_message_without_a_chain(client):
    responses = await ask(client, call(POST))
    assert replies(responses) == [REPLY]
    said = json.dumps(responses, ensure_ascii=False)
    assert not any(ZH_CHAIN[section] in said for section in wire.HIDDEN)


async def test_the_operations_of_an_action_server(client):
    assert (await client.get("/rasa/health")).json() == {"status": "ok"}
    assert {"name": "action_empathy"} in (await client.get("/rasa/actions")).json()


async def test_a_message_delivered_again_gets_the_same_answer(client, model):
    assert await ask(client, call(POST)) == await ask(client, call(POST))
    assert len(model.asked) == 4


async def test_deflated_bodies_and_long_histories_are_read(client):
    body = json.dumps(call(POST, turns=1000)).encode()
    assert len(body) > 400_000
    head = {"Content-Encoding": "deflate", "Content-Type": "application/json"}
    for sent, how in ((zlib.compress(body), head), (body, {})):
        got = await client.post("/rasa/webhook", content=sent, headers=how)
        assert replies(got.json()["responses"]) == [REPLY]


@pytest.mark.parametrize(
    ("body", "head"),
    [(b"", {}), (b"{", {}), (b"[]", {}), (b"{}", {}), (b"null", {}), (b"xx", {"Content-Encoding": "deflate"})],
)
async def test_a_body_that_cannot_be_read_gets_words(client, body, head):
    got = await client.post("/rasa/webhook", content=body, headers=head)
    assert got.status_code == 200
    assert "12356" in got.json()["responses"][0]["text"]


@pytest.mark.parametrize("text", ["/restart", "/back", "/session_start", '/utterance{"a": "b"}', " /greet@0.9"])
async def test_commands_are_greeted_and_kept_out_of_the_talk(client, model, text):
    assert await ask(client, call(text)) == [{"text": talk.GREETING}]
    assert model.asked == []


async def test_a_crisis_shows_help_as_text_and_as_data(client, model):
    for text in (CRISIS, f'/utterance{{"text": "{CRISIS}"}}'):
        responses = await ask(client, call(text, message_id=text))
        assert any("12356" in one.get("text", "") for one in responses)
        (custom,) = [one["custom"] for one in responses if "custom" in one]
        assert list(custom) == ["data"]
        assert custom["data"]["card"]["region"] == "CN"
    assert model.asked == []


async def test_a_late_answer_is_announced_and_comes_with_the_next_message(client, model, monkeypatch):
    model.pause = 0.02
    engine = client._transport.app.state.engine
    late = await talk.answer(engine, "p", POST, tenant="rasa", message_id="a", deadline=0.01)
    assert late == [{"text": talk.LATER}]
    model.pause = 0.0
    told = await talk.answer(engine, "p", "好，我在等", tenant="rasa", message_id="b")
    assert replies(told) == [REPLY, REPLY]
    assert len(model.asked) == 8


async def test_a_model_that_fails_is_not_silent(client, model):
    model.fail = lambda prompt, said: RuntimeError("gone")
    await ask(client, call(POST))


async def test_a_wrong_token_gets_words_and_no_turn(settings, model):
    from pydantic import SecretStr

    async with serving(create_app, settings.model_copy(update={"rasa_token": SecretStr("t1")}), model) as client:
        assert (await ask(client, call(POST)))[0]["text"] != REPLY
        assert model.asked == []
        assert replies(await ask(client, call(POST), headers={"Authorization": "Bearer t1"})) == [REPLY]
        assert replies(await ask(client, call(POST), params={"token": "t1"})) == [REPLY]
        assert (await client.post("/webhooks/rest/webhook", json={"sender": "a", "message": POST})).status_code == 401


async def test_the_rest_channel_reads_text_plain_and_keeps_people_apart(client, model):
    body = json.dumps({"sender": "p1", "message": POST, "metadata": {"message_id": "7"}})
    for _ in range(2):
        got = await client.post("/webhooks/rest/webhook", content=body, headers={"Content-Type": "text/plain"})
        assert {"recipient_id": "p1", "text": REPLY} in got.json()
    assert len(model.asked) == 4
    for _ in range(2):
        await client.post("/webhooks/rest/webhook", json={"message": POST})
        assert len(model.asked[-1]) == 3
    lines = await client.post("/webhooks/rest/webhook?stream=true", json={"sender": "p2", "message": CRISIS})
    shown = [json.loads(line) for line in lines.text.splitlines()]
    assert any("12356" in one.get("text", "") for one in shown)
    assert (await client.post("/webhooks/rest/webhook", content=b"{")).status_code == 400


async def test_no_inner_inference_leaves_the_rest_channel(client):
    said = ""
    for where in ("", "?stream=true"):
        body = {"sender": f"p{where}", "message": POST}
        said += (await client.post(f"/webhooks/rest/webhook{where}", json=body)).text
    assert "面试" in said
    assert not any(ZH_CHAIN[section] in said for section in wire.HIDDEN)
    assert not any(f"<{section}>" in said for section in wire.SECTIONS)


async def test_the_web_doors_are_still_there(client):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/v1/models")).json()["data"][0]["id"] == "empathy-r1"


async def test_two_messages_before_a_deadline_are_both_answered(client, model):
    model.pause = 0.02
    engine = client._transport.app.state.engine
    for number in "ab":
        late = await talk.answer(engine, "p", f"{POST}（{number}）", tenant="rasa", message_id=number, deadline=0.2)
        assert late == [{"text": talk.LATER}]
    model.pause = 0.0
    told = await talk.answer(engine, "p", "我还在等你们", tenant="rasa", message_id="c")
    assert replies(told) == [REPLY] * 3
    assert replies(await talk.answer(engine, "p", "再说一句别的", tenant="rasa", message_id="d")) == [REPLY]


async def test_a_crisis_does_not_wait_for_a_late_answer(client, model):
    model.pause = 0.05
    engine = client._transport.app.state.engine
    assert await talk.answer(engine, "p", POST, tenant="rasa", message_id="a", deadline=0.2) == [{"text": talk.LATER}]
    told = await talk.answer(engine, "p", CRISIS, tenant="rasa", message_id="b")
    assert "12356" in str(told)
    assert REPLY not in replies(told)


async def test_the_routes_are_described_and_counted(client):
    await ask(client, call(POST))
    described = (await client.get("/openapi.json")).json()["paths"]
    for path in ("/rasa/webhook", "/webhooks/rest/webhook"):
        assert described[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert described[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    await ask(client, call(CRISIS, message_id="c"))
    counted = (await client.get("/metrics")).text
    assert "empathy_r1_help_shown_total " in counted
    assert 'empathy_r1_events_total{type="committed"}' in counted
    assert 'empathy_r1_http_requests_total{route="/rasa/webhook",status="200"}' in counted
