"""Readers, cleaning and splits on self-written rows: nothing leaks from one split into another."""

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.training.data import clean as module
from empathy_r1.training.data.clean import PARTS, Near, build, clean, part, scrub, statistics
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.questions import Question, read
from empathy_r1.training.errors import DataError

LONG = "你写的每一件小事我都看到了，" * 10


def question(post: str, *answers: str, name: str = "q") -> Question:
    return Question(id=name, locale="zh", source="own", topic="other", post=post, answers=list(answers))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(module).failed == 0


def test_own_files_in_every_form(tmp_path: Path) -> None:
    talk = [
        {"role": "client", "text": "我妈住院了"},
        {"role": "counsellor", "text": "嗯"},
        {"role": "client", "text": "我一个人守着。"},
        {"role": "counsellor", "text": "辛苦了"},
    ]
    rows = [
        {"post": "加班三个月，真的很累", "answer": "甲"},
        {"question": "加班三个月，真的很累", "answers": ["乙", "甲"]},
        {"id": "d1", "dialogue": talk},
        {"text": "I was laid off last month", "locale": "en", "topic": "job"},
    ]  # fmt: skip
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", encoding="utf-8")
    first, dialogue, english = read(path)
    assert first["answers"] == ["甲", "乙"]
    assert first["topic"] == "work.overload"
    assert (dialogue["id"], dialogue["post"], dialogue["answers"]) == ("d1", "我妈住院了。我一个人守着。", [])
    assert (english["locale"], english["topic"]) == ("en", "job")


def test_exchanges_and_arrays_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    rows = [
        {"conversation": [{"input": "I lost my job", "output": "Oh"}, {"input": "and my flat.", "output": "I see"}]}
    ]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (question,) = read(path)
    assert (question["locale"], question["post"], question["answers"]) == ("en", "I lost my job. and my flat.", [])


def test_html_of_forum_exports_goes_and_comparisons_stay() -> None:
    answer = f"<p>{LONG}&amp; 3 &lt; 5</p><p>第二段<br/>第三行</p>"
    kept, _ = clean([question("我很难过，<b>真的</b>，心率 < 60 也睡不着", answer)])
    assert kept[0]["post"] == "我很难过，真的，心率 < 60 也睡不着"
    assert kept[0]["answers"] == [f"{LONG}& 3 < 5\n第二段\n第三行"]


@pytest.mark.parametrize("line", ["{", '"x"', "{}", '{"post": ""}', '{"dialogue": 3}'])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(f'{{"post": "好累"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        list(read(path))


def test_adverts_short_answers_and_near_duplicates_go() -> None:
    post = next(samples("zh", 1, 3))["post"]
    kept, told = clean(
        [
            question(post, LONG, "太短"),
            question(post + "谢谢大家。", LONG + "第二个回答。"),
            question("免费咨询，加我微信 abc12345，名额有限", LONG),
            question("短", LONG),
            question("完全另一件事：孩子发烧三天了，我请不了假，很慌。", LONG + "扫码进群"),
        ]
    )
    assert [q["post"] for q in kept] == [post, "完全另一件事：孩子发烧三天了，我请不了假，很慌。"]
    assert kept[0]["answers"] == [LONG, LONG + "第二个回答。"]
    assert kept[1]["answers"] == []
    assert told["post: near-duplicate"] == told["post: advert"] == told["post: too short"] == 1
    assert told["answer: advert"] == told["answer: too short"] == 1


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("打我电话 138 1234 5678 吧", "5678"),
        ("座机010-62345678", "62345678"),
        ("邮箱 a.b+c@mail.example.com", "example"),
        ("看 https://example.com/x?y=1，里面有", "example"),
        ("微信号：abc_12345", "abc_12345"),
        ("身份证11010519491231002X", "1949"),
        ("我叫王小明，今年三十", "王小明"),
        ("My name is Jane Doe and", "Jane"),
        ("call +1 415-555-0134 please", "0134"),
    ],
)
def test_what_points_to_a_person_is_replaced(text: str, gone: str) -> None:
    cleaned, count = scrub(text, "zh")
    assert gone not in cleaned
    assert count == 1


@pytest.mark.parametrize(
    "text", ["我今年23岁，月薪8000，房贷120万", "2023年5月12日那天", "考了247名，差3.5分", "我叫他别走"]
)
def test_ordinary_numbers_stay(text: str) -> None:
    assert scrub(text, "zh") == (text, 0)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once, _ = scrub(text, "zh")
    assert scrub(once, "zh") == (once, 0)


def test_different_posts_are_no_duplicates() -> None:
    near = Near()
    posts = [s["post"] for s in samples("zh", 60, 4)]
    for post in posts:
        near.add(post)
    assert [near.find(post) for post in posts] == list(range(60))


def test_splits_depend_on_the_post_alone_and_a_card_is_written(tmp_path: Path) -> None:
    held = [question(s["post"], LONG, name=s["id"]) for s in samples("zh", 300, 5)]
    figures = build([*held, *held], tmp_path)
    found = {
        name: list(map(json.loads, (tmp_path / f"{name}.jsonl").read_text("utf-8").splitlines())) for name in PARTS
    }
    posts = [{q["post"] for q in found[name]} for name in PARTS]
    assert not posts[0] & posts[1]
    assert not posts[0] & posts[2]
    assert not posts[1] & posts[2]
    assert all(part(q) == name for name in PARTS for q in found[name])
    assert figures["parts"]["train"] > 8 * figures["parts"]["test"] > 0
    assert figures["left_out"]["post: near-duplicate"] >= 300
    assert "near-duplicate" in (tmp_path / "DATACARD.md").read_text(encoding="utf-8")
    assert statistics([])["questions"] == 0
