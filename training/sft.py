"""Stage 1: supervised fine-tuning on finished chains, from scratch, with trl's SFTTrainer.

The loss is taken on the last assistant message only: the template's `{% generation %}` block and the prompt's mask
both apply. It differs from the paper (arXiv 2509.14851, section 3) in the base: a small Qwen3 of random weights
instead of a pretrained one, so that a CPU can train it and a package can carry it.

    python -m empathy_r1.training.sft --config training/configs/demo.yaml
"""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph import wire
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.graph.text import neutralise
from empathy_r1.training.config import SftConfig, load
from empathy_r1.training.data.sample import Sample, Turn, read
from empathy_r1.training.initial import look_back

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM


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


def build_model(config: SftConfig, tokenizer: "PreTrainedTokenizerFast") -> "Qwen3ForCausalLM":
    """A Qwen3 of the configured shape with fresh weights in fp32, which can already look back (training.initial)."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = config.model
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    look_back(model)
    return model


def plan(config: SftConfig) -> dict[str, Any]:
    """What `train` would do: the model's weights, the samples, the memory and what is written. Loads no torch.

    Memory counts weights, gradients and both moments of AdamW in float32; activations come on top.
    """
    shape = config.model
    vocabulary = 6000
    if (file := config.tokenizer / "tokenizer.json").exists():
        known = json.loads(file.read_text(encoding="utf-8"))
        vocabulary = len(known["model"]["vocab"]) + len(SYSTEM)
    attention = shape.hidden * shape.head_dim * 2 * (shape.heads + shape.kv_heads)
    parameters = vocabulary * shape.hidden + shape.layers * (attention + 3 * shape.hidden * shape.intermediate)
    return {
        "parameters": parameters,
        "memory_mb": round(parameters * 16 / 1e6),
        "samples": sum(1 for _ in read(config.data)) if config.data.exists() else None,
        "tokens_per_step": config.length * config.batch,
        "epochs": config.epochs,
        "max_steps": config.max_steps if config.max_steps > 0 else None,
        "writes": [
            str(config.output / "checkpoints"),
            str(config.output / "model"),
            str(config.output / "metrics.json"),
        ],
    }


def dataset(path: Path) -> "Dataset":
    """The samples of `path` as a data set of messages."""
    from datasets import Dataset

    return Dataset.from_list([messages(sample) for sample in read(path)])


def train(config: SftConfig, *, resume: bool = False) -> dict[str, Any]:
    """Trains and saves model and tokenizer under `config.output`.

    Returns:
        The trainer's metrics: `train_loss`, `eval_loss` where a held-out file is set, `train_runtime` (s).
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM, set_seed
    from trl import SFTConfig, SFTTrainer

    set_seed(config.seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(config.tokenizer)
    model = Qwen3ForCausalLM.from_pretrained(config.start_from) if config.start_from else build_model(config, tokenizer)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=dataset(config.data),
        eval_dataset=dataset(config.held_out) if config.held_out else None,
        args=SFTConfig(
            output_dir=str(config.output / "checkpoints"),
            assistant_only_loss=True,
            completion_only_loss=True,
            packing=config.packing,
            train_sampling_strategy="random" if config.packing else "group_by_length",
            max_length=config.length,
            num_train_epochs=config.epochs,
            max_steps=config.max_steps,
            per_device_train_batch_size=config.batch,
            per_device_eval_batch_size=config.batch,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine_with_min_lr",
            lr_scheduler_kwargs={"min_lr_rate": 0.05},
            warmup_steps=config.warmup_steps,
            weight_decay=config.weight_decay,
            adam_beta2=0.95,
            max_grad_norm=1.0,
            logging_steps=config.log_steps,
            save_steps=config.save_steps,
            save_total_limit=2,
            eval_strategy="no",
            report_to="none",
            seed=config.seed,
            use_cpu=config.cpu,
            bf16=not config.cpu,
            gradient_checkpointing=False,
            dataset_num_proc=None,
        ),
    )
    result = trainer.train(resume_from_checkpoint=resume or None)
    metrics = dict(result.metrics)
    if config.held_out:
        metrics |= trainer.evaluate()
    target = config.output / "model"
    trainer.model.generation_config.eos_token_id = tokenizer.eos_token_id
    trainer.save_model(str(target))
    tokenizer.save_pretrained(target)
    (config.output / "metrics.json").write_text(
        json.dumps({"metrics": metrics, "log": trainer.state.log_history}, indent=1), encoding="utf-8"
    )
    return metrics


def main(argv: list[str] | None = None) -> None:
    """Command line: trains as a YAML file says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="YAML, see training/configs/")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    args = parser.parse_args(argv)
    print(json.dumps(train(load(args.config, SftConfig), resume=args.resume)))  # noqa: T201


if __name__ == "__main__":
    main()
