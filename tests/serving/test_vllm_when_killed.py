"""A server that is lost in the middle of a turn. Another test that wants the server starts it again."""

import asyncio

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from empathy_r1.graph import Context, build_graph
from empathy_r1.graph.errors import ModelUnavailableError, ReplyCutError

from support.posts import ZH_POST
from support.proxy import Cut, cutting_proxy, reply_in, until


async def test_the_server_dies_in_a_reply(chat, server):
    """What was heard stays heard, and the finished stages stay too, for when a server is there again."""

    async def kill(answer):
        if reply_in(answer).count("。") < 2:
            return False
        await until(lambda: heard)
        server.kill()
        return True

    async def turn(model):
        async for chunk, _ in graph.astream(
            {"messages": [("user", ZH_POST)]}, thread, context=Context(model=model), stream_mode="messages"
        ):
            heard.append(chunk.text)

    heard, thread = [], {"configurable": {"thread_id": "1"}}
    graph = build_graph().compile(checkpointer=InMemorySaver())
    async with cutting_proxy(server.port, Cut(b"<strategy>", kill)) as url:
        model = chat(url)
        with pytest.raises(ReplyCutError):
            await asyncio.wait_for(turn(model), 60)
        await model.aclose()
    assert not server.alive
    assert "".join(heard)

    state = (await graph.aget_state(thread)).values
    assert all(state[section] for section in ("emotion", "cause", "intention"))
    assert len(state["messages"]) == 1
    with pytest.raises(ModelUnavailableError, match="refused"):
        await graph.ainvoke(None, thread, context=Context(model=chat()))
