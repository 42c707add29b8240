"""A turn's events as one `chat.completion` or as its chunks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from empathy_r1.integrations import hosts
from empathy_r1.integrations.openai import errors
from empathy_r1.plugin.errors import EngineError, TurnFailedError
from empathy_r1.plugin.events import Cancelled, Committed, Event, Failed, Safety, Token

KEEPALIVE_SECONDS = 15.0
"""A comment is sent after so long without a chunk, so that proxies and clients know that the stream lives."""


async def completion(first: Event, events: AsyncIterator[Event], model: str, prompt: str) -> dict[str, Any]:
    """The whole reply, with help lines and notices in its text.

    Raises:
        TurnFailedError: the turn failed or was cancelled.
    """
    card: dict[str, Any] | None = None
    notices: list[str] = []
    event: Event | None = first
    while event is not None:
        match event:
            case Safety():
                card, notices = event.card or card, [*notices, hosts.notices(event)]
            case Committed():
                said = hosts.words_of(event)
                text = "\n\n".join(part for part in (*notices, said, _beside(card, said)) if part)
                choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                head = _head(event.turn_id, model, "chat.completion")
                return head | {"choices": [choice | {"logprobs": None}], "usage": _usage(prompt, text, event)}
            case Failed():
                raise TurnFailedError(event.code, event.message, turn_id=event.turn_id, retryable=event.retryable)
            case Cancelled():
                raise TurnFailedError("cancelled", "The turn was stopped.", turn_id=event.turn_id, retryable=True)
        event = await anext(events, None)
    raise RuntimeError("a turn's events ended without committed, failed or cancelled")


async def lines(
    first: Event, events: AsyncIterator[Event], model: str, prompt: str, *, usage: bool
) -> AsyncIterator[bytes]:
    """The reply as server-sent chunks. A listener that goes away ends the stream, not the turn."""
    head = _head(first.turn_id, model, "chat.completion.chunk")
    none = {"usage": None} if usage else {}

    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _line(head | {"choices": [choice]} | none)

    yield chunk({"role": "assistant", "content": ""})
    said, card = "", None
    step = asyncio.ensure_future(_next(events))
    try:
        while True:
            done, _ = await asyncio.wait({step}, timeout=KEEPALIVE_SECONDS)
            if not done:
                yield b": keep-alive\n\n"
                continue
            try:
                event = step.result()
            except EngineError as error:
                yield _line(errors.body(str(error), 503, "interrupted"))
                return
            piece = ""
            match event:
                case Safety():
                    card = event.card or card
                    piece = f"{text}\n\n" if (text := hosts.notices(event)) else ""
                case Token():
                    piece = (hosts.WITHDRAWN if event.reset and said else "") + event.text
                case Committed():
                    piece = hosts.words_of(event) if not said else ""
                    piece += f"\n\n{text}" if (text := _beside(card, said + piece)) else ""
                    said += piece
                    if piece:
                        yield chunk({"content": piece})
                    yield chunk({}, "stop")
                    if usage:
                        yield _line(head | {"choices": [], "usage": _usage(prompt, said, event)})
                    yield b"data: [DONE]\n\n"
                    return
                case Failed():
                    yield _line(errors.body(event.message, 503, event.code))
                    return
                case Cancelled() | None:
                    yield _line(errors.body("The turn was stopped.", 503, "cancelled"))
                    return
            if piece:
                said += piece
                yield chunk({"content": piece})
            step = asyncio.ensure_future(_next(events))
    finally:
        step.cancel()


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _beside(card: dict[str, Any] | None, said: str) -> str:
    text = hosts.card_text(card)
    return "" if text in said else text


def _head(turn_id: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{turn_id}", "object": kind, "created": int(time.time()), "model": model}


def _line(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _usage(prompt: str, text: str, done: Committed) -> dict[str, int]:
    """Tokens as the model counted them; where it counted none, an estimate of one token per 2 bytes of UTF-8."""
    asked = sum(timing.get("input_tokens", 0) for timing in done.timings.values()) or len(prompt.encode()) // 2 + 1
    given = sum(timing.get("output_tokens", 0) for timing in done.timings.values()) or len(text.encode()) // 2 + 1
    return {"prompt_tokens": asked, "completion_tokens": given, "total_tokens": asked + given}
