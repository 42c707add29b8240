"""The commands of training without its extra: dry runs, reports, pairs and cleaning need no torch."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from empathy_r1.plugin.cli import app
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import write
from empathy_r1.training.pairs import TIERS, read_pairs

ROOT = Path(__file__).parents[2]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Shipped configurations of the demo, with a few samples and their pairs where they look for them."""
    held = list(samples("zh", 12, 1))
    write(tmp_path / "build/demo/posts.jsonl", held)
    write(tmp_path / "build/demo/held_out.jsonl", held[:4])
    for name in ("pairs-0", "pairs-1", "pairs-held-out"):
        run(
            "data",
            "pairs",
            "--samples",
            tmp_path / "build/demo/posts.jsonl",
            "--out",
            tmp_path / f"build/demo/{name}.jsonl",
        )
    return ROOT / "training/configs"


@pytest.mark.parametrize(
    ("stage", "name", "counted", "data"),
    [
        ("sft", "demo", "samples", "posts"),
        ("reward", "demo-reward", "pairs", "pairs-0"),
        ("embedding", "demo-embedding", "pairs", "pairs-0"),
        ("grpo", "demo-grpo", "posts", "posts"),
    ],
)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, name: str, counted: str, data: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    loaded = "torch" in sys.modules
    found = json.loads(run("train", stage, "--config", configs / f"{name}.yaml", "--dry-run"))
    lines = (tmp_path / f"build/demo/{data}.jsonl").read_text(encoding="utf-8").splitlines()
    assert found[counted] == len(lines) >= 12
    assert {Path(name).name for name in found["writes"]} >= {"model", "metrics.json", "REPORT.md", "report.png"}
    assert stage == "grpo" or found["memory_mb"] > 10
    assert found["steps"] == yaml.safe_load((configs / f"{name}.yaml").read_text(encoding="utf-8"))["max_steps"]
    assert stage != "sft" or 12 * 100 < found["tokens"] < 12 * 1000
    assert sorted(tmp_path.rglob("*")) == before
    assert ("torch" in sys.modules) == loaded


def test_pairs_of_the_corpus_in_two_folds_share_no_post(tmp_path: Path) -> None:
    for k in (0, 1):
        run("data", "pairs", "--corpus", "train", "--fold", f"{k}/2", "--out", tmp_path / f"{k}.jsonl")
    first, second = (list(read_pairs(tmp_path / f"{k}.jsonl")) for k in (0, 1))
    assert {p["tier"] for p in first} == {p["tier"] for p in second} == set(TIERS)
    assert not {p["id"] for p in first} & {p["id"] for p in second}


def test_own_answers_are_cleaned_into_three_splits(tmp_path: Path) -> None:
    rows = [{"post": s["post"], "answer": s["chain"]["response"] * 2} for s in samples("zh", 40, 4)]
    (tmp_path / "own.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = json.loads(run("data", "clean", tmp_path / "own.jsonl", "--out", tmp_path / "out"))
    assert found["answers"] == 40
    assert sum(found["parts"].values()) == found["questions"]
    assert (tmp_path / "out/DATACARD.md").exists()


def test_what_a_person_can_mend_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("data: a\ntokenizer: b\noutput: c\nbatchs: 1\n")
    result = CliRunner().invoke(app, ["train", "sft", "--config", str(tmp_path / "bad.yaml")])
    assert result.exit_code == 1
    assert "batchs" in result.stderr
    result = CliRunner().invoke(app, ["train", "report", str(tmp_path), "--out", str(tmp_path / "o")])
    assert result.exit_code == 1
    assert "No finished run" in result.stderr
    result = CliRunner().invoke(app, ["model", "export", str(tmp_path), str(tmp_path / "o")])
    assert result.exit_code == 1
