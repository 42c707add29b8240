"""The crisis screen: levels, kinds, whose risk it is, what is no risk, and what earlier posts leave."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_r1.graph.safety import _rules, screen
from empathy_r1.graph.safety.levels import KINDS, LEVELS

POSTS = Path(__file__).parent / "posts"
CASES = [
    tuple(line.split("|", 1))
    for name in ("zh", "en")
    for line in (POSTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
]
BENIGN = (POSTS / "benign.txt").read_text(encoding="utf-8").splitlines()
CRISIS = ("我不想活了", "I want to kill myself")
KIND_OF = {
    "我又忍不住拿美工刀划自己的手臂": "self_harm",
    "I burn myself with a lighter when I feel bad": "self_harm",
    "我想杀了他": "harm_to_others",
    "I'm going to stab him": "harm_to_others",
    "He said he will kill me if I leave": "harm_from_others",
    "my uncle touches me at night": "abuse",
    "脑子里有个声音叫我去死": "psychosis",
    "The government put a chip in my head": "psychosis",
    "我总是吃完就去催吐": "eating",
    "I make myself throw up after dinner": "eating",
    "我今年十四岁，不想活了": "minor",
    "I'm 14 and I want to die": "minor",
}


@pytest.mark.parametrize(("expected", "post"), CASES, ids=[post[:40] for _, post in CASES])
def test_a_post_has_its_level(expected, post):
    found = screen(post)
    if expected == "other":
        assert found.alarm
        assert found.about_other
    else:
        assert found.level == expected


@pytest.mark.parametrize("post", BENIGN, ids=[post[:40] for post in BENIGN])
def test_idioms_and_everyday_troubles_raise_no_alarm(post):
    assert not screen(post).alarm


@pytest.mark.parametrize(("post", "kind"), KIND_OF.items())
def test_a_post_has_its_kind(post, kind):
    assert kind in screen(post).kinds


@pytest.mark.parametrize(
    "post",
    [
        "我 不 想 活 了", "不想活叻，紫砂", "想自sha", "想要自殺", "不想活了😭😭", "我想自*杀", "想亖",
        "I want to k i l l m y s e l f", "i wanna k!ll myself", "I WANT TO KILL MYSELF", "kms", "sewerslide", "suic1de",
        "I want to un-alive myself", "ｉ ｗａｎｔ ｔｏ ｄｉｅ", "I want to kıll myself tonight",
    ],
)  # fmt: skip
def test_a_disguise_does_not_help(post):
    assert screen(post).alarm


def test_signs_that_are_weak_alone_add_up_over_the_conversation():
    posts = ["我觉得我是家里的累赘", "人生没有意义，看不到希望", "我真的撑不下去了"]
    assert not screen(posts[0]).alarm
    assert screen(posts[2], posts[:2]).alarm


def test_an_alarm_holds_for_the_next_posts_and_fades():
    levels = [screen("今天吃了面条", [CRISIS[0], *["天气不错"] * ago]).level for ago in range(30)]
    assert levels[0] == levels[1] == "high"
    assert levels[10] == "concern"
    assert levels[25] == "none"


def test_a_person_who_says_that_it_is_over_is_not_kept_in_the_dialogue():
    assert screen("我现在好多了，不会做傻事的", [CRISIS[0]]).level == "concern"


def test_what_a_person_says_of_somebody_else_is_theirs_once_they_say_so():
    assert screen("我朋友想自杀，我也不想活了").about_other is False


@given(st.text(max_size=400), st.lists(st.text(max_size=40), max_size=4))
def test_any_text_has_a_screening_and_always_the_same(text, history):
    found = screen(text, history)
    assert found == screen(text, history)
    assert found.level in LEVELS
    assert set(found.kinds) <= set(KINDS)
    assert (found.level == "none") == (not found.kinds)


@given(st.sampled_from([b for b in BENIGN if "，" not in b][:60]), st.sampled_from(CRISIS))
def test_a_plain_statement_alarms_after_anything(before, crisis):
    assert screen(f"{before}。\n{crisis}").alarm


@given(st.integers(0, 40), st.sampled_from(CRISIS))
def test_a_plain_statement_alarms_at_any_turn(turn, crisis):
    history = [BENIGN[at % len(BENIGN)] for at in range(turn)]
    assert screen(crisis, history).alarm


def test_every_rule_and_shield_has_an_id_of_its_own():
    for locale in ("zh", "en"):
        rows = _rules.load(f"screen_{locale}")
        ids = [row["id"] for row in (*rows["rule"], *rows["shield"])]
        assert len(set(ids)) == len(ids)
        assert all(identity.startswith(f"{locale}.") for identity in ids)


def test_a_screening_holds_no_word_of_the_post():
    found = screen("我今晚就去死，编号 Zebra77")
    assert "Zebra77" not in repr(found)


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_pattern_of_the_tables_compiles(locale):
    rules = {id(rule): rule for searches in _rules.table(locale).index.values() for rule, *_ in searches}
    patterns = [p for rule in rules.values() for p in (*rule.patterns, *rule.unless, *rule.also, *rule.but)]
    for shield in _rules.table(locale).shields:
        patterns += [*shield.before, *shield.after, *shield.clause, *shield.sentence, *shield.post]
        patterns += [*shield.but_before, *shield.but_sentence]
    assert len(patterns) > 500
    for pattern in patterns:
        assert pattern.regex.pattern == pattern.source
