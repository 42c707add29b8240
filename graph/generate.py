"""How a node asks the model: one section, streamed, sealed from the host's callbacks, timed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langsmith import tracing_context

from empathy_r1.graph import wire
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.models import ContinuesFinalMessage
from empathy_r1.graph.models.openai_errors import clear_errors
from empathy_r1.graph.prompts import bare_prompt, continue_prompt, instruct_prompt
from empathy_r1.graph.state import Mode, Timing
from empathy_r1.graph.wire import Section

INNER_TOKENS = 200
"""Most tokens of a hidden section: the person waits while it is written."""
RESPONSE_TOKENS = 1200
RETRY_TEMPERATURE = 0.7
"""A second try at the same words needs other dice."""


class OutOfTimeError(Exception):
    """The model did not speak until `Ask.until`."""


@dataclass(slots=True)
class Ask:
    """One request to the model: for the first section that `chain` lacks, or for all from there on."""

    model: BaseChatModel
    conversation: Sequence[BaseMessage]
    """Posts and replies, ending in the post to answer."""
    chain: dict[Section, str]
    """The finished sections."""
    locale: Locale
    mode: Mode = "auto"
    to_end: bool = False
    """Whether the model goes on to the end of the response."""
    bare: bool = False
    """Whether the hidden sections are left out: the model opens with the response."""
    until: float | None = None
    """When it must have spoken, on the event loop's clock."""
    again: bool = False
    """A second try: sampled with a temperature where the model takes one."""
    timing: Timing = field(default_factory=lambda: Timing(seconds=0.0))

    @property
    def section(self) -> Section:
        """The first section that is missing."""
        return "response" if self.bare else next(s for s in wire.SECTIONS if s not in self.chain)

    @property
    def opened(self) -> Section | None:
        """The section inside which the prompt ends; None where the model starts a message of its own."""
        return self.section if self._continues else None

    @property
    def _continues(self) -> bool:
        return self.mode == "continue" or (self.mode == "auto" and isinstance(self.model, ContinuesFinalMessage))

    async def stream(self) -> AsyncGenerator[str]:
        """The model's text as it comes, without the closing tag in *continue* mode.

        Raises:
            ModelError: the model cannot be reached, does not exist, or has no room for the prompt.
            OutOfTimeError: it did not speak in time.
        """
        messages, options = self._request()
        started = time.perf_counter()
        usage: dict[str, Any] = {}
        limit = asyncio.timeout_at(self.until)
        try:
            async with limit:
                with clear_errors(type(self.model).__name__):
                    async with aclosing(_said(self.model, messages, options)) as chunks:
                        async for chunk in chunks:
                            if chunk.usage_metadata:
                                usage = dict(chunk.usage_metadata)
                            if text := chunk.text:
                                self.timing.setdefault("first_token_seconds", time.perf_counter() - started)
                                limit.reschedule(None)  # who listens takes nothing of the model's time
                                yield text
                                limit.reschedule(self.until)
        except TimeoutError as error:
            if limit.expired():
                raise OutOfTimeError from error
            raise
        except ValueError:
            # langchain-core raises one for a stream without any chunk; a model may well say nothing.
            if usage or "first_token_seconds" in self.timing:
                raise
        finally:
            self.timing["seconds"] = time.perf_counter() - started
            _count(self.timing, usage)

    async def text(self) -> str:
        """The whole section as the model wrote it: for a chat model that wrote its tags too, without them."""
        async with aclosing(self.stream()) as pieces:
            raw = "".join([piece async for piece in pieces])
        return wire.parse(raw).get(self.section, raw)

    def _request(self) -> tuple[list[BaseMessage], dict[str, Any]]:
        if not self._continues:
            step: Section = "response" if self.to_end else self.section
            return instruct_prompt(self.conversation, self.chain, step, self.locale), {}
        last: Section = "response" if self.to_end or self.bare else self.section
        options: dict[str, Any] = {
            "stop": [wire.close_tag(last)],
            "max_tokens": RESPONSE_TOKENS if last == "response" else INNER_TOKENS,
        }
        if self.again:
            options["temperature"] = RETRY_TEMPERATURE
        if self.bare:
            return bare_prompt(self.conversation, self.locale), options
        return continue_prompt(self.conversation, self.chain, self.section, self.locale), options


async def _said(
    model: BaseChatModel, messages: list[BaseMessage], options: dict[str, Any]
) -> AsyncGenerator[AIMessageChunk]:
    """The model's chunks, unseen by the host's callbacks and tracers: they hold the hidden sections."""
    if isinstance(model, ContinuesFinalMessage) and not _has_more_to_do(model):
        async with aclosing(cast("AsyncGenerator[ChatGenerationChunk]", model._astream(messages, **options))) as chunks:
            async for chunk in chunks:
                yield cast("AIMessageChunk", chunk.message)
        return
    stream = cast("AsyncGenerator[AIMessageChunk]", model.astream(messages, config={"callbacks": []}, **options))
    async with aclosing(stream) as said:
        while True:
            with tracing_context(enabled=False):
                if (piece := await anext(said, None)) is None:
                    return
            yield piece


def _has_more_to_do(model: BaseChatModel) -> bool:
    """Whether the model wants LangChain's own run around its chunks, which costs more than the chunks do."""
    return bool(model.callbacks or model.rate_limiter or model.disable_streaming)


def _count(timing: Timing, usage: Mapping[str, Any]) -> None:
    if usage:
        timing["input_tokens"] = usage.get("input_tokens", 0)
        timing["output_tokens"] = usage.get("output_tokens", 0)
        timing["cached_tokens"] = (usage.get("input_token_details") or {}).get("cache_read") or 0
