"""The small pattern language of the screen's tables, compiled to bounded regular expressions.

A pattern is what a clinician would write on paper:

    想死                the words themselves
    (想|要)自杀         either; (很)? is optional, (很|好)* comes up to four times
    [4-6]点             one of these characters; . is any one character of the clause
    {want}..自杀        a word of the group `want`, then up to a few characters of the same clause
    活着...没意思       a longer gap that may cross a comma, never the end of a sentence
    ^刀$                start and end of a clause
    #                   a number, in digits or in words
    suicid*             the rest of an English word

In English a pattern matches whole words, `..` stands for up to 3 words and `...` for up to 9. Every repetition is
bounded, so that the time is bounded for any text. `keys` are strings of which one must occur in a text before the
pattern can match at all: the screen looks for these first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from empathy_r1.graph.labels import Locale

CLAUSE_END = ",、:;.!?。\n"
"""Characters that end a clause in prepared text."""
_NUMBERS_ZH = "一二三四五六七八九十百千两几半"
_NUMBERS_EN = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "twenty", "thirty", "forty", "fifty", "sixty", "hundred",
    "hundreds", "dozens", "dozen", "several", "a few", "a couple", "a", "the", "some",
)  # fmt: skip
_EVERYWHERE = frozenset(("我", "的", "了", "是", "不", "一", "i", "the", "to", "and", "my", "you", "it", "in"))
_EVERYDAY = frozenset(
    "你他她它想要会就被让把将给在有去来人这那个没快也都先带拿用买过好太从到说能可才吃喝打看着下手头里道家出多跟还走做又"
) | frozenset((
    "自己", "什么", "没有", "觉得", "知道", "现在", "时候", "这样", "怎么", "不是", "不想", "不敢", "只有", "有点",
    "一下", "想要", "a", "me", "he", "she", "they", "we", "of", "on", "for", "that", "this", "with", "have", "do",
    "not", "am", "was", "be", "is", "one", "day", "when", "here", "want", "go", "out", "now",
))  # fmt: skip
_GAPS: dict[Locale, tuple[str, str]] = {
    "zh": (f"[^{CLAUSE_END}]{{0,8}}?", "[^.!?;。\n]{0,20}?"),
    "en": (f"(?:[^ {CLAUSE_END}]{{1,24}} ){{0,3}}?", "(?:[^ .!?;。\n]{1,24} ){0,9}?"),
}


class PatternError(ValueError):
    """A table row is not written in the pattern language."""


@dataclass(frozen=True)
class Pattern:
    """One pattern of a table."""

    source: str
    """The regular expression."""
    keys: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    """For each part that every match contains, the words of which a text must have one; `keys` are among them."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The expression, compiled when it is first needed: most of a table's are not, until late or ever."""
        return re.compile(self.source)


@dataclass(frozen=True, slots=True)
class _Part:
    regex: str
    words: tuple[str, ...] | None
    """Strings of which every match of the part contains one, None if there are none."""
    each: tuple[tuple[str, ...], ...] = ()
    """Where the part is a sequence: the words of each of its parts that has such."""


def compile_pattern(
    text: str, groups: Mapping[str, list[str]], locale: Locale, *, before: bool = False, after: bool = False
) -> Pattern:
    """Compile one pattern.

    Args:
        text: The pattern as the table has it.
        groups: The word groups of the table.
        locale: Decides on word boundaries and the length of gaps.
        before: The pattern must reach to the end of the text that is searched.
        after: The pattern must begin where the search begins.

    Raises:
        PatternError: The text is not a pattern.
    """
    written = f"({_expand(text, groups)})"
    whole, rest = _group(written, 0, locale)
    if rest != len(written):
        raise PatternError(f"Pattern {text!r} has a ')' without '('. Remove it.")
    regex = whole.regex
    if locale == "en":
        regex = f"(?<![a-z])(?:{regex})(?![a-z])"
    regex = f"(?:{regex})[ ]?$" if before else f"[ ]?(?:{regex})" if after else regex
    keys = whole.words or ()
    return Pattern(regex, keys, tuple(dict.fromkeys((keys, *whole.each))) if keys else whole.each)


def _expand(text: str, groups: Mapping[str, list[str]]) -> str:
    def group(found: re.Match[str]) -> str:
        if found[1] not in groups:
            raise PatternError(f"Pattern {text!r} names the unknown group {found[1]!r}. Known: {sorted(groups)}.")
        return "(" + "|".join(groups[found[1]]) + ")"

    for _ in range(3):
        text = re.sub(r"\{(\w+)\}", group, text)
    return text


def _sequence(text: str, at: int, locale: Locale) -> tuple[list[_Part], int]:
    """Parse up to a `|`, a `)` or the end."""
    parts: list[_Part] = []
    literal = ""
    while at < len(text) and text[at] not in "|)":
        if text[at] == "(":
            part, at = _group(text, at, locale)
        elif text.startswith("..", at):
            long = text.startswith("...", at)
            at += 3 if long else 2
            gap = _GAPS[locale][long]
            if locale == "en" and text.startswith(" ", at):
                at += 1
            part = _Part(gap, None)
        elif text[at] == ".":
            part, at = _Part(f"[^{CLAUSE_END}]", None), at + 1
            if text.startswith("?", at):
                part, at = _Part(part.regex + "?", None), at + 1
        elif text[at] == "[":
            close = text.index("]", at)
            part, at = _Part(text[at : close + 1], tuple(_one_of(text[at + 1 : close]))), close + 1
        elif text[at] == "#":
            part, at = _number(locale), at + 1
        elif text[at] in "^$*":
            part, at = _Part(_special(text[at], locale), None), at + 1
        else:
            literal += text[at]
            at += 1
            if at < len(text) and text[at] == "?":
                literal, last = literal[:-1], literal[-1]
                at += 1
                part = _Part(f"(?:{re.escape(last)})?", None)
            else:
                continue
        if literal:
            parts.append(_literal(literal))
            literal = ""
        parts.append(part)
    if literal:
        parts.append(_literal(literal))
    return parts, at


def _literal(text: str) -> _Part:
    return _Part(re.escape(text), (text,) if text.strip() else None)


def _one_of(signs: str) -> str:
    """The characters of a class, ranges written out."""
    return re.sub("(.)-(.)", lambda ends: "".join(map(chr, range(ord(ends[1]), ord(ends[2]) + 1))), signs)


def _group(text: str, at: int, locale: Locale) -> tuple[_Part, int]:
    start, branches = at, []
    while at < len(text) and text[at] in "(|":
        parts, at = _sequence(text, at + 1, locale)
        branches.append(parts)
        if at < len(text) and text[at] == ")":
            break
    if at >= len(text) or text[at] != ")":
        raise PatternError(f"Pattern {text!r} opens '(' at {start} and never closes it.")
    at += 1
    regex = "(?:" + "|".join("".join(part.regex for part in branch) for branch in branches) + ")"
    if at < len(text) and text[at] in "?*":
        return _Part(regex + ("?" if text[at] == "?" else "{0,4}"), None), at + 1
    keys = [_keys(branch) for branch in branches]
    words = tuple(word for branch in keys for word in branch) if all(keys) else None
    each = tuple(part.words for part in branches[0] if part.words) if len(branches) == 1 else ()
    if len(branches) == 1 and len(branches[0]) == 1:
        each = branches[0][0].each or each
    return _Part(regex, words, each), at


def _special(mark: str, locale: Locale) -> str:
    if mark == "^":
        return f"(?:^|(?<=[{CLAUSE_END} ]))" if locale == "zh" else f"(?:^|(?<=[{CLAUSE_END}])|(?<=[{CLAUSE_END}] ))"
    if mark == "$":
        return f"(?=[{CLAUSE_END} ]|$)" if locale == "zh" else f"(?=[{CLAUSE_END}]|$)"
    return "[a-z]{0,12}"


def _number(locale: Locale) -> _Part:
    digits = "0123456789"
    if locale == "zh":
        return _Part(f"(?:[0-9]{{1,5}}|[{_NUMBERS_ZH}]{{1,4}})", (*digits, *_NUMBERS_ZH))
    return _Part("(?:[0-9]{1,5}|" + "|".join(_NUMBERS_EN) + ")", (*digits, *_NUMBERS_EN))


def _keys(parts: list[_Part]) -> tuple[str, ...]:
    """The words of the rarest part that every match contains."""
    return min((part.words for part in parts if part.words), key=commonness, default=())


def commonness(words: tuple[str, ...]) -> int:
    """A rough measure of how many sentences have one of the words: the screen looks for a rule's rarest words first."""
    bare = [word.strip() for word in words]
    return sum(1000 * (w in _EVERYWHERE) + 100 * (w in _EVERYDAY) + (10 if len(w) < 2 else 1) for w in bare)
