"""What the crisis dialogue says and asks, turn after turn."""

import pytest

from empathy_r1.graph.safety import help_for, rest
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.help import places
from empathy_r1.graph.safety.levels import KINDS, LEVELS, Screening

from support.crisis_talk import HIGH, Person, filled, says_one_of

IMMINENT = Screening("imminent", ("suicide",))
REGIONS = [*places(), None, "GB"]


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
