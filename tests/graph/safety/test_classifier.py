"""The classifier beside the rules: it raises what they say where they understood nothing, and only then."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.safety import _classifier, screen
from empathy_r1.graph.safety import screen as whole
from empathy_r1.graph.safety.levels import LEVELS


def rules_alone(text, monkeypatch_context):
    module = __import__("sys").modules["empathy_r1.graph.safety.screen"]
    with monkeypatch_context() as patch:
        patch.setattr(module, "classify", lambda parts, **_: "none")
        module._readings.clear()
        found = whole(text)
        module._readings.clear()
    return found


@given(text=st.text(max_size=300))
def test_it_never_lowers_a_level(text):
    context = pytest.MonkeyPatch.context
    assert LEVELS.index(screen(text).level) >= LEVELS.index(rules_alone(text, context).level)


@pytest.mark.parametrize(
    "post",
    [
        "这个世界不需要我，我走了谁都不会发现",
        "每天醒来的第一件事就是后悔怎么又醒了",
        "写好了给爸妈的信，东西也都送人了",
    ],
)
def test_it_sees_risk_in_words_of_many_kinds(post):
    assert screen(post).level != "none"


@pytest.mark.parametrize("post", ["我从来没有想过自杀", "《自杀小队》挺好看的", "I would never kill myself"])
def test_what_the_rules_understood_stays_theirs(post):
    assert screen(post).level == "none"


def test_windows_join_short_neighbours_and_keep_every_part():
    parts = ["短句", "又一句", "x" * 50, "尾巴"]
    joined = list(_classifier.windows(parts))
    assert len(joined) == 2
    assert all(any(part in window for window in joined) for part in parts)
    assert list(_classifier.windows([])) == []


def test_units_are_words_of_latin_script_and_characters_of_others():
    assert _classifier.units("i'm 很累,ok") == ["i'm", "很", "累", ",", "ok"]


def test_a_score_is_the_sum_of_the_runs_over_the_root_of_the_length():
    table = _classifier.read(
        json.dumps(
            {"version": "v", "intercept": 1, "high": {}, "concern": {}, "weights": {"a b": 3, "a": 1, "b c d": 6}}
        )
    )
    assert _classifier.scores(["a b c d"], table) == [1 + (1 + 3 + 6) / 2]
    assert _classifier.scores(["a b a b"], table) == [1 + 2 * (1 + 3) / 2]
    assert _classifier.scores(["b c", ""], table) == [1, 1]


@given(texts=st.lists(st.text("ab 1'死了，, ", max_size=30), max_size=5))
def test_runs_count_wherever_they_stand_and_end_with_their_units(texts):
    weights = {"a": 1.0, "死": 2.0, "a b": 4.0, "死 了": 8.0, "a 死": 16.0, "死 , a": 32.0, "ab ' 1": 64.0}
    table = _classifier.Table("v", 0.0, {}, {}, weights)
    for text, score in zip(texts, _classifier.scores(texts, table), strict=True):
        units = _classifier.units(text)
        runs = [" ".join(units[at : at + size]) for size in (1, 2, 3) for at in range(len(units) - size + 1)]
        assert score == pytest.approx(sum(weights.get(run, 0) for run in runs) / max(1, len(units)) ** 0.5)


def test_each_language_has_its_thresholds(monkeypatch):
    raw = {"version": "v", "intercept": 0, "high": {"zh": 2, "en": 5}, "concern": {"zh": 1, "en": 0.5}}
    table = _classifier.read(json.dumps(raw | {"weights": {"累": 3, "tired": 3}}))
    monkeypatch.setattr(_classifier, "_table", lambda: table)
    assert _classifier.classify(["累"]) == "high"
    assert _classifier.classify(["tired"]) == "concern"
    assert _classifier.classify(["累" * 40, "tired"], twice=True) == "concern"
