"""The HTTP server as `empathy-r1 serve` runs it: told to stop, it hands its turns over before it closes."""

import asyncio
import gc
import socket
from typing import cast

import uvicorn
from fastapi import FastAPI

from empathy_r1.plugin.engine import EmpathyEngine

_CLOSING_SECONDS = 5
"""What connections get beyond the time in which turns may end."""


class DrainingServer(uvicorn.Server):
    """Drains the engine while the open connections end.

    From SIGTERM on it takes no connection and no post. Turns that run may end for `drain_seconds`, and their streams
    with them; the rest goes back to the journal, its listeners are let go, and another process continues both.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen."""
        await super().startup(sockets)
        # What is loaded by now stays: to look through it all again stops every turn for a tenth of a second.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what is open."""
        app = cast("FastAPI", self.config.app)
        engine: EmpathyEngine | None = getattr(app.state, "engine", None)
        if engine is None:
            await super().shutdown(sockets)
            return
        self.config.timeout_graceful_shutdown = round(engine.settings.drain_seconds) + _CLOSING_SECONDS
        await asyncio.gather(super().shutdown(sockets), engine.drain())
