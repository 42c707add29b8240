"""The tokenizer's prefix property, and real runs of trl's trainer on a tiny model: it learns, resumes, adapts."""

import json
import shutil
from pathlib import Path

import pytest

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.training import models
from empathy_r1.training.config import EmbeddingConfig, GrpoConfig, RewardConfig, SftConfig, load
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import write
from empathy_r1.training.errors import AdapterError, ConfigError

from support.tiny_models import TINY, make_data, sft_config, short

CONFIGS = Path(__file__).parents[2] / "training/configs"
KINDS = {"reward": RewardConfig, "embedding": EmbeddingConfig, "grpo": GrpoConfig}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    made = tmp_path_factory.mktemp("sft")
    make_data(made)
    return made


def test_unknown_keys_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("data: a\ntokenizer: b\noutput: c\nlearning_rat: 1\n")
    with pytest.raises(ConfigError, match="learning_rat"):
        load(path, SftConfig)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (SftConfig, "{data: a, output: c}", "random weights need a `tokenizer`"),
        (SftConfig, "{data: a, output: c, tokenizer: t, lora: {}}", "trains beside a finished model"),
        (GrpoConfig, "{data: a, output: c, tokenizer: t}", "goes on from a model"),
        (GrpoConfig, "{data: a, output: c, start_from: m, reward: paper}", "needs an `embedding`"),
        (GrpoConfig, "{data: a, output: c, start_from: m, stop: {windw: 3}}", "windw"),
    ],
)
def test_what_cannot_work_is_an_error(tmp_path: Path, kind: type[SftConfig], text: str, why: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        load(path, kind)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_are_valid(path: Path) -> None:
    if not path.stem.startswith("accelerate"):
        kind = next((kind for name, kind in KINDS.items() if name in path.stem), SftConfig)
        assert load(path, kind).output  # type: ignore[type-var]


def test_the_dry_run_knows_the_size_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps(
            {
                "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
                "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": False,
            }
        )
    )  # fmt: skip
    config = SftConfig(data=tmp_path, output=tmp_path, start_from=str(tmp_path), lora={"rank": 16}, cpu=False)
    found = models.size(config)
    assert found["parameters"] == pytest.approx(8.19e9, rel=0.001)
    assert found["trained_parameters"] == pytest.approx(43.6e6, rel=0.01)
    assert 16_000 < found["memory_mb"] < 18_000


def test_an_opened_section_has_the_tokens_of_the_finished_chain() -> None:
    pytest.importorskip("transformers")
    from empathy_r1.training.tokenizer import texts_of, train_tokenizer

    held = [*samples("zh", 30, 1), *samples("en", 30, 1)]
    tokenizer = train_tokenizer(texts_of(held), 2000)
    for text in SYSTEM.values():
        assert len(tokenizer.encode(text)) == 1
    for sample in [*samples("zh", 20, 2), *samples("en", 20, 2)]:
        whole = tokenizer.encode(wire.render(sample["chain"]))
        assert tokenizer.decode(whole) == wire.render(sample["chain"])
        for section in wire.SECTIONS:
            start = tokenizer.encode(wire.opened(sample["chain"], section))
            assert whole[: len(start)] == start, section


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("packing", [True, False])
def test_the_loss_falls(folder: Path, packing: bool) -> None:
    from empathy_r1.training.sft import train

    config = sft_config(folder, packing=packing)
    before = train(config.model_copy(update={"max_steps": 1, "learning_rate": 1e-9, "output": folder / "first"}))
    assert train(config)["eval_loss"] < before["eval_loss"] - 0.5
    assert (folder / "sft/model/model.safetensors").exists()
    assert models.size(config)["parameters"] == pytest.approx(_weights(folder / "sft/model"), rel=0.02)


@pytest.mark.filterwarnings("ignore")
def test_a_killed_run_goes_on_from_the_newest_whole_checkpoint(folder: Path) -> None:
    from empathy_r1.training.sft import train

    config = sft_config(folder, packing=False, output=folder / "killed", batch=2, max_steps=8, save_steps=4)
    whole = train(config)
    shutil.rmtree(folder / "killed/model")
    # A kill while checkpoint 8 was written: its last file is missing.
    (folder / "killed/checkpoints/checkpoint-8/trainer_state.json").write_text('{"global_st')
    assert models.checkpoint(config, resume=True) == str(folder / "killed/checkpoints/checkpoint-4")
    resumed = train(config, resume=True)
    assert resumed["eval_loss"] == pytest.approx(whole["eval_loss"], abs=1e-4)
    assert models.checkpoint(config.model_copy(update={"output": folder / "none"}), resume=True) is None


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_learns_beside_a_finished_model_and_is_trained_on(folder: Path) -> None:
    from empathy_r1.training.sft import train

    train(sft_config(folder, output=folder / "base", held_out=None, packing=False))
    write(folder / "few.jsonl", short("zh", 8, 5))
    start: dict[str, object] = {
        "start_from": str(folder / "base/model"),
        "tokenizer": None,
        "lora": {"rank": 8},
        "learning_rate": 5e-3,
        "packing": False,
        "data": folder / "few.jsonl",
        "held_out": folder / "few.jsonl",
    }
    first = sft_config(folder, **start, output=folder / "adapter")
    before = train(first.model_copy(update={"max_steps": 1, "learning_rate": 1e-9, "output": folder / "zero"}))
    after = train(first)
    assert after["eval_loss"] < before["eval_loss"] - 0.04
    assert (folder / "adapter/model/adapter_model.safetensors").exists()
    more = sft_config(folder, **start | {"start_from": str(folder / "adapter/model")}, output=folder / "more")
    assert train(more)["eval_loss"] < after["eval_loss"]
    with pytest.raises(AdapterError, match="set it to go on"):
        train(sft_config(folder, start_from=str(folder / "adapter/model"), tokenizer=None, model=TINY))


def _weights(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
