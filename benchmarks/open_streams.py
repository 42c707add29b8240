"""What open streams cost: one server process that holds so many, each waiting for a reply, and its memory.

    python benchmarks/open_streams.py --streams 1000

A real server on loopback (uvicorn, SQLite), a model that thinks for as long as the measurement takes, and one client
connection for each stream. Prints one JSON object: the process's resident memory before and with the streams, and how
long a further post takes to be accepted meanwhile.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from turn_overhead import POST, Instant

from empathy_r1.storage.crypto import new_key


class Thinking(Instant):
    """Says nothing for a long time."""

    async def _astream(self, *given: Any, **more: Any) -> Any:
        await asyncio.sleep(3600)
        async for chunk in super()._astream(*given, **more):
            yield chunk


def memory(pid: int) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def serve(folder: Path, port: int, streams: int) -> None:
    """The server's process."""
    import uvicorn

    from empathy_r1.integrations.app import create_app
    from empathy_r1.plugin.engine import EmpathyEngine
    from empathy_r1.plugin.settings import Settings

    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/bench.db",
        data_dir=folder,
        encryption_keys=new_key("b"),
        max_running=2 * streams,
        process_max_open=2 * streams,
        tenant_max_open=2 * streams,
        turn_deadline=3600,
        drain_seconds=0,
    )
    app = create_app(settings, open_engine=lambda chosen: EmpathyEngine.open(chosen, model=Thinking()))
    uvicorn.run(app, port=port, log_level="error")


async def request(port: int, path: str, body: dict[str, Any], **headers: str) -> Any:
    """Sends one request and returns its reader and writer, past the answer's head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert " 20" in head.partition("\r\n")[0], head
    return head, reader, writer


async def session(port: int) -> dict[str, Any]:
    _, reader, writer = await request(port, "/v1/sessions", {"locale": "zh"}, Connection="close")
    made: dict[str, Any] = json.loads(await reader.read())
    writer.close()
    return made


async def stream(port: int) -> Any:
    """A stream of which the first event has come."""
    made = await session(port)
    told = {"Authorization": f"Bearer {made['token']}", "Accept": "text/event-stream"}
    _, reader, writer = await request(port, f"/v1/sessions/{made['session_id']}/turns", {"text": POST}, **told)
    while b"accepted" not in await reader.readline():
        pass
    return writer


async def measure(pid: int, port: int, streams: int) -> dict[str, Any]:
    for _ in range(600):
        try:
            await session(port)
            break
        except OSError:
            await asyncio.sleep(0.2)
    (await stream(port)).close()
    found: dict[str, Any] = {"streams": streams, "mb_before": memory(pid)}
    held = []
    started = time.perf_counter()
    for first in range(0, streams, 20):
        held += await asyncio.gather(*(stream(port) for _ in range(min(20, streams - first))))
    found["opened_per_second"] = round(streams / (time.perf_counter() - started), 1)
    await asyncio.sleep(5)
    found["mb"] = memory(pid)
    started = time.perf_counter()
    held.append(await stream(port))
    found["accepted_ms"] = round(1000 * (time.perf_counter() - started), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--port", type=int, default=18743)
    given = parser.parse_args()
    files = 4 * given.streams + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if not pid:
            serve(Path(folder), given.port, given.streams)
            os._exit(0)
        try:
            print(json.dumps(asyncio.run(measure(pid, given.port, given.streams))))
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
