import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.graph.safety import check, grounding, help_for, help_in_view, holds, reply, rest, safety_plan
from empathy_r1.graph.safety._answers import read_answer
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.crisis import IN_VIEW_TURNS
from empathy_r1.graph.safety.help import places
from empathy_r1.graph.safety.levels import CALM, KINDS, LEVELS, Screening

HIGH = Screening("high", ("suicide",))
IMMINENT = Screening("imminent", ("suicide",))
REGIONS = [*places(), None, "GB"]


class Person:
    """Talks with the crisis dialogue, turn after turn, as a host would."""

    def __init__(self, locale="zh", region="CN"):
        self.locale, self.region, self.state = locale, region, None
        self.replies = []

    def says(self, text, screening=CALM):
        answer = reply(screening, text, state=self.state, locale=self.locale, region=self.region)
        self.state = json.loads(json.dumps(answer.state))
        self.replies.append(answer)
        return answer.text

    def held(self, text, screening=CALM):
        return holds(screening, text, state=self.state, locale=self.locale)

    def asked(self, question):
        return self.state["used"].get(f"ask.{question}", 0)


def filled(locale, region, *path):
    """Sentences of a crisis table as a person reads them, cut at their first blank to be filled."""
    rows = load(f"crisis_{locale}")
    for part in path:
        rows = rows[part]
    return [re.split(r"\{", row)[0].strip() for row in rows]


def says_one_of(text, sentences):
    return any(s and s in text for s in sentences)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_first_reply_acknowledges_asks_directly_and_names_help(locale, region):
    person = Person(locale, region)
    text = person.says("我不想活了" if locale == "zh" else "I want to die", HIGH)
    card = help_for(region, locale)
    assert says_one_of(text, filled(locale, region, "open", "suicide"))
    assert says_one_of(text, filled(locale, region, "ask", "direct", "suicide"))
    assert ("自杀的念头" if locale == "zh" else "killing yourself") in text
    assert ("我是 AI" if locale == "zh" else "I'm an AI") in text
    assert (card.lines[0].number if card.lines else card.directory_url) in text
    assert person.replies[0].card == card


def test_over_the_turns_it_asks_for_plan_means_and_time_once_each():
    person = Person()
    person.says("我不想活了", HIGH)
    person.says("有，很难推开")
    assert person.asked("plan") == 1
    person.says("想过")
    assert person.asked("means") == 1
    assert person.state["level"] == "high"
    person.says("没有")
    assert person.asked("time") == 1
    for _ in range(12):
        person.says("太累了", HIGH)
    assert [person.asked(q) for q in ("direct", "plan", "means", "time")] == [1, 1, 1, 1]


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_refused_question_is_not_asked_again(locale):
    person = Person(locale, "US")
    person.says("我不想活了" if locale == "zh" else "I want to die", HIGH)
    person.says("不想说" if locale == "zh" else "I don't want to talk about it", HIGH)
    for _ in range(10):
        person.says("累" if locale == "zh" else "so tired", HIGH)
    assert person.asked("direct") == 1
    assert person.asked("plan") == person.asked("means") == person.asked("time") == 0


def test_a_refused_question_is_still_followed_by_help_when_danger_rises():
    person = Person()
    person.says("我不想活了", HIGH)
    person.says("别问了", HIGH)
    assert "120" in person.says("今晚就去", IMMINENT)


def test_no_thoughts_ends_the_questions_and_leaves_the_talk_open():
    person = Person()
    person.says("我不想活了", HIGH)
    assert person.held("没有")
    person.says("没有，只是气话")
    assert person.asked("plan") == 0
    assert not person.held("今天老板又骂了我，我在想要不要辞职")
    assert not person.held("嗯")


def test_when_the_danger_comes_back_it_asks_again_in_other_words():
    person = Person()
    first = person.says("我不想活了", HIGH)
    person.says("没有")
    person.state = rest(person.state)
    again = person.says("还是想死", HIGH)
    assert person.asked("direct") == 2
    asked = filled("zh", "CN", "ask", "direct", "suicide")
    assert asked[0] in first
    assert asked[1] in again


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_imminent_danger_puts_emergency_company_and_distance_first(locale, region):
    person = Person(locale, region)
    text = person.says("今晚就跳" if locale == "zh" else "tonight I will do it", IMMINENT)
    card = help_for(region, locale)
    assert (card.emergency[0] if card.emergency else "当地的急救" if locale == "zh" else "local emergency") in text
    assert ("有人的地方" if locale == "zh" else "where there are people") in text
    assert ("离开能伤到你的东西" if locale == "zh" else "Move away from anything") in text
    assert says_one_of(text, filled(locale, region, "ask", "who", "any"))
    more = " ".join(person.says("打不了" if locale == "zh" else "I can't call", IMMINENT) for _ in range(3))
    assert ("发给一个人" if locale == "zh" else "send one person this") in more


def test_a_plan_with_means_or_a_time_within_reach_is_imminent():
    person = Person()
    person.says("我不想活了", HIGH)
    person.says("有")
    person.says("想好了")
    person.state["answers"]["plan"] = "yes"
    assert "120" in person.says("就在手边")
    assert person.state["level"] == "imminent"
    other = Person("en", "US")
    other.says("I want to die", HIGH)
    other.says("yes")
    other.says("yes")
    other.says("no")
    assert "911" in other.says("tonight")


def test_imminent_danger_is_held_for_some_turns_and_ends_with_company():
    person = Person()
    person.says("今晚就跳", IMMINENT)
    assert person.held("我今天出门的时候下着雨，路上想了很多以前的事，也想到了小时候住的院子，不知道为什么")
    person.says("没有人在我身边")
    assert person.state["level"] == "imminent"
    person.says("我妈来了，在我旁边")
    assert person.state["level"] == "high"
    person.says("嗯")
    assert person.state["level"] != "imminent"


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_help_is_complete_within_eight_turns(locale):
    person = Person(locale, "US")
    for _ in range(9):
        person.says("活着太累了" if locale == "zh" else "I can't do this anymore", HIGH)
    said = "\n".join(r.text for r in person.replies)
    for move in ("trusted", "line", "plan", "professional", "ground"):
        assert says_one_of(said, filled(locale, "US", "move", move, "any")), move
    assert "988" in said
    assert ("短信" if locale == "zh" else "text") in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locale", ["zh", "en"])
def test_each_kind_has_words_of_its_own(kind, locale):
    opening = load(f"crisis_{locale}")["open"]
    person = Person(locale, "CN")
    text = person.says("……", Screening("high", (kind,)))
    assert says_one_of(text, opening[kind])
    friend = Person(locale, "CN")
    text = friend.says("……", Screening("high", (kind,), about_other=True))
    assert says_one_of(text, opening["other"])
    for level in LEVELS:
        for _ in range(12):
            assert person.says("……", Screening(level, (kind,)))
            assert friend.says("……", Screening(level, (kind,), about_other=True))


def test_the_gravest_kind_leads_and_minors_are_sent_to_an_adult():
    person = Person()
    person.says("……", Screening("high", ("suicide", "minor")))
    assert person.state["track"] == "suicide"
    said = "".join(person.says("嗯", Screening("high", ("suicide",))) for _ in range(8))
    assert "大人" in said


def test_a_hurt_person_with_the_abuser_near_is_brought_to_safety_first():
    for answer in ("在隔壁", "是的", "他就在门口"):
        person = Person()
        person.says("他打我", Screening("high", ("abuse",)))
        assert "120" in person.says(answer)
    person = Person()
    person.says("他打我", Screening("high", ("abuse",)))
    assert "120" not in person.says("不在家")


# --- form ---


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


# --- state ---

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


# --- help in view ---


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


def test_a_yes_alone_stays_with_the_dialogue():
    person = Person()
    assert not person.held("是的")
    person.says("不想活了", HIGH)
    assert person.held("是的")
    assert person.held("别问了")
    assert not person.held(
        "说回工作吧，我们组上个月换了一个领导，他开会的时候总是当着大家的面挑我的毛病，我不知道怎么办"
    )
    assert person.held("随便什么", HIGH)


# --- answers ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("有", "yes"),
        ("有的", "yes"),
        ("嗯，很难推开", "yes"),
        ("想过", "yes"),
        ("偶尔会闪过", "yes"),
        ("是的，想过很多次", "yes"),
        ("就在抽屉里", "yes"),
        ("没有", "no"),
        ("没有的。", "no"),
        ("不会", "no"),
        ("没有这种念头", "no"),
        ("我没想过自杀", "no"),
        ("不会自杀的", "no"),
        ("不想说", "refused"),
        ("别问了", "refused"),
        ("我不想回答这个", "refused"),
        ("关你什么事", "refused"),
        ("问这个干嘛", "refused"),
        ("我到朋友家了", "safer"),
        ("我妈来了", "safer"),
        ("我把药扔掉了", "safer"),
        ("刚打了12356", "safer"),
        ("好一点了", "safer"),
        ("室友在我旁边", "safer"),
        ("没有人在我身边", "unsure"),
        ("没有意思", "unsure"),
        ("不想活了", "unsure"),
        ("没人在乎", "unsure"),
        ("不知道", "unsure"),
        ("是不是没救了", "unsure"),
        ("yes", "yes"),
        ("Yeah, every day", "yes"),
        ("I do.", "yes"),
        ("they are hard to push away", "yes"),
        ("no", "no"),
        ("No, not really", "no"),
        ("I'm not suicidal", "no"),
        ("I don't have a plan", "no"),
        ("I don't want to talk about it", "refused"),
        ("stop asking", "refused"),
        ("none of your business", "refused"),
        ("I'm at my sister's, I'm with my sister now", "safer"),
        ("my mom is here", "safer"),
        ("I put the pills away", "safer"),
        ("feeling a bit calmer", "safer"),
        ("nobody is here", "unsure"),
        ("no one cares", "unsure"),
        ("I am so tired", "unsure"),
        ("I don't know", "unsure"),
        ("", "unsure"),
    ],
)
def test_short_answers_are_understood_in_both_languages(text, answer):
    assert read_answer(text, "zh") == answer
    assert read_answer(text, "en") == answer


# --- plan and grounding ---


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
