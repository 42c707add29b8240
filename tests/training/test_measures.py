"""What is counted in a text."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.training.measures import advice_share, echo, grams, overlap, pieces, ramp, speaks_of_itself

POST = "我把那封信收在抽屉里，每天晚上都会拿出来看一遍。"


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200), st.text(max_size=400))
def test_all_are_shares(reply: str, post: str) -> None:
    assert 0 <= echo(reply, post) <= 1
    assert 0 <= advice_share(reply, "zh") <= 1
    assert 0 <= overlap(Counter(grams(reply, 2)), Counter(grams(post, 2))) <= 1


def test_echo_counts_letters_in_long_runs_of_the_post() -> None:
    assert echo(POST, POST) == 1.0
    assert echo("我把那封信收在", POST) == 0.0  # seven letters are no run
    assert echo("我把那封信收在抽" + "天地玄黄宇宙洪荒", POST) == 0.5
    assert echo("", POST) == 0.0


@pytest.mark.parametrize(
    ("reply", "locale", "share"),
    [
        ("这很难。我建议早点睡。", "zh", 0.5),
        ("That hurts. You should call her. First, breathe.", "en", 2 / 3),
        ("我在听。", "zh", 0.0),
    ],
)
def test_sentences_that_advise_are_counted(reply: str, locale: str, share: float) -> None:
    assert advice_share(reply, locale) == pytest.approx(share)  # type: ignore[arg-type]


def test_a_writer_that_speaks_of_itself_is_seen() -> None:
    assert speaks_of_itself("作为一个AI，我只能听。", "zh")
    assert speaks_of_itself("When I was your age, it hurt too.", "en")
    assert not speaks_of_itself("你一直撑着，真的不容易。", "zh")


def test_runs_are_of_characters_in_chinese_and_of_words_else() -> None:
    assert grams("天地玄", 2) == ["天 地", "地 玄"]
    assert grams("One two, three", 2) == ["one two", "two three"]
    assert pieces("天地玄 beautiful") == {"天地", "地玄", "beauti"}
    assert overlap(Counter(), Counter()) == 1.0
    assert [ramp(value, 1, 3) for value in (0, 2, 9)] == [0.0, 0.5, 1.0]
