"""Trains the crisis screen's small classifier (graph/safety/_classifier.py).

A logistic regression over runs of units, from PsyGUARD's labelled utterances (arXiv 2409.20243), self-written texts
(configs/screen_texts.toml), and sentences of harmless posts of the grammar and the corpus. The thresholds are those
scores that 1 % (`high`) and 3 % (`concern`) of the unrelated utterances of clients pass, each
scored by a model that has not seen it. Runs that fewer than three texts hold are left out.

    python -m empathy_r1.training.screen_classifier --data FILE.jsonl --out graph/safety/tables/screen_classifier.json
"""

import argparse
import json
import random
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from empathy_r1.graph.safety import screen
from empathy_r1.graph.safety._classifier import features, windows
from empathy_r1.graph.safety._normal import prepare
from empathy_r1.graph.safety._rules import pieces
from empathy_r1.training.corpus import load
from empathy_r1.training.data import grammar
from empathy_r1.training.evaluate_safety import CLIENT, read, wilson

FOLDS = 8
FALSE_HIGH, FALSE_CONCERN = 0.01, 0.03
"""Shares of unrelated utterances that may pass the thresholds."""
_WEIGHTS = {"explicit": 3.0, "indirect": 2.0}
_OWN_WEIGHT = 0.3
_INVERSE_PENALTY = 10.0
_SMALLEST = 0.02
"""A weight nearer to zero is left out of the table."""

Score = Callable[[str], float]


def own_texts(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Prepared self-written texts, for each language every one by itself and `count` framed ones: of risk, harmless."""
    table = tomllib.loads((files("empathy_r1.training") / "configs" / "screen_texts.toml").read_text("utf-8"))
    dice = random.Random(seed)
    risk: list[str] = []
    calm: list[str] = []
    for own in (table["zh"], table["en"]):
        for kind, into in (("risk", risk), ("calm", calm)):
            into += map(prepare, own[kind])
            into += [
                prepare(dice.choice(own["open"]) + dice.choice(own[kind]) + dice.choice(own["close"]))
                for _ in range(count)
            ]
    return risk, calm


def harmless(count: int, seed: int) -> list[str]:
    """Windows of harmless posts of the grammar and of the corpus's training split."""
    posts = [s["post"] for s in (*grammar.samples("zh", 150, seed), *grammar.samples("en", 150, seed))]
    posts += [record.post for record in load(split="train") if record.level == "none"]
    found = [window for post in posts for window in windows(pieces(prepare(post)))]
    random.Random(seed).shuffle(found)
    return found[:count]


def fit(rows: Sequence[tuple[str, str]], seed: int = 3) -> tuple[dict[str, float], float]:
    """Weights and intercept learnt from prepared rows (text, class) and the texts of our own."""
    risk, calm = own_texts(1500, seed)
    calm += harmless(2500, seed)
    texts = [text for text, _ in rows] + risk + calm
    target = [float(kind in _WEIGHTS) for _, kind in rows] + [1.0] * len(risk) + [0.0] * len(calm)
    weight = [_WEIGHTS.get(kind, 1.0) for _, kind in rows] + [_OWN_WEIGHT] * (len(risk) + len(calm))
    counter = CountVectorizer(analyzer=lambda text: map(" ".join, features(text)), min_df=3, binary=True)
    seen = counter.fit_transform(texts)
    scale = 1 / np.sqrt(np.maximum(1, [len(features(text)) for text in texts]))
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000)
    model.fit(seen.multiply(scale[:, None]).tocsr(), target, sample_weight=weight)
    weights = zip(counter.get_feature_names_out(), model.coef_[0], strict=True)
    return {str(run): round(float(w), 3) for run, w in weights if abs(w) >= _SMALLEST}, float(model.intercept_[0])


def scorer(weights: dict[str, float], intercept: float) -> Score:
    """The highest score of a prepared text's windows, as the screen takes it."""

    def one(window: str) -> float:
        found = features(window)
        return intercept + sum(weights.get(" ".join(run), 0.0) for run in found) / float(np.sqrt(max(1, len(found))))

    return lambda text: max(map(one, windows(pieces(text))), default=-np.inf)


def unseen_scores(rows: Sequence[tuple[str, str]], seed: int = 5) -> list[float]:
    """The score of each row by a model trained on the other folds."""
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    scores = [0.0] * len(rows)
    for k in range(FOLDS):
        score = scorer(*fit([row for row, at in zip(rows, fold, strict=True) if at != k and row[1] != "aggression"]))
        for at in np.flatnonzero(fold == k):
            scores[int(at)] = score(rows[int(at)][0])
    return scores


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="PsyGUARD's rows, one JSON a line")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    raw = list(read(args.data))
    rows = [(prepare(text), kind) for text, kind in raw]
    scores = np.array(unseen_scores(rows))
    kinds = np.array([kind for _, kind in rows])
    client = scores[kinds == f"unrelated {CLIENT}*"]
    high, concern = (float(np.quantile(client, 1 - share)) for share in (FALSE_HIGH, FALSE_CONCERN))
    weights, intercept = fit([row for row in rows if row[1] != "aggression"])
    table: dict[str, Any] = {
        "version": f"classifier-{datetime.now(UTC):%Y-%m-%d}",
        "intercept": round(intercept, 3), "concern": round(concern, 3), "high": round(high, 3), "weights": weights,
    }  # fmt: skip
    args.out.write_text(json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    found = [screen(text) for text, _ in raw]
    ruled = np.array([reading.alarm and "classifier" not in reading.rules for reading in found])
    for kind in sorted(set(kinds)):
        of = kinds == kind
        alone = int((scores[of] >= high).sum())
        either = int(((scores >= high) | ruled)[of].sum())
        low, top = wilson(either, int(of.sum()))
        print(  # noqa: T201
            f"{kind:20} n {of.sum():4} classifier {alone / of.sum():.3f}, with the rules {either / of.sum():.3f} "
            f"[{low:.3f}, {top:.3f}]"
        )


if __name__ == "__main__":
    main()
