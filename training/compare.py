r"""Two models side by side on held-out posts: whose replies a judge prefers, and what the better score was paid with.

Both write the whole chain greedily; the judge should be one that neither was trained against. Ties count half.

    empathy-r1 evaluate pair --posts build/demo/held_out.jsonl --judge build/demo/reward-held-out/model \
        --first build/demo/sft/model --second build/demo/grpo/model
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from empathy_r1.graph import wire
from empathy_r1.training.data.sample import Sample
from empathy_r1.training.evaluate_safety import wilson
from empathy_r1.training.judges import RewardModel, conversation
from empathy_r1.training.measures import advice_share, echo
from empathy_r1.training.models import is_adapter
from empathy_r1.training.rewards import format_reward
from empathy_r1.training.sft import messages


def chains(model: Path, samples: Sequence[Sample], *, tokens: int = 700, batch: int = 8, cpu: bool = True) -> list[str]:
    """The greedy message of the model for each post, in order."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    if is_adapter(str(model)):
        from peft import AutoPeftModelForCausalLM

        policy = AutoPeftModelForCausalLM.from_pretrained(model)
    else:
        policy = AutoModelForCausalLM.from_pretrained(model)
    policy = policy.eval().to("cpu" if cpu else "cuda")
    found = []
    for at in range(0, len(samples), batch):
        asked = [messages(sample)["prompt"] for sample in samples[at : at + batch]]
        rows = tokenizer.apply_chat_template(asked, add_generation_prompt=True, padding=True, return_tensors="pt")
        rows = rows.to(policy.device)
        with torch.no_grad():
            said = policy.generate(
                input_ids=rows["input_ids"], attention_mask=rows["attention_mask"], do_sample=False,
                max_new_tokens=tokens, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        found += tokenizer.batch_decode(said[:, rows["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in found]


def report(
    samples: Sequence[Sample], first: Sequence[str], second: Sequence[str], judge: RewardModel
) -> dict[str, Any]:
    """Figures of two lists of chains for the same posts.

    Returns:
        `n`: posts to which both gave a reply that could be scored; `second_wins`: share of them in which the judge
        prefers the second, with `low` and `high` of its 95 % interval; `first` and `second`: mean `score`, share of
        valid `format`, mean `echo`, `advice` and `characters` of the replies.
    """
    replies = [[wire.parse(text).get("response", "") for text in texts] for texts in (first, second)]
    scores = [
        judge.scores([conversation(s["history"], s["post"], r) for s, r in zip(samples, said, strict=True)])
        for said in replies
    ]
    both = [
        (a, b)
        for a, b, one, two in zip(*scores, *replies, strict=True)
        if a is not None and b is not None and one and two
    ]
    wins = sum(b > a for a, b in both) + sum(a == b for a, b in both) / 2
    low, high = wilson(round(wins), len(both)) if both else (0.0, 1.0)
    shares = {"n": len(both), "second_wins": wins / len(both) if both else 0.0, "low": low, "high": high}
    sides = {
        name: _side(samples, texts, said, [pair[at] for pair in both])
        for at, (name, texts, said) in enumerate((("first", first, replies[0]), ("second", second, replies[1])))
    }
    return {key: round(value, 4) for key, value in shares.items()} | sides


def _side(
    samples: Sequence[Sample], texts: Sequence[str], replies: Sequence[str], scores: Sequence[float]
) -> dict[str, float]:
    rows = list(zip(samples, replies, strict=True))
    valid = format_reward(texts, locale=[s["locale"] for s in samples])
    figures = {
        "score": sum(scores) / len(scores) if scores else 0.0,
        "format": sum(v or 0 for v in valid) / len(valid),
        "echo": sum(echo(r, s["post"]) for s, r in rows) / len(rows),
        "advice": sum(advice_share(r, s["locale"]) for s, r in rows) / len(rows),
        "characters": sum(len(r) for r in replies) / len(rows),
    }
    return {name: round(value, 4) for name, value in figures.items()}
