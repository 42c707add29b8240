"""One sample of the chain: what a person wrote, and the gold chain with its reply. Files hold one a line (JSONL)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, cast

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.wire import Section


class Turn(TypedDict):
    """An earlier post or reply."""

    role: Literal["user", "assistant"]
    content: str


class Sample(TypedDict):
    """A post with its gold chain; `chain` holds all five sections."""

    id: str
    locale: Locale
    source: str
    """Where the post comes from: `grammar`, `dialogue`, `corpus`, or the name of a public set."""
    topic: str
    """Aspect of the sentence bank, `family.aspect`."""
    history: list[Turn]
    post: str
    chain: Mapping[Section, str]
    meta: NotRequired[dict[str, str]]


def write(path: Path, samples: Iterable[Sample]) -> int:
    """Writes the samples, one a line; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for sample in samples:
            file.write(json.dumps(sample, ensure_ascii=False) + "\n")
            count += 1
    return count


def read(path: Path) -> Iterator[Sample]:
    """The samples of a file, in order."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield cast("Sample", json.loads(line))
