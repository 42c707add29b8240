"""A turn's events on both sides of the journal: written behind the graph's back, followed by listeners."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from empathy_r1.plugin.events import EVENT, Cancelled, Committed, Event, Failed
from empathy_r1.storage import Journal

_POLL_SECONDS = 0.5
"""How often a listener asks the database for events of a turn that another process answers."""
_ENDS = (Committed, Failed, Cancelled)


class News:
    """Wakes the listeners of this process when a turn has new events."""

    def __init__(self) -> None:
        self._of: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def publish(self, turn_id: str) -> None:
        """The turn has new events in the journal."""
        if turn_id in self._of:
            self._of[turn_id].set()

    async def follow(self, journal: Journal, turn_id: str, after: int) -> AsyncGenerator[Event]:
        """The turn's events with `seq > after`, as they come, to its end.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        while True:
            news = self._of[turn_id]
            news.clear()
            for data in await journal.events(turn_id, after):
                event = EVENT.validate_python(data)
                after = event.seq
                yield event
                if isinstance(event, _ENDS):
                    self._of.pop(turn_id, None)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), _POLL_SECONDS)


class TurnLog:
    """The events of one turn on their way into the journal, in order."""

    def __init__(self, journal: Journal, turn_id: str, last_seq: int, published: Callable[[str], None]) -> None:
        self.turn_id, self.seq = turn_id, last_seq
        self._journal, self._published = journal, published
        self._queue: asyncio.Queue[tuple[Event, dict[str, str]] | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self.timings: dict[str, Any] = {}

    def next(self) -> dict[str, Any]:
        """Sequence number and turn of the next event."""
        self.seq += 1
        return {"seq": self.seq, "turn_id": self.turn_id}

    def add(self, event: Event, stages: dict[str, str] | None = None) -> None:
        """Sends an event, and sections that are finished with it, on their way."""
        self._queue.put_nowait((event, stages or {}))

    async def flush(self) -> None:
        """Waits until all is written; the log takes nothing more.

        Raises:
            SQLAlchemyError: the journal could not be written.
        """
        self._queue.put_nowait(None)
        await self._writer

    async def close(self) -> None:
        """Like `flush`, for a turn that ends without its reply: what cannot be written is let go."""
        with contextlib.suppress(Exception):
            await self.flush()

    async def _write(self) -> None:
        while (item := await self._queue.get()) is not None:
            events, stages = [item[0]], dict(item[1])
            ended = False
            while not self._queue.empty():  # what came meanwhile goes in the same transaction
                more = self._queue.get_nowait()
                if more is None:
                    ended = True
                    break
                events.append(more[0])
                stages |= more[1]
            await self._journal.write(self.turn_id, [event.model_dump(mode="json") for event in events], stages)
            self._published(self.turn_id)
            if ended:
                return
