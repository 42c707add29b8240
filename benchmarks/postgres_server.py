"""A PostgreSQL for the benchmarks: as durable as it comes (fsync on), and one that can be taken down."""

import getpass
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.databases import postgres_bin


class Server:
    """A throwaway cluster on loopback. The server refuses to run as root; there, the package's account runs it."""

    def __init__(self) -> None:
        programs = postgres_bin()
        if programs is None:
            sys.exit("No PostgreSQL server is installed (Debian: postgresql).")
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="empathy-pg-"))
        self._user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        if self._user:
            shutil.chown(self._folder, "postgres", "postgres")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self._port = s.getsockname()[1]
        self.address = f"postgresql+psycopg://tester@127.0.0.1:{self._port}/postgres"
        self.restarts = 0
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Server":
        self._run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8")
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end_restarts()
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin_restarts(self) -> None:
        """Takes the server down every 3 to 10 s, for up to 2 s, at times without a warning."""

        def go() -> None:
            while not self._enough.wait(random.uniform(3, 10)):
                self._run("pg_ctl", "-m", random.choice(("fast", "immediate")), "-w", "stop")
                self._enough.wait(random.uniform(0, 2))
                self._start()
                self.restarts += 1

        self._thread = threading.Thread(target=go)
        self._thread.start()

    def end_restarts(self) -> None:
        self._enough.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k {self._folder}"
        self._run("pg_ctl", "-l", str(self._folder / "log"), "-w", "-o", options, "start")

    def _run(self, program: str, *options: str) -> None:
        command = [*self._user, str(self._programs / program), "-D", str(self._folder / "data"), *options]
        subprocess.run(command, check=True, capture_output=True, cwd="/")
