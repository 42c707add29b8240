"""The tokenizer's prefix property, and a real run of trl's trainer on a tiny model: the loss falls."""

from pathlib import Path

import pytest

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.training.config import SftConfig, Shape, load
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import write
from empathy_r1.training.errors import ConfigError


def test_unknown_keys_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("data: a\ntokenizer: b\noutput: c\nlearning_rat: 1\n")
    with pytest.raises(ConfigError, match="learning_rat"):
        load(path, SftConfig)


@pytest.mark.parametrize("name", ["demo-start", "demo"])
def test_shipped_configs_are_valid(name: str) -> None:
    assert load(Path(__file__).parents[2] / f"training/configs/{name}.yaml", SftConfig).cpu


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
def test_the_loss_falls(tmp_path: Path, packing: bool) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    from empathy_r1.training.sft import train
    from empathy_r1.training.tokenizer import texts_of, train_tokenizer

    data = list(samples("zh", 40, 1))
    write(tmp_path / "train.jsonl", data)
    train_tokenizer(texts_of(data), 800).save_pretrained(tmp_path / "tokenizer")
    config = SftConfig(
        data=tmp_path / "train.jsonl",
        held_out=tmp_path / "train.jsonl",
        tokenizer=tmp_path / "tokenizer",
        output=tmp_path / "out",
        model=Shape(hidden=64, intermediate=128, layers=2, heads=2, kv_heads=2, head_dim=32),
        packing=packing,
        length=512,
        batch=4,
        max_steps=12,
        warmup_steps=2,
        learning_rate=8e-3,
        save_steps=6,
    )
    before = train(config.model_copy(update={"max_steps": 1, "learning_rate": 1e-9, "output": tmp_path / "first"}))
    assert train(config)["eval_loss"] < before["eval_loss"] - 0.5
    assert (tmp_path / "out/model/model.safetensors").exists()
