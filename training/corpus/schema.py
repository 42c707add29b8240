"""One record of the corpus, and the chain that it teaches.

Types only say what a field may hold at all; what makes a record a good one is checked in validate.py.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Label, Locale, find
from empathy_r1.graph.safety.levels import Level
from empathy_r1.graph.wire import SEPARATOR, Section

Split = Literal["train", "validation", "test", "test_topics"]
"""`test_topics` holds the topics that no other split has."""

Tier = Literal["generic", "other_post", "advice_only", "over_validating", "unsafe", "label_stuffed", "lecturing"]
"""What is wrong with a rejected reply: it fits any post, it answers another post of the topic, it is only advice, it
agrees with everything, it is dangerous, it names emotions instead of answering, it lectures."""

Text = Annotated[str, Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Emotion(_Frozen):
    """A felt emotion and the words of the post that show it."""

    label: Text
    """English key of `graph.labels.EMOTIONS`."""
    intensity: Literal["mild", "moderate", "strong"]
    words: tuple[Text, ...] = Field(min_length=1)
    """Exact quotes of the post."""


class Cause(_Frozen):
    """What the feeling comes from, in one sentence of the post's language."""

    text: Text
    evidence: tuple[Text, ...] = Field(min_length=1)
    """Exact quotes of the post."""
    stated: bool
    """The person says it; False where it has to be inferred from the evidence."""


class Intention(_Frozen):
    """What the person hopes to get by writing."""

    primary: Text
    """English key of `graph.labels.INTENTIONS`."""
    secondary: tuple[Text, ...] = ()
    summary: Text


class Rejected(_Frozen):
    """A plausible reply that is worse than the record's, and in which way."""

    tier: Tier
    text: Text


class Record(_Frozen):
    """A post, its reading in four layers, and replies."""

    id: str = Field(pattern=r"^(zh|en)-\d{4}$")
    locale: Locale
    split: Split
    topic: Text
    subtopic: Text
    persona: Text
    """Whom the writer had in mind: a few words, never an actual person."""
    post: Text
    emotions: tuple[Emotion, ...] = Field(min_length=1, max_length=4)
    """The strongest first."""
    emotion_summary: Text
    causes: tuple[Cause, ...] = Field(min_length=1)
    cause_summary: Text
    intention: Intention
    strategy: Text
    reply: Text
    reply_alternative: str | None = None
    rejected: tuple[Rejected, ...] = ()
    level: Level
    """What a careful reader sees in the post alone; same scale as the screen's."""
    about_other: bool = False
    """The risk or the trouble is somebody else's."""
    written_by: Text
    read_by: tuple[str, ...] = ()
    """Second and third readers; empty where nobody but the writer has read the record."""


def chain(record: Record) -> dict[Section, str]:
    """The sections of the wire format (empathy_r1.graph.wire) that the record teaches.

    Raises:
        ValueError: a label is not in the closed sets.
    """
    felt = " ".join(
        f"{_word(EMOTIONS, e.label, record.locale)}/{_word(INTENSITIES, e.intensity, record.locale)}"
        for e in record.emotions
    )
    wanted = " ".join(
        _word(INTENTIONS, key, record.locale) for key in (record.intention.primary, *record.intention.secondary)
    )
    return {
        "emotion": f"{felt}{SEPARATOR}{record.emotion_summary}",
        "cause": record.cause_summary,
        "intention": f"{wanted}{SEPARATOR}{record.intention.summary}",
        "strategy": record.strategy,
        "response": record.reply,
    }


def _word(table: tuple[Label, ...], key: str, locale: Locale) -> str:
    label = find(table, key)
    if label is None:
        known = ", ".join(label.key for label in table)
        raise ValueError(f"Unknown label {key!r}: expected one of {known}. Correct the record.")
    return label.text(locale)
