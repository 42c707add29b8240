"""The sentence bank: every aspect is whole in both languages, and every emotion and intention has words."""

import random

import pytest

from empathy_r1.graph.labels import EMOTIONS, INTENTIONS, Locale, find
from empathy_r1.training.data.sentences import aspects, pick, speech

PARTS = {"event", "detail", "belief", "gist", "see", "turn", "step", "ask"}
LOCALES: tuple[Locale, ...] = ("zh", "en")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_aspect_has_every_part(locale: Locale) -> None:
    for aspect in aspects(locale):
        assert aspect.lines.keys() >= PARTS, aspect.name
        assert all(aspect.lines[part] for part in PARTS), aspect.name
        assert all(find(EMOTIONS, key) for key in aspect.feel), aspect.name


def test_both_languages_have_the_same_aspects() -> None:
    assert [a.name for a in aspects("zh")] == [a.name for a in aspects("en")]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_emotion_can_be_said_found_and_met(locale: Locale) -> None:
    words = speech("emotions", locale)
    assert set(words) == {label.key for label in EMOTIONS}
    assert all(len(entry.lines["say"]) >= 2 and entry.lines["see"] for entry in words.values())


@pytest.mark.parametrize("locale", LOCALES)
def test_intentions_are_of_the_closed_set(locale: Locale) -> None:
    assert all(find(INTENTIONS, key) for key in speech("intentions", locale))


def test_pick_makes_every_choice() -> None:
    said = {pick(("[a|b] and [c|d]",), random.Random(seed)) for seed in range(50)}
    assert said == {"a and c", "a and d", "b and c", "b and d"}
