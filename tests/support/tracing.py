"""LangSmith's own client, whose messages stay here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith import Client, tracing_context


class _Wire(requests.Session):
    def __init__(self, seen: list[dict[str, Any]]) -> None:
        super().__init__()
        self._seen = seen

    def request(self, method: Any, url: Any, *, data: bytes, **more: Any) -> requests.Response:
        self._seen.append(json.loads(data))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"{}"
        return answer


@contextmanager
def traced() -> Iterator[list[dict[str, Any]]]:
    """Traces what runs in the block, as an environment with LANGSMITH_TRACING does; gives what the tracer sends."""
    seen: list[dict[str, Any]] = []
    client = Client(api_url="http://127.0.0.1:9", api_key="k", session=_Wire(seen), auto_batch_tracing=False, info={})
    with tracing_context(enabled=True, client=client):
        yield seen
        wait_for_all_tracers()
