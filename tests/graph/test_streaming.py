"""A chat model that only streams answers a caller who waits for the whole, too."""

import pytest

from empathy_r1.graph.voice import Voice


async def pieces():
    for piece in ("我在", "听你说。"):
        yield piece


def test_it_answers_without_an_event_loop():
    assert Voice(pieces=pieces()).invoke("你在吗").text == "我在听你说。"


async def test_in_an_event_loop_the_asynchronous_methods_answer():
    assert (await Voice(pieces=pieces()).ainvoke("你在吗")).text == "我在听你说。"
    streamed = [chunk.text async for chunk in Voice(pieces=pieces()).astream("你在吗")]
    assert list(filter(None, streamed)) == ["我在", "听你说。"]


async def test_waiting_for_the_whole_inside_an_event_loop_is_refused():
    with pytest.raises(RuntimeError, match="event loop"):
        Voice(pieces=pieces()).invoke("你在吗")
