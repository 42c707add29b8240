"""The crisis screen: reads a post and says how grave the risk in it is."""

import re
import unicodedata
from collections.abc import Sequence

from empathy_r1.graph.safety.levels import CALM, Screening

_IMMINENT = re.compile(
    r"(?:今晚|今天|明天|现在|马上|等下|这就).{0,8}(?:自杀|去死|跳楼|跳下去|结束生命)|遗书写好|刚.{0,4}(?:吞|吃)了.{0,6}(?:药|安眠)"
    r"|(?:tonight|right now|tomorrow).{0,30}(?:kill myself|end my life|end it all)"
    r"|(?:kill myself|end my life|end it all).{0,30}(?:tonight|right now|tomorrow)"
)
_HIGH = re.compile(
    r"自杀|轻生|不想活|(?<!不)想死(?![你他她它])|去死(?!吧你)|自残|割腕|结束(?:自己的)?生命"
    r"|kill(?:ing)? myself|suicid|want to die|wanna die|end my life|(?:hurt|cut)(?:ting)? myself"
)
_OTHER = re.compile(
    r"(?:我)?(?:朋友|闺蜜|同学|室友|他|她|孩子|女儿|儿子)[^我，。]{0,8}$|my (?:friend|sister|brother|son)\b[^.]{0,30}$"
)


def screen(text: str, history: Sequence[str] = ()) -> Screening:
    """Judge the last post of a conversation in the light of the posts before it.

    Args:
        text: The post, any string.
        history: The same person's earlier posts, oldest first.

    Returns:
        The screening; never raises.
    """
    now = _one(text)
    earlier = [_one(post) for post in history[-2:]]
    if not now.alarm and any(past.alarm for past in earlier):
        return Screening("high", ("suicide",), False, ("history:alarm",))
    return now


def _one(text: str) -> Screening:
    plain = unicodedata.normalize("NFKC", text).lower()
    for level, pattern in (("imminent", _IMMINENT), ("high", _HIGH)):
        if found := pattern.search(plain):
            other = _OTHER.search(plain[max(0, found.start() - 24) : found.start()]) is not None
            return Screening(level, ("suicide",), other, (f"first.{level}",))  # type: ignore[arg-type]
    return CALM
