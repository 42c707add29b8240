"""The web application over the real engine, with SQLite and a scripted chat model."""

import asyncio
import json
from functools import partial

import pytest

from empathy_r1.integrations.web.app import create_app
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.serving import serving as support_serving


@pytest.fixture
def settings(tmp_path):
    return Settings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/web.db",
        data_dir=tmp_path,
        encryption_keys=new_key("t"),
        lease_seconds=2,
        drain_seconds=5,
        cors_origins=["https://clinic.example"],
    )


@pytest.fixture
def model():
    return ScriptedModel(script=ZH_CHAIN)


serving = partial(support_serving, create_app)


@pytest.fixture
async def client(settings, model):
    async with serving(settings, model) as client:
        yield client


class Session:
    """One session over HTTP."""

    def __init__(self, client, made):
        self.client = client
        self.path = f"/v1/sessions/{made['session_id']}"
        self.headers = {"Authorization": f"Bearer {made['token']}"}

    async def get(self, path="", **headers):
        return await self.client.get(self.path + path, headers=self.headers | headers)

    async def post(self, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(self.path + path, json=body, headers=self.headers | headers)

    async def send(self, text, **headers):
        return await self.post("/turns", {"text": text}, **headers)

    async def stream(self, text, **headers):
        return await self.send(text, Accept="text/event-stream", **headers)

    async def turns(self, at_least):
        """The session's turns, once there are so many."""
        for _ in range(500):
            turns = (await self.get()).json()["turns"]
            if len(turns) >= at_least:
                return turns
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(turns)} turns after 5 s, expected {at_least}")

    async def delete(self):
        return await self.client.delete(self.path, headers=self.headers)


@pytest.fixture
async def session(client):
    return Session(client, (await client.post("/v1/sessions", json={"locale": "zh", "region": "CN"})).json())


def parse(body):
    """The events of an SSE body as (id, name, data), comments left out."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found
