"""The retention sweeper: of all processes over one database, the one that holds the lease sweeps."""

import asyncio
import contextlib
import logging
import uuid

from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.plugin._parts import Parts
from empathy_r1.storage import leases
from empathy_r1.storage.retention import sweep

LEASE = "sweep"
_FIRST_SECONDS = 30.0
_STOP_SECONDS = 5.0
_log = logging.getLogger("empathy_r1")


class Sweeper:
    """Sweeps every `sweep_minutes`, beside the turns."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._owner = uuid.uuid4().hex
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends, after the sweep that is under way."""
        self._stopped.set()
        if self._task is not None:
            # A task that is cancelled in the middle of a statement leaves its connection's thread behind.
            _, late = await asyncio.wait([self._task], timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        period = self._parts.settings.sweep_minutes * 60
        wait, held = min(_FIRST_SECONDS, period), False
        while not await self._stops_within(wait):
            wait = period
            try:
                # Kept until the next round, so that the other processes leave this one alone.
                held = await leases.take(self._parts.database, LEASE, self._owner, period * 1.5)
                if held:
                    await self._sweep()
            except SQLAlchemyError as error:
                _log.warning("the database does not answer the sweeper: %s", type(error).__name__)
        if held:
            with contextlib.suppress(SQLAlchemyError):
                await leases.give(self._parts.database, LEASE, self._owner)

    async def _sweep(self) -> None:
        settings = self._parts.settings
        swept = await sweep(self._parts.database, days=settings.retention_days, audit_days=settings.audit_days)
        if swept.sessions:
            _log.info("swept %d sessions that were older than %s days", swept.sessions, settings.retention_days)

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
        return self._stopped.is_set()
