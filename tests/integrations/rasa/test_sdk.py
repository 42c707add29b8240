"""examples/rasa/actions.py on a real rasa-sdk server, over HTTP and over streaming gRPC, with the embedded model."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from empathy_r1.graph import wire
from empathy_r1.integrations.rasa import bot, talk
from empathy_r1.storage.crypto import new_key

from support.server_process import ServerProcess, answers, free_port
from tiers import require

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-rasa-sdk" / "bin" / "python"
POST = "第三次面试还是没过，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。这几天一直睡不着，总觉得是我不行。"
CRISIS = "我不想活了，今晚就想结束这一切"


def in_time(ask, call):
    """The answer. A machine too busy to give it within the deadline is asked again for the same message."""
    for _ in range(6):
        answer = ask(call)
        if talk.LATER[:20] not in str(answer):
            return answer
    raise AssertionError("no answer in six times the deadline")


@contextmanager
def action_server(folder, *options):
    require("rasa", None if PYTHON.exists() else "there is no .venv-rasa-sdk: tests/environments/rasa.sh makes it")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SANIC_HOST": "127.0.0.1",
        "EMPATHY_R1_DATA_DIR": str(folder),
        "EMPATHY_R1_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/sdk.db",
        "EMPATHY_R1_ENCRYPTION_KEYS": new_key("t"),
        "EMPATHY_R1_REGION": "CN",
    }
    command = [PYTHON, "-m", "rasa_sdk", "--actions", "actions", "-p", str(port), *options]
    server = ServerProcess(folder / "sdk.log")
    # Over gRPC there is no page to ask: the client waits for the channel.
    ready = (lambda: True) if "--grpc" in options else (lambda: answers(f"http://127.0.0.1:{port}/health"))
    server.start(command, ready, seconds=300, env=environment, cwd=ROOT / "examples/rasa")
    try:
        yield port
    finally:
        server.stop()


@pytest.fixture(scope="module")
def over_http(tmp_path_factory):
    with action_server(tmp_path_factory.mktemp("sdk")) as port:

        def ask(call):
            return httpx.post(f"http://127.0.0.1:{port}/webhook", json=call, timeout=250).json()

        yield lambda call: in_time(ask, call)


@pytest.fixture(scope="module")
def over_grpc(tmp_path_factory):
    with action_server(tmp_path_factory.mktemp("grpc"), "--grpc") as port:

        def ask(call):
            tool = ROOT / "tests/tools/rasa_grpc_client.py"
            done = subprocess.run(
                [PYTHON, tool, str(port)], input=json.dumps(call), capture_output=True, text=True, timeout=400
            )
            assert done.returncode == 0, done.stderr
            return [json.loads(line) for line in done.stdout.splitlines()]

        yield lambda call: in_time(ask, call)


def call(text, *, action="action_empathy", slots=None, message_id="m", sender="p1"):
    message = {"text": text, "intent": {"name": "utterance"}, "entities": [], "message_id": message_id, "metadata": {}}
    tracker = {"sender_id": sender, "slots": slots or {}, "latest_message": message, "events": [], "paused": False}
    return {"next_action": action, "sender_id": sender, "tracker": tracker, "domain": {}, "version": "3.21.0"}


def texts(answer):
    """What the person reads, but the notices that are due at the start of a talk."""
    return [one["text"] for one in answer["responses"] if one.get("text") and "不是真人" not in one["text"]]


def test_a_post_over_http_is_one_message_and_again_the_same(over_http):
    first = over_http(call(POST))
    reply = texts(first)[0]
    assert len(reply) > 40
    assert not any(f"<{section}>" in str(first) for section in wire.SECTIONS)
    assert first["events"] == [bot.LISTEN]
    assert texts(over_http(call(POST)))[0] == reply


def test_commands_crisis_and_humans_over_http(over_http):
    assert texts(over_http(call("/restart"))) == [talk.GREETING]
    crisis = over_http(call(CRISIS, message_id="c"))
    assert any("12356" in text for text in texts(crisis))
    assert any(one["custom"].get("data", {}).get("card") for one in crisis["responses"])
    given = over_http(call("转人工", action="action_handover"))
    assert given["events"][0]["value"] is True
    assert "12356" in texts(given)[0]
    assert texts(over_http(call("你好", slots={"human": True}, message_id="h"))) == []
    assert over_http(call("回到助手", action="action_back"))["events"][0]["value"] is False


def test_a_reply_streams_over_grpc(over_grpc):
    events = over_grpc(call(POST))
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "chunk_start"
    assert kinds[-2:] == ["chunk_end", "final_result"]
    said = [event["chunk"]["text"] for event in events if "chunk" in event]
    assert len(said) > 2
    assert len("".join(said)) > 40
    assert not any(f"<{section}>" in str(events) for section in wire.SECTIONS)
    assert not texts({"responses": events[-1]["final_result"].get("responses", [])})


def test_a_crisis_over_grpc_shows_the_card(over_grpc):
    events = over_grpc(call(CRISIS, sender="p2"))
    assert any("12356" in event["chunk"].get("text", "") for event in events if "chunk" in event)
    assert any("data" in event["chunk"].get("custom", {}) for event in events if "chunk" in event)
