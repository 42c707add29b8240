"""A TCP proxy that loses its server in the middle of an answer, and servers that misbehave in other ways."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class Cut:
    """When the proxy breaks a connection: at the answer to a request that holds `marker`, `times` times."""

    marker: bytes
    after: Callable[[bytes], Awaitable[bool]]
    """Told the answer so far; True breaks the connection before its last piece is passed on."""
    times: int = 1
    made: int = 0


async def at_once(answer: bytes) -> bool:
    """Breaks the connection before any of the answer."""
    return True


def reply_in(answer: bytes) -> str:
    """What a streamed answer of the last node holds of the response so far."""
    pieces = re.findall(r'"content": ?("(?:[^"\\]|\\.)*")', answer.decode(errors="ignore"))
    return "".join(map(json.loads, pieces)).partition("<response>")[2]


async def until(there: Callable[[], object]) -> None:
    """Waits until something is there, for at most twenty seconds."""
    async with asyncio.timeout(20):
        while not there():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def cutting_proxy(port: int, cut: Cut) -> AsyncIterator[str]:
    """Forwards to the server on loopback `port`, but for what `cut` says. Yields its base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(up_writer)
        asked, answered = bytearray(), bytearray()

        async def send() -> None:
            while data := await reader.read(65536):
                if answered:
                    asked.clear()
                    answered.clear()
                asked.extend(data)
                up_writer.write(data)
                await up_writer.drain()
            up_writer.close()

        async def receive() -> None:
            # Little by little, however far ahead the server is.
            while data := await up_reader.read(1024):
                answered.extend(data)
                if cut.made < cut.times and cut.marker in asked and await cut.after(bytes(answered)):
                    cut.made += 1
                    writer.transport.abort()
                    up_writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
            writer.close()

        await asyncio.gather(send(), receive(), return_exceptions=True)

    opened: list[asyncio.StreamWriter] = []
    async with _listening(serve) as url:
        yield url
        for up_writer in opened:
            up_writer.transport.abort()


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[str]:
    """A server that gives every request `answer` and closes; None leaves it waiting for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()  # until the client gives up
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with _listening(serve) as url:
        yield url


def http(status: str, body: str, kind: str = "application/json") -> bytes:
    """A whole HTTP answer."""
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return head.encode() + data


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serves on a free loopback port. At the end it leaves every client and waits until all is closed."""
    serving: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving[asyncio.current_task()] = writer
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for writer in serving.values():
            writer.transport.abort()
        await asyncio.wait_for(asyncio.gather(*(task for task in serving if task)), 10)
        await asyncio.sleep(0)  # the transports close their sockets
