"""Pairs of every tier: the rejected reply is another one, of the right fault, and the held-out half shares no line."""

import json
from collections import Counter
from pathlib import Path

import pytest

from empathy_r1.training.corpus import load
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.errors import DataError
from empathy_r1.training.pairs import _MADE, TIERS, _bank, fold, from_corpus, from_samples, read_pairs, write


def test_every_tier_comes_from_samples_and_the_same_each_time() -> None:
    held = [*samples("zh", 60, 1), *samples("en", 60, 1)]
    pairs = list(from_samples(held, 3))
    assert pairs == list(from_samples(held, 3))
    for locale in ("zh", "en"):
        assert {p["tier"] for p in pairs if p["locale"] == locale} == set(TIERS)
    assert all(p["chosen"] != p["rejected"] and p["rejected"].strip() and "{}" not in p["rejected"] for p in pairs)
    assert not any("[" in p["rejected"] for p in pairs if p["tier"] in _MADE)


def test_another_posts_reply_comes_from_the_right_place() -> None:
    held = list(samples("zh", 80, 1))
    topic = {s["chain"]["response"]: s["topic"] for s in held}
    own = {s["id"]: s["topic"] for s in held}
    for pair in from_samples(held, 3, tiers=8):
        if pair["tier"] == "other_topic":
            assert topic[pair["rejected"]] != own[pair["id"]]
        if pair["tier"] == "other_post":
            assert topic[pair["rejected"]] == own[pair["id"]]


def test_length_alone_does_not_tell_the_better_reply() -> None:
    pairs = list(from_samples(list(samples("zh", 300, 2)), 3, tiers=8))
    longer = sum(len(p["chosen"]) > len(p["rejected"]) for p in pairs) / len(pairs)
    assert 0.25 < longer < 0.75


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("tier", _MADE)
def test_the_bank_is_split_in_two(tier: str, locale: str) -> None:
    train, held = (_bank(tier, locale, part) for part in ("train", "held_out"))  # type: ignore[arg-type]
    assert len(train) >= 4
    assert len(held) >= 4
    assert not set(train) & set(held)


def test_the_corpus_brings_its_own_rejected_replies() -> None:
    pairs = list(from_corpus("train", 7))
    own = {(r.id, t.tier): t.text for r in load(split="train") for t in r.rejected}
    found = {(p["id"], p["tier"]): p["rejected"] for p in pairs}
    assert all(found[key] == text for key, text in own.items())
    assert {p["tier"] for p in pairs} == set(TIERS)
    assert max(Counter(p["tier"] for p in pairs).values()) <= len(load(split="train"))


def test_folds_are_stable_and_disjoint() -> None:
    ids = [f"zh-{n:04}" for n in range(200)]
    assert 60 < sum(fold(i, 2) for i in ids) < 140
    assert [fold(i, 2) for i in ids] == [fold(i, 2) for i in ids]


def test_a_file_reads_as_written_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    pairs = list(from_samples(list(samples("zh", 5, 1)), 3))
    path = tmp_path / "pairs.jsonl"
    assert write(path, pairs) == len(pairs)
    assert list(read_pairs(path)) == pairs
    path.write_text(json.dumps({**pairs[0], "tier": "odd"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: unknown tier 'odd'"):
        list(read_pairs(path))
