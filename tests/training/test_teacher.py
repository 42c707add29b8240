"""Annotation against a real HTTP server that speaks OpenAI's protocol and says what a test tells it to."""

from pathlib import Path

import pytest

from empathy_r1.graph import wire
from empathy_r1.training.chat import Endpoint
from empathy_r1.training.data.questions import Question
from empathy_r1.training.data.sample import read
from empathy_r1.training.data.teacher import annotate, validate
from empathy_r1.training.errors import TeacherError

from support.scripted_http import Messages, chat_server
from support.teachers import HELD, QUESTIONS, good


async def test_chains_are_kept_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    out = tmp_path / "chains.jsonl"
    with chat_server(good) as (url, asked):
        assert await annotate(QUESTIONS, out, Endpoint(url, "m")) == {"kept": 6}
        assert len(asked) == 6
        first = out.read_bytes()
        assert await annotate(QUESTIONS, out, Endpoint(url, "m")) == {"kept": 6}
        assert len(asked) == 6
    assert out.read_bytes() == first
    for sample, gold in zip(read(out), HELD, strict=True):
        assert sample["chain"] == gold["chain"]
        assert sample["meta"] == {"teacher": "m", "question": gold["id"]}


async def test_an_invalid_chain_is_sent_back_with_what_is_wrong(tmp_path: Path) -> None:
    def mends(messages: Messages) -> tuple[int, str]:
        status, text = good(messages)
        return (
            (status, text) if len(messages) > 2 else (status, text.replace("｜", " ").replace("<strategy>", "<plan>"))
        )

    with chat_server(mends) as (url, asked):
        assert await annotate(QUESTIONS[:1], tmp_path / "o", Endpoint(url, "m")) == {"kept": 1}
    assert len(asked) == 2
    assert "<strategy>" in asked[1][-1]["content"]


async def test_what_stays_invalid_is_left_out_after_two_repairs(tmp_path: Path) -> None:
    with chat_server(lambda _: (200, "好的，我来分析。")) as (url, asked):
        assert await annotate(QUESTIONS[:1], tmp_path / "o", Endpoint(url, "m")) == {"chain stayed invalid": 1}
    assert len(asked) == 3
    assert list(read(tmp_path / "o")) == []


async def test_a_busy_teacher_is_asked_again_and_a_broken_one_costs_only_its_row(tmp_path: Path) -> None:
    def shaky(messages: Messages) -> tuple[int, str]:
        broken = HELD[1]["post"] in messages[1]["content"]
        return (500, "") if broken or len(asked) == 1 else good(messages)

    with chat_server(shaky) as (url, asked):
        told = await annotate(QUESTIONS[:3], tmp_path / "o", Endpoint(url, "m"), concurrency=1, retries=1)
        assert told == {"kept": 2, "teacher failed": 1}
    # Healed, it is asked for the missing one alone.
    with chat_server(good) as (url, asked):
        assert await annotate(QUESTIONS[:3], tmp_path / "o", Endpoint(url, "m")) == {"kept": 3}
        assert len(asked) == 1


async def test_a_cut_off_cache_line_is_asked_again(tmp_path: Path) -> None:
    out, cache = tmp_path / "o", tmp_path / "o.cache.jsonl"
    with chat_server(good) as (url, asked):
        await annotate(QUESTIONS, out, Endpoint(url, "m"), concurrency=1)
        cache.write_bytes(cache.read_bytes()[:-40])
        assert await annotate(QUESTIONS, out, Endpoint(url, "m")) == {"kept": 6}
        assert len(asked) == 7
        assert await annotate(QUESTIONS, out, Endpoint(url, "m")) == {"kept": 6}
        assert len(asked) == 7


async def test_a_refusing_teacher_ends_the_run(tmp_path: Path) -> None:
    with (
        chat_server(lambda _: (401, "")) as (url, _),
        pytest.raises(TeacherError, match="refused: 401"),
    ):
        await annotate(QUESTIONS[:1], tmp_path / "o", Endpoint(url, "m"))


async def test_crises_and_unsafe_answers_are_not_annotated(tmp_path: Path) -> None:
    crisis: Question = {**QUESTIONS[0], "post": "我不想活了，今晚就去跳楼"}
    unsafe: Question = {**QUESTIONS[1], "answers": ["你这就是抑郁症，吃两片安定就好了。"]}
    with chat_server(good) as (url, asked):
        told = await annotate([crisis, unsafe], tmp_path / "o", Endpoint(url, "m"))
    assert told == {"post opens the crisis dialogue": 1, "answer breaks the guard's rules": 1}
    assert not asked


def test_a_cause_about_another_post_is_not_accepted() -> None:
    chain = {**HELD[0]["chain"], "cause": "番茄切块之后鸡蛋要打散再下锅"}
    _, wrong = validate(wire.render(chain), HELD[0]["post"], "zh")
    assert wrong == ["<cause> 与帖子无关，请用帖子里的事实和词"]
