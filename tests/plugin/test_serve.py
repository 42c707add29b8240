"""The real server, told to stop in the middle of a turn: another process goes on, and the listener misses nothing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.events import Committed

from support.databases import wait_until
from support.models import ZH_CHAIN, ScriptedModel
from support.posts import POST

CODE = """
import sys
sys.path.insert(0, {tests!r})
import uvicorn
from empathy_r1.integrations.web.app import create_app
from empathy_r1.plugin.cli._server import DrainingServer
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from support.models import ZH_CHAIN, ScriptedModel
model = ScriptedModel(script=ZH_CHAIN, pause=0.2)
app = create_app(Settings(), open_engine=lambda chosen: EmpathyEngine.open(chosen, model=model))
config = uvicorn.Config(app, port=0, log_level="warning")
server = DrainingServer(config)
startup = server.startup
async def told(sockets=None):
    await startup(sockets)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
server.startup = told
server.run()
"""


@pytest.fixture
def process(settings, tmp_path):
    env = {
        **os.environ,
        "EMPATHY_R1_DATABASE_URL": settings.database_url,
        "EMPATHY_R1_DATA_DIR": str(tmp_path),
        "EMPATHY_R1_ENCRYPTION_KEYS": settings.encryption_keys.get_secret_value(),
        "EMPATHY_R1_DRAIN_SECONDS": "0.2",
    }
    code = CODE.format(tests=str(Path(__file__).parents[1]))
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
    with child:
        yield child
        child.kill()


async def test_a_server_that_stops_loses_no_turn_and_no_event(process, settings):
    import httpx

    port = int(await asyncio.to_thread(process.stdout.readline))
    seen = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        made = (await client.post("/v1/sessions", json={"locale": "zh"})).json()
        headers = {"Authorization": f"Bearer {made['token']}", "Accept": "text/event-stream"}
        path = f"/v1/sessions/{made['session_id']}/turns"
        async with client.stream("POST", path, json={"text": POST}, headers=headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    if seen[-1]["type"] == "stage":
                        process.send_signal(signal.SIGTERM)
    assert seen[-1]["type"] not in ("committed", "failed", "cancelled")
    wait_until(lambda: process.poll() is not None, 60)
    async with EmpathyEngine.open(settings, model=ScriptedModel(script=ZH_CHAIN)) as other:
        rest = [e async for e in other.events(made["session_id"], seen[0]["turn_id"], after=seen[-1]["seq"])]
    assert isinstance(rest[-1], Committed)
    assert [e["seq"] for e in seen] + [e.seq for e in rest] == list(range(1, rest[-1].seq + 1))
