"""Engine events on the wire as server-sent events: name = type, id = seq."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from empathy_r1.plugin.events import Event

KEEPALIVE_SECONDS = 15.0
"""A comment is sent after so long without an event, so that proxies and clients know that the stream lives."""


def respond(first: Event | None, events: AsyncIterator[Event]) -> EventSourceResponse:
    """A stream of `first`, which the caller has already waited for, and then `events`.

    A listener that goes away ends the stream, not the turn.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventSourceResponse(_lines(first, events), headers=headers)


def encode(event: Event) -> bytes:
    """One event as bytes."""
    return format_sse_event(event=event.type, id=str(event.seq), data_str=event.model_dump_json())


async def _lines(first: Event | None, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    if first is not None:
        yield encode(first)
    step = asyncio.ensure_future(_next(events))
    try:
        while True:
            done, _ = await asyncio.wait({step}, timeout=KEEPALIVE_SECONDS)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            if (event := step.result()) is None:
                return
            yield encode(event)
            step = asyncio.ensure_future(_next(events))
    finally:
        step.cancel()


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)
