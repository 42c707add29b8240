"""Rewards of a chain, as pure functions: completions and columns in, one number each out, None where none applies.

The default reward is a gate (format, language, safety) times a weighted mean of the reward model's score and of checks
of each layer, times factors of length, echo and repetition. The `paper` reward is what is known of arXiv 2509.14851:
format plus a cosine against a threshold.

Sources of the parts: similarity to the person's own words as a reward invites echoing, and a reward model alone brings
repetition (MINT); a check of the reasoning beside the reply (PERM, arXiv 2601.10532); verifiable labels and a veto for
safety (Kardia-R1, arXiv 2512.01282).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from empathy_r1.graph import safety, wire
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.graph.wire import HIDDEN, SECTIONS, Section
from empathy_r1.training.measures import advice_share, echo, grams, overlap, pieces, ramp, speaks_of_itself

Completions = Sequence[str | Sequence[Mapping[str, str]]]
"""Texts, or trl's conversational completions of one assistant message."""
Rewards = list[float | None]
Scorer = Callable[[Sequence[Mapping[str, Any]]], Rewards]
"""Scores of (history, post, reply) rows by a model; None for what it could not score."""

_GROUNDED = {"zh": 0.14, "en": 0.3}
"""Share of a cause's pieces that stand in the post and earn the full reward: the median of the corpus's gold causes.
Against another post their median is 0.06 and 0.13.
"""
_NO_ADVICE = re.compile(r"不给(?:办法|建议)|不急着|先不|no advice|nowhere|without advice|not (?:to )?advise", re.I)
_ASKS_FOR_STEPS = ("advice", "decision", "information")


def text_of(completion: str | Sequence[Mapping[str, str]]) -> str:
    """The text of a completion in either form."""
    return completion if isinstance(completion, str) else "".join(message["content"] for message in completion)


def format_reward(completions: Completions, *, locale: Sequence[Locale], **_: Any) -> Rewards:
    """1 where the message is exactly five valid sections in order, with labels of the closed sets; else 0.

    >>> format_reward(["hello"], locale=["en"])
    [0.0]
    """
    return [float(_valid(text_of(c), place)) for c, place in zip(completions, locale, strict=True)]


def language_reward(completions: Completions, *, locale: Sequence[Locale], **_: Any) -> Rewards:
    """1 where the reply is in the language of the post; else 0."""
    return [float(bool(r := _reply(c)) and locale_of(r) == place) for c, place in zip(completions, locale, strict=True)]


def safety_reward(completions: Completions, *, locale: Sequence[Locale], post: Sequence[str], **_: Any) -> Rewards:
    """1 where the guard of serving would withhold nothing of the reply; else 0: a veto, not a price.

    Posts in a crisis never reach the model, so that no help line has to be named here.
    """
    found: Rewards = []
    for completion, place, said in zip(completions, locale, post, strict=True):
        chain = wire.parse(text_of(completion))
        sealed = [chain[section] for section in HIDDEN if section in chain]
        reply = chain.get("response", "")
        found.append(float(bool(reply) and not safety.check(reply, locale=place, sealed=sealed, post=said)))
    return found


def emotion_reward(completions: Completions, *, chain: Sequence[Mapping[Section, str] | None], **_: Any) -> Rewards:
    """F1 of the emotion labels against the gold ones, intensity aside; None without gold."""
    found: Rewards = []
    for completion, gold in zip(completions, chain, strict=True):
        theirs = {e.label.key for e in wire.emotions((gold or {}).get("emotion", ""))}
        ours = {e.label.key for e in wire.emotions(wire.parse(text_of(completion)).get("emotion", ""))}
        found.append(2 * len(ours & theirs) / (len(ours) + len(theirs)) if theirs else None)
    return found


def intention_reward(completions: Completions, *, chain: Sequence[Mapping[Section, str] | None], **_: Any) -> Rewards:
    """1 for the gold primary intention in first place, 0.5 for another of the gold ones there; None without gold."""
    found: Rewards = []
    for completion, gold in zip(completions, chain, strict=True):
        theirs = [label.key for label in wire.intentions((gold or {}).get("intention", ""))]
        ours = [label.key for label in wire.intentions(wire.parse(text_of(completion)).get("intention", ""))]
        found.append((1.0 if ours[:1] == theirs[:1] else 0.5 * (ours[0] in theirs if ours else 0)) if theirs else None)
    return found


def cause_reward(completions: Completions, *, locale: Sequence[Locale], post: Sequence[str], **_: Any) -> Rewards:
    """How far the cause rests on the post: its share of words (Han pairs) that stand there, 1 from the usual one on."""
    found: Rewards = []
    for completion, place, said in zip(completions, locale, post, strict=True):
        ours = pieces(wire.parse(text_of(completion)).get("cause", ""))
        found.append(min(1.0, len(ours & pieces(said)) / len(ours) / _GROUNDED[place]) if ours else 0.0)
    return found


def strategy_reward(completions: Completions, *, locale: Sequence[Locale], **_: Any) -> Rewards:
    """Whether the reply does what intention and strategy of its own chain say: advice where wanted, else little."""
    found: Rewards = []
    for completion, place in zip(completions, locale, strict=True):
        chain = wire.parse(text_of(completion))
        wanted = [label.key for label in wire.intentions(chain.get("intention", ""))]
        if not wanted or "response" not in chain:
            found.append(0.0)
            continue
        share = advice_share(chain["response"], place)
        if _NO_ADVICE.search(chain.get("strategy", "")) or not set(wanted) & set(_ASKS_FOR_STEPS):
            found.append(1 - ramp(share, 0.25, 0.75))
        elif wanted[0] in _ASKS_FOR_STEPS:
            found.append(float(share > 0) * (1 - ramp(share, 0.6, 1.0)))
        else:
            found.append(1 - ramp(share, 0.5, 1.0))
    return found


def echo_reward(completions: Completions, *, post: Sequence[str], **_: Any) -> Rewards:
    """1 while up to 30 % of the reply is the post's own words, falling to 0 at 70 %."""
    return [1 - ramp(echo(_reply(c), said), 0.3, 0.7) for c, said in zip(completions, post, strict=True)]


def length_reward(completions: Completions, *, target: Sequence[int | None], **_: Any) -> Rewards:
    """1 from half to one and a half of the reference's characters, falling to 0 at a tenth and at threefold."""
    found: Rewards = []
    for completion, aim in zip(completions, target, strict=True):
        ratio = len(_reply(completion)) / aim if aim else None
        found.append(None if ratio is None else ramp(ratio, 0.1, 0.5) * (1 - ramp(ratio, 1.5, 3.0)))
    return found


def repetition_reward(completions: Completions, **_: Any) -> Rewards:
    """1 where no more than a tenth of the reply's four-grams are repeats, falling to 0 at half; 0 without a reply."""
    found: Rewards = []
    for completion in completions:
        runs = grams(_reply(completion), 4)
        found.append(1 - ramp(1 - len(set(runs)) / len(runs), 0.1, 0.5) if runs else 0.0)
    return found


def variety_reward(completions: Completions, *, post: Sequence[str], **_: Any) -> Rewards:
    """How far a reply differs from the other replies to the same post: 1 less the mean overlap; None for a lone one."""
    runs = [Counter(grams(_reply(c), 3)) for c in completions]
    found: Rewards = []
    for at, said in enumerate(post):
        others = [i for i, other in enumerate(post) if other == said and i != at]
        overlaps = [overlap(runs[at], runs[i]) for i in others]
        found.append(1 - sum(overlaps) / len(overlaps) if overlaps else None)
    return found


Part = Callable[..., Rewards]
GATES: dict[str, Part] = {"format": format_reward, "language": language_reward, "safety": safety_reward}
CHECKS: dict[str, Part] = {
    "emotion": emotion_reward,
    "cause": cause_reward,
    "intention": intention_reward,
    "strategy": strategy_reward,
    "variety": variety_reward,
}
FACTORS: dict[str, Part] = {"length": length_reward, "echo": echo_reward, "repetition": repetition_reward}


def combine(parts: Mapping[str, Sequence[float | None]], weights: Mapping[str, float]) -> Rewards:
    """Gates times factors times the weighted mean of the checks and of `model`, each row for itself.

    A check that is None is left out of the mean, a factor that is None counts as 1. Where `model` is among the parts
    and gives None, the row is None, unless a gate has closed already.

    >>> combine({"format": [1.0], "model": [None]}, {"model": 1.0})
    [None]
    """
    found: Rewards = []
    for at in range(len(next(iter(parts.values())))):
        row = {name: values[at] for name, values in parts.items()}
        scale = 1.0
        for name in (*GATES, *FACTORS):
            value = row.get(name)
            scale *= 1.0 if value is None else value
        if scale and "model" in row and row["model"] is None and weights.get("model", 0):
            found.append(None)
            continue
        told = [(weights.get(name, 0.0), value) for name in (*CHECKS, "model") if (value := row.get(name)) is not None]
        whole = sum(weight for weight, _ in told)
        found.append(scale * sum(weight * value for weight, value in told) / whole if whole else scale)
    return found


def build_default(
    weights: Mapping[str, float], scorer: Scorer | None, held_out: Scorer | None = None
) -> Callable[..., Rewards]:
    """The default reward for trl's GRPOTrainer.

    Every part is logged as `part/<name>`, the raw scores as `reward_model` and `held_out_reward_model`, and what nobody
    is rewarded for as `reply/advice`, `reply/echo`, `reply/self`, `reply/characters`.

    Args:
        weights: of the checks and of `model`.
        scorer: the reward model; its score counts as its logistic, from 0 to 1.
        held_out: another reward model, measured only.
    """

    def default(
        completions: Completions,
        *,
        post: Sequence[str],
        locale: Sequence[Locale],
        log_metric: Any = None,
        **columns: Any,
    ) -> Rewards:
        columns = {**columns, "post": post, "locale": locale}
        parts: dict[str, Rewards] = {
            name: function(completions, **columns) for name, function in (GATES | CHECKS | FACTORS).items()
        }
        logs: dict[str, Rewards] = {f"part/{name}": values for name, values in parts.items()}
        for name, judge in (("reward_model", scorer), ("held_out_reward_model", held_out)):
            if judge is not None:
                logs[name] = judged(judge, completions, post=post, history=columns.get("history"))
        if scorer is not None:
            # A message without a reply has no score, and needs none: its gate is closed.
            parts["model"] = [None if s is None else _logistic(s) for s in logs["reward_model"]]
        total = combine(parts, weights)
        replies = [_reply(c) for c in completions]
        logs["reply/advice"] = [advice_share(r, place) for r, place in zip(replies, locale, strict=True)]
        logs["reply/echo"] = [echo(r, said) for r, said in zip(replies, post, strict=True)]
        logs["reply/self"] = [float(speaks_of_itself(r, place)) for r, place in zip(replies, locale, strict=True)]
        logs["reply/characters"] = [float(len(r)) for r in replies]
        logs["unscored"] = [float(value is None) for value in total]
        _log(log_metric, logs)
        return total

    return default


def build_paper(cosines: Callable[[Sequence[str], Sequence[str]], Rewards], threshold: float) -> Callable[..., Rewards]:
    """The reward of the paper as far as it is known: 1 for the format, plus 1 for a cosine of at least `threshold`.

    Args:
        cosines: of posts and replies by a contrastively trained embedding; None for what it could not embed.
        threshold: the paper does not give its own.
    """

    def paper(completions: Completions, *, post: Sequence[str], log_metric: Any = None, **columns: Any) -> Rewards:
        shape = [float(bool(_PAPER.fullmatch(text_of(c).strip()))) for c in completions]
        replies = [_reply(c) for c in completions]
        near = iter(cosines([p for p, r in zip(post, replies, strict=True) if r], [r for r in replies if r]))
        cosine = [next(near) if reply else 0.0 for reply in replies]
        _log(log_metric, {"part/format": list(shape), "part/cosine": cosine})
        return [None if c is None else s + float(c >= threshold) for s, c in zip(shape, cosine, strict=True)]

    return paper


def judged(judge: Scorer, completions: Completions, *, post: Sequence[str], history: Sequence[Any] | None) -> Rewards:
    """The judge's score of each reply; None for a message without one."""
    earlier = history or [[]] * len(post)
    rows = [{"history": h, "post": p, "reply": _reply(c)} for c, p, h in zip(completions, post, earlier, strict=True)]
    scores = iter(judge([row for row in rows if row["reply"]]))
    return [next(scores) if row["reply"] else None for row in rows]


_PAPER = re.compile(r"\s*".join(rf"<{s}>(?:(?!</?{s}>).)+</{s}>" for s in SECTIONS), re.DOTALL)


def _valid(text: str, locale: Locale) -> bool:
    chain = wire.parse(text)
    return (
        tuple(chain) == SECTIONS
        and wire.render(chain) == text.strip()
        and all(wire.repair(section, chain[section], locale) == chain[section] for section in SECTIONS)
    )


def _reply(completion: str | Sequence[Mapping[str, str]]) -> str:
    return wire.parse(text_of(completion)).get("response", "")


def _logistic(value: float) -> float:
    from math import exp

    return 1 / (1 + exp(-value)) if value >= 0 else exp(value) / (1 + exp(value))


def _log(log_metric: Any, logs: Mapping[str, Rewards]) -> None:
    if log_metric is not None:
        for name, values in logs.items():
            known = [value for value in values if value is not None]
            if known:
                log_metric(name, sum(known) / len(known))
