"""The word rules of the guard: compiles tables/guard_*.toml and finds what a sentence breaks."""

import html
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._normal import prepare
from empathy_r1.graph.safety._tables import load

_HAN = "\u3400-\u9fff"
_EMPHASIS = re.compile(r"[*_`~]+")
_BLOCKS = re.compile(r"[#>|]+")
_GLUED = re.compile(r"\w[*_`~]+\w")
_TAGS = re.compile(r"<[^<>]{0,40}>|\b[A-Za-z_]{2,20}>")
_TRADITIONAL = str.maketrans({p[0]: p[1] for p in load("guard_zh")["traditional"].split()})
_FINISHED = '。！？!?.…；;”’"」』）)'
_FRAGMENT = 16
"""A sentence this short may be a piece of one that was broken up."""
_QUOTE = r"\"[^\"]{1,120}\""
_ATTRIBUTION = (
    r"说|讲|写|骂|提到|告诉|觉得|认为|喊|问|那句|这句|一句|这种话|这类话|这话|的话|念头|声音|标签|想法|听到|听见"
    r"|\b(?:said|says?|saying|told|tells?|telling|wrote|writes?|thought|thinking|thinks?|words?|calls?|called|heard|hears?|hear|message|label|voice|believe)\b"
)
_QUOTED = re.compile(
    rf"(?:(?:{_ATTRIBUTION})[^.。!?\"\n]{{0,40}}{_QUOTE})|(?:{_QUOTE}[^.。!?\"\n]{{0,40}}(?:{_ATTRIBUTION}))"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a guard table."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    mentions: tuple[re.Pattern[str], ...]
    """Words that a reply does not bring up by itself."""
    topics: tuple[re.Pattern[str], ...]
    """Words of a post that bring the subject up too."""
    ever: bool
    """Whether that holds even where the person has brought them up."""
    allow: re.Pattern[str] | None
    quotes: bool
    scripts: bool


@cache
def rules() -> tuple[Rule, ...]:
    """The rules, each with the patterns of both languages: a reply may mix them."""
    return tuple(_rule(row["name"]) for row in _tables()["zh"]["rule"])


def plain(text: str, between: str = "") -> str:
    """The text as the rules read it: prepared like a post, without blanks between Han characters and without markup.

    `between` takes the place of `*` and the like, which stand inside words or between them.
    """
    text = html.unescape(text).replace("《", " ").replace("》", " ").replace("您", "你").translate(_TRADITIONAL)
    text = _BLOCKS.sub(" ", _EMPHASIS.sub(between, _TAGS.sub("", text)))
    text = re.sub(rf"(?<=[{_HAN}，、])\s+(?=[{_HAN}])", "", text)
    return re.sub(r"(?<=\d)(?=[a-z]{3})", " ", prepare(re.sub(r"\s+", " ", text)))


def broken(before: str, sentence: str, spared: tuple[str, ...] = (), post: str = "") -> list[str]:
    """Names of the rules that `sentence` breaks, read together with what was shown `before` it.

    Args:
        before: the end of what is already shown.
        sentence: what is about to be shown.
        post: the person's post, as `plain` reads it; what it brings up may be mentioned.
        spared: illnesses that the person named as their own diagnosis; naming them again diagnoses nobody.
    """
    heads = [""]
    if before.strip() and (len(sentence) <= _FRAGMENT or before.rstrip()[-1] not in _FINISHED):
        heads.append(before)
    betweens = ("", " ") if _GLUED.search(before + sentence) else ("",)
    found = [name for head in heads for between in betweens for name in _broken(head, sentence, spared, post, between)]
    return list(dict.fromkeys(found))


def _broken(before: str, sentence: str, spared: tuple[str, ...], post: str, between: str) -> list[str]:
    whole = plain(before + sentence, between)
    start = len(plain(before, between).rstrip()) if before.strip() else 0
    for illness in spared:
        whole = whole.replace(illness, " " * len(illness))
    unquoted = _QUOTED.sub(lambda m: re.sub(_QUOTE, lambda q: " " * len(q[0]), m[0]), whole) if '"' in whole else whole
    found: list[str] = []
    for rule in rules():
        text = unquoted if rule.quotes else whole
        if rule.name not in found and _hit(rule, text, start, post):
            found.append(rule.name)
    return found


@cache
def spares_quotes() -> frozenset[str]:
    """Names of the rules that let a reply repeat the person's own words."""
    return frozenset(rule.name for rule in rules() if rule.quotes)


@cache
def spares_scripts() -> frozenset[str]:
    """Names of the rules that let a reply word what the person may say to somebody else."""
    return frozenset(rule.name for rule in rules() if rule.scripts)


@cache
def illnesses() -> re.Pattern[str]:
    """Names of illnesses in both languages."""
    return re.compile("|".join(table["words"]["illness"] for table in _tables().values()) + "|depression")


@cache
def identity_patterns() -> re.Pattern[str]:
    """Questions whether a human is speaking."""
    return re.compile(
        "|".join(f"(?:{_expand(p, t['words'])})" for t in _tables().values() for p in t["identity"]["patterns"]),
        re.ASCII,
    )


def about(locale: Locale) -> dict[str, str]:
    """Rule name -> what it withholds, for the published protocol."""
    return {row["name"]: row["about"] for row in _tables()[locale]["rule"]}


def instead(locale: Locale) -> dict[str, str]:
    """Rule name -> the sentence that is said instead; empty where nothing is."""
    table = _tables()[locale]
    return {row["name"]: row["instead"] for row in table["rule"]} | {"contact": table["contact"]}


def fixed(locale: Locale) -> str:
    """What is said when nothing of a reply may be shown."""
    text: str = _tables()[locale]["fixed"]
    return text


@cache
def _tables() -> dict[Locale, dict[str, Any]]:
    return {"zh": load("guard_zh"), "en": load("guard_en")}


def _hit(rule: Rule, text: str, start: int, post: str) -> bool:
    if not _matches(rule, text, start, post):
        return False
    return rule.allow is None or _matches(rule, rule.allow.sub(lambda m: " " * len(m[0]), text), start, post)


def _matches(rule: Rule, text: str, start: int, post: str) -> bool:
    if _ends_after(start, rule.patterns, text):
        return True
    if not rule.ever and rule.name in _topics(post):
        return False
    return _ends_after(start, rule.mentions, text)


def _ends_after(start: int, patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    for pattern in patterns:
        # Hardly any is found at all, and one search is cheaper than to look at every match.
        if pattern.search(text) and any(match.end() > start for match in pattern.finditer(text)):
            return True
    return False


@lru_cache(maxsize=64)
def _topics(post: str) -> frozenset[str]:
    """Names of the rules whose words the person has brought up."""
    return frozenset(
        rule.name for rule in rules() if not rule.ever for p in (*rule.mentions, *rule.topics) if p.search(post)
    )


def _rule(name: str) -> Rule:
    rows = [(row, t["words"]) for t in _tables().values() for row in t["rule"] if row["name"] == name]

    def compiled(key: str) -> tuple[re.Pattern[str], ...]:
        # ASCII, so that \b stands between a Han character and a Latin word.
        return tuple(re.compile(_expand(p, words), re.ASCII) for row, words in rows for p in row.get(key, []))

    allow = "|".join(f"(?:{p.pattern})" for p in compiled("allow"))
    return Rule(
        name=name,
        patterns=compiled("patterns"),
        mentions=compiled("mentions"),
        topics=compiled("topics"),
        ever=any(row.get("ever", False) for row, _ in rows),
        allow=re.compile(allow, re.ASCII) if allow else None,
        quotes=any(row.get("quotes", False) for row, _ in rows),
        scripts=any(row.get("scripts", False) for row, _ in rows),
    )


def _expand(pattern: str, words: dict[str, str]) -> str:
    pattern = re.sub(r"<([a-z]+)>", lambda m: words[m[1]], pattern)
    pattern = re.sub(r"~~(\d+)", r"[^。.!?;\\n]{0,\1}", pattern)
    return re.sub(r"~(\d+)", r"[^,。.!?;\\n]{0,\1}", pattern)
