"""A real server in a process of its own, on a free port of the loopback address."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx


class ServerProcess:
    """A process with everything that it starts, and its log."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(
        self,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        seconds: float,
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        """Starts the command and waits until it is ready.

        Raises:
            RuntimeError: the process ended, or was not ready in so many seconds; with the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + seconds
        try:
            while not ready():
                if not self.alive:
                    raise RuntimeError(f"{command[0]} ended with code {self._process.returncode}.\n{self.log_tail()}")
                if time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} was not ready within {seconds:.0f} s.\n{self.log_tail()}")
                time.sleep(0.5)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the process and everything that it started."""
        if self._process is None:
            return
        for sign, seconds in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(seconds)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def kill(self) -> None:
        """Ends the process without a word, as a lost machine does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10.0)

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def answers(url: str) -> bool:
    """Whether a GET of the address succeeds."""
    try:
        return httpx.get(url, timeout=5.0).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
