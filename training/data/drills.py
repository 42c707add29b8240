"""Copying drills: posts of words in no order, and chains that do nothing but quote them.

A small model that starts from the sentence bank learns its few events by heart and puts them into every chain. Here
nothing can be learned by heart, so the first thing that lowers the loss is to look the words up in the post (an
induction head: Olsson et al., arXiv 2209.11895).
"""

import random
from collections.abc import Iterator
from functools import cache

from empathy_r1.graph.labels import EMOTIONS, INTENTIONS, Locale
from empathy_r1.graph.wire import SEPARATOR
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.data.sentences import aspects


def samples(locale: Locale, count: int, seed: int) -> Iterator[Sample]:
    """`count` drills, the same for the same seed."""
    dice = random.Random(f"{seed}:drills:{locale}")
    zh = locale == "zh"
    for number in range(count):
        clauses = [_clause(locale, dice) for _ in range(dice.randint(5, 8))]
        ends = "，。。" if zh else (". ",)
        first, second, third, *more = dice.sample(clauses, 5)
        feeling, wish = dice.choice(EMOTIONS), dice.choice(INTENTIONS)
        yield Sample(
            id=f"drill-{locale}-{seed}-{number}",
            locale=locale,
            source="drill",
            topic="drill",
            history=[],
            post="".join(clause + dice.choice(ends) for clause in clauses).strip(),
            chain={
                "emotion": f"{feeling.zh}/强{SEPARATOR}{first}" if zh else f"{feeling.key}/strong{SEPARATOR}{first}",
                "cause": first,
                "intention": f"{wish.zh if zh else wish.key}{SEPARATOR}{second}",
                "strategy": third,
                "response": "".join(f"“{clause}”" for clause in more),
            },
        )


def _clause(locale: Locale, dice: random.Random) -> str:
    words = _words(locale)
    if locale == "zh":
        return "".join(dice.choice(words) for _ in range(dice.randint(3, 6)))
    text = " ".join(dice.choice(words) for _ in range(dice.randint(5, 11)))
    return text[:1].upper() + text[1:]


@cache
def _words(locale: Locale) -> tuple[str, ...]:
    """Pieces of the bank's details: words in English, runs of two and three characters in Chinese."""
    lines = [line for aspect in aspects(locale) for part in ("event", "detail") for line in aspect.lines[part]]
    if locale == "en":
        return tuple(word for line in lines for word in line.split() if word.isalpha())
    runs = ["".join(c for c in line if "\u4e00" <= c <= "\u9fff") for line in lines]
    return tuple(run[at : at + 2 + at % 2] for run in runs for at in range(0, len(run) - 3, 2))
