"""Talks: posts that follow an earlier post and reply, and the short posts that open, carry and close a talk."""

import random
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Label, Locale, find
from empathy_r1.graph.wire import SEPARATOR
from empathy_r1.training.data import grammar
from empathy_r1.training.data.compose import Reading, compose
from empathy_r1.training.data.sample import Sample, Turn
from empathy_r1.training.data.sentences import HERE, aspects, pick, speech

_FIRST = ("hello", "tired", "sad", "stuck")
_LATER = ("thanks", "better", "misread", "stuck", "tired", "sad")


def samples(locale: Locale, count: int, seed: int) -> Iterator[Sample]:
    """`count` talks with gold chains for their last post, the same for the same seed."""
    dice = random.Random(f"{seed}:talks:{locale}")
    openings = grammar.samples(locale, count, seed + 1)
    for number, opening in enumerate(openings):
        history: list[Turn] = [
            {"role": "user", "content": opening["post"]},
            {"role": "assistant", "content": opening["chain"]["response"]},
        ]
        kind = dice.choice(("first", "later", "later", "on", "on", "on"))
        if kind == "on":
            post, chain = _further(opening["topic"], locale, dice)
        else:
            name = dice.choice(_FIRST if kind == "first" else _LATER)
            history = [] if kind == "first" else history
            post, chain = _small(_table()[name], locale, dice)
        yield Sample(
            id=f"talk-{locale}-{seed}-{number}",
            locale=locale,
            source="grammar",
            topic=opening["topic"] if kind == "on" else "smalltalk",
            history=history,
            post=post,
            chain=chain,
        )


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads((HERE / "speech" / "smalltalk.toml").read_text(encoding="utf-8"))


def _small(row: dict[str, Any], locale: Locale, dice: random.Random) -> tuple[str, dict[Any, str]]:
    words = row[locale]
    post = pick(words["say"], dice)
    feel = (pair.split("/") for pair in row["feel"].split())
    named = [f"{_name(EMOTIONS, key, locale)}/{_name(INTENSITIES, size, locale)}" for key, size in feel]
    end = dice.choice(("", "", "。", "…")) if locale == "zh" and post[-1] not in "？?" else ""
    return post + end, {
        "emotion": f"{' '.join(named)}{SEPARATOR}{post.rstrip('?？.')}",
        "cause": pick(words["cause"], dice),
        "intention": f"{_name(INTENTIONS, row['want'], locale)}{SEPARATOR}{pick(words['gist'], dice)}",
        "strategy": pick(words["plan"], dice),
        "response": pick(words["reply"], dice),
    }


def _further(topic: str, locale: Locale, dice: random.Random) -> tuple[str, dict[Any, str]]:
    """One more post about the same thing."""
    aspect = next(a for a in aspects(locale) if a.name == topic)
    felt, said = grammar.feelings(aspect, locale, dice)
    intention = dice.choice(("vent", "understanding", "advice", "comfort"))
    event = grammar.line(aspect.lines["detail"], locale, dice)
    belief = grammar.line(aspect.lines["belief"], locale, dice) if dice.random() < 0.5 else ""
    wish = grammar.line(speech("intentions", locale)[intention].lines["say"], locale, dice)
    parts = [event, *said, belief, wish if dice.random() < 0.6 else ""]
    reading = Reading(locale, aspect, felt, (intention,), event, "", belief)
    return grammar.join(parts, locale, dice), dict(compose(reading, dice))


def _name(table: tuple[Label, ...], key: str, locale: Locale) -> str:
    label = find(table, key)
    if label is None:
        raise ValueError(f"{key!r} is no label. Expected one of empathy_r1.graph.labels.")
    return label.zh if locale == "zh" else label.key
