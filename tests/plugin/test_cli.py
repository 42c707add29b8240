"""The command line as a person or a program meets it."""

import asyncio
import json
import pathlib
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from empathy_r1.plugin.cli import app
from empathy_r1.plugin.cli import chat as chat_command
from empathy_r1.plugin.engine import EmpathyEngine

from support.models import ZH_CHAIN, ScriptedModel

POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。"


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs a command over a database of its own, with a scripted model in the embedded one's place."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    real = EmpathyEngine.open

    def scripted(settings, *, model=None):
        return real(settings, model=model or ScriptedModel(script=ZH_CHAIN))

    monkeypatch.setattr(chat_command.EmpathyEngine, "open", scripted)
    return lambda *args, **more: CliRunner().invoke(app, args, **more)


def test_one_post_as_json(cli):
    done = cli("chat", "--reveal-chain", "--json", POST)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["reply"] == ZH_CHAIN["response"]
    assert answer["level"] == "none"
    assert answer["chain"] == {s: ZH_CHAIN[s] for s in ("emotion", "cause", "intention", "strategy")}
    assert answer["timings"]["response"]["seconds"] >= 0


def test_the_chain_stays_inside_unless_it_is_asked_for(cli):
    done = cli("chat", "--json", POST)
    assert json.loads(done.stdout)["chain"] is None
    assert ZH_CHAIN["cause"] not in done.output


def test_a_post_streams_to_the_terminal(cli):
    done = cli("chat", POST)
    assert done.stdout.strip() == ZH_CHAIN["response"]


def test_a_post_on_stdin(cli):
    assert cli("chat", input=POST).stdout.strip() == ZH_CHAIN["response"]


def test_a_crisis_on_the_command_line_names_help(cli):
    done = cli("chat", "--region", "CN", "--json", "我不想活了，今晚就想结束这一切")
    answer = json.loads(done.stdout)
    assert answer["level"] in ("high", "imminent")
    assert "12356" in done.output


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("chat", "   "), "The post is empty"),
        (("chat", "长" * 9000), "at most 8000"),
        (("chat", "--model-url", "http://127.0.0.1:9/v1", "--model", "m", POST), "连不上模型"),
        (("chat", "--database-url", "mysql://x/y", POST), "database"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli, monkeypatch, args, said):
    if "--model-url" in args:
        monkeypatch.undo()
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name("empathy-r1"), *args], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_sessions_are_listed_exported_and_erased(cli):
    cli("chat", "--json", POST)
    [row] = json.loads(cli("sessions", "list", "--json").stdout)
    exported = cli("sessions", "export", row["session_id"])
    assert POST in exported.stdout
    receipt = json.loads(cli("sessions", "delete", "--yes", row["session_id"]).stdout)
    assert receipt["sessions"] == 1
    assert json.loads(cli("sessions", "list", "--json").stdout) == []


def test_the_schema_is_upgraded_and_checked(cli):
    assert cli("db", "upgrade").exit_code == 0
    assert cli("db", "check").exit_code == 0


def test_a_key_for_the_ring_is_made(cli):
    from empathy_r1.storage import KeyRing

    ring = KeyRing(cli("db", "key", "k2").stdout.strip())
    assert ring.open(ring.seal("一句话", "here"), "here") == "一句话"


def test_help_names_every_command(cli):
    said = cli("--help").stdout
    assert all(name in said for name in ("serve", "chat", "db", "sessions", "train"))


def test_the_event_loop_is_left_clean(cli):
    cli("chat", "--json", POST)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
