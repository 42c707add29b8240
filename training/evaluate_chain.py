"""How well a model reads and answers held-out posts: whole graph, greedy, against gold chains.

python -m empathy_r1.training.evaluate_chain --posts build/demo/held_out.jsonl --model build/demo/embedded
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from empathy_r1.graph import Context, build_graph
from empathy_r1.graph.wire import SEPARATOR
from empathy_r1.training.data.sample import Sample, Turn, read

_QUOTED = re.compile(r"“([^”]{4,})”")


async def answers(samples: Iterable[Sample], model: BaseChatModel | None) -> list[dict[str, Any]]:
    """The graph's output for each sample's conversation, in order. `None` takes the embedded model."""
    graph = build_graph().compile()
    found = []
    for at, sample in enumerate(samples, start=1):
        talk: list[Turn] = [*sample["history"], {"role": "user", "content": sample["post"]}]
        messages: list[AnyMessage] = [
            HumanMessage(t["content"]) if t["role"] == "user" else AIMessage(t["content"]) for t in talk
        ]
        context = Context(model=model, locale=sample["locale"], reveal_chain=True)
        found.append(await graph.ainvoke({"messages": messages}, context=context))
        print(f"\r{at} posts", end="", file=sys.stderr)  # noqa: T201
    print(file=sys.stderr)  # noqa: T201
    return found


def report(samples: Sequence[Sample], outputs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Figures over the posts that the model answered.

    Returns:
        `n`: posts; `crisis`, `outside`: how many the crisis dialogue took, and how many the gate turned away;
        `format_valid`: share with all four hidden sections and a reply of the model; `emotion_f1`: micro F1 of emotion
        labels, intensity aside; `intention_accuracy`: of the first intention; `event_copied`: share whose cause
        holds the gold event word for word; `quotes_true`: share of the reply's quotations that stand in the
        conversation; `distinct_replies`: share of replies that no other post got.
    """
    pairs = [(s, o) for s, o in zip(samples, outputs, strict=True) if o["level"] in ("none", "concern")]
    answered = [(s, o) for s, o in pairs if o["degraded"] != "outside"]
    valid = [(s, o) for s, o in answered if o["degraded"] is None and o["chain"] and all(o["chain"].values())]
    hits = named = gold = right = copied = 0
    quotes: list[bool] = []
    for sample, output in valid:
        chain, true = output["chain"], sample["chain"]
        ours, theirs = _labels(chain["emotion"]), _labels(true["emotion"])
        hits, named, gold = hits + len(ours & theirs), named + len(ours), gold + len(theirs)
        right += _first(chain["intention"]) == _first(true["intention"])
        copied += _event(true["emotion"]) in chain["cause"]
        talk = " ".join([*(turn["content"] for turn in sample["history"]), sample["post"]]).lower()
        quotes += [quote.lower().rstrip(".。") in talk for quote in _QUOTED.findall(output["messages"][-1].text)]
    replies = [o["messages"][-1].text for _, o in valid]
    return {
        "n": len(samples),
        "crisis": len(samples) - len(pairs),
        "outside": len(pairs) - len(answered),
        "format_valid": _share(len(valid), len(answered)),
        "emotion_f1": _share(2 * hits, named + gold),
        "intention_accuracy": _share(right, len(valid)),
        "event_copied": _share(copied, len(valid)),
        "quotes_true": _share(sum(quotes), len(quotes)),
        "distinct_replies": _share(sum(replies.count(reply) == 1 for reply in replies), len(replies)),
    }


def _labels(text: str) -> set[str]:
    return {label.partition("/")[0] for label in text.partition(SEPARATOR)[0].split()}


def _first(text: str) -> str:
    return (text.partition(SEPARATOR)[0].split() or [""])[0]


def _event(emotion: str) -> str:
    return emotion.partition(SEPARATOR)[2].strip().rstrip("。.")


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=Path, required=True, help="samples with gold chains, JSONL")
    parser.add_argument("--model", type=Path, help="folder of an exported model; the shipped one without it")
    parser.add_argument("--most", type=int, default=200, help="at most so many posts")
    args = parser.parse_args(argv)
    from empathy_r1.graph.models.embedded import EmbeddedChat

    samples = list(read(args.posts))[: args.most]
    model = EmbeddedChat(path=args.model) if args.model else None
    print(json.dumps(report(samples, asyncio.run(answers(samples, model))), indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
