"""Another tenant's keys and tokens open nothing: every route that the application has is tried."""

import itertools
import json

import httpx
import pytest

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine

from support.keys import key
from support.models import ZH_CHAIN, ScriptedModel

SECRETS = ("locked drawer", "note-of-the-host", ZH_CHAIN["response"][:12])
OF_NOBODY = {
    *("/healthz", "/readyz", "/metrics", "/safety-protocol", "/v1/help"),
    *("/v1/models", "/v1/models/{model}", "/rasa/health", "/rasa/actions", "/webhooks/rest/"),
}
"""Routes that hold nothing of a person's."""
OF_THE_CALLER = {
    ("post", "/v1/sessions"): {"user": "ann"},
    ("post", "/v1/users/export"): {"user": "ann"},
    ("post", "/v1/users/erase"): {"user": "ann"},
    ("get", "/v1/audit"): None,
    ("post", "/v1/chat/completions"): {"messages": [{"role": "user", "content": "hello"}], "user": "ann"},
    ("post", "/rasa/webhook"): {
        "next_action": "action_empathy",
        "sender_id": "ann",
        "tracker": {"latest_message": {"text": "hello"}},
    },
    ("post", "/webhooks/rest/webhook"): {"sender": "ann", "message": "hello"},
}
"""Routes that take their tenant from the key: they answer, with nothing of another tenant's."""
OWN_WORDS = {
    "/v1/users/export": SECRETS,
    "/v1/chat/completions": SECRETS[2:],
    "/rasa/webhook": SECRETS[2:],
    "/webhooks/rest/webhook": SECRETS[2:],
}
"""What answers may hold because it is the caller's own: both tenants' Anns wrote the same, and got the same reply."""
BODIES = {
    "turns": {"text": "hello"},
    "consents": {"purpose": "training", "version": "1", "given": True},
    "contact": {"name": "Bo", "reach": "555-0100", "consent": True},
}


@pytest.fixture
def settings(settings, database_url):
    return settings.model_copy(update={"database_url": database_url})


@pytest.fixture
async def app_client(settings):
    model = ScriptedModel(script=ZH_CHAIN)
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield client


async def owned(client, headers):
    """A session of Ann's, with a turn, for the tenant."""
    body = {"user": "ann", "metadata": {"note": "note-of-the-host"}}
    made = (await client.post("/v1/sessions", json=body, headers=headers)).json()
    post = {"text": "I keep the letter in a locked drawer"}
    turn = await client.post(f"/v1/sessions/{made['session_id']}/turns", json=post, headers=headers)
    assert turn.status_code == 200, turn.text
    return made | {"turn_id": turn.json()["turn_id"]}


async def test_no_route_gives_or_changes_anything_of_another_tenant(app_client, settings):
    client, mine, theirs = app_client, await key(settings, "mine"), await key(settings, "theirs")
    target = await owned(client, mine)
    other = await owned(client, theirs)
    token = {"Authorization": f"Bearer {other['token']}"}
    held = (await client.get(f"/v1/sessions/{target['session_id']}/export", headers=mine)).json()
    tried = 0
    for path, operations in (await client.get("/openapi.json")).json()["paths"].items():
        for method, headers in itertools.product(operations, (theirs, token, {})):
            if path in OF_NOBODY or ("{session_id}" not in path and (method, path) not in OF_THE_CALLER):
                assert path in OF_NOBODY, f"{method} {path} is new: say here whose it is"
                continue
            body = OF_THE_CALLER.get((method, path), BODIES.get(path.rpartition("/")[2]))
            body = body if method in ("post", "put") else None
            where = path.format(session_id=target["session_id"], turn_id=target["turn_id"])
            answer = await client.request(method, where, headers=headers, json=body)
            tried += 1
            expected = (200, 201, 401) if "{session_id}" not in path else (401, 404)
            assert answer.status_code in expected, (method, path, answer.text)
            known = OWN_WORDS.get(path, ())
            assert not [secret for secret in SECRETS if secret in answer.text and secret not in known], (method, path)
            assert target["session_id"] not in answer.text.replace(f"No session {target['session_id']}", "")
    assert tried > 30
    after = (await client.get(f"/v1/sessions/{target['session_id']}/export", headers=mine)).json()
    assert after["session"] == held["session"]
    assert after["consents"] == []
    assert (await client.get(f"/v1/sessions/{other['session_id']}", headers=theirs)).status_code == 404, (
        "erased by theirs"
    )


async def test_the_same_user_id_is_another_person_at_another_tenant(app_client, settings):
    client, mine, theirs = app_client, await key(settings, "mine"), await key(settings, "theirs")
    target, other = await owned(client, mine), await owned(client, theirs)
    for headers, own in ((mine, target), (theirs, other)):
        sessions = (await client.post("/v1/users/export", json={"user": "ann"}, headers=headers)).json()["sessions"]
        assert [one["session"]["session_id"] for one in sessions] == [own["session_id"]]
    erased = (await client.post("/v1/users/erase", json={"user": "ann"}, headers=theirs)).json()
    assert erased["sessions"] == 1
    assert (await client.get(f"/v1/sessions/{target['session_id']}", headers=mine)).status_code == 200
    logs = [(await client.get("/v1/audit", headers=headers)).json() for headers in (mine, theirs)]
    assert not {entry["subject"] for entry in logs[0]} & {entry["subject"] for entry in logs[1]}
    assert "ann" not in json.dumps(logs)
