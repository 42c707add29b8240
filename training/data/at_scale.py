"""Annotation by Ray Data: the teacher's code of training.data.teacher, in actors on as many machines as Ray has.

Each actor keeps what the teacher said in a cache of its own beside the output, on a file system that all machines see,
and reads the others'; a run that was killed goes on where it stopped, with or without Ray.

    ray start --head && RAY_ADDRESS=auto empathy-r1 data annotate ... --actors 8
"""

import asyncio
import json
import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from empathy_r1.training.chat import Cache, Endpoint
from empathy_r1.training.data.questions import Question
from empathy_r1.training.data.teacher import Result, answers, chains, progress, save, teacher
from empathy_r1.training.errors import TeacherError

CPUS = 0.25
"""Of a machine that an actor takes: it waits for the teacher most of the time."""


class Annotator:
    """The actor: one connection to the teacher, and one cache.

    Args:
        endpoint: of the teacher.
        out: what the cache stands beside.
        concurrency: requests under way at once.
        retries: of one request.
    """

    def __init__(self, endpoint: Endpoint, out: str, concurrency: int, retries: int) -> None:
        self._chat = teacher(endpoint, Cache(Path(out), uuid.uuid4().hex[:12]), retries)
        self._limit = asyncio.Semaphore(concurrency)

    async def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Results of a batch's answers as JSON, by their numbers; a teacher that refuses is a result too."""
        rows = [json.loads(text) for text in batch["answer"]]
        try:
            found = [json.dumps(result, ensure_ascii=False) for result in await chains(self._chat, rows, self._limit)]
        except TeacherError as error:
            found = [json.dumps({"refused": str(error)})] * len(rows)
        return {"at": list(batch["at"]), "result": found}


def annotate(
    questions: Iterable[Question],
    out: Path,
    endpoint: Endpoint,
    *,
    actors: int,
    concurrency: int = 16,
    retries: int = 5,
) -> Counter[str]:
    """As training.data.teacher.annotate, with `actors` that ask `concurrency` requests each at once.

    RAY_ADDRESS names the cluster; without it, one is started on this machine. What is running already is used.

    Raises:
        TeacherError: the endpoint refuses the key or does not know the model.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(ignore_reinit_error=True)
    rows = list(answers(questions))
    if not rows:
        return save(out, [])
    items = [{"at": at, "answer": json.dumps(row, ensure_ascii=False)} for at, row in enumerate(rows)]
    # Several blocks for each actor, so that none waits for a slow one at the end.
    done = ray.data.from_items(items, override_num_blocks=min(len(items), 4 * actors)).map_batches(
        Annotator,
        fn_constructor_args=(endpoint, str(out.resolve()), concurrency, retries),
        batch_size=concurrency,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=CPUS,
    )
    return save(out, _in_order(done.iter_rows(), len(rows)))


def _in_order(found: Iterable[dict[str, Any]], whole: int) -> Iterator[Result]:
    tell, results = progress(whole), {}
    for number, row in enumerate(found, start=1):
        result = json.loads(row["result"])
        if isinstance(result, dict):
            raise TeacherError(result["refused"])
        results[int(row["at"])] = result
        tell(number)
    print(file=sys.stderr)  # noqa: T201
    for at in sorted(results):
        sample, reason = results[at]
        yield sample, reason
