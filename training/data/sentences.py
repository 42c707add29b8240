"""The sentence bank: what people write about each topic, and how a reply meets it. All of it is our own writing.

`bank/<family>.toml` holds the aspects of a family of topics, `speech/` the words of emotions and intentions, small
talk, and what people tell besides.
`[a|b]` in a line stands for one of both.
"""

import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from empathy_r1.graph.labels import Locale

HERE = Path(__file__).parent
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")


@dataclass(frozen=True)
class Aspect:
    """One topic in one language: lines by part (`event`, `detail`, `belief`, `gist`, `see`, `turn`, `step`, `ask`)."""

    name: str
    feel: tuple[str, ...]
    keys: re.Pattern[str]
    lines: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Speech:
    """How an emotion or an intention sounds in one language."""

    key: str
    found: re.Pattern[str]
    lines: dict[str, tuple[str, ...]]


@cache
def aspects(locale: Locale) -> tuple[Aspect, ...]:
    """All topics of the bank in one language."""
    found = []
    for path in sorted((HERE / "bank").glob("*.toml")):
        for name, row in tomllib.loads(path.read_text(encoding="utf-8")).items():
            lines = {part: tuple(filter(None, map(str.strip, text.splitlines()))) for part, text in row[locale].items()}
            keys = re.compile(row["keys"][locale], re.IGNORECASE)
            found.append(Aspect(f"{path.stem}.{name}", tuple(row["feel"].split()), keys, lines))
    return tuple(found)


@cache
def speech(kind: str, locale: Locale) -> dict[str, Speech]:
    """`emotions` or `intentions` in one language, by key."""
    rows = tomllib.loads((HERE / "speech" / f"{kind}.toml").read_text(encoding="utf-8"))
    return {
        key: Speech(
            key,
            re.compile(row[locale]["key"], re.IGNORECASE),
            {part: tuple(value) for part, value in row[locale].items() if part != "key"},
        )
        for key, row in rows.items()
    }


@cache
def life(locale: Locale) -> tuple[str, ...]:
    """What people tell about themselves on the way, whatever the topic."""
    return tuple(tomllib.loads((HERE / "speech" / "life.toml").read_text(encoding="utf-8"))[locale])


def pick(lines: tuple[str, ...], dice: random.Random) -> str:
    """One of `lines`, with its alternatives chosen."""
    text = dice.choice(lines)
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda m: dice.choice(m[1].split("|")), text, count=1)
    return text
