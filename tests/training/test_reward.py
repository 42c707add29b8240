"""Real runs of the reward trainers on tiny models: better than chance on held-out pairs, and never a silent 0."""

import random
from pathlib import Path

import pytest

from empathy_r1.training.config import EmbeddingConfig, RewardConfig
from empathy_r1.training.pairs import from_samples, read_pairs, write

from support.tiny_models import TINY, make_data, short

pytestmark = pytest.mark.filterwarnings("ignore")
MADE = ("generic", "advice_only", "over_validating", "unsafe", "label_stuffed", "lecturing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    made = tmp_path_factory.mktemp("reward")
    make_data(made)
    pairs = list(from_samples(short("zh", 120, 1), 1, tiers=4))
    random.Random(0).shuffle(pairs)
    write(made / "pairs.jsonl", pairs)
    write(made / "held_out_pairs.jsonl", from_samples(short("zh", 60, 9), 2, part="held_out", tiers=6))
    return made


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, dict[str, float]]:
    from empathy_r1.training.reward import train

    return train(_config(folder))["tiers"]  # type: ignore[no-any-return]


def _config(folder: Path, **changes: object) -> RewardConfig:
    settings: dict[str, object] = {
        "data": folder / "pairs.jsonl",
        "held_out": folder / "held_out_pairs.jsonl",
        "tokenizer": folder / "tokenizer",
        "output": folder / "reward",
        "model": TINY,
        "length": 800,
        "batch": 8,
        "max_steps": 40,
        "warmup_steps": 4,
        "learning_rate": 4e-3,
        "save_steps": 100,
    }
    return RewardConfig.model_validate(settings | changes)


def test_the_reward_model_beats_chance_on_sentences_that_it_has_not_seen(trained: dict[str, dict[str, float]]) -> None:
    assert trained["all"]["low"] > 0.5
    for tier in MADE:
        assert trained[tier]["low"] > 0.5, (tier, trained[tier])


def test_a_saved_model_scores_as_it_did(folder: Path, trained: dict[str, dict[str, float]]) -> None:
    from empathy_r1.training.judges import RewardModel
    from empathy_r1.training.reward import accuracy

    again = accuracy(RewardModel(folder / "reward/model"), list(read_pairs(folder / "held_out_pairs.jsonl")))
    assert again["all"] == trained["all"]


def test_what_is_too_long_is_none(folder: Path, trained: dict[str, dict[str, float]]) -> None:
    from empathy_r1.training.judges import RewardModel, conversation

    judge = RewardModel(folder / "reward/model", length=60)
    brief, long = judge.scores([conversation([], "好累", "我在听。"), conversation([], "好累" * 100, "我在听。")])
    assert isinstance(brief, float)
    assert long is None


def test_a_model_that_breaks_gives_none(folder: Path, trained: dict[str, dict[str, float]]) -> None:
    import torch

    from empathy_r1.training.judges import RewardModel, conversation

    judge = RewardModel(folder / "reward/model")
    with torch.no_grad():
        judge._model.score.weight.fill_(float("nan"))
    assert judge.scores([conversation([], "好累", "我在听。")] * 2) == [None, None]
    judge._model.model.embed_tokens = torch.nn.Embedding(1, 64)  # ids out of range
    assert judge.scores([conversation([], "好累", "我在听。")]) == [None]


def test_an_adapter_is_merged_into_the_saved_model(folder: Path, trained: dict[str, dict[str, float]]) -> None:
    from empathy_r1.training.reward import train

    start = {"start_from": str(folder / "reward/model"), "tokenizer": None, "lora": {"rank": 4}}
    config = _config(folder, **start, output=folder / "adapted", max_steps=3, learning_rate=1e-4)
    assert train(config)["tiers"]["all"]["accuracy"] > 0.6
    assert (folder / "adapted/model/model.safetensors").exists()
    assert not (folder / "adapted/model/adapter_config.json").exists()


def test_the_embedding_brings_good_replies_nearer(folder: Path) -> None:
    from empathy_r1.training.embedding import train
    from empathy_r1.training.judges import Embedding

    settings = _config(folder, max_steps=12).model_dump(exclude={"center"}) | {
        "output": folder / "embedding",
        "margin": 0.3,
    }
    found = train(EmbeddingConfig.model_validate(settings))
    assert found["nearer"] > 0.6
    judge = Embedding(folder / "embedding/model")
    same, other = judge.cosines(["今天很难过", "今天很难过"], ["今天很难过", "番茄切块，鸡蛋打散"])
    assert same == pytest.approx(1.0, abs=1e-4)
    assert other is not None
    assert other < same
