"""Quotes that are quotes: where an answer says the person's words back, it can only write words that are there.

A small model copies badly. Its folder may hold `grounding.json`: a list of rules, each with a regular expression
`after`, which the text so far has to end with for a quote to begin, and the strings `until`, of which one ends it.
Inside a quote the next token has to go on with a run of whole clauses of the conversation's posts; the model chooses
which.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHORTEST = 12
"""Bytes of UTF-8 that the first clause of a quote has: four Chinese characters. A greeting says nothing."""
LONGEST = 90
"""Bytes after which a quote ends with its clause: thirty Chinese characters."""
_CLAUSE_END = re.compile("|".join(map(re.escape, '，。！？；：…～,.!?;:~\n”"')).join(("(?:", ")+\\s*")).encode())
_LOOK_BACK = 400
"""Bytes of the text so far in which a quote's beginning is looked for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a quote begins and what ends it."""

    after: re.Pattern[bytes]
    until: tuple[bytes, ...]


def read(folder: Path) -> tuple[Rule, ...]:
    """The rules of the model in `folder`; none where it has no `grounding.json`."""
    file = folder / "grounding.json"
    rows = json.loads(file.read_text("utf-8")) if file.is_file() else []
    return tuple(
        Rule(re.compile(f"(?:{row['after']})\\Z".encode()), tuple(mark.encode() for mark in row["until"]))
        for row in rows
    )


class Vocabulary:
    """The bytes of every token of a byte-level tokenizer."""

    def __init__(self, ids: Mapping[str, int], special: Iterable[int]) -> None:
        letters = _letters()
        silent = set(special)
        self.bytes: dict[int, bytes] = {
            at: bytes(letters[c] for c in text)
            for text, at in ids.items()
            if at not in silent and text and all(c in letters for c in text)
        }
        self.by_first: dict[int, list[int]] = {}
        for at, spelled in self.bytes.items():
            self.by_first.setdefault(spelled[0], []).append(at)

    def closing(self, mark: bytes) -> set[int]:
        """Tokens that write `mark`, or, where none writes the whole of it, the longest beginning of it."""
        near = self.by_first.get(mark[0], [])
        whole = {t for t in near if self.bytes[t].startswith(mark)}
        parts = [t for t in near if mark.startswith(self.bytes[t])]
        return whole or {max(parts, key=lambda t: len(self.bytes[t]))} if whole or parts else set()


class Quotes:
    """The quotes of one answer: exact but for the case of a first Latin letter, and not the same clause twice."""

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary, posts: Sequence[str], written: str) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._source = "\n".join(posts).encode("utf-8", "ignore")
        self._ends, clauses, at = set[int](), list[tuple[int, int]](), 0
        for mark in _CLAUSE_END.finditer(self._source):
            self._ends.add(mark.start())
            clauses.append((at, mark.start()))
            at = mark.end()
        if at < len(self._source):
            self._ends.add(len(self._source))
            clauses.append((at, len(self._source)))
        self._starts = [a for a, b in clauses if b - a >= SHORTEST] or [a for a, b in clauses if b > a]
        self._last = max((a for a, b in clauses if b > a), default=0)
        self._text = written.encode("utf-8", "ignore")
        self._rule: Rule | None = None
        self._runs: list[tuple[int, int]] = []
        """Runs of the source that the quote may be so far: where each began, and where it has come to."""
        self._used: set[int] = set()
        self._look()

    def mask(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits with every token at minus infinity that would leave the source; as they are outside a quote."""
        if self._rule is None:
            return logits
        runs = [(start, place) for start, place in self._runs if place - start < LONGEST or place not in self._ends]
        going = {token for start, place in runs for token in self._onward(start, place)}
        if self._may_end():
            going |= self._closing(self._rule)
        if not going:
            self._rule = None
            return logits
        kept = np.fromiter(going, np.int64)
        masked = np.full_like(logits, -np.inf)
        masked[kept] = logits[kept]
        return masked

    def take(self, token: int) -> None:
        """Takes note of the token that was chosen."""
        spelled = self._vocabulary.bytes.get(token, b"")
        self._text += spelled
        if self._rule is not None:
            ended = self._may_end() and token in self._closing(self._rule)
            runs = [] if ended else [(a, b + len(spelled)) for a, b in self._runs if token in self._onward(a, b)]
            if runs:
                self._runs = runs
                return
            self._used.update(start for start, place in self._runs if ended and place in self._ends)
            self._rule = None
        self._look()

    def _may_end(self) -> bool:
        return any(place > start and place in self._ends for start, place in self._runs)

    def _closing(self, rule: Rule) -> set[int]:
        return {token for mark in rule.until for token in self._vocabulary.closing(mark)}

    def _onward(self, start: int, place: int) -> set[int]:
        """Tokens that go on with the source at `place`."""
        source, vocabulary = self._source, self._vocabulary
        if place in self._ends and place > self._last:
            return set()
        next_byte = source[place : place + 1]
        found = (
            {t for t in vocabulary.by_first.get(next_byte[0], ()) if source.startswith(vocabulary.bytes[t], place)}
            if next_byte
            else set()
        )
        if place == start and next_byte.isalpha():
            other = next_byte.swapcase()
            found |= {
                t
                for t in vocabulary.by_first.get(other[0], ())
                if source.startswith(vocabulary.bytes[t][1:], place + 1)
            }
        return found

    def _look(self) -> None:
        """Whether a quote begins here. A reply quotes the clauses that it has not quoted yet, while there are any."""
        tail = self._text[-_LOOK_BACK:]
        self._rule = next((rule for rule in self._rules if rule.after.search(tail)), None) if self._starts else None
        fresh = [start for start in self._starts if start not in self._used]
        self._runs = [(start, start) for start in fresh or self._starts]


def _letters() -> dict[str, int]:
    """Letter -> byte of byte-level BPE: printable bytes stand for themselves, the others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + at): byte for at, byte in enumerate(others)}
