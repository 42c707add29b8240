"""Writes a trained model as `vllm serve` takes it: weights, tokenizer, chat template, generation config.

An adapter is copied for `--enable-lora`, or merged into its base's weights. The embedded runtime's form is
training.export_embedded.

    empathy-r1 model export build/qwen3-8b-lora/grpo/model build/serve --merge
    vllm serve build/serve --enable-prefix-caching
"""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from empathy_r1.graph.errors import ModelNotFoundError
from empathy_r1.training.models import is_adapter

Dtype = Literal["bfloat16", "float32"]
_ENDS = ("<|im_end|>", "<|endoftext|>")
_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "README.md")


def export(model: Path, out: Path, *, merge: bool = False, dtype: Dtype = "bfloat16") -> dict[str, Any]:
    """Writes `out`. A merge needs the memory of the base's weights once, in `dtype`.

    Args:
        model: output model of training.sft or training.grpo.
        out: folder to write; must not hold another model.
        merge: put an adapter into its base's weights.
        dtype: of the written weights; an adapter that is not merged keeps its own.

    Returns:
        `form` (`adapter`, `merged` or `weights`), `megabytes`, and `serve`: the command that serves it.

    Raises:
        ModelNotFoundError: `model` holds neither weights nor an adapter.
    """
    adapter = is_adapter(str(model))
    if not adapter and not (model / "config.json").is_file():
        raise ModelNotFoundError(str(model), "a folder with config.json or adapter_config.json (train sft, train grpo)")
    from transformers import AutoTokenizer

    out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(model)
    if adapter and not merge:
        for name in _ADAPTER:
            if (model / name).is_file():
                shutil.copy(model / name, out / name)
    else:
        _weights(model, out, tokenizer, dtype)
    tokenizer.save_pretrained(out)
    return {
        "form": "weights" if not adapter else "merged" if merge else "adapter",
        "megabytes": round(sum(f.stat().st_size for f in out.iterdir()) / 1e6, 1),
        "serve": f"vllm serve {_served(out) if adapter and not merge else out} --enable-prefix-caching",
    }


def _served(out: Path) -> str:
    """The base with the adapter beside it; vLLM offers certain ranks only."""
    told = json.loads((out / "adapter_config.json").read_text("utf-8"))
    rank = next((offered for offered in (8, 16, 32, 64, 128, 256, 320, 512) if offered >= told["r"]), told["r"])
    loaded = f"--enable-lora --max-lora-rank {rank} --lora-modules empathy-r1={out}"
    return f"{told['base_model_name_or_path']} {loaded} --chat-template {out / 'chat_template.jinja'}"


def _weights(model: Path, out: Path, tokenizer: Any, dtype: Dtype) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    kind = getattr(torch, dtype)
    if is_adapter(str(model)):
        from peft import AutoPeftModelForCausalLM

        # Merged in float32: a product of low rank rounds away in bfloat16.
        weights = AutoPeftModelForCausalLM.from_pretrained(model, dtype=torch.float32).merge_and_unload().to(kind)
    else:
        weights = AutoModelForCausalLM.from_pretrained(model, dtype=kind)
    vocabulary = tokenizer.get_vocab()
    ends = [vocabulary[token] for token in _ENDS if token in vocabulary] or [tokenizer.eos_token_id]
    weights.config.use_cache = True  # a trainer saves False
    weights.config.eos_token_id = tokenizer.eos_token_id
    weights.generation_config = GenerationConfig(
        eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, do_sample=True, temperature=0.7, top_p=0.9
    )
    weights.save_pretrained(out)
    if (model / "README.md").is_file():
        shutil.copy(model / "README.md", out / "README.md")
