"""Comparing two models: the figures, and a real greedy run of a tiny one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from empathy_r1.graph import wire
from empathy_r1.training import compare
from empathy_r1.training.compare import BOUNDS, chains, report, table
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import Sample

HELD = list(samples("zh", 8, 3))
GOLD = [wire.render(s["chain"]) for s in HELD]


class Longer:
    """A judge that likes the longer reply."""

    def scores(self, conversations: list[list[dict[str, str]]]) -> list[float | None]:
        return [float(len(c[-1]["content"])) for c in conversations]


SHORTER = [wire.render({**s["chain"], "response": "我在听。"}) for s in HELD]


def test_wins_are_counted_with_an_interval_and_the_price_is_shown() -> None:
    found = report(HELD, {"sft": SHORTER, "rl": GOLD, "same": SHORTER}, Longer())  # type: ignore[arg-type]
    assert found["n"] == 8
    assert found["models"]["sft"]["characters"] == 4
    assert found["models"]["rl"]["score"] > found["models"]["sft"]["score"]
    assert found["models"]["rl"]["format"] == found["models"]["rl"]["emotion"] == 1.0
    better, same = found["against"]["rl"], found["against"]["same"]
    assert (better["first"], better["n"], better["preferred"]["share"], better["preferred"]["high"]) == ("sft", 8, 1, 1)
    assert 0.6 < better["preferred"]["low"] < 1.0
    assert not better["characters"]["kept"]
    assert same["preferred"]["share"] == 0.5
    assert all(same[name]["kept"] and same[name]["rise"] == 0 for name in BOUNDS)


def test_a_rise_is_kept_only_if_the_whole_interval_is() -> None:
    echoing = [wire.render({**s["chain"], "response": s["post"]}) for s in HELD[:1]] + SHORTER[1:]
    rise = report(HELD, {"a": SHORTER, "b": echoing}, Longer())["against"]["b"]["echo"]  # type: ignore[arg-type]
    assert rise["low"] < 0 < rise["bound"] < rise["rise"] < rise["high"]
    assert not rise["kept"]


def test_messages_without_a_reply_are_left_out_of_the_wins_but_not_of_the_format() -> None:
    found = report(HELD, {"a": GOLD, "b": ["nothing", *GOLD[1:]]}, Longer())  # type: ignore[arg-type]
    assert found["against"]["b"]["n"] == 7
    assert found["models"]["b"]["format"] == 7 / 8


def test_the_table_has_a_row_for_each_model() -> None:
    lines = table(report(HELD, {"sft": SHORTER, "rl": GOLD}, Longer())).splitlines()  # type: ignore[arg-type]
    assert [line.split("|")[1].strip() for line in lines] == ["8 posts", "---", "sft", "rl"]
    assert len({line.count("|") for line in lines}) == 1
    assert "characters" in lines[-1].split("|")[-2]


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


@pytest.mark.filterwarnings("ignore")
def test_what_was_written_before_a_kill_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def writes(
        _: Path, samples: Sequence[Sample], *__: object, **___: object
    ) -> Iterator[tuple[list[Sample], list[str]]]:
        for sample in samples:
            asked.append(1)
            yield [sample], [f"said of {sample['id']}"]

    monkeypatch.setattr(compare, "_written", writes)
    kept, model = tmp_path / "kept", tmp_path / "sft/model"
    model.mkdir(parents=True)
    chains(model, HELD[:2], kept=kept)
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    assert chains(model, HELD[:3], kept=kept) == [f"said of {s['id']}" for s in HELD[:3]]
    assert len(asked) == 4
    (model / "model.safetensors").write_bytes(b"other weights")
    chains(model, HELD[:3], kept=kept)
    assert len(asked) == 7
