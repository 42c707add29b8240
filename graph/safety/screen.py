"""The crisis screen: reads a post in its conversation and says how grave the risk in it is.

Rules over versioned tables decide (tables/screen_zh.toml, screen_en.toml); a small classifier may raise what they say,
never lower it; signs that are weak alone add up over the conversation; what an earlier post left fades step by step.
Nothing here asks a language model, a database or the network.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b

from empathy_r1.graph.safety._classifier import classify
from empathy_r1.graph.safety._classifier import version as classifier_version
from empathy_r1.graph.safety._normal import prepare
from empathy_r1.graph.safety._rules import Finding, find, pieces, table
from empathy_r1.graph.safety.levels import KINDS, LEVELS, Kind, Level, Screening, worse

VERSION = "+".join((table("zh").version, table("en").version, classifier_version()))
"""Version of the tables and of the classifier, for audit."""

LOOK_BACK = 40
"""Earlier posts that are read."""
SIGN_POSTS = 10
"""Posts over which different weak signs add up."""
SIGNS_FOR_HIGH = 3
"""Weight of different signs that is an alarm."""
HOLD: dict[Level, tuple[int, int]] = {"none": (0, 0), "concern": (0, 5), "high": (2, 20), "imminent": (4, 20)}
"""For how many later posts a level leaves at least `high`, and at least `concern`."""

LONG = 200
"""Characters of a long post: among so many words a lone loose one, or a lone window of the classifier, says little."""

_REMEMBERED = 4096
_readings: OrderedDict[bytes, "_Reading"] = OrderedDict()


class _Reading:
    """What one post says by itself, without a word of it."""

    __slots__ = ("calm", "found", "minor", "signs")

    def __init__(self, text: str) -> None:
        prepared = prepare(text)
        parts = pieces(prepared)
        (zh, understood_zh), (en, understood_en) = find(prepared, parts, "zh"), find(prepared, parts, "en")
        findings = [*zh, *en]
        own = {f.rule.sign: f.rule.weight for f in findings if f.rule.sign and not f.other}
        self.calm = own.pop("calm", 0) > 0
        """The person says that the danger is over."""
        self.minor = own.pop("age", 0) > 0
        self.signs = own
        long = len(prepared) >= LONG
        grave = [f for f in findings if f.level != "none"]
        grave = _alone_is_less(grave) if long else grave
        level: Level = max((f.level for f in grave), key=LEVELS.index, default="none")
        self.found = Screening(
            level,
            _kinds(f.rule.kind for f in grave),
            level != "none" and all(f.other for f in grave if f.level == level),
            tuple(sorted(f.rule.id for f in grave)),
        )
        if not self.found.alarm:
            unread = [part for part in parts if part not in understood_zh and part not in understood_en]
            learnt = classify(unread, twice=long)
            if worse(learnt, level) != level:
                self.found = _raised(self.found, learnt, ("suicide",), "classifier", about_other=False)


def screen(text: str, history: Sequence[str] = ()) -> Screening:
    """Judge the last post of a conversation in the light of the posts before it.

    Args:
        text: The post: any string, of any length; the time is linear in it.
        history: The same person's earlier posts, oldest first.

    Returns:
        The screening. The same arguments always give the same result; no string raises.
    """
    now, past = _read(text), [_read(post) for post in history[-LOOK_BACK:]]
    result = _held(_added_up(now, past), now, past)
    if result.level != "none" and (now.minor or any(reading.minor for reading in past)):
        result = replace(result, kinds=_kinds((*result.kinds, "minor")))
    return result


def _read(text: str) -> _Reading:
    """The reading of a post. Earlier posts come again at every turn, so readings are remembered, by a digest."""
    key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    reading = _readings.get(key)
    if reading is None:
        reading = _readings[key] = _Reading(text)
        if len(_readings) > _REMEMBERED:
            _readings.popitem(last=False)
    return reading


def _alone_is_less(grave: list[Finding]) -> list[Finding]:
    """The findings with the level `concern` where a loose rule is the only one that alarms."""
    alarming = [finding for finding in grave if Screening(finding.level).alarm]
    if len(alarming) != 1 or not alarming[0].rule.loose or alarming[0].level == "imminent":
        return grave
    return [replace(f, level="concern") if f is alarming[0] else f for f in grave]


def _added_up(now: _Reading, past: Sequence[_Reading]) -> Screening:
    """Different weak signs of one person, in one post or over several, are an alarm together."""
    if now.found.alarm or not now.signs:
        return now.found
    signs: dict[str, int] = {}
    for reading in (*past[-SIGN_POSTS:], now):
        signs = {**({} if reading.calm else signs), **reading.signs}
    if sum(signs.values()) < SIGNS_FOR_HIGH:
        return now.found
    return _raised(now.found, "high", ("suicide",), "signs:" + "+".join(sorted(signs)), about_other=False)


def _held(result: Screening, now: _Reading, past: Sequence[_Reading]) -> Screening:
    """What earlier posts left; no more than `concern` once the person has said that it is over."""
    over = now.calm
    for ago, reading in enumerate(reversed(past), start=1):
        as_high, as_concern = HOLD[reading.found.level]
        left: Level = "high" if ago <= as_high and not over else "concern" if ago <= as_concern else "none"
        if worse(left, result.level) != result.level:
            result = _raised(
                result, left, reading.found.kinds, f"history:{reading.found.level}", reading.found.about_other
            )
        over = over or reading.calm
    return result


def _raised(found: Screening, level: Level, kinds: Sequence[Kind], rule: str, about_other: bool) -> Screening:
    return Screening(level, _kinds((*found.kinds, *kinds)), about_other, (*found.rules, rule))


def _kinds(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    known = set(kinds)
    return tuple(kind for kind in KINDS if kind in known)
