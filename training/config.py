"""YAML configurations: every key is known, or it is an error."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class SftConfig(_Strict):
    """What `training.sft` needs; paths are relative to the working directory."""

    data: Path
    """Samples, JSONL of training.data.sample."""
    tokenizer: Path
    output: Path
    held_out: Path | None = None
    start_from: Path | None = None
    """A model to go on from, instead of random weights."""
    model: Shape = Shape()
    length: int = 1280
    """Tokens of a packed row."""
    packing: bool = True
    batch: int = 2
    """Packed rows of one step."""
    epochs: float = 1.0
    max_steps: int = -1
    learning_rate: float = 1e-3
    warmup_steps: int = 60
    weight_decay: float = 0.02
    log_steps: int = 20
    save_steps: int = 200
    seed: int = 7
    cpu: bool = True


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
