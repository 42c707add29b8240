"""Stage 2: a reward model that tells a good reply from one that fails in a known way, with trl's RewardTrainer.

A Qwen3 with one score, from random weights or from a model (full or LoRA; an adapter is merged when it is saved). It
reads the conversation and the reply alone, never the chain. The paper (arXiv 2509.14851) has no such model: its reward
is the cosine of an embedding (training.embedding).

    python -m empathy_r1.training.reward --config training/configs/demo-reward.yaml
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from empathy_r1.training import command, models
from empathy_r1.training.config import RewardConfig
from empathy_r1.training.errors import AdapterError
from empathy_r1.training.evaluate_safety import wilson
from empathy_r1.training.judges import RewardModel, conversation
from empathy_r1.training.pairs import TIERS, Pair, count, read_pairs

if TYPE_CHECKING:
    from datasets import Dataset


def plan(config: RewardConfig) -> dict[str, Any]:
    """What `train` would do: model, pairs, steps, memory and what is written. Loads no torch."""
    pairs = count(config.data)
    return {
        "pairs": pairs,
        "held_out_pairs": count(config.held_out),
        "most_tokens_per_step": 2 * config.length * config.batch * config.accumulate,
        **models.outline(config, pairs),
    }


def dataset(pairs: Iterable[Pair]) -> "Dataset":
    """The pairs as trl's conversational preferences without a prompt of their own."""
    from datasets import Dataset

    return Dataset.from_list(
        [{key: conversation(pair["history"], pair["post"], text) for key, text in _replies(pair)} for pair in pairs]
    )


def _replies(pair: Pair) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("chosen", pair["chosen"]), ("rejected", pair["rejected"])


def accuracy(judge: RewardModel, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Share of pairs in which the good reply scores higher, with a 95 % interval, for each tier and over `all`.

    Returns:
        Tier to `n`, `accuracy`, `low`, `high`, and `longer`: the share in which the good reply is the longer one,
        which a judge of length alone would reach. Pairs without a score are left out and counted as `unscored`.
    """
    good = judge.scores([conversation(p["history"], p["post"], p["chosen"]) for p in pairs])
    poor = judge.scores([conversation(p["history"], p["post"], p["rejected"]) for p in pairs])
    rows: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    unscored: dict[str, int] = defaultdict(int)
    for pair, a, b in zip(pairs, good, poor, strict=True):
        for name in (pair["tier"], "all"):
            if a is None or b is None:
                unscored[name] += 1
            else:
                rows[name].append((a > b, len(pair["chosen"]) > len(pair["rejected"])))
    found = {}
    for name in (*TIERS, "all"):
        hits, whole = sum(hit for hit, _ in rows[name]), len(rows[name])
        if whole:
            low, high = wilson(hits, whole)
            longer = sum(long for _, long in rows[name]) / whole
            figures = {"n": whole, "accuracy": hits / whole, "low": low, "high": high, "longer": longer}
            found[name] = {key: round(value, 4) for key, value in figures.items()} | {"unscored": unscored[name]}
    return found


def train(config: RewardConfig, *, resume: bool = False) -> dict[str, Any]:
    """Trains and saves the model, whole, with its tokenizer under `config.output`.

    Returns:
        `train_loss`, `train_runtime` (s), and `tiers`: `accuracy` on the held-out pairs.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed
    from trl import RewardConfig as Arguments
    from trl import RewardTrainer

    set_seed(config.seed)
    tokenizer = models.tokenizer_of(config)
    tokenizer.padding_side = "right"
    if config.start_from is None:
        model = models.fresh(config, tokenizer, "Qwen3ForSequenceClassification")
    elif models.is_adapter(config.start_from):
        raise AdapterError(config.start_from)
    else:
        dtype = torch.float32 if config.cpu or config.lora is None else torch.bfloat16
        model = AutoModelForSequenceClassification.from_pretrained(config.start_from, num_labels=1, dtype=dtype)
    trainer = RewardTrainer(
        model=model,
        processing_class=tokenizer,
        peft_config=models.lora(config, "SEQ_CLS"),
        train_dataset=dataset(read_pairs(config.data)),
        args=Arguments(**models.arguments(config), max_length=config.length, center_rewards_coefficient=config.center),
    )
    result = trainer.train(resume_from_checkpoint=models.checkpoint(config, resume=resume))
    if config.lora:
        trainer.model = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
    judge = RewardModel(trainer.model, tokenizer, length=config.length)
    metrics = {**result.metrics, "tiers": accuracy(judge, list(read_pairs(config.held_out)))}
    models.save(trainer, tokenizer, config, metrics)
    return metrics


def main(argv: list[str] | None = None) -> None:
    """Command line: trains as a YAML file says."""
    command.run(__doc__, RewardConfig, plan, train, argv)


if __name__ == "__main__":
    main()
