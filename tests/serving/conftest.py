"""The real vLLM server of these tests: started once, when a test first asks for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from empathy_r1.graph.models.vllm import VLLMChat, vllm_chat

from support.vllm_server import VLLMServer, missing
from tiers import require


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    require("vllm", missing())
    server = VLLMServer(tmp_path_factory.mktemp("vllm"))
    yield server
    server.stop()


@pytest.fixture
def server(started: VLLMServer) -> VLLMServer:
    """The running server; one that a test has killed is started again."""
    if not started.alive:
        started.start()
    return started


@pytest.fixture
async def chat(server: VLLMServer) -> AsyncIterator[Callable[..., VLLMChat]]:
    """Makes chat models on the server, greedy unless told otherwise; `url` takes another way to it."""
    models: list[VLLMChat] = []

    def make(url: str | None = None, model: str = "tiny", **options: Any) -> VLLMChat:
        models.append(vllm_chat(url or server.url, model, **({"temperature": 0.0} | options)))
        return models[-1]

    yield make
    for model in models:
        await model.aclose()


@pytest.fixture
def idle(server: VLLMServer) -> Callable[[], Any]:
    """Waits until no request runs or waits on the server, for at most ten seconds."""

    async def wait() -> bool:
        for _ in range(100):
            running = await asyncio.to_thread(server.metric, "vllm:num_requests_running")
            waiting = await asyncio.to_thread(server.metric, "vllm:num_requests_waiting")
            if running + waiting == 0:
                return True
            await asyncio.sleep(0.1)
        return False

    return wait
