"""YAML configurations: every key is known, or it is an error."""

from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from empathy_r1.training.errors import ConfigError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Strict):
    """The shape of a Qwen3 decoder."""

    hidden: int = 256
    intermediate: int = 768
    layers: int = Field(default=5, ge=2)
    heads: int = 4
    kv_heads: int = Field(default=4, ge=2)
    head_dim: int = Field(default=64, ge=32)


class Lora(_Strict):
    """Low-rank adapters beside frozen weights."""

    rank: int = Field(default=16, ge=1)
    alpha: int = 32
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    """Names of the layers; `all-linear` takes all but the head."""


class Run(_Strict):
    """What every stage needs; paths are relative to the working directory."""

    output: Path
    """Folder for `checkpoints/`, `model/` and `metrics.json`."""
    start_from: str | None = None
    """A model to go on from, instead of random weights: a folder, an adapter's folder, or a name on the hub."""
    tokenizer: Path | None = None
    """Without it, that of `start_from`, with the chat template of empathy_r1.graph where it has another."""
    model: Shape = Shape()
    """Of the random weights; with `start_from`, only a dry run reads it, where that model is not there yet."""
    lora: Lora | None = None
    batch: int = 2
    """Rows (of reward: pairs, of GRPO: completions) that one device takes at once."""
    accumulate: int = 1
    """Batches of one step."""
    epochs: float = 1.0
    max_steps: int = -1
    learning_rate: float = 1e-3
    warmup_steps: int = 60
    weight_decay: float = 0.02
    log_steps: int = 20
    save_steps: int = 200
    seed: int = 7
    cpu: bool = True
    """False: GPUs, in bfloat16."""
    gradient_checkpointing: bool = False
    report_to: Literal["none", "tensorboard", "trackio"] = "none"

    @model_validator(mode="after")
    def _has_a_beginning(self) -> Self:
        if self.start_from is None and self.tokenizer is None:
            raise ValueError("random weights need a `tokenizer`; or name a model in `start_from`")
        if self.start_from is None and self.lora is not None:
            raise ValueError("`lora` trains beside a finished model: name one in `start_from`")
        return self


class SftConfig(Run):
    """What `training.sft` needs."""

    data: Path
    """Samples, JSONL of training.data.sample."""
    held_out: Path | None = None
    length: int = 1280
    """Tokens of a packed row."""
    packing: bool = True


class RewardConfig(Run):
    """What `training.reward` needs."""

    data: Path
    """Pairs, JSONL of training.pairs."""
    held_out: Path
    length: int = 1280
    """Most tokens of a post and its reply; longer pairs are left out."""
    center: float | None = 0.01
    """Weight of the squared sum of a pair's rewards: keeps them around zero (arXiv 2312.09244)."""


class EmbeddingConfig(Run):
    """What `training.embedding` needs."""

    data: Path
    """Pairs, JSONL of training.pairs."""
    held_out: Path
    length: int = 640
    """Most tokens of a text; the rest is cut off."""
    margin: float = 0.3
    """How much nearer to its post, in cosine, a good reply is to be than a poor one."""


class Rollouts(_Strict):
    """Who writes the completions."""

    engine: Literal["transformers", "vllm-colocate", "vllm-server"] = "transformers"
    server: str = "http://127.0.0.1:8000"
    """Of `vllm-server`."""
    gpu_memory: float = Field(default=0.3, gt=0, lt=1)
    """Of `vllm-colocate`: share of each GPU's memory."""
    tensor_parallel: int = 1
    """Of `vllm-colocate`."""
    max_length: int = 4096
    """Of `vllm-colocate`: tokens of a prompt and its completion."""


class Weights(_Strict):
    """Weights of the default reward's parts."""

    model: float = 1.0
    emotion: float = 0.25
    cause: float = 0.25
    intention: float = 0.25
    strategy: float = 0.25
    variety: float = 0.25


class Stop(_Strict):
    """When training ends early: the reward that is trained on rises while the one that is held out falls."""

    window: int = Field(default=5, ge=1)
    """Log entries that are averaged."""
    rise: float = 0.02
    fall: float = 0.02
    patience: int = Field(default=3, ge=1)
    """Log entries in a row."""


class GrpoConfig(Run):
    """What `training.grpo` needs."""

    data: Path
    """Samples, JSONL of training.data.sample; gold chains and replies serve the reward, not the loss."""
    reward: Literal["default", "paper"] = "default"
    reward_model: Path | None = None
    """Output model of `train reward`."""
    held_out_reward_model: Path | None = None
    """A second one, of other pairs: only measured."""
    embedding: Path | None = None
    """Output model of `train embedding`; the `paper` reward needs it."""
    threshold: float = 0.5
    """Cosine from which the `paper` reward counts an answer as good."""
    weights: Weights = Weights()
    stop: Stop | None = Stop()
    group: int = Field(default=8, ge=2)
    """Completions of one post."""
    completion: int = 700
    """Most tokens of a completion."""
    temperature: float = 1.0
    top_p: float = 1.0
    beta: float = Field(default=0.01, ge=0)
    """Weight of the divergence from the model that training began with."""
    learning_rate: float = 1e-6
    warmup_steps: int = 10
    weight_decay: float = 0.0
    log_steps: int = 1
    rollouts: Rollouts = Rollouts()

    @model_validator(mode="after")
    def _has_its_judges(self) -> Self:
        if self.start_from is None:
            raise ValueError("GRPO goes on from a model that writes chains: name it in `start_from`")
        if self.reward == "paper" and self.embedding is None:
            raise ValueError("the `paper` reward needs an `embedding` (train embedding)")
        if self.held_out_reward_model is not None and self.held_out_reward_model == self.reward_model:
            raise ValueError("`held_out_reward_model` must be another one than `reward_model`")
        return self


_Config = TypeVar("_Config", bound=BaseModel)


def load(path: Path, kind: type[_Config]) -> _Config:
    """The configuration in `path`.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds an unknown or wrong key.
    """
    import yaml

    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(path, str(error)) from error
