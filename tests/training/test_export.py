"""Exported models: adapter and merged weights say the same, in transformers and on the real vLLM server."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from empathy_r1.graph.errors import ModelNotFoundError
from empathy_r1.training.data.grammar import samples
from empathy_r1.training.export import export
from empathy_r1.training.sft import messages

from support.tiny_models import make_data, sft_config
from support.vllm_server import VLLMServer, missing
from tiers import require

pytestmark = pytest.mark.filterwarnings("ignore")
POST = next(samples("zh", 1, 77))
TOKENS = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with look-back weights, `base/`, and an adapter that changes what it says, `adapter/`."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    from empathy_r1.training.models import fresh, tokenizer_of

    made = tmp_path_factory.mktemp("export")
    make_data(made)
    config = sft_config(made)
    tokenizer = tokenizer_of(config)
    torch.manual_seed(0)
    model = fresh(config, tokenizer)
    model.save_pretrained(made / "base")
    tokenizer.save_pretrained(made / "base")
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(made / "base")
    shape = peft.LoraConfig(
        r=8, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    peft.get_peft_model(base, shape).save_pretrained(made / "adapter")
    tokenizer.save_pretrained(made / "adapter")
    return made


@pytest.fixture(scope="module")
def exported(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        "served": export(folder / "base", folder / "served", dtype="float32"),
        "lora": export(folder / "adapter", folder / "lora"),
        "merged": export(folder / "adapter", folder / "merged", merge=True, dtype="float32"),
    }


def test_what_vllm_needs_is_there(folder: Path, exported: dict[str, dict[str, Any]]) -> None:
    assert [exported[name]["form"] for name in ("served", "lora", "merged")] == ["weights", "adapter", "merged"]
    for name in ("served", "merged"):
        found = {file.name for file in (folder / name).iterdir()}
        assert {
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "chat_template.jinja",
        } <= found
        assert json.loads((folder / name / "config.json").read_text())["use_cache"]
        assert len(json.loads((folder / name / "generation_config.json").read_text())["eos_token_id"]) == 2
    assert not (folder / "lora/model.safetensors").exists()
    assert f"--lora-modules empathy-r1={folder / 'lora'}" in exported["lora"]["serve"]


def test_the_merged_model_writes_what_the_adapter_writes(folder: Path, exported: dict[str, dict[str, Any]]) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    merged = _greedy(AutoModelForCausalLM.from_pretrained(folder / "merged"), folder)
    assert merged == _greedy(AutoPeftModelForCausalLM.from_pretrained(folder / "lora"), folder)
    assert merged != _greedy(AutoModelForCausalLM.from_pretrained(folder / "served"), folder)


def test_the_real_server_says_the_same_of_both(folder: Path, exported: dict[str, dict[str, Any]]) -> None:
    from transformers import AutoModelForCausalLM

    require("vllm", missing())
    said = {}
    extra = ("--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"tuned={folder / 'lora'}")
    for name, model, arguments in (("tuned", "served", extra), ("whole", "merged", ())):
        server = VLLMServer(folder / f"vllm-{name}", model=folder / model, name="whole", extra=arguments)
        server.start()
        try:
            asked = {"messages": messages(POST)["prompt"], "temperature": 0, "max_tokens": TOKENS, "ignore_eos": True}
            answer = httpx.post(f"{server.url}/chat/completions", json={"model": name, **asked}, timeout=120).json()
            said[name] = answer["choices"][0]["message"]["content"].rstrip("\ufffd")  # half a character at the cut
        finally:
            server.stop()
    assert said["tuned"] == said["whole"]
    assert said["whole"] == _greedy(AutoModelForCausalLM.from_pretrained(folder / "merged"), folder).rstrip("\ufffd")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"adapter_config\.json"):
        export(tmp_path, tmp_path / "out")


def _greedy(model: Any, folder: Path) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "merged")
    asked = tokenizer.apply_chat_template(messages(POST)["prompt"], add_generation_prompt=True, return_tensors="pt")
    said = model.generate(
        input_ids=asked["input_ids"], attention_mask=asked["attention_mask"], do_sample=False,
        max_new_tokens=TOKENS, min_new_tokens=TOKENS,
    )  # fmt: skip
    return str(tokenizer.decode(said[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))
