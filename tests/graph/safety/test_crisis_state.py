"""What a crisis dialogue carries over a turn: a record without the person's words, help in view, the safety plan."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.graph.safety import check, grounding, help_for, help_in_view, holds, reply, rest, safety_plan
from empathy_r1.graph.safety.crisis import IN_VIEW_TURNS
from empathy_r1.graph.safety.help import places
from empathy_r1.graph.safety.levels import KINDS, LEVELS, Screening

from support.crisis_talk import HIGH, Person

REGIONS = [*places(), None, "GB"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**7) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
STATES = st.none() | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("turn", "level", "track", "minor", "pending", "answers", "used", "steady", "seed"), JSON),
)


@given(
    STATES,
    st.text(),
    st.sampled_from(LEVELS),
    st.lists(st.sampled_from(KINDS), max_size=3),
    st.booleans(),
    st.sampled_from(["zh", "en"]),
)
@settings(deadline=None)
def test_any_state_and_any_text_get_an_answer(state, text, level, kinds, other, locale):
    screening = Screening(level, tuple(kinds), other)
    answer = reply(screening, text, state=state, locale=locale, region=None)
    assert answer.text.strip()
    assert json.loads(json.dumps(answer.state)) == answer.state
    assert help_in_view("CN", locale, state) is not None
    holds(screening, text, state=state, locale=locale)
    rest(state)


def test_the_state_holds_no_word_of_the_person():
    person = Person()
    person.says("我叫阿宁，住在青石巷，我不想活了", HIGH)
    person.says("因为阿宁的妈妈走了", HIGH)
    assert not re.search("阿宁|青石巷|妈妈", json.dumps(person.state, ensure_ascii=False))


def test_the_same_talk_gets_the_same_words():
    one, two = Person(), Person()
    assert [one.says(t, HIGH) for t in "啊嗯哦"] == [two.says(t, HIGH) for t in "啊嗯哦"]


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_help_stays_in_view_and_then_fades(locale):
    person = Person(locale, "US")
    person.says("……", HIGH)
    state, lines = person.state, []
    while state is not None:
        lines.append(help_in_view("US", locale, state))
        state = rest(state)
    assert len(lines) == IN_VIEW_TURNS
    spoken = [line for line in lines if line]
    assert len(spoken) == 4
    assert "988" in spoken[0]
    assert len(set(spoken[:3])) == 3
    assert rest(None) is None


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_concern_gets_a_short_line(locale, region):
    line = help_in_view(region, locale)
    card = help_for(region, locale)
    assert (card.lines[0].number if card.lines else card.directory_url) in line
    assert check(line, locale=locale, region=region) == []


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_safety_plan_can_be_filled_in(locale):
    plan = safety_plan(locale)
    assert [s["key"] for s in plan] == [
        "signs",
        "self",
        "distraction",
        "people",
        "professionals",
        "environment",
        "reasons",
    ]
    assert all(s["title"] and s["hint"] and s["rows"] > 0 for s in plan)
    assert len(grounding(locale)["steps"]) == 6
