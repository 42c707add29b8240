"""Data, a tokenizer and a policy small enough to be trained within a test."""

from pathlib import Path

from empathy_r1.graph.labels import Locale
from empathy_r1.training.config import SftConfig, Shape
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.data.sample import Sample, write

TINY = Shape(hidden=64, intermediate=128, layers=2, heads=2, kv_heads=2, head_dim=32)


def short(locale: Locale, count: int, seed: int) -> list[Sample]:
    """`count` samples whose posts have at most 120 Chinese characters or 300 letters."""
    most = 120 if locale == "zh" else 300
    return [s for s in samples(locale, 6 * count, seed) if len(s["post"]) <= most][:count]


def make_data(folder: Path, count: int = 40) -> None:
    """Writes `train.jsonl`, `held_out.jsonl` and `tokenizer/` into `folder`: short posts, most of them Chinese."""
    import torch

    from empathy_r1.training.tokenizer import texts_of, train_tokenizer

    torch.set_num_threads(1)  # more of them wait for each other longer than such a model computes
    data = [*short("zh", count, 1), *short("en", count // 4, 1)]
    write(folder / "train.jsonl", data)
    write(folder / "held_out.jsonl", short("zh", 16, 2))
    train_tokenizer(texts_of(data), 800).save_pretrained(folder / "tokenizer")


def sft_config(folder: Path, **changes: object) -> SftConfig:
    """A run of twelve steps on what `make_data` wrote."""
    settings: dict[str, object] = {
        "data": folder / "train.jsonl",
        "held_out": folder / "held_out.jsonl",
        "tokenizer": folder / "tokenizer",
        "output": folder / "sft",
        "model": TINY,
        "length": 512,
        "batch": 4,
        "max_steps": 12,
        "warmup_steps": 2,
        "learning_rate": 8e-3,
        "save_steps": 6,
    }
    return SftConfig.model_validate(settings | changes)
