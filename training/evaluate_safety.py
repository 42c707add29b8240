"""How well the crisis screen sees risk, and how rarely it sees it where there is none.

Rows are JSON, one a line: `{"text", "labels", "source"}` as in PsyGUARD (arXiv 2409.20243), or `{"text", "level"}` with
a level of the screen. Explicit risk (an active intent, a plan, preparation, an attempt, self-harm) has to alarm;
indirect risk (a passive wish, words about suicide) has to be seen, so that help stays in view. A false alarm is an
alarm where there is no risk.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

from empathy_r1.graph.safety import Screening, screen
from empathy_r1.graph.safety.levels import LEVELS
from empathy_r1.training.data import grammar
from empathy_r1.training.errors import DataError

Class = Literal["explicit", "indirect", "aggression", "unrelated"]

CLASSES: dict[str, Class] = {
    "主动自杀意图": "explicit",
    "自杀计划": "explicit",
    "自杀准备行为": "explicit",
    "自杀未遂": "explicit",
    "自伤行为": "explicit",
    "自伤意图": "explicit",
    "被动自杀意图": "indirect",
    "关于自杀的探索": "indirect",
    "用户攻击行为": "aggression",
    "他人攻击行为": "aggression",
    "与自杀/自伤/攻击行为无关": "unrelated",
}
"""PsyGUARD's labels, gravest first: a row belongs to the class of its gravest label."""

CLIENT = "client_"
"""Beginning of the sources that are people who ask for help; others are posts of social media."""


def wilson(part: int, whole: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927); (0, 1) where nothing was counted."""
    if whole == 0:
        return 0.0, 1.0
    share = part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return max(0.0, middle - half), min(1.0, middle + half)


def read(path: Path) -> Iterator[tuple[str, str]]:
    """Text and class of each row: `explicit`, `unrelated client_x`, or `level high` for rows with a level.

    Raises:
        DataError: a line is no row; says which line, and what was expected.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _row(path, number, line)


def _row(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        text = row["text"]
        if "level" in row:
            if row["level"] not in LEVELS:
                raise ValueError(f"level {row['level']!r} is none of {', '.join(LEVELS)}")
            return text, f"level {row['level']}"
        known = [CLASSES[label] for label in CLASSES if label in row["labels"]]
        if not known or not isinstance(text, str):
            raise ValueError("no label of PsyGUARD, or a text that is no string")
        if known[0] != "unrelated":
            return text, known[0]
        return text, f"unrelated {CLIENT}*" if row["source"].startswith(CLIENT) else "unrelated other"
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            path, number, f"{error}", 'Expected {"text", "labels", "source"} as in PsyGUARD, or {"text", "level"}.'
        ) from error


def report(rows: Sequence[tuple[str, str]], turns: Sequence[int] = (1,)) -> list[dict[str, Any]]:
    """One entry a gate, class and turn: `gate`, `class`, `turn`, `n`, `share`, `low` and `high` of its 95 % interval.

    Args:
        rows: of `read`.
        turns: at which post of a conversation the text comes; the posts before it are harmless ones of the grammar.
    """
    found = []
    for turn in turns:
        seen = [(kind, screen(text, _before(turn))) for text, kind in rows]
        for gate, kind in _gates(kind for kind, _ in seen):
            screenings = [screening for k, screening in seen if k == kind]
            part = sum(_passes(gate, kind, screening) for screening in screenings)
            low, high = wilson(part, len(screenings))
            found.append(
                {
                    "gate": gate,
                    "class": kind,
                    "turn": turn,
                    "n": len(screenings),
                    "share": round(part / len(screenings), 4),
                    "low": round(low, 4),
                    "high": round(high, 4),
                }
            )
    return found


def _gates(kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    for kind in sorted(set(kinds)):
        calm = kind.startswith("unrelated") or kind == "level none"
        for gate in ("alarm", "seen") if not kind.startswith("level ") or calm else ("alarm", "seen", "level"):
            yield ("false " if calm else "") + gate, kind


def _passes(gate: str, kind: str, screening: Screening) -> bool:
    match gate.removeprefix("false "):
        case "alarm":
            return screening.alarm
        case "seen":
            return screening.level != "none"
        case _:
            return LEVELS.index(screening.level) >= LEVELS.index(kind.removeprefix("level "))


def _before(turn: int) -> list[str]:
    return list(islice(cycle(_CALM), turn - 1))


_CALM = [s["post"] for s in grammar.samples("zh", 60, 1) if screen(s["post"]).level == "none"]
