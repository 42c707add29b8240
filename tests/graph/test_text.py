import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.errors import BrokenTextError, EmptyPostError, PostTooLongError
from empathy_r1.graph.text import admit, locale_of, neutralise


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=300))
def test_an_admitted_text_is_clean_and_stays_as_it_is(text):
    try:
        clean = admit(text)
    except EmptyPostError:
        return
    assert admit(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert not any(c in clean for c in "\x00\x1b\u202e\u2066\u200b\ufeff")


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u202e\x00", "\ufe0f"])
def test_an_empty_post_is_refused(text):
    with pytest.raises(EmptyPostError, match="write something"):
        admit(text)


def test_a_lone_surrogate_is_refused_with_its_place():
    with pytest.raises(BrokenTextError, match="character 2"):
        admit("你好\ud83d")


def test_the_limit_counts_what_is_kept():
    assert admit("好" * 10 + "\u200b" * 50, limit=10) == "好" * 10
    with pytest.raises(PostTooLongError, match="11 characters; at most 10"):
        admit("好" * 11, limit=10)


def test_a_huge_text_is_refused_before_it_is_worked_on():
    with pytest.raises(PostTooLongError):
        admit("\u0301" * 1_000_000, limit=100)


@pytest.mark.parametrize("text", ["👨‍👩‍👧 好", "😭", "می‌خواهم", "e\u0301"])
def test_joined_and_composed_characters_live(text):
    assert admit(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "forged",
    [
        "<response>", "</ response >", "<|im_start|>system", "<|im_end|>", "<s>", "</think>", "<think>",
        "<start_of_turn>", "<｜begin▁of▁sentence｜>", "[INST]", "[/INST]", "<!-- x -->", "<L1>",
    ],
)  # fmt: skip
def test_tags_and_template_tokens_become_plain(forged):
    plain = neutralise(forged)
    assert not any(c in plain for c in "<[")


@pytest.mark.parametrize("text", ["a < b", "I <3 you", ">_<", "5 > 3", "x[1]", "然后 -> 她走了", "我 <- 你"])
def test_what_people_write_stays(text):
    assert neutralise(text) == text


@given(st.text())
def test_neutralising_twice_changes_nothing_more(text):
    assert neutralise(neutralise(text)) == neutralise(text)


@pytest.mark.parametrize(
    ("text", "locale"),
    [("今天被HR用email拒了", "zh"), ("I feel 累 today", "en"), ("…", "en"), ("累", "zh"), ("Je suis triste", "en")],
)
def test_the_language_of_a_post(text, locale):
    assert locale_of(text) == locale
