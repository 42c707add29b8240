"""The application on a real port, behind a line that can be cut, and a real Chromium in front of it."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn

from empathy_r1.integrations.app import create_app
from empathy_r1.plugin.engine import EmpathyEngine

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The path of a Chromium on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Line:
    """A TCP line from a port of its own to `upstream`. `cut` drops everything on it, `mend` lets it work again."""

    def __init__(self) -> None:
        self.upstream = 0
        self.port = 0
        self.whole = True
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cut(self) -> None:
        self.whole = False
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        self.whole = True

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        ends = {writer, up_writer}
        self._open |= ends
        await asyncio.gather(_pour(reader, up_writer), _pour(up_reader, writer))
        self._open -= ends


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def live(app) -> AsyncIterator[Line]:
    """Serves `app` on loopback until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on", timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.01)
    line = Line()
    line.upstream = server.servers[0].sockets[0].getsockname()[1]
    door = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    line.port = door.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.cut()
        door.close()
        server.should_exit = True
        await serving


@asynccontextmanager
async def browser():
    """A headless Chromium."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        # Patient: on a busy machine a first start takes minutes.
        chrome = await playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=FLAGS, timeout=300_000
        )
        try:
            yield chrome
        finally:
            await chrome.close()


class Doors:
    """Our application on a port and in a loop of its own, for as long as the tests run."""

    def __init__(self, settings, model=None):
        self.settings, self.model, self.line = settings, model, None
        self._up, self._loop, self._end = threading.Event(), None, None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(300)
        return self

    def __exit__(self, *ended):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    async def _serve(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = create_app(self.settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=self.model))
        async with live(app) as self.line:
            self._up.set()
            await self._end.wait()
