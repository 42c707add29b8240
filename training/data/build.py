"""Writes the training files of the demo, for its two stages.

`grammar.jsonl` holds posts and talks of the sentence bank, on which copying is learned fast. `train.jsonl` holds others
of the same kind and the annotated posts of the public sets, where they are at hand. `held_out.jsonl` holds one in
forty of what `train.jsonl` would hold, by its place, so the same ones at every build.

    python -m empathy_r1.training.data.build --out build/demo --grammar 7000
"""

import argparse
import random
from pathlib import Path

from empathy_r1.graph.labels import Locale
from empathy_r1.training.corpus import chain, load
from empathy_r1.training.data import grammar, public, talks
from empathy_r1.training.data.sample import Sample, write

_SHARE: dict[Locale, float] = {"zh": 1.0, "en": 0.8}
_EVERY = 40


def build(out: Path, *, count: int, seed: int = 7) -> dict[str, int]:
    """Writes the three files under `out`, with `count` Chinese posts of the grammar in each stage.

    Returns:
        How many samples each file holds.
    """
    first = _bank(count, seed)
    mixed = [*_bank(count // 2, seed + 1), *public.samples(seed)]
    mixed += [
        Sample(
            id=record.id, locale=record.locale, source="corpus", topic=record.topic,
            history=[], post=record.post, chain=chain(record),
        )
        for record in load(split="train")
    ]  # fmt: skip
    train = [sample for at, sample in enumerate(mixed) if at % _EVERY]
    dice = random.Random(seed)
    dice.shuffle(first)
    dice.shuffle(train)
    return {
        "grammar": write(out / "grammar.jsonl", first),
        "train": write(out / "train.jsonl", train),
        "held_out": write(out / "held_out.jsonl", mixed[::_EVERY]),
    }


def _bank(count: int, seed: int) -> list[Sample]:
    found: list[Sample] = []
    for locale, share in _SHARE.items():
        found += grammar.samples(locale, round(count * share), seed)
        found += talks.samples(locale, round(count * share / 6), seed)
    return found


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--grammar", type=int, default=7000, help="Chinese posts of the grammar in each stage")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    print(build(args.out, count=args.grammar, seed=args.seed))  # noqa: T201


if __name__ == "__main__":
    main()
