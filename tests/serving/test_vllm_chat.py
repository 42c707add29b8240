"""The vLLM client against a real server."""

import asyncio
from contextlib import aclosing

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from empathy_r1.graph import wire
from empathy_r1.graph.errors import ModelNotFoundError, PromptTooLongError
from empathy_r1.graph.models.vllm import served_models, vllm_chat
from empathy_r1.graph.prompts import continue_prompt

from support.posts import EN_POST, ZH_POST
from support.vllm_server import BLOCK, CONTEXT

OPENED = continue_prompt([HumanMessage(ZH_POST)], {}, "emotion", "zh")
END = wire.close_tag("response")
LONG = CONTEXT // 2
"""Tokens of an answer that takes seconds."""


async def said(model, messages, **options):
    async with aclosing(model.astream(messages, **options)) as stream:
        whole = AIMessageChunk("")
        pieces = 0
        async for chunk in stream:
            pieces += bool(chunk.text)
            whole += chunk
    return whole, pieces


async def test_a_final_assistant_message_is_continued(chat):
    model = chat()
    whole, _ = await said(model, OPENED, stop=[END])
    message = OPENED[-1].text + whole.text + END
    chain = wire.parse(message)
    assert message == wire.render(chain)
    for section in wire.SECTIONS[1:]:
        opened = continue_prompt([HumanMessage(ZH_POST)], chain, section, "zh")
        rest, _ = await said(model, opened, stop=[END])
        assert opened[-1].text + rest.text + END == message


async def test_messages_that_end_in_a_post_are_answered(chat):
    whole, _ = await said(chat(), OPENED[:-1])
    assert whole.text.startswith(wire.open_tag("emotion"))
    assert whole.text.endswith(END)


async def test_a_stop_string_ends_the_section_and_stays_out(chat):
    whole, pieces = await said(chat(), OPENED, stop=[wire.close_tag("emotion")])
    assert whole.response_metadata["finish_reason"] == "stop"
    assert "<" not in whole.text
    assert wire.repair("emotion", whole.text, "zh") == whole.text
    assert pieces > 3


async def test_usage_counts_what_the_cache_held(chat):
    model = chat(cache_salt="usage")
    first, _ = await said(model, OPENED, max_tokens=4)
    second, _ = await said(model, OPENED, max_tokens=4)
    tokens = second.usage_metadata["input_tokens"]
    assert first.usage_metadata["input_token_details"].get("cache_read", 0) == 0
    assert second.usage_metadata["input_token_details"]["cache_read"] == (tokens - 1) // BLOCK * BLOCK
    assert second.usage_metadata["output_tokens"] == 4


async def test_another_salt_shares_no_cache(chat):
    for salt in ("one tenant", "another"):
        whole, _ = await said(chat(cache_salt=salt), OPENED, max_tokens=2)
        assert whole.usage_metadata["input_token_details"].get("cache_read", 0) == 0


async def test_every_way_of_calling_says_the_same(chat):
    model, options = chat(), {"stop": [wire.close_tag("cause")]}
    streamed, _ = await said(model, OPENED, **options)
    awaited = await model.ainvoke(OPENED, **options)
    called = await asyncio.to_thread(model.invoke, OPENED, **options)
    sync = await asyncio.to_thread(lambda: "".join(chunk.text for chunk in model.stream(OPENED, **options)))
    model.root_client.close()
    assert streamed.text == awaited.text == called.text == sync
    assert awaited.usage_metadata["input_token_details"]["cache_read"] > 0


async def test_sampling_reaches_the_server(chat):
    warm = {"temperature": 2.0, "max_tokens": 40, "seed": 7}
    one, _ = await said(chat(**warm), OPENED)
    same, _ = await said(chat(**warm), OPENED)
    greedy, _ = await said(chat(**warm, top_k=1), OPENED)
    plain, _ = await said(chat(max_tokens=40), OPENED)
    assert one.text == same.text != plain.text
    assert greedy.text == plain.text


async def test_requests_in_flight_do_not_mix(chat):
    model, options = chat(), {"stop": [END]}
    prompts = [continue_prompt([HumanMessage(post)], {}, "emotion", "zh") for post in (ZH_POST, EN_POST)]
    alone = [(await said(model, prompt, **options))[0].text for prompt in prompts]
    together = await asyncio.gather(*(said(model, prompt, **options) for prompt in prompts * 4))
    assert [whole.text for whole, _ in together] == alone * 4


async def test_leaving_a_stream_frees_the_request(chat, idle, server):
    before = await asyncio.to_thread(server.metric, "vllm:generation_tokens_total")
    model = chat(max_tokens=LONG, ignore_eos=True)
    async with aclosing(model.astream(OPENED)) as stream:
        async for _ in stream:
            break
        assert await asyncio.to_thread(server.metric, "vllm:num_requests_running") == 1
    assert await idle()
    assert await asyncio.to_thread(server.metric, "vllm:generation_tokens_total") - before < LONG / 2


async def test_cancelling_frees_the_request(chat, idle, server):
    before = await asyncio.to_thread(server.metric, "vllm:generation_tokens_total")
    task = asyncio.create_task(said(chat(max_tokens=LONG, ignore_eos=True), OPENED))
    for _ in range(100):
        if await asyncio.to_thread(server.metric, "vllm:num_requests_running"):
            break
        await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await idle()
    assert await asyncio.to_thread(server.metric, "vllm:generation_tokens_total") - before < LONG / 2


async def test_a_prompt_beyond_the_context_says_how_long_it_is(chat):
    messages = continue_prompt([HumanMessage("很长。" * 4000)], {}, "emotion", "zh")
    with pytest.raises(PromptTooLongError, match=str(CONTEXT)):
        await said(chat(), messages, max_tokens=100)


async def test_a_model_that_the_server_does_not_have(chat):
    with pytest.raises(ModelNotFoundError, match="called nobody"):
        await said(chat(model="nobody"), OPENED)


async def test_a_wrong_path_is_told_from_a_wrong_name(chat, server):
    with pytest.raises(ModelNotFoundError, match="/v1"):
        await said(chat(f"http://127.0.0.1:{server.port}/v2"), OPENED)


async def test_the_only_model_is_found_by_itself(server):
    assert served_models(server.url) == ["tiny"]
    model = vllm_chat(f"http://127.0.0.1:{server.port}")
    assert model.model_name == "tiny"
    assert (await model.ainvoke([HumanMessage("你好"), AIMessage("你")], max_tokens=3)).text
    await model.aclose()
