"""API keys of tenants at the OpenAI-compatible door."""

from contextlib import asynccontextmanager

import httpx
import pytest

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.keys import key
from support.models import ZH_CHAIN, ScriptedModel

ASKED = {"messages": [{"role": "user", "content": "I could not sleep again"}], "user": "ann"}


@pytest.fixture
def settings(tmp_path):
    address = f"sqlite+aiosqlite:///{tmp_path}/o.db"
    return Settings(database_url=address, data_dir=tmp_path, encryption_keys=new_key("t"), drain_seconds=5)


@asynccontextmanager
async def serving(settings, **changed):
    settings = settings.model_copy(update=changed)
    model = ScriptedModel(script=ZH_CHAIN)
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/v1", timeout=60) as client:
            yield client


async def test_a_key_puts_the_talk_into_its_tenant(settings):
    async with serving(settings) as client:
        clinic, other = await key(settings, "clinic"), await key(settings, "other")
        assert (await client.post("/chat/completions", json=ASKED, headers=clinic)).status_code == 200
        user = {"user": "user:ann"}
        held = (await client.post("/users/export", json=user, headers=clinic)).json()
        assert len(held["sessions"][0]["session"]["turns"]) == 1
        assert (await client.post("/users/export", json=user, headers=other)).json() == {"sessions": []}


async def test_a_key_without_the_scope_is_refused_and_a_broken_one_too(settings):
    async with serving(settings) as client:
        reader = await key(settings, "clinic", "read")
        refused = await client.post("/chat/completions", json=ASKED, headers=reader)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_permissions")
        broken = {"Authorization": "Bearer er1_broken"}
        assert (await client.get("/models", headers=broken)).status_code == 401


async def test_required_keys_leave_the_doors_own_key_working(settings):
    async with serving(settings, require_keys=True) as client:
        for headers in ({}, {"Authorization": "Bearer sk-any"}):
            assert (await client.get("/models", headers=headers)).status_code == 401
        assert (await client.get("/models", headers=await key(settings, "clinic"))).status_code == 200
    own = {"openai_api_key": "sk-own", "require_keys": True, "database_url": settings.database_url}
    own = Settings(**own, data_dir=settings.data_dir, encryption_keys=settings.encryption_keys)
    async with serving(own) as client:
        assert (await client.get("/models", headers={"Authorization": "Bearer sk-own"})).status_code == 200
        assert (await client.get("/models")).status_code == 401
