"""Trains the crisis screen's small classifier (graph/safety/_classifier.py).

A logistic regression over runs of units, from PsyGUARD's labelled utterances (arXiv 2409.20243), self-written
utterances, texts and phrases (configs/screen_utterances.jsonl, screen_texts.toml, screen_phrases.toml), harmless posts
of the sentence bank and the corpus, and, for English, posts of CounselChat in which the rules find nothing. Chinese
thresholds are those scores that 1 % (`high`) and 3 % (`concern`) of the unrelated utterances of clients pass, each
scored by a model that has not seen it; English ones, those that 0.2 % and 1 % of the sentences of unseen posts of
CounselChat pass.

    python -m empathy_r1.training.screen_classifier --data FILE.jsonl --english FILE.jsonl --out TABLE.json
"""

import argparse
import json
import math
import random
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from empathy_r1.graph.safety import screen
from empathy_r1.graph.safety._classifier import LONGEST, Table, scores, units, windows
from empathy_r1.graph.safety._classifier import read as read_table
from empathy_r1.graph.safety._normal import prepare
from empathy_r1.graph.safety._rules import pieces
from empathy_r1.training.corpus import load
from empathy_r1.training.corpus.validate import POST
from empathy_r1.training.data import grammar, talks
from empathy_r1.training.data.sentences import aspects, life, pick, speech
from empathy_r1.training.evaluate_safety import CLIENT, read, wilson

FOLDS = 5
FALSE = {"zh": {"high": 0.01, "concern": 0.03}, "en": {"high": 0.002, "concern": 0.01}}
"""Shares of harmless texts that may pass the thresholds."""
_WEIGHTS = {"explicit": 3.0, "indirect": 4.0}
_OWN_WEIGHT, _UTTERANCE_WEIGHT = 0.3, 0.2
_FRAMED, _PHRASES = 1000, 60
_ENGLISH = 3000
"""Sentences of CounselChat that are learnt from; as many again set the thresholds."""
_HARMLESS, _TIMES = 2500, 3
"""Windows of whole posts, and how often each line of the bank is shown."""
_INVERSE_PENALTY = 3.0
_SMALLEST = 0.25
"""A weight nearer to zero is left out of the table: together they change no figure and cost most of the time."""

_CONFIGS = files("empathy_r1.training") / "configs"

Row = tuple[str, str]
Text = tuple[str, float, float]
"""A prepared text, whether it is one of risk, and its weight."""
Scores = NDArray[np.float64]


def _config(name: str) -> dict[str, Any]:
    return tomllib.loads((_CONFIGS / f"{name}.toml").read_text("utf-8"))


def own_texts(seed: int) -> Iterator[Text]:
    """The self-written utterances; the texts, each by itself and some framed; and alternatives of the phrases."""
    dice = random.Random(seed)
    for text, kind in read(Path(str(_CONFIGS / "screen_utterances.jsonl"))):
        yield prepare(text), float(kind in _WEIGHTS), _UTTERANCE_WEIGHT
    texts, phrases = _config("screen_texts"), _config("screen_phrases")
    for locale, between in (("zh", ""), ("en", " ")):
        own = texts[locale]
        for kind, risk in (("risk", 1.0), ("calm", 0.0)):
            yield from ((prepare(text), risk, _OWN_WEIGHT) for text in own[kind])
            for _ in range(_FRAMED):
                framed = dice.choice(own["open"]) + dice.choice(own[kind]) + dice.choice(own["close"])
                yield prepare(framed), risk, _OWN_WEIGHT
            for row in phrases[locale][kind]:
                for _ in range(_PHRASES):
                    phrase = between.join(filter(None, (dice.choice(slot) for slot in row)))
                    yield prepare(phrase.replace(" ,", ",")), risk, _OWN_WEIGHT


def harmless(seed: int) -> list[str]:
    """Windows of harmless posts of the sentence bank and of the corpus's training split."""
    posts = [
        sample["post"]
        for locale in POST
        for sample in (*grammar.samples(locale, 150, seed), *talks.samples(locale, 300, seed))
    ]
    posts += [record.post for record in load(split="train") if record.level == "none"]
    found = [window for post in posts for window in _cut(prepare(post))]
    dice = random.Random(seed)
    dice.shuffle(found)
    return found[:_HARMLESS] + [prepare(pick((line,), dice)) for line in _bank() for _ in range(_TIMES)]


def _bank() -> Iterator[str]:
    """Every line that a post of the sentence bank may hold."""
    for locale in POST:
        for aspect in aspects(locale):
            for part in ("event", "detail", "belief"):
                yield from aspect.lines[part]
        for kind in ("emotions", "intentions"):
            for row in speech(kind, locale).values():
                yield from row.lines["say"]
        yield from life(locale)


def english(path: Path, seed: int) -> list[str]:
    """Windows of the posts of CounselChat in which the rules find nothing."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    posts = sorted({row["question"] for row in rows if row["question"]})
    calm = [post for post in posts if set(screen(post).rules) <= {"classifier"}]
    found = [window for post in calm for window in _cut(prepare(post))]
    random.Random(seed).shuffle(found)
    return found


def runs(text: str) -> list[str]:
    """The runs of a prepared text that have weights, each as often as it occurs."""
    found = units(text)
    return [" ".join(found[at : at + size]) for size in range(1, LONGEST + 1) for at in range(len(found) - size + 1)]


def fit(rows: Sequence[Row], calm: Iterable[str], seed: int = 3) -> dict[str, Any]:
    """Weights and intercept learnt from prepared rows (text, class), harmless texts, and the texts of our own."""
    texts: list[Text] = [(text, float(kind in _WEIGHTS), _WEIGHTS.get(kind, 1.0)) for text, kind in rows]
    texts += own_texts(seed)
    texts += [(text, 0.0, _OWN_WEIGHT) for text in calm]
    counter = CountVectorizer(analyzer=runs, min_df=3, dtype=np.float64)
    seen = counter.fit_transform([text for text, _, _ in texts])
    scale = 1 / np.sqrt(np.maximum(1, [len(units(text)) for text, _, _ in texts]))
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=400, tol=1e-3)
    model.fit(
        seen.multiply(scale[:, None]).tocsr(), [risk for _, risk, _ in texts], sample_weight=[w for _, _, w in texts]
    )
    weights = zip(counter.get_feature_names_out(), model.coef_[0], strict=True)
    return {
        "intercept": round(float(model.intercept_[0]), 3),
        "weights": {str(run): round(float(w), 3) for run, w in weights if abs(w) >= _SMALLEST},
    }


def _table(learnt: dict[str, Any]) -> Table:
    return read_table(json.dumps({"version": "", "high": {}, "concern": {}, **learnt}))


def _highest(text: str, table: Table) -> float:
    """The highest score of a prepared text's windows, as the screen takes it."""
    return max(scores(list(_cut(text)), table), default=-math.inf)


def _cut(text: str) -> Iterator[str]:
    return windows(pieces(text))


def unseen_scores(rows: Sequence[Row], calm: list[str], other: list[str], seed: int = 5) -> tuple[Scores, Scores]:
    """The scores of each row and each other text, by models trained on the other folds of the rows."""
    fold = np.random.default_rng(seed).permutation(len(rows)) % FOLDS
    own, others = np.zeros(len(rows)), np.zeros(len(other))
    for k in range(FOLDS):
        learnt = [row for row, at in zip(rows, fold, strict=True) if at != k and row[1] != "aggression"]
        table = _table(fit(learnt, calm))
        for at in np.flatnonzero(fold == k):
            own[at] = _highest(rows[int(at)][0], table)
        others[k::FOLDS] = scores(other[k::FOLDS], table)
    return own, others


def _thresholds(zh: Scores, en: Scores) -> dict[str, dict[str, float]]:
    return {
        level: {
            locale: round(float(np.quantile(seen, 1 - FALSE[locale][level])), 3)
            for locale, seen in (("zh", zh), ("en", en))
        }
        for level in ("high", "concern")
    }


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="PsyGUARD's rows, one JSON a line")
    parser.add_argument("--english", type=Path, required=True, help="CounselChat's rows, one JSON a line")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    raw = list(read(args.data))
    rows = [(prepare(text), kind) for text, kind in raw]
    posts = english(args.english, 7)
    held, calm = posts[: len(posts) // 2][:_ENGLISH], harmless(3) + posts[len(posts) // 2 :][:_ENGLISH]
    own, others = unseen_scores(rows, calm, held)
    kinds = np.array([kind for _, kind in rows])
    levels = _thresholds(own[kinds == f"unrelated {CLIENT}*"], others)
    learnt = fit([row for row in rows if row[1] != "aggression"], calm)
    table = {"version": f"classifier-{datetime.now(UTC):%Y-%m-%d}", **levels, **learnt}
    args.out.write_text(json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    found = [screen(text) for text, _ in raw]
    ruled = np.array([reading.alarm and "classifier" not in reading.rules for reading in found])
    for kind in sorted(set(kinds)):
        of = kinds == kind
        alone = int((own[of] >= levels["high"]["zh"]).sum())
        either = int(((own >= levels["high"]["zh"]) | ruled)[of].sum())
        low, top = wilson(either, int(of.sum()))
        print(  # noqa: T201
            f"{kind:20} n {of.sum():4} classifier {alone / of.sum():.3f}, with the rules {either / of.sum():.3f} "
            f"[{low:.3f}, {top:.3f}]"
        )


if __name__ == "__main__":
    main()
