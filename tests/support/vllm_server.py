"""A real vLLM server on the loopback address, started as an operator starts it."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from support.server_process import ServerProcess, free_port

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
    _process: ServerProcess | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def start(self, seconds: float = 480.0) -> None:
        """Starts the server and waits for a completion: one that reports health may still die on its first request."""
        self.port = free_port()
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
        self._process = ServerProcess(self.folder / "vllm.log")
        self._process.start([COMMAND, *arguments], self._answers, seconds=seconds, env=environment)

    def stop(self) -> None:
        """Ends the server and everything that it started."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Ends the server without a word, as a lost machine does."""
        assert self._process is not None
        self._process.kill()

    def metric(self, name: str) -> float:
        """The sum of a gauge or counter over its labels, such as `vllm:num_requests_running`."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10.0).text
        return sum(float(m[1]) for m in re.finditer(rf"^{re.escape(name)}(?:{{.*?}})? (\S+)$", text, re.MULTILINE))

    def _answers(self) -> bool:
        try:
            answer = httpx.post(
                f"{self.url}/completions", json={"model": self.name, "prompt": "好", "max_tokens": 2}, timeout=60.0
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200
