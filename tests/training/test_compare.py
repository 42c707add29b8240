"""Comparing two models: the figures, and a real greedy run of a tiny one."""

from pathlib import Path

import pytest

from empathy_r1.graph import wire
from empathy_r1.training.compare import chains, report
from empathy_r1.training.data.grammar import samples

HELD = list(samples("zh", 8, 3))
GOLD = [wire.render(s["chain"]) for s in HELD]


class Longer:
    """A judge that likes the longer reply."""

    def scores(self, conversations: list[list[dict[str, str]]]) -> list[float | None]:
        return [float(len(c[-1]["content"])) for c in conversations]


def test_wins_are_counted_with_an_interval_and_the_price_is_shown() -> None:
    shorter = [wire.render({**s["chain"], "response": "我在听。"}) for s in HELD]
    found = report(HELD, shorter, GOLD, Longer())  # type: ignore[arg-type]
    assert (found["n"], found["second_wins"], found["high"]) == (8, 1.0, 1.0)
    assert 0.6 < found["low"] < 1.0
    assert found["first"]["characters"] == 4
    assert found["second"]["format"] == 1.0
    assert found["second"]["score"] > found["first"]["score"]
    same = report(HELD, GOLD, GOLD, Longer())  # type: ignore[arg-type]
    assert same["second_wins"] == 0.5


def test_messages_without_a_reply_are_left_out_of_the_wins_but_not_of_the_format() -> None:
    found = report(HELD, GOLD, ["nothing", *GOLD[1:]], Longer())  # type: ignore[arg-type]
    assert found["n"] == 7
    assert found["second"]["format"] == 7 / 8


@pytest.mark.filterwarnings("ignore")
def test_a_tiny_model_writes_greedily_and_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from empathy_r1.training.models import fresh, tokenizer_of

    from support.tiny_models import make_data, sft_config

    make_data(tmp_path, 10)
    config = sft_config(tmp_path)
    tokenizer = tokenizer_of(config)
    fresh(config, tokenizer).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    said = chains(tmp_path / "model", HELD[:3], tokens=8, batch=2)
    assert len(said) == 3
    assert said == chains(tmp_path / "model", HELD[:3], tokens=8, batch=2)
    # Padding changes nothing: alone, each says the same.
    assert said[0] == chains(tmp_path / "model", HELD[:1], tokens=8)[0]
