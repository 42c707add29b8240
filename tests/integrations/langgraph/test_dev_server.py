"""`langgraph dev` serves langgraph.json; its own client talks to it. With the embedded model."""

import os
from pathlib import Path

import pytest
from langgraph_sdk import get_sync_client

from empathy_r1.graph import wire

from support.server_process import ServerProcess, answers, free_port
from tiers import require

ROOT = Path(__file__).parents[3]
COMMAND = ROOT / ".venv-langgraph" / "bin" / "langgraph"
POST = "三个月前我从老家搬到这边上班，到现在一个朋友也没有。中午大家都有饭搭子，我就在楼梯间里吃，怕别人看见我一个人。"
CRISIS = "我不想活了，今晚就想结束这一切"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    require("langgraph", None if COMMAND.exists() else "no .venv-langgraph (tests/environments/langgraph.sh)")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [COMMAND, "dev", "--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    server = ServerProcess(tmp_path_factory.mktemp("langgraph") / "log")
    server.start(command, lambda: answers(f"{url}/ok"), seconds=300, env=os.environ | quiet, cwd=ROOT)
    try:
        with get_sync_client(url=url) as client:
            yield client
    finally:
        server.stop()


def said(text):
    return {"messages": [{"role": "user", "content": text}]}


def test_a_talk_on_a_thread(client):
    thread = client.threads.create()["thread_id"]
    first = client.runs.wait(thread, "empathy", input=said(POST), context={"region": "CN"})
    assert len(first["messages"][-1]["content"]) > 40
    assert not {"emotion", "cause", "intention", "strategy"} & set(first)
    assert not first.get("chain")
    again = client.runs.wait(thread, "empathy", input=said("那我该怎么认识新同事？"), context={"region": "CN"})
    assert [message["type"] for message in again["messages"]] == ["human", "ai", "human", "ai"]


def test_streamed_messages_hold_the_reply_alone(client):
    pieces = [
        part.data[0]["content"]
        for part in client.runs.stream(None, "empathy", input=said(POST), stream_mode="messages-tuple")
        if part.event == "messages" and part.data[0]["type"] != "human"
    ]
    assert len("".join(pieces)) > 40
    assert not any(f"<{section}>" in "".join(pieces) for section in wire.SECTIONS)


def test_a_crisis(client):
    done = client.runs.wait(None, "empathy", input=said(CRISIS), context={"region": "CN"})
    assert done["level"] in ("high", "imminent")
    assert "12356" in done["card"]["text"]
