"""Chat models on a vLLM server: its OpenAI-compatible Chat Completions, continuing the final message.

Other OpenAI-compatible servers rarely continue a message: give the graph a plain `ChatOpenAI` for them,
and it prompts node by node. docs/serving.md says how to start vLLM.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import urlsplit

import openai
from langchain_core.language_models import LanguageModelInput
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from empathy_r1.graph.errors import ModelNotFoundError, ModelUnavailableError
from empathy_r1.graph.models import ContinuesFinalMessage
from empathy_r1.graph.models.openai_errors import OTHER_API, clear_errors

CONNECT_SECONDS = 5.0
_NO_KEY = "none"
"""Sent where no key is given, so that a key for another service in OPENAI_API_KEY never leaves for this server."""


class VLLMChat(ContinuesFinalMessage, ChatOpenAI):
    """A chat model on vLLM. Messages that end in an `AIMessage` are continued instead of answered.

    `usage_metadata["input_token_details"]["cache_read"]` counts the prompt tokens that the server's prefix
    cache held, where it was started with `--enable-prompt-tokens-details`. Errors are those of
    `empathy_r1.graph.errors`. Make one with `vllm_chat`.
    """

    async def aclose(self) -> None:
        """Closes the pool of connections."""
        await self.root_async_client.close()

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if payload["messages"][-1]["role"] == "assistant":
            payload["extra_body"] = {
                **(payload.get("extra_body") or {}),
                "continue_final_message": True,
                "add_generation_prompt": False,
            }
        return payload

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with clear_errors(self._where, self.model_name):
            return super()._generate(*args, **kwargs)

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with clear_errors(self._where, self.model_name):
            return await super()._agenerate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        whole = False
        with clear_errors(self._where, self.model_name):
            for chunk in super()._stream(*args, **kwargs):
                whole = whole or _ends(chunk)
                yield chunk
        self._check(whole)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        whole = False
        with clear_errors(self._where, self.model_name):
            async with aclosing(_closable(super()._astream(*args, **kwargs))) as chunks:
                async for chunk in chunks:
                    whole = whole or _ends(chunk)
                    yield chunk
        self._check(whole)

    def _check(self, whole: bool) -> None:
        # A proxy that loses its server may end the body in good order; the client then reports no error.
        if not whole:
            raise ModelUnavailableError(self._where, "it broke off before its answer ended")

    @property
    def _where(self) -> str:
        return str(self.openai_api_base)


def vllm_chat(
    base_url: str,
    model: str | None = None,
    *,
    api_key: str | None = None,
    cache_salt: str | None = None,
    timeout: float = 60.0,
    **sampling: Any,
) -> VLLMChat:
    """A chat model on the vLLM server at `base_url`, such as `http://127.0.0.1:8000/v1`.

    Args:
        base_url: Address of the server; `/v1` is added to one without a path.
        model: Name of the model, or of a LoRA adapter. None asks the server for the only one that it has.
        api_key: What the server was started with (`--api-key`). `OPENAI_API_KEY` is never sent.
        cache_salt: Requests of different salts share no prefix cache, so that no tenant can time what another wrote.
        timeout: Seconds of silence after which the server counts as dead.
        **sampling: `temperature`, `top_p`, `seed`, `max_tokens`, and vLLM's own such as `top_k` or `min_p`.

    Raises:
        ModelUnavailableError: `model` is None and the server cannot be reached.
        ModelNotFoundError: `model` is None and the server has none, or several.
    """
    base_url = _with_path(base_url)
    if model is None:
        names = served_models(base_url, api_key=api_key)
        if len(names) != 1:
            has = ", ".join(names) or "none"
            raise ModelNotFoundError(base_url, f"exactly one model, or the name of one of those it has ({has})")
        model = names[0]
    known = {key: value for key, value in sampling.items() if key in ChatOpenAI.model_fields}
    body = {key: value for key, value in sampling.items() if key not in known}
    if cache_salt is not None:
        body["cache_salt"] = cache_salt
    return VLLMChat(
        model=model,
        base_url=base_url,
        api_key=SecretStr(api_key or _NO_KEY),
        timeout=openai.Timeout(timeout, connect=CONNECT_SECONDS),
        stream_chunk_timeout=None,  # the read timeout above does it, without a task for each token
        stream_usage=True,
        max_retries=0,  # the graph retries, and only before the first token
        use_responses_api=False,
        extra_body=body or None,
        **known,
    )


def served_models(base_url: str, *, api_key: str | None = None, timeout: float = CONNECT_SECONDS) -> list[str]:
    """Names of the models that the server at `base_url` has: also a check that it is there.

    Raises:
        ModelUnavailableError: it cannot be reached within `timeout` seconds, or refuses the key.
        ModelNotFoundError: something else answers at that address.
    """
    base_url = _with_path(base_url)
    key = api_key or _NO_KEY
    try:
        with (
            clear_errors(base_url),
            openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=timeout) as client,
        ):
            return [str(entry.id) for entry in client.models.list()]
    except (AttributeError, TypeError, ValueError) as error:  # what the client makes of an answer in another shape
        raise ModelNotFoundError(base_url, OTHER_API) from error


def _with_path(base_url: str) -> str:
    base_url = base_url.rstrip("/")
    return base_url if urlsplit(base_url).path else f"{base_url}/v1"


def _ends(chunk: ChatGenerationChunk) -> bool:
    return bool((chunk.generation_info or {}).get("finish_reason"))


def _closable(stream: AsyncIterator[ChatGenerationChunk]) -> Any:
    return cast("Any", stream)
