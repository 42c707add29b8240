"""Preference pairs for the reward model: a good reply against one that fails in a known way.

Eight tiers: the reply of another topic; of another post of the same topic; generic; advice only; over-validating;
unsafe; label-stuffed; lecturing. The corpus brings rejected replies of its own; what it lacks, and every sample of the
other sources, gets replies from a bank of poor sentences (data/speech/faults.toml), as long as the good reply and
sometimes opened by the good reply's own first sentence, so that neither length nor the opening gives the answer away.
Held-out pairs use other posts and other sentences of the bank than training.

    python -m empathy_r1.training.pairs --samples build/demo/posts.jsonl --corpus train --out build/demo/pairs.jsonl
"""

import argparse
import json
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypedDict, cast

from empathy_r1.graph import wire
from empathy_r1.graph.labels import EMOTIONS, Locale
from empathy_r1.training.corpus import load
from empathy_r1.training.corpus.schema import Split
from empathy_r1.training.data.sample import Sample, Turn, read
from empathy_r1.training.data.sentences import HERE, pick
from empathy_r1.training.errors import DataError

Tier = Literal[
    "other_topic", "other_post", "generic", "advice_only", "over_validating", "unsafe", "label_stuffed", "lecturing"
]
TIERS: tuple[Tier, ...] = (
    "other_topic",
    "other_post",
    "generic",
    "advice_only",
    "over_validating",
    "unsafe",
    "label_stuffed",
    "lecturing",
)
_MADE = TIERS[2:]
Part = Literal["train", "held_out"]
_SENTENCE = re.compile(r"[^。！？!?.\n]+[。！？!?.\n]+[”’\"]?\s*")


class Pair(TypedDict):
    """A post with a good reply and a worse one."""

    id: str
    """Of the post: pairs of one post never stand on both sides of a split."""
    locale: Locale
    tier: Tier
    history: list[Turn]
    post: str
    chosen: str
    rejected: str


def fold(id_: str, folds: int) -> int:
    """The fold of a post, the same for ever: two reward models that share no post take one each.

    >>> fold("zh-0001", 2) in (0, 1)
    True
    """
    return int(sha256(id_.encode()).hexdigest(), 16) % folds


def from_samples(samples: Sequence[Sample], seed: int, *, part: Part = "train", tiers: int = 3) -> Iterator[Pair]:
    """`tiers` pairs for each sample, of tiers that are drawn by chance; the same for the same arguments.

    Args:
        samples: posts with gold chains; a reply of another post is taken from among them.
        seed: of the dice.
        part: which half of the bank's sentences is used.
        tiers: how many pairs a post gets, at most all eight.
    """
    by_topic: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    by_locale: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_topic[sample["locale"], sample["topic"]].append(sample)
        by_locale[sample["locale"]].append(sample)
    for sample in samples:
        dice = random.Random(f"{seed}:{part}:{sample['id']}")
        for tier in dice.sample(TIERS, tiers):
            rejected: str | None
            if tier in _MADE:
                rejected = _poor(sample, tier, part, dice)
            else:
                others = (
                    by_topic[sample["locale"], sample["topic"]] if tier == "other_post" else by_locale[sample["locale"]]
                )
                rejected = _of_another(sample, others, tier, dice)
            if rejected:
                yield _pair(sample, tier, rejected)


def from_corpus(split: Split, seed: int, *, part: Part = "train") -> Iterator[Pair]:
    """Pairs of the corpus, eight for each record.

    Its own rejected replies come first; a tier without one gets a reply of the bank or of another record. Where a
    record has an alternative reply, it is the good one now and then.
    """
    records = load(split=split)
    samples = [
        Sample(
            id=r.id, locale=r.locale, source="corpus", topic=r.topic, history=[], post=r.post,
            chain={"emotion": " ".join(e.label for e in r.emotions), "response": r.reply},
        )
        for r in records
    ]  # fmt: skip
    for record, sample in zip(records, samples, strict=True):
        dice = random.Random(f"{seed}:{part}:{record.id}")
        own = {r.tier: r.text for r in record.rejected}
        for tier in TIERS:
            rejected = own.get(tier) if tier != "other_topic" else None
            if rejected is None and tier in _MADE:
                rejected = _poor(sample, tier, part, dice)
            elif rejected is None:
                others = [s for s in samples if s["locale"] == record.locale]
                if tier == "other_post":
                    others = [s for s in others if s["topic"] == record.topic]
                rejected = _of_another(sample, others, tier, dice)
            if rejected:
                good = record.reply_alternative if record.reply_alternative and dice.random() < 0.3 else None
                yield _pair(sample, tier, rejected, good)


def write(path: Path, pairs: Iterable[Pair]) -> int:
    """Writes the pairs, one a line; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a file, in order.

    Raises:
        DataError: a line is no pair.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                pair = json.loads(line)
                missing = Pair.__required_keys__ - pair.keys()
            except (ValueError, AttributeError) as error:
                raise DataError(path, number, str(error), "Expected one JSON object a line.") from error
            if missing or pair["tier"] not in TIERS:
                why = f"lacks {sorted(missing)}" if missing else f"unknown tier {pair['tier']!r}"
                raise DataError(
                    path, number, why, f"Expected the keys of training.pairs.Pair; tiers: {', '.join(TIERS)}."
                )
            yield cast("Pair", pair)


def count(path: Path) -> int | None:
    """How many pairs a file holds; None where there is none."""
    return sum(1 for _ in read_pairs(path)) if path.exists() else None


def _pair(sample: Sample, tier: Tier, rejected: str, chosen: str | None = None) -> Pair:
    return Pair(
        id=sample["id"],
        locale=sample["locale"],
        tier=tier,
        history=sample["history"],
        post=sample["post"],
        chosen=chosen or sample["chain"]["response"],
        rejected=rejected,
    )


def _of_another(sample: Sample, others: Sequence[Sample], tier: Tier, dice: random.Random) -> str | None:
    for _ in range(12):
        other = dice.choice(others)
        elsewhere = other["topic"] != sample["topic"] if tier == "other_topic" else other["post"] != sample["post"]
        if elsewhere and other["chain"]["response"] != sample["chain"]["response"]:
            return other["chain"]["response"]
    return None


@cache
def _bank(tier: Tier, locale: Locale, part: Part) -> tuple[str, ...]:
    rows = tomllib.loads((HERE / "speech" / "faults.toml").read_text(encoding="utf-8"))
    lines: list[str] = rows[tier][locale]
    return tuple(lines[part == "held_out" :: 2])


def _poor(sample: Sample, tier: Tier, part: Part, dice: random.Random) -> str:
    """A reply with the fault of `tier`, about as long as the good one."""
    locale, good = sample["locale"], sample["chain"]["response"]
    lines, spare = list(_bank(tier, locale, part)), list(_bank("generic", locale, part))
    dice.shuffle(lines)
    dice.shuffle(spare)
    lines = spare + lines if tier != "generic" else lines  # taken from the end
    said = [m[0].strip() for m in _SENTENCE.finditer(good)][:1] if dice.random() < 0.4 else []
    aim = len(good) * dice.uniform(0.75, 1.35)
    while lines and (sum(map(len, said)) < aim or len(said) < 2):
        line = pick((lines.pop(),), dice)
        said.append(line.replace("{}", _labels(sample, dice)))
    joint = ("" if locale == "zh" else " ") if dice.random() < 0.7 else "\n\n"
    return joint.join(said)


def _labels(sample: Sample, dice: random.Random) -> str:
    locale = sample["locale"]
    felt = [e.label for e in wire.emotions(sample["chain"].get("emotion", ""))]
    others = dice.sample([label for label in EMOTIONS if label not in felt], dice.choice((1, 2, 3)))
    words = [label.text(locale) for label in (*felt, *others)]
    dice.shuffle(words)
    if locale == "zh":
        return "、".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def main(argv: list[str] | None = None) -> None:
    """Command line: writes a file of pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, help="samples, JSONL of training.data.sample")
    parser.add_argument("--corpus", nargs="*", default=[], help="splits of the corpus: train, validation, test ...")
    parser.add_argument("--held-out", action="store_true", help="the other half of the bank's sentences")
    parser.add_argument("--fold", type=int, nargs=2, metavar=("K", "OF"), help="only posts of fold K of OF")
    parser.add_argument("--most", type=int, default=6000, help="at most so many samples, chosen by chance")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    part: Part = "held_out" if args.held_out else "train"
    samples = list(read(args.samples)) if args.samples else []
    random.Random(args.seed).shuffle(samples)
    pairs = [*from_samples(samples[: args.most], args.seed, part=part)]
    for split in args.corpus:
        pairs += from_corpus(split, args.seed, part=part)
    if args.fold:
        pairs = [p for p in pairs if fold(p["id"], args.fold[1]) == args.fold[0]]
    random.Random(args.seed).shuffle(pairs)
    print(f"{write(args.out, pairs)} pairs -> {args.out}")  # noqa: T201


if __name__ == "__main__":
    main()
