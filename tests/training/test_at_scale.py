"""Annotation by actors of a real Ray, on this machine: the same samples as without it."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from empathy_r1.plugin.cli import app
from empathy_r1.training.chat import Endpoint
from empathy_r1.training.data.questions import Question, write
from empathy_r1.training.data.teacher import annotate
from empathy_r1.training.errors import TeacherError

from support.scripted_http import chat_server
from support.teachers import QUESTIONS, good

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    """A Ray of one core, whose workers are told to be idle at little cost."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
    yield
    ray.shutdown()


def test_actors_write_what_one_process_writes_and_ask_once(cluster: None, tmp_path: Path) -> None:
    from empathy_r1.training.data import at_scale

    crisis: Question = {**QUESTIONS[0], "id": "crisis", "post": "我不想活了，今晚就去跳楼"}
    asked_about = [*QUESTIONS, crisis]
    alone, out = tmp_path / "alone.jsonl", tmp_path / "actors.jsonl"
    with chat_server(good) as (url, asked):
        endpoint = Endpoint(url, "m")
        told = asyncio.run(annotate(asked_about, alone, endpoint))
        assert len(asked) == len(QUESTIONS)
        assert at_scale.annotate(asked_about, out, endpoint, actors=2, concurrency=2) == told
        assert len(asked) == 2 * len(QUESTIONS)
        assert out.read_bytes() == alone.read_bytes()
        # What the actors' caches hold is asked of nobody again: neither by actors, nor without Ray.
        out.unlink()
        assert at_scale.annotate(asked_about, out, endpoint, actors=1) == told
        assert asyncio.run(annotate(asked_about, out, endpoint)) == told
        assert len(asked) == 2 * len(QUESTIONS)
    assert out.read_bytes() == alone.read_bytes()
    assert len(list(tmp_path.glob("actors.jsonl.cache.*.jsonl"))) >= 1


def test_the_command_runs_on_actors(cluster: None, tmp_path: Path) -> None:
    write(tmp_path / "questions.jsonl", QUESTIONS[:2])
    with chat_server(good) as (url, _):
        arguments = [
            "data", "annotate", str(tmp_path / "questions.jsonl"), "--out", str(tmp_path / "o.jsonl"),
            "--url", url, "--model", "m", "--actors", "1",
        ]  # fmt: skip
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"kept": 2}


def test_a_refusing_teacher_ends_the_run(cluster: None, tmp_path: Path) -> None:
    from empathy_r1.training.data import at_scale

    with chat_server(lambda _: (401, "")) as (url, _), pytest.raises(TeacherError, match="refused: 401"):
        at_scale.annotate(QUESTIONS[:1], tmp_path / "o", Endpoint(url, "m"), actors=1)
    assert not (tmp_path / "o").exists()
