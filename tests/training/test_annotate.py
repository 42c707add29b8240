"""The annotator: quotes are exact, labels follow the words that stand in the post."""

import random

from empathy_r1.graph.labels import Locale
from empathy_r1.training.data.annotate import read
from empathy_r1.training.data.compose import compose

POSTS: dict[Locale, str] = {
    "zh": "这个学期我一直在准备考试，可是越复习越慌。昨天模考又退步了，我特别焦虑，也很委屈。"
    "是不是我根本不适合读书？有没有什么办法？",
    "en": "I have been studying for my final exams for weeks. I am really anxious and I can't sleep. "
    "Maybe I am not good enough for this. What should I do?",
}


def test_reads_topic_emotions_and_exact_quotes() -> None:
    for locale, post in POSTS.items():
        reading = read(post, locale, random.Random(1))
        assert reading is not None
        assert reading.aspect is not None
        assert reading.aspect.name == "study.exam"
        assert "anxiety" in [key for key, _ in reading.emotions]
        for words in (reading.event, reading.quote, reading.belief):
            assert words in post


def test_is_deterministic() -> None:
    for locale, post in POSTS.items():
        first, second = (read(post, locale, random.Random(4)) for _ in range(2))
        assert first == second
        assert first is not None
        assert compose(first, random.Random(4)) == compose(first, random.Random(4))


def test_finds_nothing_in_a_post_without_feeling() -> None:
    assert read("今天的会议改到下午三点，地点不变。", "zh", random.Random(1)) is None
