"""What the framework itself costs: whole turns with a model that answers at once, everything durable.

    python benchmarks/turn_overhead.py --turns 500                  # SQLite, one turn after the other
    python benchmarks/turn_overhead.py --turns 500 --database postgres
    python benchmarks/turn_overhead.py --turns 1000 --at-once 32    # throughput of one process

Sessions are fresh every `--per-session` turns, so that histories are of usual length. Prints one JSON object: seconds
are wall time from the post to the committed reply, as a host that embeds the engine sees it; the CPU time of the
process tells what a busy machine hides, and the load average (of a minute, before and after) how busy it was.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from empathy_r1.graph import wire
from empathy_r1.graph.models import ContinuesFinalMessage
from empathy_r1.graph.streaming import StreamingChat
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key

sys.path.insert(0, str(Path(__file__).parent))

POST = "第三次面试又挂了，走到最后一轮才被拒。妈妈打电话来我没敢接，怕她失望。" * 12
CHAIN: dict[wire.Section, str] = {
    "emotion": "焦虑/强 委屈/中｜连着三次面试被拒，怕爸妈失望",
    "cause": "把每一次被拒都读成“我不行”的证据",
    "intention": "倾诉 建议｜想先被听见，再知道下一步",
    "strategy": "先说出那份憋着的委屈，再把被拒和价值分开",
    "response": "三次面试都走到最后一轮又被退回来，那种滋味很不好受。\n\n你说不敢接家里的电话，这份委屈你扛了很久。",
}


class Instant(ContinuesFinalMessage, StreamingChat):
    """Says each section in one piece, at once."""

    def knows(self, posts: str) -> bool:
        return True

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **more: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        opened = messages[-1].text
        section = next(s for s in reversed(wire.SECTIONS) if opened.endswith(wire.open_tag(s)))
        rest = wire.SECTIONS[wire.SECTIONS.index(section) :]
        whole = "\n".join(f"{wire.open_tag(s)}{CHAIN[s]}{wire.close_tag(s)}" for s in rest)
        text = whole.removeprefix(wire.open_tag(section))
        for mark in stop or []:
            text = text.partition(mark)[0]
        yield ChatGenerationChunk(message=AIMessageChunk(content=text))


async def measure(address: str, folder: Path, turns: int, at_once: int, per_session: int) -> dict[str, Any]:
    settings = Settings(database_url=address, data_dir=folder, encryption_keys=new_key("b"), max_running=at_once)
    seconds: list[float] = []
    async with EmpathyEngine.open(settings, model=Instant()) as engine:
        numbers = iter(range(turns))

        async def person() -> None:
            session = await engine.create_session(locale="zh")
            for count in itertools.count(1):
                if next(numbers, None) is None:
                    return
                if count % per_session == 0:
                    session = await engine.create_session(locale="zh")
                started = time.perf_counter()
                await engine.turn(session.session_id, POST)
                seconds.append(time.perf_counter() - started)

        await engine.turn((await engine.create_session()).session_id, POST)  # what is loaded once is loaded now
        started, busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*(person() for _ in range(at_once)))
        wall, busy = time.perf_counter() - started, time.process_time() - busy
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "database": address.partition("+")[0],
        "turns": turns,
        "at_once": at_once,
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
        "turns_per_second": round(turns / wall, 1),
        "cpu_ms_per_turn": round(busy / turns * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--per-session", type=int, default=10)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = f"sqlite+aiosqlite:///{folder}/bench.db"
        if given.database == "postgres":
            from postgres_server import Server

            address = stack.enter_context(Server()).address
        before = os.getloadavg()[0]
        found = asyncio.run(measure(address, folder, given.turns, given.at_once, given.per_session))
        print(json.dumps(found | {"load": [round(before, 2), round(os.getloadavg()[0], 2)]}))


if __name__ == "__main__":
    main()
