"""One process's share of the work: it claims turns, keeps their leases, stops them, and hands them over at the end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.plugin._breaker import Breaker
from empathy_r1.plugin._parts import Parts
from empathy_r1.plugin._turn import run_turn
from empathy_r1.plugin.events import Cancelled
from empathy_r1.storage.journal import Work

_LOOK_SECONDS = 2.0
"""How often a worker looks for turns that another one left."""
_SOON_SECONDS = 0.25
"""The same while posts wait that came in here."""
_CLAIMS = 8
"""Most turns that are claimed in one transaction."""
_CONFLICT_SECONDS = 0.02
_STOP_SECONDS = 5.0
"""How long a stopping worker waits for a database that does not answer."""
_log = logging.getLogger("empathy_r1")


class Place:
    """Room for one turn, kept for a post on its way in."""

    def __init__(self, begin: Callable[[Work], None], give_back: Callable[[], None]) -> None:
        self.begin, self._give_back, self._mine = self._once(begin), give_back, True

    def give_back(self) -> None:
        """The room is free, unless a turn has begun in it."""
        if self._mine:
            self._mine = False
            self._give_back()

    def _once(self, begin: Callable[[Work], None]) -> Callable[[Work], None]:
        def taken(work: Work) -> None:
            self.give_back()
            begin(work)

        return taken


class Worker:
    """Runs up to `max_running` turns of any session at once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.settings = parts.settings
        self.running: dict[str, asyncio.Task[None]] = {}
        """Turn id -> its task."""
        self.draining = False
        self.breaker = Breaker()
        self._reserved = 0
        self._claiming = 0
        """Of the reserved places, those kept for turns that may be found waiting."""
        self._expected: set[str] = set()
        """Turns that came in here and wait for a free worker."""
        self._seconds = 5.0
        """What a turn takes, as a running mean."""
        self._work = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def open_turns(self) -> int:
        """Turns that run here, or came in here and wait."""
        return len(self.running) + self._reserved - self._claiming + len(self._expected)

    def wait_seconds(self, ahead: int) -> float:
        """After how long it is worth trying again, with so many turns ahead."""
        return min(60.0, max(1.0, self._seconds * ahead / self.settings.max_running))

    def start(self) -> None:
        """Begins to claim turns."""
        self._tasks = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._heartbeat())]

    async def stop(self) -> None:
        """Drains and ends."""
        await self.drain()
        self._stopped.set()
        self._work.set()
        # A task that is cancelled in the middle of a statement leaves its connection behind.
        _, late = await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._hand_over()  # what began while the others ended

    async def drain(self) -> None:
        """Takes no new posts, lets running turns end for `drain_seconds`, hands the rest to other processes."""
        self.draining = True
        if tasks := list(self.running.values()):
            await asyncio.wait(tasks, timeout=self.settings.drain_seconds)
        await self._hand_over()
        self._parts.news.close()

    async def _hand_over(self) -> None:
        """Stops what runs and gives it back to the journal."""
        for turn_id in list(self.running):
            await self._halt(turn_id)
            with contextlib.suppress(SQLAlchemyError):
                await self._parts.journal.release(turn_id)

    def reserve(self) -> Place | None:
        """Room for a post that may begin at once; None where there is none."""
        if self.draining or self.breaker.seconds or len(self.running) + self._reserved >= self.settings.max_running:
            return None
        self._reserved += 1
        return Place(self._begin, self._give_back)

    def _free_places(self) -> list[Place]:
        """Room for as many turns as are claimed at once: behind an open breaker one."""
        most = 1 if self.breaker.open else _CLAIMS
        return [place for place in (self.reserve() for _ in range(most)) if place is not None]

    def _give_back(self) -> None:
        self._reserved -= 1

    def expect(self, turn_id: str, seconds: float) -> None:
        """A turn waits that came in here; it may begin after so many seconds."""
        self._expected.add(turn_id)
        self._work.set()
        if seconds:
            asyncio.get_running_loop().call_later(seconds + 0.01, self._work.set)

    async def cancel(self, turn_id: str) -> bool:
        """Stops the turn for good, wherever it runs. False: it had ended before.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        became = await self._parts.journal.ask_cancel(turn_id)
        if became == "running" and turn_id in self.running:
            await self._halt(turn_id)
            await self._cancelled(turn_id)
        elif became:
            self._parts.news.publish(turn_id, [])
        return became is not None

    async def _cancelled(self, turn_id: str) -> None:
        """Ends a turn whose task was stopped."""
        if seq := await self._parts.journal.end_cancelled(turn_id):
            self._parts.news.publish(turn_id, [Cancelled(seq=seq, turn_id=turn_id)])

    async def _halt(self, turn_id: str) -> None:
        if task := self.running.get(turn_id):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _begin(self, work: Work) -> None:
        turn_id = work[0].id
        self._expected.discard(turn_id)
        self.breaker.begins()
        self._parts.news.begins(turn_id)
        task = asyncio.create_task(self._answer(work))
        self.running[turn_id] = task
        task.add_done_callback(lambda _: self._ended(turn_id))

    def _ended(self, turn_id: str) -> None:
        self.running.pop(turn_id, None)
        self.breaker.abandoned()
        self._parts.news.ends(turn_id)
        if self._expected:
            self._work.set()

    async def _dispatch(self) -> None:
        """Claims turns that wait, or that another worker left, and starts them up to the cap."""
        journal = self._parts.journal
        while not self._stopped.is_set():
            self._work.clear()
            try:
                while places := self._free_places():
                    self._claiming = len(places)
                    try:
                        claimed = await journal.claim(
                            self.settings.lease_seconds,
                            list(self.running),
                            most=len(places),
                            history=self.settings.max_history,
                        )
                        for place, work in zip(places, claimed or [], strict=False):
                            # A process that stood still for a lease may claim what it began while the claim was on
                            # its way: the claim renews the lease, and the turn runs on.
                            if work[0].id not in self.running:
                                place.begin(work)
                    finally:
                        self._claiming = 0
                        for place in places:
                            place.give_back()
                    if claimed is None:
                        await asyncio.sleep(_CONFLICT_SECONDS)
                    elif not claimed:
                        break
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)
            if not self._stopped.is_set():
                # A post that waits here may wait for one that another process answers.
                await _happens(self._work, _SOON_SECONDS if self._expected else _LOOK_SECONDS)

    async def _answer(self, work: Work) -> None:
        turn = work[0]
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            heard = await run_turn(self._parts, work)
            if heard is not None:
                (self.breaker.succeeded if heard else self.breaker.failed)()
            self._seconds += 0.1 * (loop.time() - started - self._seconds)
        except Exception as error:
            # Neither the post nor the reply may reach a log: the kind of error and its place are enough.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            line = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            _log.error("turn %s failed: %s at %s", turn.id, type(error).__name__, line)

    async def _heartbeat(self) -> None:
        """Prolongs the leases of running turns, stops those that were cancelled elsewhere or lost."""
        settings, journal = self.settings, self._parts.journal
        while not await _happens(self._stopped, settings.lease_seconds / 4):
            try:
                if self._expected:
                    self._expected &= await journal.still_open(self._expected)
                if not self.running:
                    continue
                lost, asked = await journal.renew(list(self.running), settings.lease_seconds)
                for turn_id in (*lost, *asked):
                    await self._halt(turn_id)
                for turn_id in asked:
                    await self._cancelled(turn_id)
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
