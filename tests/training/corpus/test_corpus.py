"""The shipped records keep the rules, and each rule bites."""

import pytest

from empathy_r1.graph import wire
from empathy_r1.training.corpus import Record, chain, load
from empathy_r1.training.corpus.loader import numbered
from empathy_r1.training.corpus.plan import HELD_OUT, SIZE, TOPICS, brief
from empathy_r1.training.corpus.statistics import table
from empathy_r1.training.corpus.validate import check, check_all, report


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return load()


def test_the_shipped_corpus_keeps_every_rule() -> None:
    assert report(numbered()) == []


def test_held_out_topics_are_in_no_other_split(records: list[Record]) -> None:
    for record in records:
        assert (record.topic in HELD_OUT) == (record.split == "test_topics")


def test_a_chain_comes_back_from_the_wire(records: list[Record]) -> None:
    for record in records:
        sections = chain(record)
        assert wire.parse(wire.render(sections)) == sections
        felt = [e.label.key for e in wire.emotions(sections["emotion"])]
        assert felt == [e.label for e in record.emotions]
        wanted = [label.key for label in wire.intentions(sections["intention"])]
        assert wanted == [record.intention.primary, *record.intention.secondary]


def test_load_filters(records: list[Record]) -> None:
    assert all(r.locale == "en" and r.split == "train" for r in load("en", "train"))
    assert len(load("zh")) + len(load("en")) == len(records)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"reply": "请拨打12355。" + "我在听你说。" * 40}, "phone number"),
        ({"reply": "你得了抑郁症。" + "我在听你说。" * 40}, "diagnosis"),
        ({"reply": "太短了。"}, "expected 200"),
        ({"topic": "pets"}, "not the plan's"),
        ({"split": "test_topics"}, "split"),
        ({"strategy": "字" * 500}, "wire format"),
        ({"level": "high", "reply": "我陪着你慢慢说。" * 30}, "no human help"),
    ],
)
def test_each_rule_bites(records: list[Record], change: dict[str, str], complaint: str) -> None:
    zh = next(r for r in records if r.id == "zh-0002")
    problems = list(check(zh.model_copy(update=change)))
    assert any(complaint in problem for problem in problems), problems


def test_a_quote_must_be_in_the_post(records: list[Record]) -> None:
    cause = records[0].causes[0].model_copy(update={"evidence": ("not in any post",)})
    assert any("not in the post" in p for p in check(records[0].model_copy(update={"causes": (cause,)})))


def test_the_strongest_emotion_comes_first(records: list[Record]) -> None:
    record = next(r for r in records if len({e.intensity for e in r.emotions}) > 1)
    turned = record.model_copy(update={"emotions": record.emotions[::-1]})
    assert any("strongest first" in problem for problem in check(turned))
    assert not any("strongest first" in problem for problem in check(record))


def test_a_twin_is_found(records: list[Record]) -> None:
    twin = records[0].model_copy(update={"id": "en-0399"})
    assert any("overlaps by 100%" in problem for problem in check_all([records[0], twin]))
    assert any("expected once" in problem for problem in check_all([records[0], records[0]]))


def test_the_plan_reaches_every_subtopic_in_both_languages() -> None:
    for locale, size in SIZE.items():
        briefs = [brief(f"{locale}-{n:04}") for n in range(1, size + 1)]
        assert len({(b.topic, b.subtopic) for b in briefs}) == sum(len(t.subtopics) for t in TOPICS) == 150


def test_an_id_outside_the_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="zh-1001"):
        brief("zh-1001")


def test_the_statistics_count_the_records(records: list[Record]) -> None:
    assert f"| records | {len(load('zh'))} | {len(load('en'))} |" in table(records)
