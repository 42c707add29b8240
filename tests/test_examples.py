"""Each example runs as its own docstring says, with the embedded model or a local server in the hosted one's place."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

from support.models import ZH_CHAIN, ScriptedModel
from support.web_server import Doors

EXAMPLES = Path(__file__).parents[1] / "examples"
DOORS = ("chat_api.py", "langchain_chat.py", "openai_sdk.py", "rasa_rest.py", "rasa_socketio.py")


def run(name: str, *args: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *args],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here():
    assert {p.name for p in EXAMPLES.glob("*.py")} == {
        "embed_as_subgraph.py", "embed_with_checkpointer.py", "embed_with_interrupt.py", "hosted_model.py",
    }  # fmt: skip
    assert {p.name for p in (EXAMPLES / "doors").glob("*.py")} == set(DOORS)
    pages = {p.name for p in (EXAMPLES / "front_ends").glob("*.html")}
    opened = (Path(__file__).parent / "integrations/rasa/test_front_ends.py").read_text(encoding="utf-8")
    assert pages == {name for name in pages if f'visit("{name}"' in opened}


def test_as_a_subgraph():
    said = run("embed_as_subgraph.py")
    assert "We are open from 9 to 17." in said
    assert said.count(">") == 2


def test_with_a_checkpointer(tmp_path):
    pytest.importorskip("langgraph.checkpoint.sqlite")
    assert "4 messages are kept" in run("embed_with_checkpointer.py", str(tmp_path / "kept.db"))


def test_a_counsellor_reads_it_first():
    said = run("embed_with_interrupt.py")
    assert said.count("（咨询师已读）") == 1
    assert "2 messages in the talk" in said


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/d.db", data_dir=folder, encryption_keys=new_key("t"), region="CN"
    )
    with Doors(settings, ScriptedModel(script=ZH_CHAIN)) as doors:
        yield f"http://127.0.0.1:{doors.line.port}"


@pytest.mark.parametrize("name", DOORS)
def test_at_a_door(name, address):
    said = run(f"doors/{name}", address).split()
    assert " ".join(ZH_CHAIN["response"].split()) in " ".join(said)


class _Hosted(BaseHTTPRequestHandler):
    """A chat completions server that answers in the shape of the hosted API."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        step = asked["messages"][-1]["content"].rpartition("———\n")[2]
        if "<response>" in step:
            text = f"<strategy>{ZH_CHAIN['strategy']}</strategy>\n<response>{ZH_CHAIN['response']}</response>"
        else:
            text = ZH_CHAIN["emotion" if "情绪/强度" in step else "intention" if "意图 意图" in step else "cause"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for delta in ({"role": "assistant", "content": ""}, {"content": text}):
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"],
                     "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}  # fmt: skip
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args):
        pass


def test_with_a_hosted_model():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hosted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        said = run("hosted_model.py", OPENAI_API_KEY="none", OPENAI_BASE_URL=url)
        server.shutdown()
    assert said.strip() == ZH_CHAIN["response"]
