"""The embedding of the `paper` reward: posts and good replies near each other, posts and poor replies apart.

The paper (arXiv 2509.14851, section 3) names a triplet loss with professionals' answers as positives; how its negatives
are chosen and the margin are unknown. Here a pair's rejected reply is the negative. Mean-pooled states of a Qwen3, with
the loss put into transformers' Trainer.

    python -m empathy_r1.training.embedding --config training/configs/demo-embedding.yaml
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from empathy_r1.training import command, models
from empathy_r1.training.config import EmbeddingConfig
from empathy_r1.training.errors import AdapterError
from empathy_r1.training.judges import Embedding, padded, pooled
from empathy_r1.training.pairs import Pair, count, read_pairs

if TYPE_CHECKING:
    import torch

_TEXTS = ("post", "chosen", "rejected")


def plan(config: EmbeddingConfig) -> dict[str, Any]:
    """What `train` would do: model, pairs, steps, memory and what is written. Loads no torch."""
    pairs = count(config.data)
    return {
        "pairs": pairs,
        "most_tokens_per_step": 3 * config.length * config.batch * config.accumulate,
        **models.outline(config, pairs),
    }


def triplet_loss(
    posts: "torch.Tensor", chosen: "torch.Tensor", rejected: "torch.Tensor", margin: float
) -> "torch.Tensor":
    """Mean of `max(0, margin - cos(post, chosen) + cos(post, rejected))`; rows are unit vectors, (rows, width)."""
    near, far = (posts * chosen).sum(dim=1), (posts * rejected).sum(dim=1)
    return (margin - near + far).clamp(min=0).mean()


def train(config: EmbeddingConfig, *, resume: bool = False) -> dict[str, Any]:
    """Trains and saves the embedding with its tokenizer under `config.output`.

    Returns:
        `train_loss`, `train_runtime` (s); on held-out pairs `nearer`: share whose good reply is nearer to the post than
        the poor one, and `threshold`: the cosine that tells them apart best, for GrpoConfig.
    """
    from datasets import Dataset
    from transformers import AutoModel, Trainer, TrainingArguments, set_seed

    class TripletTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
        """Trainer with the triplet loss."""

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """One forward pass over posts, chosen and rejected replies together."""
            states = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
            posts, chosen, rejected = pooled(states, inputs["attention_mask"]).chunk(3)
            loss = triplet_loss(posts, chosen, rejected, config.margin)
            return (loss, states) if return_outputs else loss

    set_seed(config.seed)
    tokenizer = models.tokenizer_of(config)
    if config.start_from is None:
        model = models.fresh(config, tokenizer, "Qwen3Model")
    elif models.is_adapter(config.start_from) or config.lora:
        raise AdapterError(config.start_from)
    else:
        model = AutoModel.from_pretrained(config.start_from)

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, Any]:
        ids, mask = padded([row[key] for key in _TEXTS for row in rows], tokenizer.pad_token_id, "cpu")
        return {"input_ids": ids, "attention_mask": mask}

    def tokens(pair: Pair) -> dict[str, list[int]]:
        texts = {"post": pair["post"], "chosen": pair["chosen"], "rejected": pair["rejected"]}
        return {k: tokenizer(t, truncation=True, max_length=config.length)["input_ids"] for k, t in texts.items()}

    trainer = TripletTrainer(
        model=model,
        args=TrainingArguments(**models.arguments(config), remove_unused_columns=False),
        train_dataset=Dataset.from_list([tokens(pair) for pair in read_pairs(config.data)]),
        data_collator=collate,
    )
    result = trainer.train(resume_from_checkpoint=models.checkpoint(config, resume=resume))
    models.save(trainer, tokenizer, config, result.metrics)
    held = list(read_pairs(config.held_out))
    judge = Embedding(config.output / "model", length=config.length, cpu=config.cpu)
    near = judge.cosines([p["post"] for p in held], [p["chosen"] for p in held])
    far = judge.cosines([p["post"] for p in held], [p["rejected"] for p in held])
    metrics = {**result.metrics, **separation(near, far)}
    models.save(trainer, tokenizer, config, metrics)
    return metrics


def separation(near: Sequence[float | None], far: Sequence[float | None]) -> dict[str, float]:
    """How well cosines of good replies stand apart from those of poor ones.

    >>> separation([0.9, 0.7], [0.1, 0.8])
    {'nearer': 0.5, 'threshold': 0.7}
    """
    both = [(a, b) for a, b in zip(near, far, strict=True) if a is not None and b is not None]
    best = max((a for a, _ in both), key=lambda t: sum((a >= t) + (b < t) for a, b in both))
    return {"nearer": round(sum(a > b for a, b in both) / len(both), 4), "threshold": round(best, 4)}


def main(argv: list[str] | None = None) -> None:
    """Command line: trains as a YAML file says."""
    command.run(__doc__, EmbeddingConfig, plan, train, argv)


if __name__ == "__main__":
    main()
