"""API keys of tenants at Rasa's doors."""

import pytest

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.keys import key
from support.models import ZH_CHAIN, ScriptedModel
from support.serving import serving

CALL = {
    "next_action": "action_empathy",
    "sender_id": "ann",
    "tracker": {"latest_message": {"text": "I could not sleep again"}},
}
MESSAGE = {"sender": "ann", "message": "the front end's Ann"}


@pytest.fixture
def settings(tmp_path):
    address = f"sqlite+aiosqlite:///{tmp_path}/r.db"
    return Settings(database_url=address, data_dir=tmp_path, encryption_keys=new_key("t"), drain_seconds=5)


def opened(settings):
    return serving(create_app, settings, ScriptedModel(script=ZH_CHAIN))


async def posts(client, headers, user):
    held = (await client.post("/v1/users/export", json={"user": user}, headers=headers)).json()["sessions"]
    return [turn["post"] for one in held for turn in one["session"]["turns"]]


async def test_a_key_puts_the_talk_into_its_tenant_and_doors_stay_apart(settings):
    async with opened(settings) as client:
        clinic = await key(settings, "clinic")
        secret = clinic["Authorization"].partition(" ")[2]
        assert (await client.post("/rasa/webhook", json=CALL, headers=clinic)).status_code == 200
        assert (await client.post(f"/webhooks/rest/webhook?token={secret}", json=MESSAGE)).status_code == 200
        assert await posts(client, clinic, "ann") == ["I could not sleep again"]
        assert await posts(client, clinic, "channel:ann") == ["the front end's Ann"]
        assert await posts(client, await key(settings, "other"), "ann") == []


async def test_where_keys_are_required_rasa_needs_one_or_its_own_token(settings):
    async with opened(settings.model_copy(update={"require_keys": True})) as client:
        for headers in ({}, {"Authorization": "Bearer er1_broken"}, await key(settings, "clinic", "read")):
            assert (await client.post("/webhooks/rest/webhook", json=MESSAGE, headers=headers)).status_code == 401
            said = (await client.post("/rasa/webhook", json=CALL, headers=headers)).json()["responses"]
            assert ZH_CHAIN["response"][:8] not in str(said)
        clinic = await key(settings, "clinic", "chat")
        assert (await client.post("/webhooks/rest/webhook", json=MESSAGE, headers=clinic)).status_code == 200
    own = settings.model_dump() | {"rasa_token": "own", "require_keys": True}
    async with opened(Settings(**own)) as client:
        assert (await client.post("/webhooks/rest/webhook?token=own", json=MESSAGE)).status_code == 200
        assert (await client.post("/webhooks/rest/webhook?token=er1_no", json=MESSAGE)).status_code == 401
