"""The whole graph against a real vLLM server."""

import asyncio
from itertools import pairwise

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from empathy_r1.graph import Context, build_graph, wire
from empathy_r1.graph.errors import ModelNotFoundError, ModelUnavailableError, PromptTooLongError, ReplyCutError
from empathy_r1.graph.labels import EMOTIONS, INTENTIONS

from support.posts import EN_POST, ZH_POST
from support.proxy import Cut, at_once, cutting_proxy, reply_in, until
from support.vllm_server import CONTEXT

NODES = ("emotion", "cause", "intention", "response")
OPENED = {
    "emotion": rb'"<emotion>\n"',
    "cause": rb'</emotion>\n<cause>\n"',
    "intention": rb'</cause>\n<intention>\n"',
    "response": rb'</intention>\n<strategy>\n"',
}
"""How the request of each node ends its messages, as JSON."""
graph = build_graph().compile()


def ask(post=ZH_POST):
    return {"messages": [("user", post)]}


def of(model, **options):
    return Context(model=model, reveal_chain=True, **options)


@pytest.mark.parametrize(("post", "locale"), [(ZH_POST, "zh"), (EN_POST, "en")])
async def test_four_nodes_write_a_valid_chain(chat, post, locale):
    result = await graph.ainvoke(ask(post), context=of(chat()))
    assert result["degraded"] is None
    assert result["withheld"] == {}
    for section, text in result["chain"].items():
        assert wire.repair(section, text, locale) == text
    assert all(e.label in EMOTIONS for e in wire.emotions(result["chain"]["emotion"]))
    assert all(label in INTENTIONS for label in wire.intentions(result["chain"]["intention"]))
    assert len(result["messages"][-1].text) > 40
    assert not wire.parse(result["messages"][-1].text)


@pytest.mark.parametrize("post", [ZH_POST, EN_POST])
async def test_later_nodes_find_their_prompt_in_the_cache(chat, post):
    """95 % of the prompt tokens, although whole blocks alone count and a CPU's have 32 tokens."""
    timings = (await graph.ainvoke(ask(post), context=of(chat(cache_salt=post[:9]))))["timings"]
    assert timings["emotion"]["cached_tokens"] == 0
    for before, node in pairwise(NODES):
        assert timings[node]["cached_tokens"] >= 0.95 * timings[node]["input_tokens"]
        assert timings[node]["input_tokens"] > timings[before]["input_tokens"]


async def test_the_next_turn_begins_where_the_post_began(chat):
    """History is posts and replies: everything up to the last post is in the cache, the chain is not sent again."""
    model = chat(cache_salt="turns")
    first = await graph.ainvoke(ask(), context=of(model))
    again = {"messages": [*first["messages"], ("user", "谢谢你。我今天睡了一会儿，醒来还是有点慌。")]}
    second = await graph.ainvoke(again, context=of(model))
    assert second["degraded"] is None
    assert second["timings"]["emotion"]["cached_tokens"] >= 0.8 * first["timings"]["emotion"]["input_tokens"]
    assert second["timings"]["cause"]["cached_tokens"] >= 0.95 * second["timings"]["cause"]["input_tokens"]


async def test_the_reply_streams_and_nothing_else_does(chat):
    pieces, nodes = [], set()
    async for chunk, about in graph.astream(ask(), context=of(chat()), stream_mode="messages"):
        pieces.append(chunk.text)
        nodes.add(about["langgraph_node"])
    result = await graph.ainvoke(ask(), context=of(chat()))
    assert nodes == {"response"}
    assert "".join(pieces) == result["messages"][-1].text
    assert len([piece for piece in pieces if piece]) >= 3
    assert not any(text in "".join(pieces) for text in result["chain"].values())


async def test_the_first_words_come_while_the_server_still_writes(chat, server):
    heard, early = [], []

    async def note(answer):
        early.append(bool(heard))
        return False

    async with cutting_proxy(server.port, Cut(OPENED["response"], note)) as url:
        model = chat(url)
        async for chunk, _ in graph.astream(ask(), context=of(model), stream_mode="messages"):
            heard.append(chunk.text)
        await model.aclose()
    assert any(early)


@pytest.mark.parametrize("node", NODES)
async def test_cancelling_a_turn_frees_the_server(chat, idle, server, node):
    async def leave(answer):
        task.cancel()
        return False

    async with cutting_proxy(server.port, Cut(OPENED[node], leave)) as url:
        model = chat(url, ignore_eos=True, min_tokens=190)  # a node that does not end by itself soon
        task = asyncio.create_task(graph.ainvoke(ask(), context=of(model)))
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 60)
        written = await asyncio.to_thread(server.metric, "vllm:generation_tokens_total")
        assert await idle()
        await model.aclose()
    assert await asyncio.to_thread(server.metric, "vllm:generation_tokens_total") - written < 150


async def test_eight_sessions_at_once(chat):
    model = chat()
    posts = [f"{post}\n\n{n}。" for n in range(4) for post in (ZH_POST, EN_POST)]
    results = await asyncio.gather(*(graph.ainvoke(ask(post), context=of(model)) for post in posts))
    assert [result["degraded"] for result in results] == [None] * 8
    for result, post in zip(results, posts, strict=True):
        assert result["messages"][0].text == post


async def test_a_broken_connection_is_tried_again(chat, server):
    cut = Cut(OPENED["intention"], at_once)
    async with cutting_proxy(server.port, cut) as url:
        model = chat(url)
        result = await graph.ainvoke(ask(), context=of(model))
        await model.aclose()
    assert cut.made == 1
    assert result["degraded"] is None
    assert result["chain"] == (await graph.ainvoke(ask(), context=of(chat())))["chain"]


async def test_a_server_that_stays_away_fails_the_turn_and_the_turn_resumes(chat, server):
    host, thread = build_graph().compile(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    cut = Cut(OPENED["intention"], at_once, times=99)
    async with cutting_proxy(server.port, cut) as url:
        model = chat(url)
        with pytest.raises(ModelUnavailableError, match="not available"):
            await host.ainvoke(ask(), thread, context=of(model))
        await model.aclose()
    assert cut.made == 2
    result = await host.ainvoke(None, thread, context=of(chat()))
    assert result["degraded"] is None
    assert set(result["timings"]) == set(NODES)
    assert result["chain"] == (await graph.ainvoke(ask(), context=of(chat())))["chain"]


async def test_a_reply_that_breaks_off_is_not_spoken_twice(chat, server):
    heard = []

    async def listen(model):
        async for chunk, _ in graph.astream(ask(), context=of(model), stream_mode="messages"):
            heard.append(chunk.text)

    async def in_the_third_sentence(answer):
        if reply_in(answer).count("。") < 2:
            return False
        await until(lambda: heard)
        return True

    cut = Cut(OPENED["response"], in_the_third_sentence, times=99)
    async with cutting_proxy(server.port, cut) as url:
        model = chat(url)
        with pytest.raises(ReplyCutError):
            await listen(model)
        await model.aclose()
    assert cut.made == 1
    assert "".join(heard)
    whole = (await graph.ainvoke(ask(), context=of(chat())))["messages"][-1].text
    assert whole.startswith("".join(heard))


@pytest.mark.parametrize("seed", range(6))
async def test_a_model_that_raves_ends_in_a_valid_state(chat, seed):
    result = await graph.ainvoke(ask(), context=of(chat(temperature=2.0, seed=seed)))
    assert result["degraded"] in (None, "one_pass", "fixed")
    reply = result["messages"][-1].text
    assert reply
    assert not wire.parse(reply)
    assert "<|" not in reply
    for section, text in result["chain"].items():
        assert not text or wire.repair(section, text, "zh") == text


async def test_a_model_without_an_end_is_cut(chat):
    result = await graph.ainvoke(ask(), context=of(chat(ignore_eos=True, logit_bias={2: -100.0, 3: 8.0})))
    assert result["messages"][-1].text
    assert result["timings"]["emotion"]["output_tokens"] <= 200


async def test_errors_of_the_model_name_the_cause(chat):
    with pytest.raises(ModelNotFoundError, match="called nobody"):
        await graph.ainvoke(ask(), context=of(chat(model="nobody")))
    with pytest.raises(PromptTooLongError, match=str(CONTEXT)):
        await graph.ainvoke(ask("难。" * 3000), context=of(chat()))
    with pytest.raises(ModelUnavailableError, match="refused"):
        await graph.ainvoke(ask(), context=of(chat("http://127.0.0.1:9/v1")))
