"""A chat model behind an OpenAI-compatible endpoint, with every answer kept: nothing is asked, or paid for, twice.

Answers stand in `<out>.cache.jsonl` beside the output that they are for, so that a killed run goes on where it stopped.
Several processes may work on one output: each keeps a file of its own, `<out>.cache.<part>.jsonl`, and reads all.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

from openai import AsyncOpenAI, AuthenticationError, NotFoundError, PermissionDeniedError

from empathy_r1.training.errors import TeacherError

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a chat model answers."""

    url: str
    """Up to `/v1`."""
    model: str
    key: str = "none"


class Cache:
    """What was said to which messages, one line each; a line that a kill cut off is not read.

    Args:
        out: the output that the answers are for.
        part: of the process, where several work on one output.
    """

    def __init__(self, out: Path, part: str = "") -> None:
        self._path = out.with_name(".".join(filter(None, (out.name, "cache", part, "jsonl"))))
        self._said: dict[str, str] = {}
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        out.parent.mkdir(parents=True, exist_ok=True)
        for path in sorted(out.parent.glob(f"{out.name}.cache*.jsonl")):
            if path != self._path:  # another's file may be half a line ahead: it is not ours to mend
                self._read(path)
        if self._path.exists() and (whole := self._read(self._path)) != self._path.read_bytes():
            self._path.write_bytes(whole)

    def get(self, key: str) -> str | None:
        """What was said, or None."""
        return self._said.get(key)

    def put(self, key: str, text: str) -> None:
        """Keeps it, on disk before this returns."""
        self._said[key] = text
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "text": text}, ensure_ascii=False) + "\n")

    def asking(self, key: str) -> asyncio.Lock:
        """Held by the one who asks, while others who want the same answer wait for it."""
        return self._asking.setdefault(key, asyncio.Lock())

    def _read(self, path: Path) -> bytes:
        whole = b""
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                row = json.loads(line)
                self._said[row["key"]] = row["text"]
                whole += line if line.endswith(b"\n") else b""
            except (ValueError, KeyError, TypeError):
                continue
        return whole


class Chat:
    """The chat model of an endpoint, with its cache.

    Args:
        endpoint: of the model.
        cache: may be shared by several.
        retries: of one request, with growing pauses, where the endpoint is busy or breaks.
        options: of every request, such as `max_tokens`.
    """

    def __init__(self, endpoint: Endpoint, cache: Cache, *, retries: int = 3, **options: Any) -> None:
        self.model = endpoint.model
        self._client = AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=retries, timeout=120)
        self._cache, self._options = cache, options

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def say(self, messages: Sequence[dict[str, str]], *, run: int = 0) -> str:
        """What the model says to `messages`; the same for the same model, messages and `run`. Empty: it said nothing.

        Raises:
            TeacherError: the endpoint refuses the key, or does not know the model.
            openai.APIError: it did not answer.
        """
        asked = json.dumps([self.model, run, messages], ensure_ascii=False)
        key = sha256(asked.encode()).hexdigest()
        async with self._cache.asking(key):
            if (known := self._cache.get(key)) is not None:
                return known
            given: Any = messages
            try:
                answer = await self._client.chat.completions.create(model=self.model, messages=given, **self._options)
            except (AuthenticationError, PermissionDeniedError, NotFoundError) as error:
                raise TeacherError(
                    f"{self._client.base_url} refused: {error.status_code}. Check the key and the name {self.model!r}."
                ) from error
            text = (answer.choices[0].message.content if answer.choices else None) or ""
            if text:
                self._cache.put(key, text)
            return text
