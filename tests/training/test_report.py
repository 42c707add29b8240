"""The page about runs and the model card, from real files of the form that the stages write."""

import json
from pathlib import Path
from typing import Any

import pytest

from empathy_r1.training.config import GrpoConfig, RewardConfig
from empathy_r1.training.errors import RunError
from empathy_r1.training.report import card, write


def finished(folder: Path, slope: float) -> dict[str, Any]:
    log: list[dict[str, Any]] = [
        {"step": i, "loss": 1 / i, "reward": slope * i, "reward_model": slope * i, "held_out_reward_model": 0.1,
         "reply/characters": 200.0, "part/format": 1.0, "unscored": None}
        for i in range(1, 13)
    ]  # fmt: skip
    config = GrpoConfig(data=Path("posts.jsonl"), output=folder, start_from="Qwen/Qwen3-8B", lora={"rank": 32})
    told = {"stage": "grpo", "config": config.model_dump(mode="json"), "metrics": {"train_loss": 0.25}, "log": log}
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(told), encoding="utf-8")
    return told


def test_runs_stand_side_by_side(tmp_path: Path) -> None:
    finished(tmp_path / "default", 0.1)
    finished(tmp_path / "paper", 0.05)
    page = write([tmp_path / "default", tmp_path / "paper"], tmp_path / "out").read_text(encoding="utf-8")
    assert "| train_loss | 0.25 |" in page
    assert "| | default | paper |" in page
    assert "| reward | 0.25 → 1.05 | 0.125 → 0.525 |" in page
    assert "unscored" not in page
    pytest.importorskip("matplotlib")
    assert (tmp_path / "out/report.png").read_bytes()[:4] == b"\x89PNG"
    assert "report.png" in page


def test_the_card_says_what_the_model_is_and_is_not(tmp_path: Path) -> None:
    text = card(finished(tmp_path / "run", 0.1))
    assert text.startswith("---\nlanguage: [zh, en]\nbase_model: Qwen/Qwen3-8B\n---")
    assert "LoRA of rank 32" in text
    assert "不是治疗" in text
    assert "no therapy" in text


def test_a_judges_card_shows_its_tiers(tmp_path: Path) -> None:
    config = RewardConfig(data=tmp_path, held_out=tmp_path, output=tmp_path, tokenizer=tmp_path)
    row = {"n": 40, "accuracy": 0.9, "low": 0.77, "high": 0.96, "longer": 0.5, "unscored": 0}
    told = {
        "stage": "reward",
        "config": config.model_dump(mode="json"),
        "metrics": {"tiers": {"unsafe": row}},
        "log": [],
    }
    assert "| unsafe | 40 | 0.900 | 0.770 to 0.960 | 0.500 | 0 |" in card(told)


def test_an_unfinished_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--resume"):
        write([tmp_path], tmp_path / "out")
