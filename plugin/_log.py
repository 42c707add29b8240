"""A turn's events on both sides of the journal: written behind the graph's back, followed by listeners.

An event is sent to listeners once it is written, never before: a listener that comes back after it, on any worker,
finds it there.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from empathy_r1.plugin.events import EVENT, Cancelled, Committed, Event, Failed, Token
from empathy_r1.storage import Journal

_POLL_SECONDS = 0.5
"""How often a listener asks the database for events of a turn that another process answers."""
_HERE_SECONDS = 5.0
"""The same for a turn that this process answers, of which it hears by itself."""
_GATHER_SECONDS, _GATHER_MOST = 0.03, 0.25
"""How long what is to be written waits for more."""
_GATHER_SHARE, _GATHER_EACH = 2.0, 0.004
"""It waits so many times as long as a write takes, and so many seconds for each turn that runs in the process: many
turns that each write often would keep the database from all else."""
_ENDS = (Committed, Failed, Cancelled)


@dataclass(slots=True)
class _Feed:
    """What this process knows of one turn's stream."""

    events: list[Event] = field(default_factory=list)
    """Written events without a gap, not always from the first."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: int = 0
    here: bool = False
    """Whether this process answers the turn."""

    def after(self, seq: int) -> list[Event]:
        """The known events after `seq`; empty where there is none or a gap before it."""
        if not self.events or self.events[0].seq > seq + 1:
            return []
        return self.events[seq + 1 - self.events[0].seq :]


class News:
    """Tells the listeners of this process what is new in the streams of turns."""

    def __init__(self) -> None:
        self._feeds: dict[str, _Feed] = {}
        self._closed = False
        self._write_seconds = 0.0

    @property
    def gather_seconds(self) -> float:
        """How long a turn's log waits for more before it writes."""
        running = sum(feed.here for feed in self._feeds.values())
        return min(max(_GATHER_SECONDS, _GATHER_SHARE * self._write_seconds, _GATHER_EACH * running), _GATHER_MOST)

    def begins(self, turn_id: str) -> None:
        """This process answers the turn from now on."""
        self._feeds.setdefault(turn_id, _Feed()).here = True

    def ends(self, turn_id: str) -> None:
        """This process answers the turn no more."""
        if feed := self._feeds.get(turn_id):
            feed.here = False
            self._wake(feed)
            self._forget(turn_id, feed)

    def wrote(self, seconds: float) -> None:
        """A write took so long."""
        self._write_seconds = seconds

    def publish(self, turn_id: str, events: list[Event]) -> None:
        """These events are written; none: some are, by somebody else."""
        feed = self._feeds.setdefault(turn_id, _Feed())
        if events and feed.events and events[0].seq != feed.events[-1].seq + 1:
            feed.events = []
        feed.events += events
        self._wake(feed)
        self._forget(turn_id, feed)

    def close(self) -> None:
        """Ends the streams of turns that this process does not answer any more: their listeners go elsewhere."""
        self._closed = True
        for feed in self._feeds.values():
            self._wake(feed)

    async def follow(self, journal: Journal, turn_id: str, after: int) -> AsyncGenerator[Event]:
        """The turn's events with `seq > after`, as they come, to its end.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        feed = self._feeds.setdefault(turn_id, _Feed())
        feed.listeners += 1
        try:
            while True:
                changed = feed.changed
                found = feed.after(after)
                if not found and not (feed.here and feed.events and feed.events[-1].seq == after):
                    found = [EVENT.validate_python(data) for data in await journal.events(turn_id, after)]
                for event in found:
                    after = event.seq
                    yield event
                    if isinstance(event, _ENDS):
                        return
                if self._closed and not feed.here and not found:
                    return
                if not found and not feed.here and not await journal.last_event(turn_id):
                    # Erased: a turn's first event is written with the turn itself.
                    yield Cancelled(seq=after + 1, turn_id=turn_id)
                    return
                if not found:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), _HERE_SECONDS if feed.here else _POLL_SECONDS)
        except SQLAlchemyError:
            if not self._closed:  # A process that stops may close its database before its listeners read the last.
                raise
        finally:
            feed.listeners -= 1
            self._forget(turn_id, feed)

    def _wake(self, feed: _Feed) -> None:
        feed.changed.set()
        feed.changed = asyncio.Event()

    def _forget(self, turn_id: str, feed: _Feed) -> None:
        if not feed.listeners and not feed.here:
            self._feeds.pop(turn_id, None)


class TurnLostError(Exception):
    """The turn is another worker's by now, or has ended."""


class TurnLog:
    """The events of one turn on their way into the journal, in order."""

    def __init__(self, journal: Journal, news: News, turn_id: str, last_seq: int, patience: float) -> None:
        """Begins to write.

        Args:
            journal: where to.
            news: whom to tell.
            turn_id: the turn.
            last_seq: its last event so far.
            patience: for how many seconds a database that does not answer is tried again.
        """
        self.turn_id, self.seq = turn_id, last_seq
        self._journal, self._news, self._patience = journal, news, patience
        self._events: list[Event] = []
        self._stages: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._last = 0.0
        self._writer = asyncio.create_task(self._write())
        self.timings: dict[str, Any] = {}

    def next(self) -> dict[str, Any]:
        """Sequence number and turn of the next event."""
        self.seq += 1
        return {"seq": self.seq, "turn_id": self.turn_id}

    def add(self, event: Event, stages: dict[str, str] | None = None) -> None:
        """Sends an event, and sections that are finished with it, on their way."""
        self._events.append(event)
        self._stages |= stages or {}
        self._wake.set()

    async def stop(self) -> tuple[list[Event], dict[str, str]]:
        """Ends the writing and returns what is not written yet: events and sections.

        Raises:
            TurnLostError: the turn is another worker's.
            SQLAlchemyError: the journal could not be written.
        """
        self._stopping.set()
        self._wake.set()
        await self._writer
        return self._events, self._stages

    async def close(self) -> None:
        """Writes what is left, for a turn that ends without its reply: what cannot be written is let go."""
        with contextlib.suppress(Exception):
            events, stages = await self.stop()
            if events or stages:
                await self._journal.write(self.turn_id, [event.model_dump(mode="json") for event in events], stages)
                self._news.publish(self.turn_id, events)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            # The first token goes at once; what follows closely goes with it, in fewer transactions.
            loop = asyncio.get_running_loop()
            speaks = any(isinstance(event, Token) for event in self._events)
            gather = self._news.gather_seconds
            wait = self._last + gather - loop.time() if speaks else gather
            if wait > 0 and not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait)
            self._wake.clear()
            if self._stopping.is_set():
                return
            self._last = loop.time()
            # What came meanwhile goes in the same transaction.
            events, stages = self._events, self._stages
            self._events, self._stages = [], {}
            data = [event.model_dump(mode="json") for event in events]
            if not await patient(lambda again, d=data, s=stages: self._put(d, s, again), self._patience):
                raise TurnLostError
            self._news.wrote(loop.time() - self._last)
            self._news.publish(self.turn_id, events)

    async def _put(self, events: list[dict[str, Any]], stages: dict[str, str], again: bool) -> bool:
        return await self._journal.write(self.turn_id, events, stages, again=again)


async def patient(work: Any, seconds: float) -> Any:
    """Awaits `work(again)`, tried again for so many seconds while the database does not answer."""
    loop = asyncio.get_running_loop()
    end, pause, again = loop.time() + seconds, 0.1, False
    while True:
        try:
            return await work(again)
        except DBAPIError as error:
            if loop.time() + pause > end or not (error.connection_invalidated or _away(error)):
                raise
        await asyncio.sleep(pause)
        pause, again = min(2 * pause, 2.0), True


def _away(error: DBAPIError) -> bool:
    return type(error).__name__ in ("OperationalError", "InterfaceError")
