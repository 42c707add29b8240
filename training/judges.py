"""Models that judge a reply: the reward model, and the embedding of the `paper` reward.

A judge that fails gives None for what it could not judge, and says so in the log: never a silent 0, which training
would take for a bad reply.
"""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph.text import neutralise
from empathy_r1.training.data.sample import Turn

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

_log = logging.getLogger(__name__)
_BATCH = 16


def conversation(history: Sequence[Turn], post: str, reply: str) -> list[dict[str, str]]:
    """What a reward model reads: the conversation and the reply, without system message and without the chain."""
    return [
        *({"role": turn["role"], "content": neutralise(turn["content"])} for turn in history),
        {"role": "user", "content": neutralise(post)},
        {"role": "assistant", "content": reply},
    ]


class RewardModel:
    """A sequence-classification model with one score for a reply; higher is better, around zero.

    Args:
        model: output of training.reward, or such a model in memory.
        tokenizer: of a model in memory; a folder has its own.
        length: most tokens of a conversation; a longer one gets None.
    """

    def __init__(
        self, model: Any, tokenizer: "PreTrainedTokenizerFast | None" = None, *, length: int = 4096, cpu: bool = True
    ) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.name = str(model) if isinstance(model, Path) else type(model).__name__
        if isinstance(model, Path):
            tokenizer = AutoTokenizer.from_pretrained(model)
            model = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1, dtype=torch.float32)
            model.to(_device(cpu=cpu))
        self._model, self._tokenizer, self._length = model, tokenizer, length

    def scores(self, conversations: Sequence[list[dict[str, str]]]) -> list[float | None]:
        """A score for each of `conversations`, in order; None where it could not be scored."""
        import torch

        tokenizer: Any = self._tokenizer
        found: list[float | None] = [None] * len(conversations)
        try:
            rows = [tokenizer.apply_chat_template(c, tokenize=True, return_dict=False) for c in conversations]
            kept = sorted((i for i, row in enumerate(rows) if len(row) <= self._length), key=lambda i: len(rows[i]))
            was_training = self._model.training
            self._model.eval()
            for at in range(0, len(kept), _BATCH):
                part = kept[at : at + _BATCH]
                ids, mask = padded([rows[i] for i in part], tokenizer.pad_token_id, self._model.device)
                with torch.no_grad():
                    logits = self._model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
                for i, logit in zip(part, logits, strict=True):
                    found[i] = logit if math.isfinite(logit) else None
            self._model.train(was_training)
        except (RuntimeError, ValueError, IndexError) as error:
            _log.warning("reward model %s failed: %s", self.name, type(error).__name__)
        if None in found:
            _log.warning("reward model %s: %d of %d without a score", self.name, found.count(None), len(found))
        return found


class Embedding:
    """Unit vectors of texts; the cosine of two says how much they belong together (training.embedding)."""

    def __init__(self, path: Path, *, length: int = 640, cpu: bool = True) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.name, self._length = str(path), length
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model = AutoModel.from_pretrained(path).eval().to(_device(cpu=cpu))

    def cosines(self, posts: Sequence[str], replies: Sequence[str]) -> list[float | None]:
        """The cosine of each post with its reply; None where it could not be computed."""
        import torch

        found: list[float | None] = []
        try:
            with torch.no_grad():
                for at in range(0, len(posts), _BATCH):
                    a, b = (self._vectors(texts[at : at + _BATCH]) for texts in (posts, replies))
                    found += (a * b).sum(dim=1).tolist()
        except (RuntimeError, ValueError, IndexError) as error:
            _log.warning("embedding %s failed: %s", self.name, type(error).__name__)
            return [None] * len(posts)
        return [value if value is not None and math.isfinite(value) else None for value in found]

    def _vectors(self, texts: Sequence[str]) -> "torch.Tensor":
        rows = self._tokenizer(list(texts), truncation=True, max_length=self._length)["input_ids"]
        ids, mask = padded(rows, self._tokenizer.pad_token_id, self._model.device)
        return pooled(self._model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def _device(*, cpu: bool) -> str:
    return "cpu" if cpu else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """Token ids and mask of shape (rows, longest row), padded at the right, as the reward trainer pads."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    return ids, mask


def pooled(states: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """The mean of the states of the unmasked tokens, of length one: (rows, tokens, width) to (rows, width)."""
    from torch.nn.functional import normalize

    weight = mask.unsqueeze(-1).to(states.dtype)
    return normalize((states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1), dim=-1)
