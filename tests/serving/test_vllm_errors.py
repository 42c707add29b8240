"""What a server can do wrong, and the error that says so. The misbehaving servers are real sockets on loopback."""

import asyncio
import traceback

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from empathy_r1.graph.errors import ModelError, ModelNotFoundError, ModelUnavailableError, PromptTooLongError
from empathy_r1.graph.models.vllm import served_models, vllm_chat

from support.proxy import answering, http

SECRET = "这句话不该出现在日志里"
MESSAGES = [HumanMessage(SECRET), AIMessage("<emotion>\n")]
EVENT = 'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [%s]}\n\n'
PIECE = EVENT % '{"index": 0, "delta": {"content": "好"}, "finish_reason": null}'


async def told(url, **options):
    """The pieces that came, and the error."""
    model, pieces = vllm_chat(url, "m", **options), []

    async def listen():
        async for chunk in model.astream(MESSAGES):
            pieces.append(chunk.text)

    with pytest.raises(ModelError) as raised:
        await listen()
    await model.aclose()
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    return "".join(pieces), raised.value


async def test_a_closed_port():
    async with answering(b"") as url:
        pass
    _, error = await told(url)
    assert isinstance(error, ModelUnavailableError)
    assert "refused" in str(error)
    assert url in str(error)


async def test_an_unknown_host():
    _, error = await told("http://nowhere.invalid/v1")
    assert isinstance(error, ModelUnavailableError)
    assert "host name is not known" in str(error)


async def test_a_server_that_never_answers():
    async with answering(None) as url:
        _, error = await told(url, timeout=0.5)
    assert isinstance(error, ModelUnavailableError)
    assert "in time" in str(error)


async def test_a_server_that_hangs_up():
    async with answering(b"") as url:
        _, error = await told(url)
    assert isinstance(error, ModelUnavailableError)
    assert "broke" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        ("500 Internal Server Error", f'{{"error": {{"message": "{SECRET}"}}}}', ModelUnavailableError, "status 500"),
        ("503 Service Unavailable", "upstream down", ModelUnavailableError, "status 503"),
        ("429 Too Many Requests", "{}", ModelUnavailableError, "status 429"),
        ("401 Unauthorized", '{"error": "Unauthorized"}', ModelUnavailableError, "API key"),
        ("400 Bad Request", f'{{"error": {{"message": "input: {SECRET}"}}}}', ModelError, "status 400"),
        ("400 Bad Request", '{"error": {"message": "", "param": "top_k"}}', ModelError, "status 400 (top_k)"),
        ("404 Not Found", '{"detail": "Not Found"}', ModelNotFoundError, "/v1"),
        (
            "404 Not Found",
            '{"error": {"message": "The model `m` does not exist."}}',
            ModelNotFoundError,
            "called m",
        ),
        (
            "400 Bad Request",
            '{"error": {"message": "This model\'s maximum context length is 4096 tokens. However, your prompt '
            'contains at least 4097 input tokens, which exceeds this limit."}}',
            PromptTooLongError,
            "(4097 tokens) do not fit the model's context window of 4096 tokens",
        ),
    ],
)
async def test_refusals(status, body, expected, words):
    async with answering(http(status, body)) as url:
        _, error = await told(url)
    assert type(error) is expected
    assert words in str(error)


async def test_a_stream_that_ends_in_good_order_but_too_soon():
    async with answering(http("200 OK", PIECE + PIECE, "text/event-stream")) as url:
        pieces, error = await told(url)
    assert pieces == "好好"
    assert isinstance(error, ModelUnavailableError)
    assert "before its answer ended" in str(error)


async def test_a_stream_that_is_cut():
    whole = http("200 OK", PIECE + PIECE, "text/event-stream")
    async with answering(whole[:-20]) as url:
        pieces, error = await told(url)
    assert pieces == "好"
    assert isinstance(error, ModelUnavailableError)


async def test_an_error_inside_the_stream():
    event = 'data: {"error": {"message": "engine died", "code": 500}}\n\n'
    async with answering(http("200 OK", PIECE + event, "text/event-stream")) as url:
        pieces, error = await told(url)
    assert pieces == "好"
    assert isinstance(error, ModelUnavailableError)
    assert "while it answered" in str(error)


async def test_a_stream_that_is_no_json():
    async with answering(http("200 OK", PIECE + "data: {oh\n\n", "text/event-stream")) as url:
        _, error = await told(url)
    assert isinstance(error, ModelUnavailableError)


async def test_something_else_at_that_address():
    async with answering(http("200 OK", "<html>hello</html>", "text/html")) as url:
        _, error = await told(url)
    assert isinstance(error, ModelUnavailableError)


@pytest.mark.parametrize("names", [[], ["one", "two"]])
async def test_one_model_is_expected_where_none_is_named(names):
    entries = ", ".join(f'{{"id": "{name}", "object": "model", "created": 1, "owned_by": "me"}}' for name in names)
    async with answering(http("200 OK", f'{{"object": "list", "data": [{entries}]}}')) as url:
        with pytest.raises(ModelNotFoundError, match=", ".join(names) or "none"):
            await asyncio.to_thread(vllm_chat, url)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>hello</html>", "text/html"), ("<html>", "application/json"), ("null", "application/json")],
)
async def test_no_models_at_that_address(body, kind):
    async with answering(http("200 OK", body, kind)) as url:
        with pytest.raises(ModelError, match="/v1"):
            await asyncio.to_thread(served_models, url)


async def test_a_key_for_another_service_is_never_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-another-service")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid/v1")
    model = vllm_chat("http://127.0.0.1:9/v1", "m")
    assert model.root_async_client.api_key == "none"
    assert str(model.root_async_client.base_url) == "http://127.0.0.1:9/v1/"
    assert vllm_chat("http://127.0.0.1:9/v1", "m", api_key="mine").root_client.api_key == "mine"
    assert "mine" not in repr(vllm_chat("http://127.0.0.1:9/v1", "m", api_key="mine"))
