"""What can be counted in a text: advice, talk of oneself, echo of the post, runs of words, overlap."""

import re
from collections import Counter
from collections.abc import Sequence

from empathy_r1.graph.labels import Locale

_ADVICE: dict[Locale, re.Pattern[str]] = {
    "zh": re.compile(
        r"建议|应该|不妨|最好|试试|试着|需要先|你需要|第[一二三][，,步]|首先|其次|可以(?:先|试|去|把|找|挑|从|在|跟|和|写|每)|下一步|直接把"
    ),
    "en": re.compile(
        r"\byou (?:should|could|need to|might|may want|must)\b|\b(?:try|consider|start by|make a|step \w+|suggest"
        r"|recommend|why not|how about)\b|^(?:first|second|third|then|finally|next)\b",
        re.I,
    ),
}
_SELF: dict[Locale, re.Pattern[str]] = {
    "zh": re.compile(r"作为(?:一个)?(?:AI|人工智能)|我(?:也)?(?:经历|遇到)过|我以前也|我自己"),
    "en": re.compile(
        r"\bas an ai\b|\bi (?:have )?(?:also )?(?:been|went|gone) through\b|\bwhen i was\b|\bmyself\b", re.I
    ),
}
_SENTENCES = re.compile(r"[^。！？!?.…\n]+")
_WORDS = re.compile(r"[a-z']{4,}")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")


def advice_share(reply: str, locale: Locale) -> float:
    """Share of the reply's sentences that advise."""
    sentences = [s.strip() for s in _SENTENCES.findall(reply) if s.strip()]
    return sum(bool(_ADVICE[locale].search(s)) for s in sentences) / len(sentences) if sentences else 0.0


def echo(reply: str, post: str) -> float:
    """Share of the reply's letters that lie in long runs of the post: 8 Han characters, or 24 letters."""
    ours, theirs = _bare(reply), _bare(post)
    size = 8 if _HAN.search(ours) else 24
    runs = {theirs[i : i + size] for i in range(len(theirs) - size + 1)}
    covered = 0
    end = 0
    for i in range(len(ours) - size + 1):
        if ours[i : i + size] in runs:
            covered += i + size - max(i, end)
            end = i + size
    return covered / len(ours) if ours else 0.0


def pieces(text: str) -> set[str]:
    """What of a text can be looked for in another: pairs of Han characters, and the first six letters of words."""
    han = {run[i : i + 2] for run in _HAN.findall(text) for i in range(len(run) - 1)}
    return han | {word[:6] for word in _WORDS.findall(text.lower())}


def speaks_of_itself(reply: str, locale: Locale) -> bool:
    """Whether the reply talks of its writer: as an AI, or as somebody who went through the same."""
    return bool(_SELF[locale].search(reply))


def grams(text: str, size: int) -> list[str]:
    """Runs of `size` Han characters, or of words where there are none."""
    letters = _bare(text)
    units: Sequence[str] = letters if _HAN.search(letters) else re.findall(r"\w+", text.lower())
    return [" ".join(units[i : i + size]) for i in range(len(units) - size + 1)]


def overlap(a: Counter[str], b: Counter[str]) -> float:
    """Share of both that they have in common, from 0 to 1; 1 where both are empty."""
    whole = sum((a | b).values())
    return sum((a & b).values()) / whole if whole else 1.0


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, and straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
