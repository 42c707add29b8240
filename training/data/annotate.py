"""Reads real posts as the sentence bank would: topic, emotions and intention by key words, quotes as exact clauses.

The labels are weak: they say which words stand in a post, not what its writer felt. They let a small model see
real, messy posts as input; the replies are the bank's.
"""

import random
import re

from empathy_r1.graph.labels import Locale
from empathy_r1.training.data.compose import Reading
from empathy_r1.training.data.sentences import Aspect, aspects, speech

_CLAUSE = re.compile(r"[^。！？!?；;\n，,.…]+")
_BELIEF = re.compile(
    r"是不是我|我不配|我没用|我很差|都是我|没有意义|比不上|my fault|not good enough|worthless|wrong with me", re.I
)
_STRONG = re.compile(r"特别|非常|太|真的|极|崩溃|every|so |really|very|extremely|can'?t", re.I)
_SIZE: dict[Locale, tuple[int, int]] = {"zh": (6, 34), "en": (18, 110)}


def read(post: str, locale: Locale, dice: random.Random) -> Reading | None:
    """What the post says, or None where neither a topic nor a feeling can be found in it."""
    parts = clauses(post, locale)
    aspect = topic(post, locale)
    found = {key: s.found.search(post) for key, s in speech("emotions", locale).items()}
    felt = sorted((m.start(), key) for key, m in found.items() if m)
    if not parts or not (felt or aspect):
        return None
    emotions = tuple((key, _strength(post, at)) for at, key in felt[:3])
    if not emotions and aspect:
        emotions = ((aspect.feel[0], "moderate"),)
    emotions = tuple(sorted(emotions, key=lambda pair: pair[1] != "strong"))
    intentions = tuple(key for key, s in speech("intentions", locale).items() if s.found.search(post))[-2:][::-1]
    events = [c for c in parts if aspect and aspect.keys.search(c)]
    feelings = [c for c in parts if any(s.found.search(c) for s in speech("emotions", locale).values())]
    event = (events or feelings or parts)[0]
    others = [c for c in feelings if c != event]
    belief = next((c for c in parts if _BELIEF.search(c) and c != event), "")
    quote = dice.choice(others) if others and dice.random() < 0.7 else ""
    return Reading(locale, aspect, emotions, intentions or ("vent",), event, quote if quote != belief else "", belief)


def clauses(post: str, locale: Locale) -> list[str]:
    """The post's clauses that are neither too short nor too long to be said back."""
    low, high = _SIZE[locale]
    return [clause for clause in map(str.strip, _CLAUSE.findall(post)) if low <= len(clause) <= high]


def topic(post: str, locale: Locale, least: int = 1) -> Aspect | None:
    """The bank's topic with the most of its key words in the post, or None where none has `least`."""
    counts = [(len(set(aspect.keys.findall(post))), aspect) for aspect in aspects(locale)]
    count, best = max(counts, key=lambda pair: pair[0])
    return best if count >= least else None


def _strength(post: str, at: int) -> str:
    return "strong" if _STRONG.search(post[max(0, at - 12) : at + 4]) else "moderate"
