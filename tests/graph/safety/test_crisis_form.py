"""The form of the crisis dialogue: short, one question, never twice the same, nothing that the guard withholds."""

import json
import re
from itertools import pairwise

import pytest

from empathy_r1.graph.safety import check
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.levels import KINDS, Screening

from support.crisis_talk import HIGH, Person


def long_talks():
    for locale in ("zh", "en"):
        for region in ("CN", "US", None):
            for kind in KINDS:
                for other in (False, True):
                    for level in ("high", "imminent"):
                        yield locale, region, Screening(level, (kind,), about_other=other)


@pytest.mark.parametrize(("locale", "region", "screening"), list(long_talks()))
def test_it_never_repeats_itself_like_a_machine(locale, region, screening):
    person = Person(locale, region)
    texts = [person.says("……", screening) for _ in range(10)]
    assert len(set(texts)) == len(texts)
    questions = [t.split("\n\n")[-1] for t in texts]
    assert all(a != b for a, b in pairwise(questions))
    heard = [t.split("\n\n")[0] for t in texts]
    assert all(a != b for a, b in pairwise(heard))


def test_thirty_turns_hold_no_two_equal_replies():
    for locale in ("zh", "en"):
        person = Person(locale, "US")
        texts = [person.says("……", HIGH) for _ in range(30)]
        assert len(set(texts)) == 30


@pytest.mark.parametrize(("locale", "region", "screening"), list(long_talks()))
def test_replies_are_short_and_ask_one_thing(locale, region, screening):
    person = Person(locale, region)
    for turn in range(12):
        text = person.says("……", screening)
        limit = 320 if turn == 0 else 220
        assert len(text) <= (limit if locale == "zh" else 3.6 * limit), text
        assert text.count("\n\n") == 1
        assert "- " not in text
        assert "{" not in text


@pytest.mark.parametrize(("locale", "region", "screening"), list(long_talks()))
def test_every_sentence_passes_the_guard(locale, region, screening):
    person = Person(locale, region)
    for _ in range(10):
        text = person.says("……", screening)
        assert check(text, locale=locale, region=region, post="自杀 suicide") == [], text


def test_it_never_takes_leave_and_asks_for_no_promise():
    for locale, words in (
        ("zh", "再见|结束(?:这次|本次)?对话|答应我|保证|不能继续|帮不了你"),
        ("en", r"goodbye[.!]|end (?:this|our) (?:chat|conversation)|promise me|I can't (?:talk|help|continue)"),
    ):
        table = json.dumps({k: v for k, v in load(f"crisis_{locale}").items() if k != "answer"}, ensure_ascii=False)
        assert not re.search(words, table, re.IGNORECASE)


def test_questions_do_not_pull_for_a_no():
    leading = r"没有.{0,8}(?:吧|对吗|是吧)[？?]|不会.{0,10}吧[？?]|\b(?:you're not|you don't have|aren't) .{0,30}(?:right|are you|do you)\?"  # noqa: E501
    for locale in ("zh", "en"):
        assert not re.search(leading, json.dumps(load(f"crisis_{locale}")["ask"], ensure_ascii=False))


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_both_tables_have_the_same_shape(locale):
    def shape(value):
        if isinstance(value, dict):
            return {k: shape(v) for k, v in value.items()}
        return type(value).__name__

    zh, en = load("crisis_zh"), load("crisis_en")
    assert shape(zh) == shape(en)
    assert all(len(rows) >= 2 for rows in load(f"crisis_{locale}")["open"].values())
