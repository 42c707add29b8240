"""The OpenAI-compatible API with OpenAI's own client and LangChain's, over a socket."""

import openai
import pytest
from langchain_openai import ChatOpenAI

from empathy_r1.graph import wire
from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.served import served

POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"
CRISIS = "我不想活了，今晚就想结束这一切"
REPLY = ZH_CHAIN["response"]
MODEL = "empathy-r1"


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


@pytest.fixture
def url(tmp_path, model):
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/o.db",
        data_dir=tmp_path,
        encryption_keys=new_key("t"),
        lease_seconds=2,
        drain_seconds=5,
        region="CN",
        openai_api_key="sk-test",
    )
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
    with served(app) as url:
        yield f"{url}/v1"


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=url, api_key="sk-test", max_retries=0) as client:
        yield client


def ask(client, text, **more):
    messages = [{"role": "system", "content": "Be a pirate."}, {"role": "user", "content": text}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


def test_models_are_listed(client):
    assert [m.id for m in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_a_reply_comes_whole_with_usage(client):
    done = ask(client, POST, user="u1")
    assert done.choices[0].message.content.count(REPLY) == 1  # among notices and help lines
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 2


def test_a_reply_comes_in_pieces_with_usage(client):
    chunks = list(ask(client, POST, user="u1", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).count(REPLY) == 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 4


def test_the_server_keeps_the_talk_and_reads_the_last_message_only(client, model):
    ask(client, POST, user="u1")
    ask(client, "那我该怎么跟妈妈说？", user="u1")
    assert [m.text for m in model.asked[-1][1:-1]] == [POST, REPLY, "那我该怎么跟妈妈说？"]
    ask(client, "别人的话，说的是别的事", user="u2")
    assert [m.text for m in model.asked[-1][1:-1]] == ["别人的话，说的是别的事"]
    assert not any("pirate" in m.text for asked in model.asked for m in asked)


def test_a_header_names_the_session_and_one_without_a_name_is_told_its_own(client, model):
    ask(client, POST, user="u1", extra_headers={"X-Session-Id": "s"})
    ask(client, "再说一点，关于妈妈", user="u2", extra_headers={"X-Session-Id": "s"})
    assert len(model.asked[-1]) == 5
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": POST}])
    assert len(model.asked[-1]) == 3
    ask(client, "再说一点，关于妈妈", extra_headers={"X-Session-Id": raw.headers["x-session-id"]})
    assert len(model.asked[-1]) == 5


def test_a_message_sent_again_gets_the_same_answer_once(client, model):
    key = {"Idempotency-Key": "m1"}
    first = ask(client, POST, user="u1", extra_headers=key)
    again = ask(client, POST, user="u1", extra_headers=key)
    streamed = "".join(
        c.choices[0].delta.content or "" for c in ask(client, POST, user="u1", extra_headers=key, stream=True)
    )
    assert (first.id, first.choices[0].message.content) == (again.id, streamed)
    anonymous = [ask(client, POST, extra_headers={"Idempotency-Key": "m2"}).id for _ in range(2)]
    assert len(set(anonymous)) == 1
    assert len(model.asked) == 8
    with pytest.raises(openai.BadRequestError, match="idempotency key"):
        ask(client, "别的话，别的话", user="u1", extra_headers=key)


@pytest.mark.parametrize("stream", [False, True])
def test_help_lines_stand_in_the_text(client, model, stream):
    done = ask(client, CRISIS, user="u1", stream=stream)
    text = (
        "".join(c.choices[0].delta.content or "" for c in done if c.choices)
        if stream
        else done.choices[0].message.content
    )
    assert "12356" in text
    assert "120" in text
    assert model.asked == []


def test_refusals_have_openais_form(url, client):
    with openai.OpenAI(base_url=url, api_key="sk-wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            ask(stranger, POST)
        assert refused.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": POST}])
    with pytest.raises(openai.BadRequestError, match="n = 1"):
        ask(client, POST, n=2)
    with pytest.raises(openai.BadRequestError):
        ask(client, "   ")
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.chat.completions.create(model=MODEL, messages=[])
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    with pytest.raises(openai.BadRequestError, match="Only text"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": picture}])


def test_no_inner_inference_leaves(url):
    import httpx

    body = {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": POST}]}], "user": "u"}
    head = {"Authorization": "Bearer sk-test"}
    said = httpx.post(f"{url}/chat/completions", json=body, headers=head, timeout=30).text
    said += httpx.post(f"{url}/chat/completions", json=body | {"stream": True}, headers=head, timeout=30).text
    assert "面试" in said
    assert not any(ZH_CHAIN[section] in said for section in wire.HIDDEN)
    assert not any(f"<{section}>" in said for section in wire.HIDDEN)


def test_langchain_talks_to_it(url):
    chat = ChatOpenAI(model=MODEL, base_url=url, api_key="sk-test", max_retries=0, model_kwargs={"user": "lc"})
    assert REPLY in chat.invoke(POST).content
    assert "".join(str(piece.content) for piece in chat.stream("再说一点，关于妈妈")) == REPLY


def test_open_webui_connects_and_its_chores_are_no_posts(url, model):
    import httpx

    head = {"Authorization": "Bearer sk-test"}
    with httpx.Client(headers=head, timeout=30) as http:
        assert http.get(f"{url}/models").json()["data"][0]["id"] == MODEL
        named = {"X-OpenWebUI-Chat-Id": "c1", "X-OpenWebUI-User-Id": "u1"}
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": POST}], "metadata": {"a": 1}}
        said = http.post(f"{url}/chat/completions", json=body, headers=named).text
        assert said.endswith("data: [DONE]\n\n")
        chore = (
            "### Task:\nGenerate a concise title.\n### Chat History:\n<chat_history>\nUSER: "
            + CRISIS
            + "\n</chat_history>"
        )
        asked = {"model": MODEL, "messages": [{"role": "user", "content": chore}]}
        done = http.post(f"{url}/chat/completions", json=asked, headers=named).json()
        assert done["choices"][0]["message"]["content"] == "{}"
        streamed = http.post(f"{url}/chat/completions", json=asked | {"stream": True}, headers=named).text
        assert '"content": "{}"' in streamed
        body["messages"] = [{"role": "user", "content": "再说一点，关于妈妈"}]
        http.post(f"{url}/chat/completions", json=body, headers=named)
    assert [m.text for m in model.asked[-1][1:-1]] == [POST, REPLY, "再说一点，关于妈妈"]
