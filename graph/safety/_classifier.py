"""A small classifier beside the screen's rules: a linear model over short runs of words and characters.

It reads what no rule understood and may raise the level, never lower it. Weights and thresholds are a table
(tables/screen_classifier.json) that training/screen_classifier.py writes.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from ahocorasick_rs import AhoCorasick

from empathy_r1.graph.safety._words import found
from empathy_r1.graph.safety.levels import LEVELS, Level

WINDOW = 40
"""Short sentences are joined until they have as many characters: the model learnt from utterances, not from words."""
LONGEST = 3
"""Most units of a run."""
_HAN = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("[a-z0-9']")
_UNITS = re.compile(r"[a-z0-9']+|[^\sa-z0-9]")


@dataclass(frozen=True)
class Table:
    """What was learnt."""

    version: str
    intercept: float
    concern: dict[str, float]
    """Thresholds of the scores by the language of the window."""
    high: dict[str, float]
    weights: dict[str, float]
    """By runs, with blanks between the units."""

    @cached_property
    def finder(self) -> AhoCorasick:
        """Finds the runs that have weights, by their number, in units with a blank on each side."""
        return AhoCorasick(f" {run} " for run in self.weights)

    @cached_property
    def by_number(self) -> list[float]:
        """The weights of the runs that the finder finds."""
        return list(self.weights.values())


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
    return _UNITS.findall(text) if _LATIN.search(text) else list("".join(text.split()))


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


def scores(texts: Sequence[str], table: Table | None = None) -> list[float]:
    """How much each window reads like the risk that the model learnt: logits."""
    table = table or _table()
    cut, weights = list(map(units, texts)), table.by_number
    totals = [0.0] * len(texts)
    for at, run in found(table.finder, [f" {' '.join(parts)} " for parts in cut]):
        totals[at] += weights[run]
    return [table.intercept + total / math.sqrt(max(1, len(parts))) for total, parts in zip(totals, cut, strict=True)]


def classify(parts: Iterable[str], *, twice: bool = False) -> Level:
    """The level that the gravest window asks for, or with `twice` the second gravest: `none`, `concern` or `high`."""
    found_in = list(windows(parts))
    levels = sorted(map(_level, found_in, scores(found_in)), key=LEVELS.index, reverse=True)
    return next(iter(levels[1 if twice else 0 :]), "none")


def _level(window: str, score: float) -> Level:
    table, locale = _table(), "zh" if _HAN.search(window) else "en"
    return "high" if score >= table.high[locale] else "concern" if score >= table.concern[locale] else "none"
