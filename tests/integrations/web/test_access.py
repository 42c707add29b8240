"""API keys at the web routes: what each scope opens, what a revoked one does, and each tenant's pace."""

import pytest

from empathy_r1.plugin.tenants import PREFIX

from .conftest import Session, serving
from support.keys import key, opened

BROKEN = {"Authorization": f"Bearer {PREFIX}broken"}


async def made(client, headers=None, **body):
    answer = await client.post("/v1/sessions", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_without_keys_everyone_may_talk_and_nobody_may_say_whose_session_it_is(client):
    session = Session(client, await made(client))
    assert (await session.send("hello there")).status_code == 200
    refused = await client.post("/v1/sessions", json={"user": "ann"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


async def test_where_keys_are_required_they_open_sessions_and_tokens_go_on_working(settings, model):
    settings = settings.model_copy(update={"require_keys": True})
    async with serving(settings, model) as client:
        assert (await client.post("/v1/sessions")).status_code == 401
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/v1/help")).status_code == 200
        session = Session(client, await made(client, await key(settings, "clinic", "chat"), user="ann"))
        assert (await session.send("hello there")).status_code == 200
        assert len((await session.get()).json()["turns"]) == 1


@pytest.mark.parametrize("headers", [BROKEN, {"Authorization": "Bearer something"}])
async def test_a_key_that_is_wrong_is_refused_even_where_none_is_needed(client, headers):
    assert (await client.post("/v1/sessions", headers=headers)).status_code == 401
    assert (await client.get("/v1/audit", headers=headers)).status_code == 401


async def test_each_scope_opens_its_routes_and_no_others(client, settings):
    session = Session(client, await made(client, await key(settings, "clinic")))
    routes = {
        ("post", "/v1/sessions"): "chat",
        ("post", f"{session.path}/turns"): "chat",
        ("post", f"{session.path}/turns/t_1/cancel"): "chat",
        ("get", f"{session.path}/turns/t_1/events"): "chat",
        ("post", f"{session.path}/consents"): "chat",
        ("get", f"{session.path}/consents"): "read",
        ("get", session.path): "read",
        ("get", f"{session.path}/export"): "read",
        ("post", "/v1/users/export"): "read",
        ("post", "/v1/users/erase"): "erase",
        ("get", "/v1/audit"): "admin",
        ("delete", session.path): "erase",
    }
    bodies = {"turns": {"text": "hello there"}, "consents": {"purpose": "training", "version": "1", "given": False}}
    bodies |= {"export": {"user": "ann"}, "erase": {"user": "ann"}}
    for scope in ("chat", "read", "admin", "erase"):
        headers = await key(settings, "clinic", scope)
        for (method, path), needed in routes.items():
            body = bodies.get(path.rpartition("/")[2]) if method == "post" else None
            answer = await client.request(method, path, headers=headers, json=body)
            if needed == scope:
                assert answer.status_code in (200, 201) or answer.json()["code"] == "turn_not_found", (path, scope)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (path, scope)


async def test_a_revoked_key_opens_nothing_from_then_on(client, settings):
    async with opened(settings) as keys:
        record, secret = await keys.create("clinic", ["chat"])
        headers = {"Authorization": f"Bearer {secret}"}
        await made(client, headers)
        await keys.revoke(record.id)
        assert (await client.post("/v1/sessions", headers=headers)).status_code == 401


async def test_a_tenant_that_is_too_fast_waits_and_the_others_and_a_crisis_do_not(settings, model):
    settings = settings.model_copy(update={"posts_per_minute": 1, "tenant_rates": {"big": 3}})
    async with serving(settings, model) as client:
        small = Session(client, await made(client, await key(settings, "small")))
        big = Session(client, await made(client, await key(settings, "big")))
        for _ in range(2):
            assert (await small.send("the first post", Idempotency_Key="first")).status_code == 200
        refused = await small.send("the second post")
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        for number in range(3):
            assert (await big.send(f"post {number}")).status_code == 200
        assert (await big.send("one too many")).status_code == 429
        crisis = await small.send("我不想活了，今晚就想结束自己的生命")
        assert crisis.status_code == 200
        assert crisis.json()["card"]
        assert len((await small.get()).json()["turns"]) == 2


async def test_a_page_of_a_named_origin_may_show_a_token_or_key(client):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in (("https://clinic.example", True), ("https://elsewhere.example", False)):
        for path in ("/v1/sessions", "/v1/users/export", "/v1/sessions/s_1/consents"):
            answer = await client.options(path, headers={"Origin": origin} | asked)
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
