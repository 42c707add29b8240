"""Writes the training files of the demo: posts of the grammar and the corpus, talks, annotated posts of public sets.

The public sets are read where they are at hand. `posts.jsonl` holds one stage's samples, `drilled.jsonl` the same with
copying drills among them for the stage before, and `held_out.jsonl` one post in forty of each source, chosen by its
place, so the same ones at every build.

    python -m empathy_r1.training.data.build --out build/demo --grammar 4500
"""

import argparse
import random
from pathlib import Path

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety import screen
from empathy_r1.training.data import drills, grammar, public, records, talks
from empathy_r1.training.data.sample import Sample, write

_SHARE: dict[Locale, float] = {"zh": 1.0, "en": 0.8}
_EVERY = 40


def build(out: Path, *, count: int, seed: int = 7) -> dict[str, int]:
    """Writes the three files under `out`, with `count` Chinese posts of the grammar.

    Returns:
        How many samples each file holds.
    """
    samples: list[Sample] = []
    for locale, share in _SHARE.items():
        samples += grammar.samples(locale, round(count * share), seed, public.sentences(locale))
        samples += talks.samples(locale, round(count * share / 5), seed)
    samples += public.samples(seed)
    samples += records.samples(seed)
    samples = [sample for sample in samples if not screen(sample["post"]).alarm]  # the model never sees these
    posts = [sample for at, sample in enumerate(samples) if at % _EVERY]
    drilled = list(posts)
    for locale, share in _SHARE.items():
        drilled += drills.samples(locale, round(count * share / 3), seed)
    random.Random(seed).shuffle(drilled)
    random.Random(seed).shuffle(posts)
    return {
        "drilled": write(out / "drilled.jsonl", drilled),
        "posts": write(out / "posts.jsonl", posts),
        "held_out": write(out / "held_out.jsonl", samples[::_EVERY]),
    }


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--grammar", type=int, default=4500, help="Chinese posts of the grammar")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    print(build(args.out, count=args.grammar, seed=args.seed))  # noqa: T201


if __name__ == "__main__":
    main()
