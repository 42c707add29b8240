"""One process's share of the work: it claims turns, keeps their leases, stops them, and hands them over at the end."""

import asyncio
import contextlib
import logging

from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.plugin._parts import Parts
from empathy_r1.plugin._turn import cancel_turn, run_turn
from empathy_r1.plugin.events import Cancelled
from empathy_r1.storage import TurnRecord

_LOOK_SECONDS = 2.0
"""How often a worker looks for turns that another one left."""
_STOP_SECONDS = 5.0
"""How long a stopping worker waits for a database that does not answer."""
_log = logging.getLogger("empathy_r1")


class Worker:
    """Runs up to `max_running` turns of any session at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.running: dict[str, asyncio.Task[None]] = {}
        """Turn id -> its task."""
        self.work = asyncio.Event()
        """Set where there may be a turn to claim."""
        self.draining = False
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to claim turns."""
        self._tasks = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._heartbeat())]

    async def stop(self) -> None:
        """Drains and ends."""
        await self.drain()
        self._stopped.set()
        self.work.set()
        # A task that is cancelled in the middle of a statement leaves its connection's thread behind.
        _, late = await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def drain(self) -> None:
        """Takes no new posts, lets running turns end for `drain_seconds`, hands the rest to other processes."""
        self.draining = True
        tasks = list(self.running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._parts.settings.drain_seconds)
        for turn_id in list(self.running):
            await self._halt(turn_id)
            with contextlib.suppress(SQLAlchemyError):
                await self._parts.journal.release(turn_id)

    async def cancel(self, turn: TurnRecord) -> bool:
        """Stops the turn for good, wherever it runs. False: it had ended before.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        event = Cancelled(seq=turn.last_event + 1, turn_id=turn.id).model_dump(mode="json")
        became = await self._parts.journal.ask_cancel(turn.id, event)
        if became == "running" and turn.id in self.running:
            await self._halt(turn.id)
            await cancel_turn(turn.id, self._parts.journal)
        self._parts.news.publish(turn.id)
        return became is not None

    async def _halt(self, turn_id: str) -> None:
        if task := self.running.get(turn_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _dispatch(self) -> None:
        """Claims turns that wait, or that another worker left, and starts them up to the cap."""
        settings, journal = self._parts.settings, self._parts.journal
        while not self._stopped.is_set():
            self.work.clear()
            try:
                while not self.draining and len(self.running) < settings.max_running:
                    claimed = await journal.claim(settings.lease_seconds, list(self.running))
                    if claimed is None:
                        break
                    task = asyncio.create_task(self._answer(*claimed))
                    self.running[claimed[1]] = task
                    task.add_done_callback(lambda _, turn_id=claimed[1]: self._ended(turn_id))  # type: ignore[misc]
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)
            if not self._stopped.is_set():
                await _happens(self.work, _LOOK_SECONDS)

    def _ended(self, turn_id: str) -> None:
        self.running.pop(turn_id, None)
        self.work.set()

    async def _answer(self, session_id: str, turn_id: str) -> None:
        try:
            session = await self._parts.sessions.get(session_id)
            turn = await self._parts.journal.get(session_id, turn_id)
            if session is not None and turn is not None:
                await run_turn(self._parts, turn, session)
        except Exception as error:
            # Neither the post nor the reply may reach a log: the kind of error and its place are enough.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            line = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            _log.error("turn %s failed: %s at %s", turn_id, type(error).__name__, line)

    async def _heartbeat(self) -> None:
        """Prolongs the leases of running turns, stops those that were cancelled elsewhere or lost."""
        settings, journal = self._parts.settings, self._parts.journal
        while not await _happens(self._stopped, settings.lease_seconds / 4):
            if not self.running:
                continue
            try:
                lost, asked = await journal.renew(list(self.running), settings.lease_seconds)
                for turn_id in (*lost, *asked):
                    await self._halt(turn_id)
                for turn_id in asked:
                    await cancel_turn(turn_id, journal)
                    self._parts.news.publish(turn_id)
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
