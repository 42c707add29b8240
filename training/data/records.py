"""The corpus's posts with the labels of their readers, answered as the sentence bank answers.

A small model learns from them what messy, individual posts feel like and ask for; their own replies are beyond it, so
the reply is composed of the bank's words and the post's.
"""

import random
from collections.abc import Iterator

from empathy_r1.graph import safety
from empathy_r1.training.corpus import Record, load
from empathy_r1.training.corpus.schema import Split
from empathy_r1.training.data.annotate import clauses, topic
from empathy_r1.training.data.compose import Reading, compose
from empathy_r1.training.data.sample import Sample

_MOST_EMOTIONS = 3
"""As many as the bank's posts have."""
_MARKS = frozenset('“”"‘「」')
"""Marks of what somebody else said, which would break a quote in two."""


def samples(seed: int, split: Split = "train", times: int = 3) -> Iterator[Sample]:
    """Each record's post `times` times with other words in the reply; those that alarm the screen are left out."""
    for record in load(split=split):
        if safety.screen(record.post).alarm or not _clauses(record):
            continue
        for number in range(times):
            dice = random.Random(f"{seed}:{record.id}:{number}")
            reading = _read(record, dice)
            yield Sample(
                id=f"{record.id}-{number}",
                locale=record.locale,
                source="corpus",
                topic=reading.aspect.name if reading.aspect else record.topic,
                history=[],
                post=record.post,
                chain=compose(reading, dice),
            )


def _read(record: Record, dice: random.Random) -> Reading:
    """What its readers found, with clauses of the post as event and quote."""
    found = _clauses(record)
    shown = [_clause(words, found) for emotion in record.emotions for words in emotion.words]
    behind = [_clause(words, found) for cause in record.causes for words in cause.evidence]
    quotes = [clause for clause in dict.fromkeys((*behind, *shown)) if clause]
    event = (quotes or found)[0]
    others = [clause for clause in quotes if clause != event]
    return Reading(
        locale=record.locale,
        aspect=topic(record.post, record.locale, least=2),
        emotions=tuple((emotion.label, emotion.intensity) for emotion in record.emotions[:_MOST_EMOTIONS]),
        intentions=(record.intention.primary, *record.intention.secondary[:1]),
        event=event,
        quote=dice.choice(others) if others else "",
        belief="",
    )


def _clauses(record: Record) -> list[str]:
    return [clause for clause in clauses(record.post, record.locale) if not _MARKS & set(clause)]


def _clause(words: str, found: list[str]) -> str:
    """The clause that holds the words or that they hold, or nothing where they are no clause's."""
    return next((clause for clause in found if clause in words or words in clause), "")
