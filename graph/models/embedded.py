"""The embedded model: a causal LM that runs in-process on the CPU, without torch and without a download.

    model = EmbeddedChat()                      # the small model that comes with this package
    model = EmbeddedChat("models/qwen3-0.6b")   # any causal LM that training/export_embedded.py converted

It continues a final assistant message, as vLLM does with `continue_final_message`, and keeps the keys and values
of what it has read: the next node of a chain, or the next turn of a session, reads only what is new.
"""

import asyncio
import functools
import os
import queue
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

from empathy_r1.graph.errors import MissingExtraError
from empathy_r1.graph.models import ContinuesFinalMessage, _gate

if TYPE_CHECKING:
    from empathy_r1.graph.models._runtime import Done, Item, Options, Runtime

SHIPPED = Path(__file__).parent / "shipped"
"""The folder of the model that comes with this package."""


class EmbeddedChat(ContinuesFinalMessage, BaseChatModel):
    """A chat model in this process. Make one and share it: it holds the weights, and is safe in many tasks.

    A message list that ends in an `AIMessage` is continued; otherwise a new assistant message is begun.
    Message contents never become special tokens, whatever they spell.

    Raises:
        MissingExtraError: the runtime is not installed.
        ModelNotFoundError: the folder holds no converted model.
        PromptTooLongError: (when called) the messages leave no room for an answer.
    """

    path: Path = SHIPPED
    """Folder of the converted model."""
    temperature: float = Field(0.0, ge=0)
    """0 always takes the likeliest token."""
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = None
    """Makes sampling repeatable."""
    max_tokens: int | None = Field(None, ge=0)
    """Most tokens of an answer; None leaves it to the model's context."""
    repetition_penalty: float = Field(1.0, gt=0)
    threads: int = Field(1, ge=1)
    """Cores that work on one token. With 1, each conversation has a core of its own: best for small models."""
    slots: int = Field(8, ge=1)
    """Answers written at the same time; more wait in line."""
    cache_mb: int = Field(1024, ge=0)
    """Memory for the keys and values of conversations at rest. The last one stays, whatever its size."""

    _runtime: "Runtime" = PrivateAttr()
    _gate: "_gate.Gate | None" = PrivateAttr()

    def __init__(self, path: Path | str | None = None, **options: Any) -> None:
        super().__init__(path=SHIPPED if path is None else Path(path), **options)

    def model_post_init(self, context: Any) -> None:
        """Loads the model."""
        try:
            from empathy_r1.graph.models._runtime import Runtime
        except ModuleNotFoundError as error:
            raise MissingExtraError("The embedded model", "embedded") from error
        super().model_post_init(context)
        parallel = max(1, (os.cpu_count() or 1) // self.threads)
        self._runtime = Runtime(self.path, self.threads, parallel, self.slots, self.cache_mb << 20)
        self._gate = _gate.read(self.path)

    @property
    def context_length(self) -> int:
        """Most tokens of a prompt and its answer together."""
        return self._runtime.decoder.context

    def knows(self, posts: str) -> bool:
        """Whether the model was trained on posts like these (`gate.json` in its folder); True where it has no gate."""
        return self._gate is None or self._gate.knows(posts)

    def get_token_ids(self, text: str) -> list[int]:
        """Tokens of `text` as the content of a message."""
        return self._runtime.text.tokens(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Tokens of the prompt that `messages` make."""
        return len(self._runtime.text.prompt(messages))

    @property
    def _llm_type(self) -> str:
        return "empathy-r1-embedded"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"path": str(self.path), "temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        job = self._runtime.start(messages, self._options(stop, kwargs), items.put)
        try:
            last = False
            while not last:
                chunk = self._chunk(items.get())
                last = chunk.message.chunk_position == "last"  # type: ignore[attr-defined]
                if run_manager and chunk.text:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            job.cancel()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()

        def emit(item: "Item") -> None:
            loop.call_soon_threadsafe(items.put_nowait, item)

        job = self._runtime.start(messages, self._options(stop, kwargs), emit)
        try:
            last = False
            while not last:
                chunk = self._chunk(await items.get())
                last = chunk.message.chunk_position == "last"  # type: ignore[attr-defined]
                if run_manager and chunk.text:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            job.cancel()

    def _options(self, stop: list[str] | None, kwargs: dict[str, Any]) -> "Options":
        from empathy_r1.graph.models._runtime import Options

        names = ("max_tokens", "temperature", "top_p", "seed", "repetition_penalty")
        given = {name: kwargs.pop(name, getattr(self, name)) for name in names}
        if kwargs:
            raise TypeError(
                f"The embedded model takes no {', '.join(sorted(kwargs))}. Expected: stop, {', '.join(names)}."
            )
        return Options(stop=tuple(stop or ()), **given)

    def _chunk(self, item: "Item") -> ChatGenerationChunk:
        if isinstance(item, Exception):
            raise item
        if isinstance(item, str):
            return ChatGenerationChunk(message=AIMessageChunk(content=item))
        return ChatGenerationChunk(message=self._end(item), generation_info={"finish_reason": item.reason})

    def _end(self, done: "Done") -> AIMessageChunk:
        return AIMessageChunk(
            content="",
            chunk_position="last",
            response_metadata={"finish_reason": done.reason, "model_name": self.path.name},
            usage_metadata=UsageMetadata(
                input_tokens=done.input_tokens,
                output_tokens=done.output_tokens,
                total_tokens=done.input_tokens + done.output_tokens,
                input_token_details=InputTokenDetails(cache_read=done.cached_tokens),
            ),
        )


@functools.cache
def shipped_model() -> EmbeddedChat:
    """The model that comes with this package, loaded once for the whole process."""
    return EmbeddedChat()
