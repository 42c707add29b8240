"""Kills worker processes at random moments under load, and looks into the database for what that did.

    python benchmarks/kill_points.py --kills 2000 --database sqlite
    python benchmarks/kill_points.py --kills 2000 --database postgres
    python benchmarks/kill_points.py --seconds 300 --restarts       # PostgreSQL itself goes down every few seconds

`--workers` real processes share one database. Each is client and worker: its persons send posts with idempotency keys,
and write a line to a file for each post that the engine accepted. A process is killed (SIGKILL) after a random time and
another takes its place, until so many were killed. Then one process answers what is left, and the journal is compared
with the files: turns that were accepted and have no answer, answers that stand twice (in the journal, or as two ends of
one stream), streams with a gap, and turns of one session that overlap. Takeover is the time from a kill to the moment
at which another process had the turn. Prints one JSON object; exit status 1 where anything was lost or doubled.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import select
import signal
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).parent))
from turn_overhead import POST, Instant

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import EngineError
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage.crypto import new_key
from empathy_r1.storage.errors import StorageError

LEASE = 3.0
_ANSWERED = "answered"
"""A file with one byte for each reply that a person got."""


class Slow(Instant):
    """Takes a few hundredths of a second for each section, so that every moment of a turn can be hit."""

    async def _astream(self, *given: Any, **more: Any) -> Any:
        async for chunk in super()._astream(*given, **more):
            await asyncio.sleep(random.uniform(0.005, 0.05))
            yield chunk


def settings(address: str, folder: Path) -> Settings:
    keys = (folder / "keys").read_text()
    return Settings(database_url=address, data_dir=folder, encryption_keys=keys, lease_seconds=LEASE, drain_seconds=1)


async def work(
    address: str, folder: Path, persons: int, ready: Callable[[], object], sent: TextIO, began: TextIO
) -> None:
    """One process: persons who write one post after the other, until it is killed."""
    answered = os.open(folder / _ANSWERED, os.O_WRONLY | os.O_APPEND)

    async def person(engine: EmpathyEngine) -> None:
        session: str | None = None
        count = 0
        while True:
            try:
                if session is None or count >= 5:
                    session, count = (await engine.create_session(locale="zh")).session_id, 0
                key, text = uuid.uuid4().hex, f"{random.random()} {POST[:80]}"
                count += 1
                async for event in engine.stream(session, text, idempotency_key=key):
                    if event.type == "accepted":
                        print(event.turn_id, file=sent)
                    if event.type == "committed":
                        os.write(answered, b".")
            except (EngineError, StorageError):
                await asyncio.sleep(0.2)

    while True:
        with contextlib.suppress(EngineError, StorageError):
            async with EmpathyEngine.open(settings(address, folder), model=Slow()) as engine:
                begin = engine._worker._begin

                def noted(given: Any, begin: Any = begin) -> None:
                    print(given[0].id, os.getpid(), time.time(), file=began)
                    begin(given)

                engine._worker._begin = noted  # type: ignore[method-assign]
                ready()
                await asyncio.gather(*(person(engine) for _ in range(persons)))
        await asyncio.sleep(0.5)


def _notes(folder: Path, name: str) -> TextIO:
    """A file of this process; each line is there as soon as it is printed, whatever becomes of the process."""
    return (folder / f"{name}.{os.getpid()}").open("a", buffering=1)


def start(address: str, folder: Path, persons: int) -> tuple[int, int]:
    """A process of its own, forked so that it need not load anything: its id, and a pipe that says when it works."""
    heard, said = os.pipe()
    if pid := os.fork():
        os.close(said)
        return pid, heard
    try:
        random.seed()
        with contextlib.ExitStack() as files:
            notes = [files.enter_context(_notes(folder, name)) for name in ("sent", "began")]
            asyncio.run(work(address, folder, persons, lambda: os.write(said, b"."), *notes))
    finally:
        os._exit(1)


async def warm_up(address: str, folder: Path) -> None:
    """Makes the tables, and loads what is loaded at the first turn."""
    (folder / _ANSWERED).touch()
    async with EmpathyEngine.open(settings(address, folder), model=Instant()) as engine:
        session = (await engine.create_session(locale="zh")).session_id
        for text in (POST, "我不想活了"):
            await engine.turn(session, text)


def kill(
    address: str, folder: Path, workers: int, kills: int, persons: int, seconds: float, every: float
) -> dict[int, float]:
    """Kills until so many died or so long; returns process id -> moment (Unix time).

    One to all of the processes that work die at the same moment. The moment is random: a number of replies after the
    last one, about as many as posts were left behind, and a part of a second. So there is load on a slow machine, too.
    """
    moments: dict[int, float] = {}
    born = dict(start(address, folder, persons) for _ in range(workers))
    working: list[int] = []
    end, enough = time.monotonic() + seconds, 0
    while time.monotonic() < end and (not kills or len(moments) < kills):
        for pid in _ready(born):
            os.close(born.pop(pid))
            working.append(pid)
        time.sleep(random.uniform(0, 2 * every))
        if not kills or not working or _answered(folder) < enough:
            continue
        victims = random.sample(working, min(random.randint(1, len(working)), kills - len(moments)))
        for pid in victims:
            moments[pid] = time.time()
            os.kill(pid, signal.SIGKILL)
        for pid in victims:
            os.waitpid(pid, 0)
            working.remove(pid)
            newcomer, heard = start(address, folder, persons)
            born[newcomer] = heard
        enough = _answered(folder) + random.randint(0, 2 * persons * len(victims))
        print(f"{len(moments)} killed", file=sys.stderr, flush=True)
    for pid in (*working, *born):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return moments


def _answered(folder: Path) -> int:
    return (folder / _ANSWERED).stat().st_size


def _ready(born: dict[int, int]) -> list[int]:
    """Those of the newcomers that have said that they work."""
    said, _, _ = select.select(list(born.values()), [], [], 0)
    return [pid for pid, heard in born.items() if heard in said]


async def answer_the_rest(address: str, folder: Path) -> None:
    from sqlalchemy import func, select

    from empathy_r1.storage.tables import TurnRow
    from empathy_r1.storage.turns import OPEN

    query = select(func.count()).select_from(TurnRow).where(TurnRow.status.in_(OPEN))
    async with EmpathyEngine.open(settings(address, folder), model=Slow()) as engine:
        for _ in range(600):
            if not await engine._parts.database.run(lambda db: db.scalar(query), reading=True):
                return
            await asyncio.sleep(0.5)


async def judge(address: str, folder: Path, moments: dict[int, float]) -> dict[str, Any]:
    from sqlalchemy import select as query

    from empathy_r1.storage.tables import TurnRow

    accepted = _accepted(folder)
    found: dict[str, Any] = {"accepted": len(accepted), "lost": 0, "twice": 0, "gaps": 0, "overlaps": 0}
    async with EmpathyEngine.open(settings(address, folder), model=Slow()) as engine:
        columns = (TurnRow.id, TurnRow.session_id, TurnRow.status, TurnRow.attempts, TurnRow.number, TurnRow.finished)
        rows = await engine._parts.database.run(lambda db: db.execute(query(*columns)).all(), reading=True)
        by_id = {row.id: row for row in rows}
        found |= {"turns": len(rows), "answered": _answered(folder)}
        found["statuses"] = {s: sum(row.status == s for row in rows) for s in {row.status for row in rows}}
        found["taken_over"] = sum(row.attempts > 1 for row in rows)
        found["lost"] += sum(by_id[turn].status != "committed" if turn in by_id else 1 for turn in accepted)
        ends: dict[str, list[Any]] = {}
        streams = await _streams(engine, [row.id for row in rows])
        for row in rows:
            events = streams[row.id]
            last = [event for event in events if event["type"] in ("committed", "failed", "cancelled")]
            found["twice"] += len(last) != 1 and row.status == "committed"
            found["gaps"] += [event["seq"] for event in events] != list(range(1, len(events) + 1))
            said = ""
            for event in events:
                if event["type"] == "token":
                    said = event["text"] if event["reset"] else said + event["text"]
            found["twice"] += bool(last) and last[-1]["type"] == "committed" and said != last[-1]["reply"]
            ends.setdefault(row.session_id, []).append((row.number, row.finished))
        for turns in ends.values():
            finished = [at for _, at in sorted(turns) if at]
            found["overlaps"] += finished != sorted(finished)
        if moments:
            found["takeover_seconds"] = _takeover(folder, moments)
    return found


async def _streams(engine: EmpathyEngine, turns: list[str]) -> dict[str, list[Any]]:
    """The events of all turns, read a few hundred turns at a time."""
    from sqlalchemy import select as query

    from empathy_r1.storage.tables import EventRow

    ring = engine._parts.journal._ring
    found: dict[str, list[Any]] = {turn: [] for turn in turns}
    for at in range(0, len(turns), 500):
        some = query(EventRow).where(EventRow.turn_id.in_(turns[at : at + 500])).order_by(EventRow.seq)
        rows = await engine._parts.database.run(lambda db, some=some: db.execute(some).all(), reading=True)
        for row in rows:
            found[row.turn_id].append(json.loads(ring.open(row.data_sealed, f"events:{row.turn_id}:{row.seq}")))
    return found


def _accepted(folder: Path) -> set[str]:
    """Ids of the turns that persons saw accepted; a last line may be cut."""
    return {line for file in folder.glob("sent.*") for line in file.read_text().splitlines() if len(line) == 34}


def _takeover(folder: Path, moments: dict[int, float]) -> dict[str, float]:
    """Seconds from the kill of a turn's process to the moment at which another began it."""
    began: dict[str, list[tuple[float, int]]] = {}
    for file in folder.glob("began.*"):
        for line in file.read_text().splitlines():
            turn, process, at = line.split()
            began.setdefault(turn, []).append((float(at), int(process)))
    times = []
    for beginnings in began.values():
        for (_, before), (at, _) in itertools.pairwise(sorted(beginnings)):
            if before in moments:
                times.append(at - moments[before])
    if len(times) < 2:
        return {"n": len(times)}
    cuts = statistics.quantiles(times, n=100)
    return {"n": len(times), "p50": round(cuts[49], 2), "p99": round(cuts[98], 2), "most": round(max(times), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--persons", type=int, default=4)
    parser.add_argument("--every", type=float, default=0.1, help="mean seconds from a moment's load to its kills")
    parser.add_argument("--restarts", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "keys").write_text(new_key("b"))
        address = f"sqlite+aiosqlite:///{folder}/bench.db"
        if given.database == "postgres" or given.restarts:
            from postgres_server import Server

            server = stack.enter_context(Server())
            address = server.address
        asyncio.run(warm_up(address, folder))
        kills = 0 if given.restarts else given.kills
        if given.restarts:
            threading.Timer(5.0, server.begin_restarts).start()  # no other thread is there while processes are forked
        moments = kill(address, folder, given.workers, kills, given.persons, given.seconds, given.every)
        if given.restarts:
            server.end_restarts()
        asyncio.run(answer_the_rest(address, folder))
        found = asyncio.run(judge(address, folder, moments))
        found |= {"database": address.partition("+")[0], "kills": len(moments)}
        if given.restarts:
            found["restarts"] = server.restarts
        print(json.dumps(found))
    sys.exit(any(found[name] for name in ("lost", "twice", "gaps", "overlaps")))


if __name__ == "__main__":
    main()
