"""A real Rasa server on the loopback address, with the bot of examples/rasa."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from support.server_process import ServerProcess, answers, free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-rasa" / "bin" / "python"
BOT = ROOT / "examples" / "rasa"
ADDRESS = "http://localhost:8000/rasa/webhook"
"""The action server's, as examples/rasa/endpoints.yml names it."""


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if PYTHON.exists():
        return None
    return "there is no .venv-rasa: tests/environments/rasa.sh makes it, or says why it cannot"


@dataclass
class RasaServer:
    """`rasa run` of the bot, trained before in a folder of its own. `start` returns once it answers."""

    folder: Path
    actions: str
    """Address of the action server."""
    token: str | None = None
    """What the action server asks for."""
    more: dict[str, str] = field(default_factory=dict)
    """Environment variables beside the usual ones."""
    port: int = 0
    _process: ServerProcess | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def train(self, seconds: float = 300.0) -> None:
        """Trains the bot once."""
        if (self.folder / "models").exists():
            return
        shutil.copytree(BOT, self.folder, dirs_exist_ok=True)
        command = [PYTHON, "-m", "rasa", "train", "--quiet", "--fixed-model-name", "bot"]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, timeout=seconds
        )
        if done.returncode:
            raise RuntimeError(f"Rasa did not train: {done.stderr[-2000:]}")

    def start(self, seconds: float = 240.0) -> None:
        """Starts the server and waits until it has its model."""
        self.train()
        endpoints = (BOT / "endpoints.yml").read_text(encoding="utf-8")
        assert ADDRESS in endpoints
        endpoints = endpoints.replace(ADDRESS, self.actions)
        if self.token:
            endpoints = endpoints.replace("# headers:", "headers:").replace("#   Auth", "  Auth")
        (self.folder / "endpoints.yml").write_text(endpoints, encoding="utf-8")
        self.port = free_port()
        self._process = ServerProcess(self.folder / "rasa.log")
        command = [PYTHON, "-m", "rasa", "run", "--enable-api", "-i", "127.0.0.1", "-p", str(self.port)]
        self._process.start(
            command, lambda: answers(f"{self.url}/status"), seconds=seconds, env=self._environment(), cwd=self.folder
        )

    def stop(self) -> None:
        """Ends the server."""
        if self._process is not None:
            self._process.stop()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        quiet = {"RASA_TELEMETRY_ENABLED": "false", "SQLALCHEMY_SILENCE_UBER_WARNING": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        token = {"EMPATHY_R1_RASA_TOKEN": self.token} if self.token else {}
        return kept | quiet | token | self.more
