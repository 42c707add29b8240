"""Reads the tables of the screen and finds their rules in a prepared text.

A table has `[words]` (groups of words), `[[rule]]` (what is said, how grave it is, of what kind) and `[[shield]]`
(what around it makes it less: denial, a title, news, somebody else). Each row has an id, which is what audit sees.
A rule with `also` needs no order of words: a railing and a hand that lets go, wherever they stand in the sentence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NamedTuple

from ahocorasick_rs import AhoCorasick

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._patterns import CLAUSE_END, Pattern, commonness, compile_pattern
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety._words import found
from empathy_r1.graph.safety.levels import KINDS, LEVELS, Kind, Level

PIECE = 120
"""Most characters that are read as one sentence; a longer one is read in overlapping pieces."""
_OVERLAP = 40
_MOST_HITS = 4
"""Places of one pattern that are looked at in one piece, when the first ones are shielded."""

Effect = Literal["none", "concern", "other", "bereaved"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of `[[rule]]`."""

    id: str
    level: Level
    kind: Kind
    sign: str
    """What a weak rule is a sign of: different signs add up over a conversation. Empty for none."""
    weight: int
    other: bool
    """The wording itself speaks of somebody else."""
    loose: bool
    """It may well mean less: in a long post, alone, it is a concern."""
    shielded: bool
    patterns: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    """Anywhere in the same clause, one of these makes the match mean something else."""
    also: tuple[Pattern, ...]
    """Each of these must stand in the same sentence, before or after the match."""
    but: tuple[Pattern, ...]
    """Anywhere in the same sentence, one of these makes the match mean something else."""


@dataclass(frozen=True, slots=True)
class Shield:
    """One row of `[[shield]]`: all the places that it names must match."""

    id: str
    effect: Effect
    rules: tuple[str, ...]
    before: tuple[Pattern, ...]
    after: tuple[Pattern, ...]
    clause: tuple[Pattern, ...]
    sentence: tuple[Pattern, ...]
    post: tuple[Pattern, ...]
    but_before: tuple[Pattern, ...]
    but_sentence: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was found, after the shields."""

    rule: Rule
    level: Level
    other: bool


class Search(NamedTuple):
    """A pattern of a rule, and what a sentence must have before it is worth the search."""

    rule: Rule
    pattern: Pattern
    needs: tuple[frozenset[int], ...]
    """Of each, one word must stand in the sentence: the words' numbers."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one language, ready to search."""

    locale: Locale
    version: str
    words: AhoCorasick
    """Finds every word of which a pattern needs one, by its number."""
    index: dict[int, tuple[Search, ...]]
    """A word -> the patterns that are searched where it stands."""
    shields: tuple[Shield, ...]


@cache
def table(locale: Locale) -> Table:
    """The rules of a language. Raises PatternError or ValueError when a row is malformed."""
    raw = load(f"screen_{locale}")
    rules = [_rule(row, raw["words"], locale) for row in raw["rule"]]
    numbers: dict[str, int] = {}
    index: dict[int, list[Search]] = {}
    for rule in rules:
        for pattern in rule.patterns:
            if not pattern.keys:
                raise ValueError(f"A pattern of rule {rule.id} has no word that must occur. Add one.")
            groups = (*pattern.needs, *(other.keys for other in rule.also if other.keys))
            needs = [frozenset(numbers.setdefault(word, len(numbers)) for word in words) for words in groups]
            for number in needs[groups.index(min(groups, key=commonness))]:
                rest = tuple(need for need in needs if number not in need)
                index.setdefault(number, []).append(Search(rule, pattern, rest))
    return Table(
        locale,
        raw["version"],
        AhoCorasick(numbers),
        {number: tuple(searches) for number, searches in index.items()},
        tuple(_shield(row, raw["words"], locale) for row in raw["shield"]),
    )


def pieces(text: str) -> list[str]:
    """The sentences of a prepared text, each at most `PIECE` long; longer ones overlap."""
    found: list[str] = []
    for sentence in _sentences(text):
        found.append(sentence[:PIECE])
        found += [
            sentence[at : at + PIECE] for at in range(PIECE - _OVERLAP, len(sentence) - _OVERLAP, PIECE - _OVERLAP)
        ]
    return list(dict.fromkeys(found))


def find(text: str, parts: list[str], locale: Locale) -> tuple[list[Finding], set[str]]:
    """Every rule of `locale` that `text` meets, once each at its gravest, shields applied.

    Returns:
        The findings, and the parts in which a rule's words stood but meant something less: a denial, an idiom, a title.
    """
    rows = table(locale)
    best: dict[str, Finding] = {}
    understood: set[str] = set()
    for piece, rule, pattern in _awake(parts, rows):
        if not pattern.regex.search(piece):
            continue
        for finding in _judged(rule, pattern, piece, text, rows.shields):
            if finding is None or finding.level != rule.level:
                understood.add(piece)
            old = best.get(rule.id)
            if finding and (old is None or _grave(finding) > _grave(old)):
                best[rule.id] = finding
    return list(best.values()), understood


def _awake(parts: Sequence[str], rows: Table) -> Iterator[tuple[str, Rule, Pattern]]:
    """The patterns that may match, with the sentences in which they may: few of the many."""
    words: list[set[int]] = [set() for _ in parts]
    for at, word in found(rows.words, parts):
        words[at].add(word)
    for part, there in zip(parts, words, strict=True):
        tried: set[int] = set()
        for word in there & rows.index.keys():
            for rule, pattern, needs in rows.index[word]:
                if id(pattern) not in tried and not any(map(there.isdisjoint, needs)):
                    tried.add(id(pattern))
                    yield part, rule, pattern


def _judged(
    rule: Rule, pattern: Pattern, piece: str, text: str, shields: tuple[Shield, ...]
) -> Iterator[Finding | None]:
    """What each place of the pattern means after the shields; None where it means nothing grave."""
    if not all(_any((other,), piece) for other in rule.also):
        return
    if rule.but and _any(rule.but, piece):
        yield None
        return
    for count, match in enumerate(pattern.regex.finditer(piece)):
        if count == _MOST_HITS:
            return
        start, end = match.span()
        left = 1 + max(piece.rfind(sign, 0, start) for sign in CLAUSE_END)
        right = min((at for sign in CLAUSE_END if (at := piece.find(sign, end)) >= 0), default=len(piece))
        clause = piece[left:right]
        if any(other.regex.search(clause) for other in rule.unless):
            yield None
            continue
        finding = Finding(rule, rule.level, rule.other)
        for shield in shields if rule.shielded else ():
            if _applies(shield, rule, piece, clause, text, left, start, end):
                if shield.effect == "none":
                    yield None
                    break
                finding = _lessened(finding, shield.effect)
        else:
            yield finding


def _lessened(finding: Finding, effect: Effect) -> Finding:
    if effect == "other":
        return replace(finding, other=True)
    return replace(finding, level=min(finding.level, "concern", key=LEVELS.index), other=effect == "bereaved")


def _applies(shield: Shield, rule: Rule, piece: str, clause: str, text: str, left: int, start: int, end: int) -> bool:
    if not rule.id.startswith(shield.rules):
        return False
    before = piece[left:start]
    return (
        _any(shield.before, before)
        and _any(shield.clause, clause)
        and _any(shield.sentence, piece)
        and (not shield.after or any(p.regex.match(piece, end) for p in shield.after))
        and _any(shield.post, text)
        and not (shield.but_before and _any(shield.but_before, before))
        and not (shield.but_sentence and _any(shield.but_sentence, piece))
    )


def _any(patterns: tuple[Pattern, ...], text: str) -> bool:
    return not patterns or any(
        (not pattern.keys or any(key in text for key in pattern.keys)) and pattern.regex.search(text)
        for pattern in patterns
    )


def _grave(finding: Finding) -> tuple[int, bool]:
    return LEVELS.index(finding.level), not finding.other


def _sentences(text: str) -> list[str]:
    for sign in "!?;。\n":
        text = text.replace(sign, ".")
    return [sentence for part in text.split(".") if (sentence := part.strip(" ,、:"))]


def _rule(row: dict[str, Any], words: dict[str, list[str]], locale: Locale) -> Rule:
    if row["level"] not in LEVELS or row["kind"] not in KINDS:
        raise ValueError(f"Rule {row['id']} has level {row['level']!r}, kind {row['kind']!r}: see levels.py.")
    return Rule(
        id=row["id"],
        level=row["level"],
        kind=row["kind"],
        sign=row.get("sign", ""),
        weight=row.get("weight", 1),
        other=row.get("other", False),
        loose=row.get("loose", False),
        shielded=row.get("shielded", True),
        patterns=tuple(compile_pattern(text, words, locale) for text in row["match"]),
        unless=tuple(compile_pattern(text, words, locale) for text in row.get("unless", ())),
        also=tuple(compile_pattern(text, words, locale) for text in row.get("also", ())),
        but=tuple(compile_pattern(text, words, locale) for text in row.get("but", ())),
    )


def _shield(row: dict[str, Any], words: dict[str, list[str]], locale: Locale) -> Shield:
    def compiled(name: str) -> tuple[Pattern, ...]:
        return tuple(
            compile_pattern(text, words, locale, before=name in ("before", "but_before"), after=name == "after")
            for text in row.get(name, ())
        )

    return Shield(
        id=row["id"],
        effect=row["effect"],
        rules=tuple(row.get("rules", ("",))),
        before=compiled("before"),
        after=compiled("after"),
        clause=compiled("clause"),
        sentence=compiled("sentence"),
        post=compiled("post"),
        but_before=compiled("but_before"),
        but_sentence=compiled("but_sentence"),
    )
