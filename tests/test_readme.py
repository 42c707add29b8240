"""Every code block of both READMEs is run: shell blocks in a shell, in order, against the server that they start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
READMES = ("README.md", "README.zh-CN.md")


def blocks(name: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def shell(home, port):
    """Runs a block with the project's commands on the PATH and its data in a folder of its own."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_DATA_HOME": str(home),
        "EMPATHY_R1_PORT": str(port),
    }

    def run(script: str, timeout: float = 120) -> str:
        script = script.replace("localhost:8000", f"localhost:{port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run.env = env
    return run


@pytest.fixture(scope="module")
def served(shell, port):
    """`make run`, as the first block says."""
    process = subprocess.Popen(
        ["make", "run"], cwd=ROOT, env=shell.env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                    break
            except OSError:
                assert process.poll() is None, "make run ended"
                time.sleep(0.5)
        else:
            pytest.fail("make run did not serve within 60 s")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("name", READMES)
def test_the_blocks_are_the_ones_below(name):
    kinds = [(kind, text.split()[0]) for kind, text in blocks(name)]
    assert kinds == [
        ("bash", "make"), ("bash", "make"), ("bash", "empathy-r1"), ("python", "import"), ("", "START"),
        ("bash", "empathy-r1"), ("bash", "session=$(curl"), ("bash", "pip"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", READMES)
def test_both_commands_are_targets(name):
    run, test = (text.split() for _, text in blocks(name)[:2])
    assert (run, test) == (["make", "run"], ["make", "test"])
    subprocess.run(["make", "-n", *test[1:]], cwd=ROOT, check=True, capture_output=True)


def test_make_run_serves_the_page(served):
    with urllib.request.urlopen(served) as page:
        assert "empathy-chat" in page.read().decode()


@pytest.mark.parametrize("name", READMES)
def test_one_post_on_the_command_line(name, shell):
    import json

    answer = json.loads(shell(blocks(name)[2][1]))
    assert set(answer) == {"reply", "level", "chain", "timings"}
    assert set(answer["chain"]) == {"emotion", "cause", "intention", "strategy"}
    assert answer["reply"]


@pytest.mark.parametrize("name", READMES)
def test_embedding_the_graph(name, shell, tmp_path):
    script = tmp_path / "embed.py"
    script.write_text(blocks(name)[3][1], encoding="utf-8")
    assert len(shell(f"python {script}").strip()) > 20


@pytest.mark.parametrize("name", READMES)
def test_the_drawn_graph_is_the_built_one(name):
    from empathy_r1.graph import build_graph

    drawn = set(re.findall(r"[a-z]+", blocks(name)[4][1]))
    assert drawn == {n for n in build_graph().nodes if not n.startswith("__")}


@pytest.mark.parametrize("name", READMES)
def test_serving_takes_these_options(name, shell):
    words = blocks(name)[5][1].split()
    said = shell("empathy-r1 serve --help")
    assert words[:2] == ["empathy-r1", "serve"]
    assert all(word in said for word in words if word.startswith("--"))


@pytest.mark.parametrize("name", READMES)
def test_a_turn_from_the_shell(name, shell, served):
    said = shell(blocks(name)[6][1])
    assert "event: accepted" in said
    assert "event: token" in said
    assert "event: committed" in said


@pytest.mark.parametrize("name", READMES)
def test_training_says_what_it_would_do(name, shell):
    pytest.importorskip("trl", reason="the 'train' extra is not installed")
    install, command = blocks(name)[7][1].splitlines()
    assert install == "pip install -e '.[train]'"
    assert "parameters" in shell(command)


@pytest.mark.parametrize("name", [*READMES, "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), f"{name} links to {target}"
