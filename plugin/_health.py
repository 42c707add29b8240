"""Whether a process can do its work."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from empathy_r1.graph.models.vllm import VLLMChat
from empathy_r1.plugin._backends import served
from empathy_r1.plugin._parts import Parts
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.views import Health


async def health(parts: Parts, worker: Worker) -> Health:
    """Asks the database, and a model that is a server, for a sign of life within 2 s."""
    database = await _answers(parts.journal.events("", 0))
    model = True
    if isinstance(parts.model, VLLMChat):
        model = await _answers(asyncio.to_thread(served, parts.settings))
    return Health(
        ready=database and model and not worker.draining,
        database=database,
        model=model,
        draining=worker.draining,
        running=len(worker.running),
    )


async def _answers(question: Awaitable[Any]) -> bool:
    try:
        await asyncio.wait_for(question, 2.0)
    except Exception:
        return False
    return True
