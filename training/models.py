"""What the stages share: how a model and its tokenizer are loaded, sized, trained on, resumed and saved."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph.chat_template import CHAT_TEMPLATE
from empathy_r1.training import report
from empathy_r1.training.config import Lora, Run
from empathy_r1.training.errors import AdapterError
from empathy_r1.training.initial import look_back

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
_END = "<|im_end|>"


def tokenizer_of(config: Run) -> "PreTrainedTokenizerFast":
    """The configured tokenizer; a hub model's gets the template and the end token that serving uses."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(config.tokenizer or config.start_from))
    if "{% generation %}" not in (tokenizer.chat_template or ""):
        tokenizer.chat_template = CHAT_TEMPLATE
    if _END in tokenizer.get_vocab():
        tokenizer.eos_token = _END
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def fresh(config: Run, tokenizer: "PreTrainedTokenizerFast", kind: str = "Qwen3ForCausalLM") -> "PreTrainedModel":
    """A Qwen3 of the configured shape with fresh weights in fp32, which can already look back (training.initial)."""
    import transformers

    shape = config.model
    model: PreTrainedModel = getattr(transformers, kind)(
        transformers.Qwen3Config(
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
            num_labels=1,
        )
    )
    if kind != "Qwen3Model":  # an embedding has no head to tie
        look_back(model)
    return model


def policy(config: Run, tokenizer: "PreTrainedTokenizerFast") -> "PreTrainedModel":
    """The causal language model to train; an adapter goes on being trained as the adapter that it is.

    Raises:
        AdapterError: `start_from` is an adapter, but `lora` is not set.
    """
    if config.start_from is None:
        return fresh(config, tokenizer)
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.float32 if config.cpu or config.lora is None else torch.bfloat16
    if is_adapter(config.start_from):
        from peft import AutoPeftModelForCausalLM

        if config.lora is None:
            raise AdapterError(config.start_from)
        return AutoPeftModelForCausalLM.from_pretrained(config.start_from, is_trainable=True, dtype=dtype)
    return AutoModelForCausalLM.from_pretrained(config.start_from, dtype=dtype)


def is_adapter(name: str) -> bool:
    """Whether `name` is the folder of an adapter."""
    return (Path(name) / "adapter_config.json").is_file()


def lora(config: Run, task: str = "CAUSAL_LM") -> "LoraConfig | None":
    """The adapter to be made, or None where all weights are trained or an adapter is there already."""
    chosen = config.lora
    if chosen is None or is_adapter(str(config.start_from)):
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=chosen.rank,
        lora_alpha=chosen.alpha,
        lora_dropout=chosen.dropout,
        target_modules=chosen.targets if isinstance(chosen.targets, str) else list(chosen.targets),
        task_type=task,
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
    )


def arguments(config: Run) -> dict[str, Any]:
    """The arguments that all trainers take alike."""
    return {
        "output_dir": str(config.output / "checkpoints"),
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps,
        "per_device_train_batch_size": config.batch,
        "per_device_eval_batch_size": config.batch,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.05},
        "warmup_steps": config.warmup_steps,
        "weight_decay": config.weight_decay,
        "adam_beta2": 0.95,
        "max_grad_norm": 1.0,
        "logging_steps": config.log_steps,
        "save_steps": config.save_steps,
        "save_total_limit": 2,
        "eval_strategy": "no",
        "report_to": config.report_to,
        "seed": config.seed,
        "use_cpu": config.cpu,
        "bf16": not config.cpu,
        "gradient_checkpointing": config.gradient_checkpointing,
    }


def checkpoint(config: Run, *, resume: bool) -> str | None:
    """The newest whole checkpoint to go on from; None begins anew.

    The trainer writes `trainer_state.json` last, so a checkpoint without it was cut off while it was written.
    """
    folders = (config.output / "checkpoints").glob("checkpoint-*")
    whole = [f for f in folders if f.name.rpartition("-")[2].isdigit() and _is_json(f / "trainer_state.json")]
    return str(max(whole, key=lambda f: int(f.name.rpartition("-")[2]))) if resume and whole else None


def _is_json(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def save(trainer: Any, tokenizer: "PreTrainedTokenizerFast", config: Run, metrics: Mapping[str, Any]) -> None:
    """Writes `model/` with its card, `metrics.json` and the report under `config.output`."""
    target = config.output / "model"
    if getattr(trainer.model, "generation_config", None) is not None:
        trainer.model.generation_config.eos_token_id = tokenizer.eos_token_id
        trainer.model.generation_config.pad_token_id = tokenizer.pad_token_id
    trainer.save_model(str(target))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(target)
        stage = type(config).__name__.removesuffix("Config").lower()
        told = {"stage": stage, "config": config.model_dump(mode="json"), "metrics": metrics}
        text = json.dumps({**told, "log": trainer.state.log_history}, indent=1)
        (config.output / "metrics.json").write_text(text, encoding="utf-8")
        report.write([config.output], config.output)
        (target / "README.md").write_text(report.card(told), encoding="utf-8")


def outline(config: Run, rows: float | None) -> dict[str, Any]:
    """What every dry run says: the model's size, steps, and what is written. Loads no torch.

    Args:
        config: of the run.
        rows: that one pass over the data has, in the trainer's sense; None where the data is not there yet.

    Returns:
        `size`'s figures, `epochs`, `steps` on one device (`max_steps` where that is set), and `writes`.
    """
    a_step = config.batch * config.accumulate
    passes = None if rows is None else math.ceil(rows * config.epochs / a_step)
    written = ("checkpoints/", "model/", "model/README.md", "metrics.json", "REPORT.md", "report.png")
    return {
        **size(config),
        "epochs": config.epochs,
        "steps": config.max_steps if config.max_steps > 0 else passes,
        "writes": [f"{config.output}/{name}" for name in written],
    }


def tokens(config: Run, texts: Iterable[str]) -> float:
    """How many tokens the texts have on average: counted where the tokenizer is at hand, else by rule of thumb.

    The rule is Qwen3's: one and a half Han characters, or four other ones, make a token.
    """
    file = Path(config.tokenizer or config.start_from or "") / "tokenizer.json"
    count: Callable[[str], float] = _thumb
    if file.is_file():
        with contextlib.suppress(ModuleNotFoundError):
            from tokenizers import Tokenizer

            known = Tokenizer.from_file(str(file))
            count = lambda text: len(known.encode(text).ids)  # noqa: E731
    found = [count(text) for text in texts]
    return sum(found) / len(found) if found else 0.0


def _thumb(text: str) -> float:
    han = sum("\u4e00" <= c <= "\u9fff" for c in text)
    return han / 1.5 + (len(text) - han) / 4


def size(config: Run) -> dict[str, Any]:
    """Weights and memory of what would be trained. Loads no torch.

    Memory counts weights, gradients and both moments of AdamW in float32, frozen weights in bfloat16 on a GPU;
    activations come on top.

    Returns:
        `parameters`, `trained_parameters`, `memory_mb`; None where the model's config cannot be read.
    """
    known = _shape(config)
    if known is None:
        return {"parameters": None, "trained_parameters": None, "memory_mb": None}
    hidden, inner, wide, narrow = (known[k] for k in ("hidden", "intermediate", "queries", "keys"))
    linear = [(hidden, wide), (hidden, narrow), (hidden, narrow), (wide, hidden)]
    linear += [(hidden, inner), (hidden, inner), (inner, hidden)]
    tables = known["vocabulary"] * hidden * (1 if known["tied"] else 2)
    whole = tables + known["layers"] * sum(a * b for a, b in linear)
    if config.lora is None:
        return {"parameters": whole, "trained_parameters": whole, "memory_mb": round(whole * 16 / 1e6)}
    trained = _adapter(config.lora, linear, known["layers"])
    memory = whole * (4 if config.cpu else 2) + trained * 16
    return {"parameters": whole, "trained_parameters": trained, "memory_mb": round(memory / 1e6)}


def _adapter(chosen: Lora, linear: list[tuple[int, int]], layers: int) -> int:
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    wanted = names if isinstance(chosen.targets, str) else chosen.targets
    sums = (a + b for name, (a, b) in zip(names, linear, strict=True) if name in wanted)
    return layers * chosen.rank * sum(sums)


def _shape(config: Run) -> dict[str, int] | None:
    known = _hub_config(config.start_from) if config.start_from else None
    if known is None and (config.start_from is None or "model" in config.model_fields_set):
        shape, vocabulary = config.model, 6000
        if config.tokenizer and (file := config.tokenizer / "tokenizer.json").exists():
            told = json.loads(file.read_text(encoding="utf-8"))
            vocabulary = len({*told["model"]["vocab"], *(t["content"] for t in told["added_tokens"])})
        return {
            "hidden": shape.hidden,
            "intermediate": shape.intermediate,
            "layers": shape.layers,
            "queries": shape.heads * shape.head_dim,
            "keys": shape.kv_heads * shape.head_dim,
            "vocabulary": vocabulary,
            "tied": True,
        }
    if known is None or "hidden_size" not in known:
        return None
    heads = known["num_attention_heads"]
    each = known.get("head_dim") or known["hidden_size"] // heads
    return {
        "hidden": known["hidden_size"],
        "intermediate": known["intermediate_size"],
        "layers": known["num_hidden_layers"],
        "queries": heads * each,
        "keys": known.get("num_key_value_heads", heads) * each,
        "vocabulary": known["vocab_size"],
        "tied": known.get("tie_word_embeddings", False),
    }


def _hub_config(name: str) -> dict[str, Any] | None:
    """The `config.json` of a folder, of an adapter's base, or of the hub; None where there is none at hand."""
    if is_adapter(name):
        name = json.loads((Path(name) / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    file = Path(name) / "config.json"
    if not file.is_file():
        if Path(name).exists() or name.count("/") != 1 or name.startswith("."):  # a name on the hub is owner/model
            return None
        try:
            from huggingface_hub import hf_hub_download

            file = Path(hf_hub_download(name, "config.json", etag_timeout=5))
        except (ImportError, OSError, ValueError):
            return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
