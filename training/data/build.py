"""Writes the training files of the demo: posts of the grammar, and of the public sets where they are at hand.

python -m empathy_r1.training.data.build --out build/demo --grammar 3000
"""

import argparse
import random
from pathlib import Path

from empathy_r1.training.corpus import chain, load
from empathy_r1.training.data import grammar, public
from empathy_r1.training.data.sample import Sample, write


def build(out: Path, *, per_locale: int, seed: int = 7) -> dict[str, int]:
    """Writes `train.jsonl` and `held_out.jsonl` under `out`; returns how many samples each holds.

    Held out are one post in forty of each source, chosen by its place, so the same ones at every build.
    """
    samples: list[Sample] = []
    for locale in ("zh", "en"):
        samples += grammar.samples(locale, per_locale, seed)
    samples += public.samples(seed)
    for record in load(split="train"):
        samples.append(
            Sample(
                id=record.id, locale=record.locale, source="corpus", topic=record.topic,
                history=[], post=record.post, chain=chain(record),
            )
        )  # fmt: skip
    held_out = samples[::40]
    train = [sample for at, sample in enumerate(samples) if at % 40]
    random.Random(seed).shuffle(train)
    return {"train": write(out / "train.jsonl", train), "held_out": write(out / "held_out.jsonl", held_out)}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--grammar", type=int, default=3000, help="posts of the grammar in each language")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    print(build(args.out, per_locale=args.grammar, seed=args.seed))  # noqa: T201


if __name__ == "__main__":
    main()
