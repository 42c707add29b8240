"""Reads a short answer to a safety question, by the table: no, yes, refused, safer, or unsure."""

import re
import unicodedata
from typing import Literal

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._tables import load

Answer = Literal["yes", "no", "refused", "safer", "unsure"]

_LONG = 400
"""Characters that are read: an answer stands at the beginning."""
_ORDER: tuple[Literal["refused", "safer", "no", "yes"], ...] = ("refused", "safer", "no", "yes")
_PATTERNS: dict[Locale, dict[str, re.Pattern[str]]] = {
    locale: {
        name: re.compile("|".join(f"(?:{p})" for p in rows))
        for name, rows in load(f"crisis_{locale}")["answer"].items()
    }
    for locale in ("zh", "en")
}


def read_answer(text: str, locale: Locale) -> Answer:
    """What `text` answers to the question before it. Both languages are understood, `locale` first."""
    plain = _plain(text)
    other: Locale = "en" if locale == "zh" else "zh"
    for table in (_PATTERNS[locale], _PATTERNS[other]):
        for name in _ORDER:
            if table[name].search(plain):
                return name
    return "unsure"


def soon(text: str) -> bool:
    """Whether `text` names a time within about a day."""
    plain = _plain(text)
    return any(table["soon"].search(plain) for table in _PATTERNS.values())


def close_by(text: str) -> bool:
    """Whether `text` says that the person who does harm is near."""
    plain = _plain(text)
    return any(table["near"].search(plain) for table in _PATTERNS.values())


def brief(text: str) -> bool:
    """Whether `text` is short enough to be an answer rather than a new post."""
    han = sum("\u4e00" <= c <= "\u9fff" for c in text)
    return han <= 24 and len(text) - han <= 80


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_LONG]).replace("’", "'").lower().strip()
