"""Stage 1: supervised fine-tuning on finished chains with trl's SFTTrainer, full or LoRA.

The loss is taken on the last assistant message only: the template's `{% generation %}` block and the prompt's mask
both apply. The paper (arXiv 2509.14851, section 3) starts from Qwen3-8B: `start_from` names it. Without a base, a small
Qwen3 of random weights is trained, which a CPU can do and a package can carry.

    python -m empathy_r1.training.sft --config training/configs/demo.yaml
"""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.graph.text import neutralise
from empathy_r1.training import command, models
from empathy_r1.training.config import SftConfig
from empathy_r1.training.data.sample import Sample, Turn, read

if TYPE_CHECKING:
    from datasets import Dataset

_COUNTED = 200
"""Samples whose tokens a dry run counts; the others are taken to be alike."""


def messages(sample: Sample) -> dict[str, list[dict[str, str]]]:
    """The sample as trl's conversational prompt and completion: word for word what serving sends."""
    turns: list[Turn] = [*sample["history"], {"role": "user", "content": sample["post"]}]
    return {
        "prompt": [
            {"role": "system", "content": SYSTEM[sample["locale"]]},
            *({"role": t["role"], "content": neutralise(t["content"])} for t in turns),
        ],
        "completion": [{"role": "assistant", "content": wire.render(sample["chain"])}],
    }


def plan(config: SftConfig) -> dict[str, Any]:
    """What `train` would do: model, samples, tokens, steps, memory and what is written. Loads no torch."""
    samples = tokens = rows = None
    if config.data.exists():
        samples = sum(1 for _ in read(config.data))
        each = models.tokens(config, (_text(sample) for sample in islice(read(config.data), _COUNTED)))
        tokens = round(samples * each)
        rows = tokens / config.length if config.packing else float(samples)
    return {
        "samples": samples,
        "tokens": tokens,
        "most_tokens_per_step": config.length * config.batch * config.accumulate,
        **models.outline(config, rows),
    }


def _text(sample: Sample) -> str:
    return "".join(message["content"] for part in messages(sample).values() for message in part)


def dataset(path: Path) -> "Dataset":
    """The samples of `path` as a data set of messages."""
    from datasets import Dataset

    return Dataset.from_list([messages(sample) for sample in read(path)])


def train(config: SftConfig, *, resume: bool = False) -> dict[str, Any]:
    """Trains and saves model (or adapter) and tokenizer under `config.output`.

    Returns:
        The trainer's metrics: `train_loss`, `eval_loss` where a held-out file is set, `train_runtime` (s).
    """
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    set_seed(config.seed)
    tokenizer = models.tokenizer_of(config)
    trainer = SFTTrainer(
        model=models.policy(config, tokenizer),
        processing_class=tokenizer,
        peft_config=models.lora(config),
        train_dataset=dataset(config.data),
        eval_dataset=dataset(config.held_out) if config.held_out else None,
        args=SFTConfig(
            **models.arguments(config),
            assistant_only_loss=True,
            completion_only_loss=True,
            packing=config.packing,
            train_sampling_strategy="random" if config.packing else "group_by_length",
            max_length=config.length,
            dataset_num_proc=None,
        ),
    )
    result = trainer.train(resume_from_checkpoint=models.checkpoint(config, resume=resume))
    metrics = dict(result.metrics)
    if config.held_out:
        metrics |= trainer.evaluate()
    models.save(trainer, tokenizer, config, metrics)
    return metrics


def main(argv: list[str] | None = None) -> None:
    """Command line: trains as a YAML file says."""
    command.run(__doc__, SftConfig, plan, train, argv)


if __name__ == "__main__":
    main()
