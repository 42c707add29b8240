"""Where a model that learnt from training/data/compose.py says the person's words back: rules for its runtime.

    python -m empathy_r1.training.grounding --out build/demo/embedded/grounding.json

The runtime (graph/models/_grounding.py) holds the model to the post there.
"""

import argparse
import json
import re
from pathlib import Path

from empathy_r1.graph.wire import SEPARATOR, open_tag
from empathy_r1.training.data.compose import quoting


def rules() -> list[dict[str, object]]:
    """A rule for the event in `emotion`, one for the event in `cause`, and one for the quotes of a reply."""
    openers = "|".join(sorted({re.escape(before) for before in quoting() if before}, key=len, reverse=True))
    start = rf"{re.escape(open_tag('response'))}|\n\n|[。.!?！？] ?"
    return [
        {"after": re.escape(open_tag("emotion")) + rf"[^{SEPARATOR}<]{{1,120}}" + SEPARATOR, "until": ["</"]},
        {"after": re.escape(open_tag("cause")), "until": ["；", ". ", "</"]},
        {"after": f"(?:{start})(?:{openers})?“", "until": ["”"]},
    ]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.write_text(json.dumps(rules(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
