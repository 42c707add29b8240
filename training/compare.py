r"""Models side by side on held-out posts: whose replies a judge prefers, and what the better score was paid with.

All write the whole chain greedily, the first one is what the others are compared with; the judge should be one that
none was trained against. Ties count half. A better score counts for little where echo, advice or length rose beyond
`BOUNDS`: a judge is easily pleased with more of them.

    empathy-r1 evaluate pair --posts build/demo/held_out.jsonl --judge build/demo/reward-held-out/model \
        --first build/demo/sft/model --second build/demo/grpo-paper/model --second build/demo/grpo/model
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from empathy_r1.graph import wire
from empathy_r1.training.chat import Cache
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.evaluate_safety import wilson
from empathy_r1.training.judges import RewardModel, conversation
from empathy_r1.training.measures import advice_share, echo
from empathy_r1.training.models import is_adapter
from empathy_r1.training.rewards import emotion_reward, format_reward, intention_reward
from empathy_r1.training.sft import messages

BOUNDS = {"echo": 0.02, "advice": 0.05, "characters": 0.15}
"""How much a model may add to the first one's mean: shares of a reply's letters and of its sentences; of characters,
the part that they grow by.
"""
_SHOWN = ("score", "format", "emotion", "intention", "echo", "advice", "characters")


def chains(
    model: Path, samples: Sequence[Sample], *, kept: Path | None = None, tokens: int = 700, batch: int = 8,
    cpu: bool = True,
) -> list[str]:  # fmt: skip
    """The greedy message of the model for each post, in order.

    Args:
        model: folder of a model or an adapter.
        samples: the posts.
        kept: folder in which the messages are kept as they come; a second run goes on from there.
        tokens: most of a message.
        batch: posts that are answered together.
        cpu: False: a GPU.
    """
    cache = Cache(kept / f"{name_of(model)}-{_version(model)}-{tokens}") if kept else None
    said = {s["id"]: text for s in samples if cache and (text := cache.get(s["id"])) is not None}
    left = [sample for sample in samples if sample["id"] not in said]
    for part, texts in _written(model, left, tokens, batch, cpu=cpu) if left else ():
        for sample, text in zip(part, texts, strict=True):
            said[sample["id"]] = text
            if cache:
                cache.put(sample["id"], text)
    return [said[sample["id"]] for sample in samples]


def name_of(model: Path) -> str:
    """The name of the run that a model comes from."""
    return model.parent.name if model.name == "model" else model.name


def _version(model: Path) -> str:
    """Changes with the weights."""
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(model.glob("*.safetensors"))]
    return sha256(json.dumps(stats).encode()).hexdigest()[:8]


def _written(
    model: Path, samples: Sequence[Sample], tokens: int, batch: int, *, cpu: bool
) -> Iterator[tuple[Sequence[Sample], list[str]]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    if is_adapter(str(model)):
        from peft import AutoPeftModelForCausalLM

        policy = AutoPeftModelForCausalLM.from_pretrained(model)
    else:
        policy = AutoModelForCausalLM.from_pretrained(model)
    policy = policy.eval().to("cpu" if cpu else "cuda")
    for at in range(0, len(samples), batch):
        part = samples[at : at + batch]
        asked = [messages(sample)["prompt"] for sample in part]
        rows = tokenizer.apply_chat_template(asked, add_generation_prompt=True, padding=True, return_tensors="pt")
        rows = rows.to(policy.device)
        with torch.no_grad():
            said = policy.generate(
                input_ids=rows["input_ids"], attention_mask=rows["attention_mask"], do_sample=False,
                max_new_tokens=tokens, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        texts = tokenizer.batch_decode(said[:, rows["input_ids"].shape[1] :], skip_special_tokens=True)
        yield part, [text.strip() for text in texts]


def report(samples: Sequence[Sample], said: Mapping[str, Sequence[str]], judge: RewardModel) -> dict[str, Any]:
    """Figures of several models' chains for the same posts; the first model is what the others are compared with.

    Returns:
        `n`: posts. `models`: of each the means of `score`, `format` (share of valid messages), `emotion` (F1 against
        gold labels), `intention`, and of the replies' `echo`, `advice` and `characters`. `against`: of each other
        model `preferred`, the share of posts in which the judge prefers it, over the `n` to which both gave a reply
        that could be scored, and by how much each figure of `BOUNDS` rose; all with `low` and `high` of a 95 %
        interval, a rise also with `kept`: whether the bound holds up to the interval's upper end.
    """
    rows = {name: _rows(samples, texts, judge) for name, texts in said.items()}
    first, *others = rows
    return {
        "n": len(samples),
        "models": {name: {key: _mean(row[key])[0] for key in _SHOWN} for name, row in rows.items()},
        "against": {name: {"first": first, **_against(rows[first], rows[name])} for name in others},
    }


Row = dict[str, list[float | None]]


def _rows(samples: Sequence[Sample], texts: Sequence[str], judge: RewardModel) -> Row:
    replies = [wire.parse(text).get("response", "") for text in texts]
    scores = judge.scores([conversation(s["history"], s["post"], r) for s, r in zip(samples, replies, strict=True)])
    pairs = list(zip(samples, replies, strict=True))
    gold = [sample["chain"] for sample in samples]
    return {
        "score": [score if reply else None for score, reply in zip(scores, replies, strict=True)],
        "format": format_reward(texts, locale=[sample["locale"] for sample in samples]),
        "emotion": emotion_reward(texts, chain=gold),
        "intention": intention_reward(texts, chain=gold),
        "echo": [echo(reply, sample["post"]) for sample, reply in pairs],
        "advice": [advice_share(reply, sample["locale"]) for sample, reply in pairs],
        "characters": [float(len(reply)) for reply in replies],
    }


def _against(first: Row, other: Row) -> dict[str, Any]:
    both = [(a, b) for a, b in zip(first["score"], other["score"], strict=True) if a is not None and b is not None]
    wins = sum(b > a for a, b in both) + sum(a == b for a, b in both) / 2
    low, high = wilson(round(wins), len(both))
    preferred = {"share": wins / len(both) if both else 0.0, "low": low, "high": high}
    found: dict[str, Any] = {"n": len(both), "preferred": {key: round(value, 4) for key, value in preferred.items()}}
    for name, bound in BOUNDS.items():
        whole = _mean(first[name])[0] if name == "characters" else 1.0
        steps = [((b or 0.0) - (a or 0.0)) / (whole or 1.0) for a, b in zip(first[name], other[name], strict=True)]
        mean, half = _mean(steps)
        rise = {"rise": mean, "low": round(mean - half, 4), "high": round(mean + half, 4)}
        found[name] = {**rise, "bound": bound, "kept": mean + half <= bound}
    return found


def _mean(values: Sequence[float | None]) -> tuple[float, float]:
    """The mean, and half of its 95 % interval by the normal approximation."""
    known = [value for value in values if value is not None]
    if not known:
        return 0.0, 0.0
    mean = sum(known) / len(known)
    spread = sum((value - mean) ** 2 for value in known) / max(1, len(known) - 1)
    return round(mean, 4), 1.96 * math.sqrt(spread / len(known))


def table(found: Mapping[str, Any]) -> str:
    """The figures as a table in Markdown."""
    lines = [f"| {found['n']} posts | {' | '.join(_SHOWN)} | preferred to the first | rises |"]
    lines.append("|---" * (len(_SHOWN) + 3) + "|")
    for name, means in found["models"].items():
        cells = [name, *(f"{means[key]:.4g}" for key in _SHOWN)]
        versus = found["against"].get(name)
        if versus:
            won = versus["preferred"]
            broken = [key for key in BOUNDS if not versus[key]["kept"]]
            cells.append(f"{won['share']:.3f} [{won['low']:.3f}, {won['high']:.3f}]")
            cells.append(f"beyond the bound: {', '.join(broken)}" if broken else "within bounds")
        else:
            cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
