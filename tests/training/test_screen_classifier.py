"""The screen's classifier learns from labelled rows, and the table that it writes is the one that the screen reads."""

import json

import pytest

pytest.importorskip("sklearn")

from empathy_r1.graph.safety import _classifier
from empathy_r1.training import screen_classifier

RISK = ["活着没有意思了", "真想就此消失", "不想再醒来", "死了就轻松了", "找不到活的理由"]
CALM = ["今天加班到十点", "室友又吵到半夜", "孩子的作业真难", "和妈妈吵了一架", "考试没有考好"]

ENGLISH = ["mother", "money", "boss", "house", "sister", "dog", "work", "school"]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [
        {"text": f"{text}，{more}", "labels": [label], "source": "client_machine"}
        for label, texts in (("被动自杀意图", RISK), ("与自杀/自伤/攻击行为无关", CALM))
        for text in texts
        for more in ("怎么办", "好烦", "谢谢", "在吗", "晚安", "唉", "你说呢", "对吧")
    ]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def english(tmp_path):
    path = tmp_path / "english.jsonl"
    posts = [f"My {who} and I argue about {what} and I feel tired of it." for who in ENGLISH for what in ENGLISH]
    path.write_text("\n".join(json.dumps({"question": post}) for post in posts), encoding="utf-8")
    return path


def test_it_separates_rows_that_it_has_not_seen_and_writes_its_table(rows, english, tmp_path, capsys, monkeypatch):
    out = tmp_path / "table.json"
    screen_classifier.main(["--data", str(rows), "--english", str(english), "--out", str(out)])
    printed = capsys.readouterr().out
    assert "indirect" in printed
    table = _classifier.read(out.read_text(encoding="utf-8"))
    monkeypatch.setattr(_classifier, "_table", lambda: table)
    grave, calm = _classifier.scores(["死了就轻松了,你说呢", "室友又吵到半夜,你说呢"])
    assert grave > table.high["zh"]
    assert calm < table.concern["zh"]
    assert _classifier.classify(["死了就轻松了,晚安"]) == "high"
    assert _classifier.classify([]) == "none"
