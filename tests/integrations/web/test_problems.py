"""Whatever is sent, the answer is a clear problem document that repeats none of it."""

import asyncio

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

POST = "第三次面试又挂了。"
JSON = {"Content-Type": "application/json"}


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    assert body["type"] == f"urn:empathy-r1:problem:{code}"
    return body


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"text": ', 400, "malformed_request"),
        (b"\xff\xfe\x00", 400, "malformed_request"),
        (b"[" * 100_000, 400, "malformed_request"),
        (b"", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'"text"', 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"text": 7}', 422, "invalid_request"),
        (b'{"text": null}', 422, "invalid_request"),
        (b'{"text": "a", "role": "system"}', 422, "invalid_request"),
        (rb'{"text": "a\ud800b"}', 422, "post_broken"),
        (rb'{"\ud800": "a", "text": "b"}', 422, "post_broken"),
        (b'{"text": ""}', 422, "post_empty"),
        (rb'{"text": " \u0000\u0007\u202e\u200b "}', 422, "post_empty"),
        (b'{"text": "' + b"a" * 8001 + b'"}', 422, "post_too_long"),
        (b'{"text": "' + b"a" * 200_000 + b'"}', 413, "body_too_large"),
    ],
)
async def test_bodies_that_cannot_be_taken(session, body, status, code):
    answer = await session.client.post(session.path + "/turns", content=body, headers=session.headers | JSON)
    is_problem(answer, status, code)


async def test_a_body_without_a_length_is_cut_off_too(session):
    async def endless():
        for _ in range(100):
            yield b" " * 10_000

    answer = await session.client.post(session.path + "/turns", content=endless(), headers=session.headers | JSON)
    is_problem(answer, 413, "body_too_large")


async def test_control_characters_are_cleaned_not_refused(session):
    assert (await session.send("第三次\u0000面试\u202e又挂了\x1b[31m。")).status_code == 200
    assert (await session.get()).json()["turns"][0]["post"] == "第三次面试又挂了[31m。"


@pytest.mark.parametrize(
    "body",
    [
        {"locale": "fr"},
        {"region": "Atlantis"},
        {"region": "C" * 100},
        {"metadata": {"a": "字" * 2000}},
        {"metadata": []},
        {"unknown": 1},
    ],
)
async def test_sessions_that_cannot_be_made(client, body):
    is_problem(await client.post("/v1/sessions", json=body), 422, "invalid_request")


async def test_metadata_with_a_lone_surrogate(client):
    answer = await client.post("/v1/sessions", content=rb'{"metadata": {"a": "\ud800"}}', headers=JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
async def test_keys_that_cannot_be_used(session, key):
    is_problem(await session.send(POST, Idempotency_Key=key), 422, "invalid_request")


@pytest.mark.parametrize("number", ["-1", "x", "1e3", "99999999999999999999"])
async def test_event_ids_that_cannot_be_used(session, number):
    is_problem(await session.get("/turns/t_1/events", **{"Last-Event-ID": number}), 422, "invalid_request")


async def test_addresses_and_methods_that_are_not_there(client, session):
    is_problem(await client.get("/nothing"), 404, "not_found")
    is_problem(await client.put("/v1/sessions"), 405, "method_not_allowed")
    is_problem(await session.get("/turns/t_1/events"), 404, "turn_not_found")
    is_problem(await session.post("/turns/t_1/cancel"), 404, "turn_not_found")
    strange = await client.get("/v1/sessions/%00%E4%BD%A0/export", headers=session.headers)
    is_problem(strange, 404, "session_not_found")
    is_problem(await client.get("/v1/sessions/s_none", headers=session.headers), 404, "session_not_found")


async def test_too_many_at_once_says_when_to_come_back(session, model):
    model.pause = 0.05
    sending = [asyncio.create_task(session.send(f"{POST}{n}")) for n in range(5)]
    await session.turns(5)
    answer = await session.send(POST)
    is_problem(answer, 429, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    await session.delete()


async def test_the_title_speaks_the_readers_language(client):
    zh = (await client.get("/nothing", headers={"Accept-Language": "zh-CN,zh;q=0.9"})).json()["title"]
    en = (await client.get("/nothing", headers={"Accept-Language": "de"})).json()["title"]
    assert (zh, en) == ("这里什么也没有。", "There is nothing here.")


async def test_a_bug_shows_nothing_of_itself(session, monkeypatch):
    async def bug(*_, **__):
        raise KeyError("secret detail")

    monkeypatch.setattr(session.client.app.state.engine, "export", bug)
    answer = await session.get("/export")
    is_problem(answer, 500, "internal")
    assert "secret detail" not in answer.text


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=80).map(lambda s: s.encode("utf-8", "surrogatepass")))
async def test_no_body_breaks_the_door(client, body):
    for path in ("/v1/sessions", "/v1/sessions/s_x/turns"):
        answer = await client.post(path, content=body, headers=JSON | {"Authorization": "Bearer x"})
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
