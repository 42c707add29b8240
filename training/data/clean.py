"""Cleans questions and answers, splits them by question, and says what the result is.

Left out: adverts, near-duplicates of another post, answers below 100 characters (as in the paper, arXiv 2509.14851).
Scrubbed: what points to a person (telephone, mail, links, account and identity numbers, a name that is introduced).

    empathy-r1 data clean answers.jsonl --out build/data
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import unescape
from pathlib import Path
from statistics import quantiles
from typing import Any, Literal
from zlib import crc32

from empathy_r1.graph.errors import PostError
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import admit
from empathy_r1.training.data.questions import Question, write

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
SHORTEST: dict[Locale, int] = {"zh": 100, "en": 250}
"""Least characters of an answer; English says in two and a half letters what Chinese says in one character."""
SHORTEST_POST = 12

_ADVERT = re.compile(
    r"(?:加|＋|\+)\s*(?:我?微信|[vV][xX信]?|[qQ]{2})|微信(?:号|公众号)?[:：]|公众号|扫码|二维码|私信我|预约咨询|付费咨询"
    r"|限时|优惠|免费(?:领取|测试|咨询)|点击(?:链接|下方)|淘宝"
    r"|click (?:here|the link)|\bDM me\b|book (?:a|your) (?:free )?(?:session|call|consult)|promo code|\d+ ?% off"
    r"|(?:visit|check out) (?:my|our) (?:website|page|practice)|call (?:us|our office)|limited offer",
    re.IGNORECASE,
)
_PERSONAL: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("邮箱", "mail", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("链接", "link", re.compile(r"(?:https?://|www\.)[^\s，。）)]+")),
    ("证件号", "identity number", re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")),
    ("账号", "account", re.compile(r"(?:微信|[vV][xX]|[qQ]{2}|抖音|微博)号?\s*[:：是]?\s*[A-Za-z0-9_-]{5,}")),
    (
        "电话",
        "telephone",
        re.compile(
            r"(?<![\d.])(?:\+?\d{1,3}[ -]?)?(?:1[3-9]\d(?:[ -]?\d{4}){2}|\(?\d{3,4}\)?[ -]\d{3,4}[ -]?\d{4})(?!\d)"
        ),
    ),
    ("号码", "number", re.compile(r"(?<![\d.])\d{9,}(?!\d)")),
    (
        "名字",
        "name",
        re.compile(
            r"(?<=我叫)(?![他她它你您我人爸妈孩])[\u4e00-\u9fff]{2,3}(?=[，。,.、！]|$)"
            r"|(?<=[Mm]y name is )[A-Z][a-z]+(?: [A-Z][a-z]+)?"
        ),
    ),
)
_HTML = re.compile(r"</?(?:p|br|div|span|a|b|i|u|em|strong|ul|ol|li|h[1-6]|blockquote)\b[^<>]*>", re.IGNORECASE)
_SKETCH, _KEYS, _SHINGLE, _SAME = 64, 8, 8, 0.6


def clean(questions: Iterable[Question]) -> tuple[list[Question], Counter[str]]:
    """What may be trained on, and how much was left out or scrubbed, by reason.

    The first of near-duplicate posts stays and takes over the answers of the others, so that no post stands on both
    sides of a split.
    """
    told: Counter[str] = Counter()
    kept: list[Question] = []
    near = Near()
    for question in questions:
        try:
            post = admit(_plain(question["post"]))
        except PostError:
            told["post: no valid text"] += 1
            continue
        if len(post) < SHORTEST_POST or _ADVERT.search(post):
            told["post: too short" if len(post) < SHORTEST_POST else "post: advert"] += 1
            continue
        answers = [a for a in map(_plain, question["answers"]) if _good(a, question["locale"], told)]
        twin = near.find(post)
        if twin is not None:
            told["post: near-duplicate"] += 1
            kept[twin]["answers"] += [a for a in answers if a not in kept[twin]["answers"]]
            continue
        near.add(post)
        kept.append({**question, "post": post, "answers": list(dict.fromkeys(answers))})
    for question in kept:
        question["post"] = _scrubbed(question["post"], question["locale"], told)
        question["answers"] = [_scrubbed(a, question["locale"], told) for a in question["answers"]]
    return kept, told


def _plain(text: str) -> str:
    """The text without HTML, which forum exports hold; paragraphs stay."""
    if _HTML.search(text):
        text = unescape(_HTML.sub("", re.sub(r"</p>|<br\s*/?>", "\n", text, flags=re.IGNORECASE)))
    return "\n".join(line for line in map(str.strip, text.replace("\xa0", " ").splitlines()) if line)


def _good(answer: str, locale: Locale, told: Counter[str]) -> bool:
    why = "too short" if len(answer) < SHORTEST[locale] else "advert" if _ADVERT.search(answer) else ""
    told[f"answer: {why}"] += bool(why)
    return not why


def scrub(text: str, locale: Locale) -> tuple[str, int]:
    """The text with what points to a person replaced, and how often that was needed.

    >>> scrub("我叫小明，电话13812345678。", "zh")
    ('我叫【名字】，电话【电话】。', 2)
    """
    count = 0
    for zh, en, pattern in _PERSONAL:
        text, found = pattern.subn(f"【{zh}】" if locale == "zh" else f"[{en}]", text)
        count += found
    return text, count


def _scrubbed(text: str, locale: Locale, told: Counter[str]) -> str:
    text, count = scrub(text, locale)
    told["scrubbed"] += count
    return text


class Near:
    """Finds texts that are nearly the same: at least 0.6 of their runs of eight letters in common, by estimate.

    A bottom-k sketch (Broder 1997) of 64 hashes a text, looked up by its eight least ones.
    """

    def __init__(self) -> None:
        self._sketches: list[list[int]] = []
        self._index: dict[int, list[int]] = {}

    def add(self, text: str) -> None:
        """Remembers a text; it gets the next number from 0."""
        sketch = _sketch(text)
        for key in sketch[:_KEYS]:
            self._index.setdefault(key, []).append(len(self._sketches))
        self._sketches.append(sketch)

    def find(self, text: str) -> int | None:
        """The number of a remembered text that is nearly the same, or None."""
        sketch = _sketch(text)
        for number in sorted({n for key in sketch[:_KEYS] for n in self._index.get(key, ())}):
            both = set(sorted({*sketch, *self._sketches[number]})[:_SKETCH])
            if len(both & set(sketch) & set(self._sketches[number])) >= _SAME * len(both):
                return number
        return None


def _sketch(text: str) -> list[int]:
    letters = "".join(c for c in text.lower() if c.isalnum())
    runs = {letters[i : i + _SHINGLE] for i in range(max(1, len(letters) - _SHINGLE + 1))}
    return sorted({crc32(run.encode()) for run in runs})[:_SKETCH]


def part(question: Question) -> Part:
    """The split of a question, by its post alone: nine in ten train, the rest halves validation and test."""
    place = crc32("".join(c for c in question["post"] if c.isalnum()).encode()) % 20
    return "validation" if place == 0 else "test" if place == 1 else "train"


def statistics(questions: Sequence[Question]) -> dict[str, Any]:
    """Counts and lengths in characters (least, quartiles, 95th of a hundred, most) of posts and answers."""
    answers = [answer for q in questions for answer in q["answers"]]
    return {
        "questions": len(questions),
        "answers": len(answers),
        "answers_per_question": round(len(answers) / len(questions), 2) if questions else 0,
        "locales": dict(Counter(q["locale"] for q in questions)),
        "sources": dict(Counter(q["source"] for q in questions)),
        "topics": dict(Counter(q["topic"] for q in questions).most_common()),
        "post_characters": _lengths([q["post"] for q in questions]),
        "answer_characters": _lengths(answers),
    }


def _lengths(texts: Sequence[str]) -> dict[str, int]:
    sizes = sorted(map(len, texts))
    if len(sizes) < 2:
        return {"least": sizes[0], "most": sizes[0]} if sizes else {}
    cuts = quantiles(sizes, n=100, method="inclusive")
    named = {"25%": cuts[24], "median": cuts[49], "75%": cuts[74], "95%": cuts[94]}
    return {"least": sizes[0], **{name: round(value) for name, value in named.items()}, "most": sizes[-1]}


def build(questions: Iterable[Question], out: Path) -> dict[str, Any]:
    """Cleans, splits and writes `train.jsonl`, `validation.jsonl`, `test.jsonl` and `DATACARD.md` under `out`.

    Returns:
        `statistics` of what was kept, with `parts` and `left_out`.
    """
    kept, told = clean(questions)
    parts = {name: write(out / f"{name}.jsonl", [q for q in kept if part(q) == name]) for name in PARTS}
    figures = {**statistics(kept), "parts": parts, "left_out": {k: v for k, v in sorted(told.items()) if v}}
    (out / "DATACARD.md").write_text(card(figures), encoding="utf-8")
    return figures


def card(figures: dict[str, Any]) -> str:
    """The data card in Markdown."""
    rows = [f"| {name} | {value} |" for name, value in figures.items() if not isinstance(value, dict)]
    lines = ["# 数据卡 · Data card", "", "| | |", "|---|---|", *rows, ""]
    for name, table in figures.items():
        if isinstance(table, dict):
            cells = [f"| {key} | {value} |" for key, value in table.items()]
            lines += [f"## {name.replace('_', ' ')}", "", "| | |", "|---|---|", *cells, ""]
    return "\n".join(
        [
            *lines,
            "拆分只看帖子本身；相近的帖子视为同一条。电话、邮箱、链接、账号、证件号与自报的姓名已被替换；"
            "地名、单位和旁人的姓名没有。",
            "",
            "Splits depend on the post alone, and near-duplicates count as one post. Telephone numbers, mail, links, "
            "accounts, identity numbers and introduced names are replaced; places, employers and names of others are "
            "not. Licence and consent are those of the sources.",
            "",
        ]
    )
