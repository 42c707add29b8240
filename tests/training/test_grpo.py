"""Real runs of GRPO on a tiny policy: the reward rises, a shuffled one does not, and a judge that is pleased too much
ends the run.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_r1.training.config import GrpoConfig, Rollouts, Stop
from empathy_r1.training.grpo import hacked, rollout_arguments
from empathy_r1.training.rewards import Rewards, text_of

from support.tiny_models import make_data, sft_config

ignored = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    from empathy_r1.training.sft import train

    made = tmp_path_factory.mktemp("grpo")
    make_data(made, 24)
    train(sft_config(made, held_out=None, max_steps=30, packing=False))
    return made


def _config(folder: Path, **changes: object) -> GrpoConfig:
    values: dict[str, object] = {
        "data": folder / "train.jsonl",
        "start_from": str(folder / "sft/model"),
        "output": folder / "grpo",
        "batch": 16,
        "group": 8,
        "completion": 20,
        "max_steps": 14,
        "warmup_steps": 1,
        "learning_rate": 3e-3,
        "beta": 0.0,
        "save_steps": 8,
    }
    return GrpoConfig.model_validate(values | changes)


def commas(completions: Sequence[Any], **_: Any) -> Rewards:
    """A reward that a tiny model can learn in a few steps: how often it writes a comma or a slash."""
    return [min(1.0, sum(c in "，/" for c in text_of(t)) / 6) for t in completions]


def _rewards(output: Path) -> list[float]:
    log = json.loads((output / "metrics.json").read_text())["log"]
    return [entry["reward"] for entry in log if "reward" in entry]


@ignored
def test_the_reward_rises_and_a_shuffled_one_teaches_nothing(folder: Path) -> None:
    from empathy_r1.training.grpo import train

    dice, true = random.Random(0), []

    def shuffled(completions: Sequence[Any], **columns: Any) -> Rewards:
        earned = commas(completions, **columns)
        true.append(sum(r or 0 for r in earned) / len(earned))
        return dice.sample(earned, len(earned))

    train(_config(folder), reward=commas)
    train(_config(folder, output=folder / "control"), reward=shuffled)
    risen = _rewards(folder / "grpo")
    gain = sum(risen[-4:]) / 4 - sum(risen[:4]) / 4
    control = sum(true[-4:]) / 4 - sum(true[:4]) / 4
    assert gain > 0.15
    assert gain > control + 0.1


@ignored
def test_equal_rewards_and_missing_ones_change_no_weight(folder: Path) -> None:
    from safetensors.torch import load_file

    from empathy_r1.training.grpo import train

    for name, value in (("equal", 0.5), ("missing", None)):
        config = _config(folder, output=folder / name, max_steps=1, beta=0.1, weight_decay=0.0)
        train(config, reward=lambda completions, value=value, **_: [value] * len(completions))
        before = load_file(folder / "sft/model/model.safetensors")
        after = load_file(folder / name / "model/model.safetensors")
        assert all((before[key] == after[key]).all() for key in before)
        log = json.loads((folder / name / "metrics.json").read_text())["log"]
        assert log[0]["skipped"] == 1.0


@ignored
def test_the_default_reward_runs_with_two_judges_and_logs_every_part(folder: Path) -> None:
    from empathy_r1.training.config import RewardConfig
    from empathy_r1.training.data.sample import read
    from empathy_r1.training.grpo import train
    from empathy_r1.training.pairs import fold, from_samples, write
    from empathy_r1.training.reward import train as train_judge

    from support.tiny_models import TINY

    pairs = list(from_samples(list(read(folder / "train.jsonl")), 1))
    for k in (0, 1):
        write(folder / f"pairs-{k}.jsonl", [p for p in pairs if fold(p["id"], 2) == k])
        train_judge(
            RewardConfig(
                data=folder / f"pairs-{k}.jsonl", held_out=folder / f"pairs-{k}.jsonl", output=folder / f"judge-{k}",
                tokenizer=folder / "tokenizer", model=TINY, max_steps=2, seed=k, length=1400,
            )
        )  # fmt: skip
    config = _config(
        folder,
        output=folder / "judged",
        reward_model=folder / "judge-0/model",
        held_out_reward_model=folder / "judge-1/model",
        lora={"rank": 4},
        beta=0.01,
        max_steps=2,
        save_steps=1,
        completion=160,
    )
    found = train(config)
    assert found["steps"] == 2
    assert not found["stopped_early"]
    log = json.loads((folder / "judged/metrics.json").read_text())["log"]
    assert {"part/format", "part/safety", "reply/advice", "reply/characters", "skipped", "kl", "unscored"} <= log[
        0
    ].keys()
    assert (folder / "judged/model/adapter_model.safetensors").exists()
    # A kill after the first step: the second is done again from its checkpoint.
    (folder / "judged/checkpoints/checkpoint-2/trainer_state.json").unlink()
    assert train(config, resume=True)["steps"] == 2


def _log(pairs: list[tuple[float, float]]) -> list[dict[str, float]]:
    return [{"reward_model": a, "held_out_reward_model": b} for a, b in pairs]


def test_a_judge_that_is_pleased_while_the_other_is_not_ends_training() -> None:
    rule = Stop(window=2, patience=2, rise=0.1, fall=0.1)
    both_rise = [(0.1 * i, 0.1 * i) for i in range(12)]
    parted = [*both_rise[:6], *((0.6 + 0.1 * i, 0.5 - 0.1 * i) for i in range(6))]
    both_fall = [(-0.1 * i, -0.1 * i) for i in range(12)]
    assert not hacked(_log(both_rise), rule)
    assert not hacked(_log(both_fall), rule)
    assert hacked(_log(parted), rule)
    assert not hacked(_log(parted[:7]), rule)
    assert not hacked([{"loss": 1.0}, {"reward_model": 1.0}], rule)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), max_size=20))
def test_the_rule_never_stops_while_the_held_out_judge_is_at_its_best(pairs: list[tuple[float, float]]) -> None:
    rule = Stop(window=1, patience=1)
    best = max((b for _, b in pairs), default=0.0)
    assert not hacked(_log([*pairs, (3.0, best)]), rule)


def test_vllm_writes_the_completions_where_the_configuration_says_so() -> None:
    from dataclasses import fields

    trl = pytest.importorskip("trl")
    known = {field.name for field in fields(trl.GRPOConfig)}
    for engine in ("transformers", "vllm-colocate", "vllm-server"):
        given_arguments = rollout_arguments(Rollouts(engine=engine))  # type: ignore[arg-type]
        assert given_arguments.keys() <= known
        assert given_arguments["use_vllm"] == (engine != "transformers")
    assert rollout_arguments(Rollouts(engine="vllm-server"))["vllm_server_base_url"].startswith("http")


def test_posts_that_open_the_crisis_dialogue_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from empathy_r1.training.data.grammar import samples
    from empathy_r1.training.data.sample import write
    from empathy_r1.training.grpo import dataset

    calm, *_ = samples("zh", 1, 1)
    write(tmp_path / "posts.jsonl", [calm, {**calm, "post": "我不想活了，今晚就去跳楼"}])
    assert [row["post"] for row in dataset(tmp_path / "posts.jsonl")] == [calm["post"]]
