"""A small classifier beside the screen's rules: a linear model over short runs of words and characters.

It reads what no rule understood and may raise the level, never lower it. Weights and thresholds are a table
(tables/screen_classifier.json) that training/screen_classifier.py writes.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from empathy_r1.graph.safety.levels import Level

WINDOW = 40
"""Short sentences are joined until they have as many characters: the model learnt from utterances, not from words."""
LONGEST = 3
"""Most units of a run."""
_UNITS = re.compile(r"[a-z0-9']+|[^\sa-z0-9]")

Run = tuple[str, ...]


class Table(NamedTuple):
    """What was learnt."""

    version: str
    intercept: float
    concern: float
    high: float
    weights: dict[Run, float]


def read(text: str) -> Table:
    """The table of a JSON text, whose weights are keyed by runs with blanks between the units."""
    raw = json.loads(text)
    return Table(**raw | {"weights": {tuple(run.split(" ")): weight for run, weight in raw["weights"].items()}})


@cache
def _table() -> Table:
    return read((files("empathy_r1.graph.safety") / "tables" / "screen_classifier.json").read_text(encoding="utf-8"))


def version() -> str:
    """Version of the weights, for audit."""
    return _table().version


def features(text: str) -> set[Run]:
    """The runs of one to `LONGEST` units (a Latin word, else a character) of a prepared text."""
    units = _UNITS.findall(text)
    found: set[Run] = set(zip(units, strict=True))
    for size in range(2, LONGEST + 1):
        found.update(zip(*(units[start:] for start in range(size)), strict=False))
    return found


def windows(parts: Iterable[str]) -> Iterator[str]:
    """The parts of a prepared text, short neighbours joined."""
    joined = ""
    for part in parts:
        joined = f"{joined},{part}" if joined else part
        if len(joined) >= WINDOW:
            yield joined
            joined = ""
    if joined:
        yield joined


def score(text: str) -> float:
    """How much a window reads like the risk that the model learnt: a logit."""
    table, found = _table(), features(text)
    return table.intercept + sum(filter(None, map(table.weights.get, found))) / math.sqrt(max(1, len(found)))


def classify(parts: Iterable[str], *, twice: bool = False) -> Level:
    """The level that the gravest window asks for, or with `twice` the second gravest: `none`, `concern` or `high`."""
    table, scores = _table(), sorted(map(score, windows(parts)), reverse=True)
    top = next(iter(scores[1 if twice else 0 :]), -math.inf)
    return "high" if top >= table.high else "concern" if top >= table.concern else "none"
