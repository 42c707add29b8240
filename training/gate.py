"""Learns the gate: whether a post is like what the model was trained on (empathy_r1.graph.models._gate reads it).

A logistic regression on the mean weight of hashed character n-grams. The threshold lets in 98 % of held-out
help-seeking posts.

    python -m empathy_r1.training.gate --data build/demo --out build/demo/gate.json
"""

# ruff: noqa: E501  # tables of short texts read best as rows

import argparse
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.models._gate import features
from empathy_r1.graph.text import locale_of
from empathy_r1.training.data import outside
from empathy_r1.training.data.sample import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 8192
NGRAMS = (1, 2, 3)
LET_IN = 0.98
_SHORT = (
    "你好", "你好，可以聊聊吗", "在吗", "谢谢你", "谢谢你愿意听我说", "我好难过", "我很累", "心情不好", "不知道怎么办", "你说得不对",
    "那我该怎么跟他说", "我好一点了", "hi", "hello, can I talk to you", "thank you", "I feel awful", "I am so tired", "I feel sad today",
    "what should I do", "that is not what I meant", "I feel a bit better", "no one listens to me", "我睡不着", "我想哭", "没人懂我",
)  # fmt: skip


def train(
    data: Path, out: Path, *, locales: tuple[Locale, ...] = ("zh", "en"), seed: int = 7, steps: int = 400
) -> dict[str, float]:
    """Learns from `posts.jsonl` of `data`, sets the threshold on `held_out.jsonl`, writes `out`.

    `locales` are the languages that the model is fluent in; posts in the other are kept out.

    Returns:
        Shares that are let in: of held-out help-seeking posts, of other texts, and of other texts of kinds that it
        was not trained on.
    """
    import numpy as np

    written = list(read(data / "posts.jsonl"))
    posts = [s["post"] for s in written if s["locale"] in locales][:4000]
    # Parts of posts too: people also write one sentence.
    inside = posts + [p[: 20 + len(p) // 4] for p in posts[:2000]] + [t for t in _SHORT if locale_of(t) in locales] * 20
    others = list(outside.texts(5000, seed)) + [s["post"] for s in written if s["locale"] not in locales][:2000]
    x = np.vstack([_row(t) for t in inside + others])
    y = np.concatenate([np.ones(len(inside)), np.zeros(len(others))]).astype(np.float32)
    weights, bias = np.zeros(BUCKETS, np.float32), 0.0
    moment, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        wrong = 1 / (1 + np.exp(-(x @ weights + bias))) - y
        slope = x.T @ wrong / len(y) + 1e-6 * weights
        bias -= float(wrong.mean())
        moment, second = 0.9 * moment + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        weights -= 0.5 * (moment / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    held = np.array([_row(s["post"]) @ weights + bias for s in read(data / "held_out.jsonl") if s["locale"] in locales])
    away = np.array([_row(t) @ weights + bias for t in outside.texts(500, seed + 1)])
    unseen = np.array([_row(t) @ weights + bias for t in outside.texts(500, seed + 1, unseen=True)])
    short = np.array([_row(t) @ weights + bias for t in _SHORT if locale_of(t) in locales])
    threshold = float(min(np.quantile(held, 1 - LET_IN), short.min(), 0.0))
    scale = float(np.abs(weights).max() / 127)
    out.write_text(
        json.dumps(
            {
                "buckets": BUCKETS,
                "ngrams": list(NGRAMS),
                "dtype": "int8",
                "scale": scale,
                "weights": base64.b64encode(np.round(weights / scale).astype(np.int8).tobytes()).decode(),
                "bias": bias,
                "threshold": threshold,
            }
        )
    )
    return {
        "inside_let_in": float((held >= threshold).mean()),
        "outside_let_in": float((away >= threshold).mean()),
        "unseen_outside_let_in": float((unseen >= threshold).mean()),
    }


def _row(text: str) -> "NDArray[Any]":
    import numpy as np

    found = features(text, BUCKETS, NGRAMS)
    row: np.ndarray[Any, Any] = np.zeros(BUCKETS, np.float32)
    count = sum(found.values()) or 1
    for at, n in found.items():
        row[at] = n / count
    return row


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--locales", nargs="+", choices=["zh", "en"], default=["zh", "en"])
    args = parser.parse_args(argv)
    print(train(args.data, args.out, locales=tuple(args.locales)))  # noqa: T201


if __name__ == "__main__":
    main()
