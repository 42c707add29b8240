"""A SQLite file, and a real PostgreSQL that is started for the tests."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def postgres_bin() -> Path | None:
    """The folder of the newest PostgreSQL server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@contextmanager
def postgres() -> Iterator[str]:
    """Address of a throwaway cluster on loopback, made for the block."""
    programs = postgres_bin()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="empathy-pg-"))
    # The server refuses to run as root; there, the account that the package made runs it.
    user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    if user:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    data = str(folder / "data")

    def run(*command: str) -> None:
        subprocess.run(
            [*user, *command], check=True, capture_output=True, cwd="/", env={**os.environ, "LC_ALL": "C.UTF-8"}
        )

    run(str(programs / "initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "-N")
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition, seconds: float = 10.0) -> None:
    """Waits until the condition holds, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
