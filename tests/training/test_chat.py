"""A chat model that is asked once for each answer, over a real HTTP server."""

import asyncio
import time
from pathlib import Path

import openai
import pytest

from empathy_r1.training.chat import Cache, Chat, Endpoint, Messages
from empathy_r1.training.errors import TeacherError

from support.scripted_http import chat_server

ASKED = [{"role": "user", "content": "一个问题"}]
OTHER = [{"role": "user", "content": "另一个问题"}]


def slow(messages: Messages) -> tuple[int, str]:
    time.sleep(0.2)
    return 200, f"答：{messages[0]['content']}"


async def test_what_two_want_at_once_is_asked_once(tmp_path: Path) -> None:
    with chat_server(slow) as (url, asked):
        cache = Cache(tmp_path / "out")
        async with Chat(Endpoint(url, "m"), cache) as one, Chat(Endpoint(url, "m"), cache) as two:
            said = await asyncio.gather(one.say(ASKED), two.say(ASKED), two.say(OTHER), one.say(ASKED, run=1))
            assert await one.say(OTHER) == said[2]
    assert said == ["答：一个问题", "答：一个问题", "答：另一个问题", "答：一个问题"]
    assert len(asked) == 3  # another run is another answer


async def test_who_waits_for_an_answer_that_fails_asks_itself(tmp_path: Path) -> None:
    def second_time(messages: Messages) -> tuple[int, str]:
        return (500, "") if len(asked) == 1 else slow(messages)

    with chat_server(second_time) as (url, asked):
        async with Chat(Endpoint(url, "m"), Cache(tmp_path / "out"), retries=0) as chat:
            said = await asyncio.gather(chat.say(ASKED), chat.say(ASKED), return_exceptions=True)
    assert [type(s) for s in said] == [openai.InternalServerError, str]
    assert len(asked) == 2


async def test_nothing_said_is_not_kept(tmp_path: Path) -> None:
    with chat_server(lambda _: (200, "")) as (url, asked):
        async with Chat(Endpoint(url, "m"), Cache(tmp_path / "out")) as chat:
            assert [await chat.say(ASKED), await chat.say(ASKED)] == ["", ""]
    assert len(asked) == 2


def test_parts_read_each_other_and_mend_only_their_own_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    for part in ("", "a"):
        Cache(out, part).put(f"of {part or 'one'}", "said")
    files = [tmp_path / "out.jsonl.cache.jsonl", tmp_path / "out.jsonl.cache.a.jsonl"]
    for file in files:
        file.write_bytes(file.read_bytes() + b'{"key": "cut')
    cut = files[1].read_bytes()
    cache = Cache(out)
    assert (cache.get("of one"), cache.get("of a"), cache.get("cut")) == ("said", "said", None)
    cache.put("later", "said")
    assert Cache(out).get("later") == "said"
    assert files[1].read_bytes() == cut


@pytest.mark.parametrize("status", [401, 404])
async def test_a_refusal_says_what_to_check(tmp_path: Path, status: int) -> None:
    with chat_server(lambda _: (status, "")) as (url, _):
        async with Chat(Endpoint(url, "m"), Cache(tmp_path / "out")) as chat:
            with pytest.raises(TeacherError, match=f"{status}.*'m'"):
                await chat.say(ASKED)
