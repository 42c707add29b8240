"""A real vLLM server on the loopback address, started as an operator starts it."""

import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".venv-vllm" / "bin" / "vllm"
TINY_MODEL = ROOT / "tests" / "serving" / "model"
BLOCK = 32
"""Tokens of a cache block: the least that vLLM's CPU attention takes; a GPU takes 16."""
CONTEXT = 4096


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if COMMAND.exists():
        return None
    return "there is no .venv-vllm: tests/environments/vllm.sh makes it, or says why it cannot"


@dataclass
class VLLMServer:
    """`vllm serve` of a model folder. `start` returns once it has really answered."""

    folder: Path
    """Where its log and caches go."""
    model: Path = TINY_MODEL
    name: str = "tiny"
    port: int = 0
    extra: tuple[str, ...] = ()
    """More arguments of `vllm serve`."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, seconds: float = 480.0) -> None:
        """Starts the server and waits for a completion: one that reports health may still die on its first request."""
        self.port = _free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [
            *("serve", str(self.model), "--served-model-name", self.name),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--dtype", "float32", "--max-model-len", str(CONTEXT), "--enforce-eager", "--block-size", str(BLOCK)),
            "--enable-prompt-tokens-details",
            *self.extra,
        ]
        environment = os.environ | {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CACHE_ROOT": str(self.folder / "cache"),
            "HF_HUB_OFFLINE": "1",
            "TORCHDYNAMO_DISABLE": "1",
            "TMPDIR": str(self.folder),
        }
        environment.pop("PYTHONPATH", None)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(COMMAND), *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + seconds
        try:
            while not self._answers():
                if not self.alive:
                    raise RuntimeError(f"vLLM ended with code {self._process.returncode}.\n{self.log_tail()}")
                if time.monotonic() > until:
                    raise RuntimeError(f"vLLM did not answer within {seconds:.0f} s.\n{self.log_tail()}")
                time.sleep(0.5)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the server and everything that it started."""
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
        """Ends the server without a word, as a lost machine does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10.0)

    def metric(self, name: str) -> float:
        """The sum of a gauge or counter over its labels, such as `vllm:num_requests_running`."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10.0).text
        return sum(float(m[1]) for m in re.finditer(rf"^{re.escape(name)}(?:{{.*?}})? (\S+)$", text, re.MULTILINE))

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    @property
    def _log(self) -> Path:
        return self.folder / "vllm.log"

    def _answers(self) -> bool:
        try:
            answer = httpx.post(
                f"{self.url}/completions", json={"model": self.name, "prompt": "好", "max_tokens": 2}, timeout=60.0
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
