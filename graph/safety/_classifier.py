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
from itertools import chain
from typing import NamedTuple

from empathy_r1.graph.safety.levels import LEVELS, Level

WINDOW = 40
"""Short sentences are joined until they have as many characters: the model learnt from utterances, not from words."""
LONGEST = 3
"""Most units of a run."""
_HAN = re.compile("[\u3400-\u9fff]")
_UNITS = re.compile(r"[a-z0-9']+|[^\sa-z0-9]")


class Table(NamedTuple):
    """What was learnt."""

    version: str
    intercept: float
    concern: dict[str, float]
    """Thresholds of the scores by the language of the window."""
    high: dict[str, float]
    weights: dict[str, float]
    """By runs, with blanks between the units."""


def read(text: str) -> Table:
    """The table of a JSON text."""
    return Table(**json.loads(text))


@cache
def _table() -> Table:
    return read((files("empathy_r1.graph.safety") / "tables" / "screen_classifier.json").read_text(encoding="utf-8"))


def version() -> str:
    """Version of the weights, for audit."""
    return _table().version


def units(text: str) -> list[str]:
    """What runs are made of: a Latin word, or a character of another script."""
    return _UNITS.findall(text)


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


def score(text: str, table: Table | None = None) -> float:
    """How much a window reads like the risk that the model learnt: a logit."""
    table, found = table or _table(), units(text)
    after = list(map(" ".__add__, found))
    pairs = list(map(str.__add__, found, after[1:]))
    triples = map(str.__add__, pairs, after[2:])
    total = sum(filter(None, map(table.weights.get, chain(found, pairs, triples))))
    return table.intercept + total / math.sqrt(max(1, len(found)))


def classify(parts: Iterable[str], *, twice: bool = False) -> Level:
    """The level that the gravest window asks for, or with `twice` the second gravest: `none`, `concern` or `high`."""
    levels = sorted(map(_level, windows(parts)), key=LEVELS.index, reverse=True)
    return next(iter(levels[1 if twice else 0 :]), "none")


def _level(window: str) -> Level:
    table, locale, found = _table(), "zh" if _HAN.search(window) else "en", score(window)
    return "high" if found >= table.high[locale] else "concern" if found >= table.concern[locale] else "none"
