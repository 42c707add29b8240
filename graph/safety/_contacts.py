"""Finds telephone numbers, links, addresses and handles that are not on the help card."""

import re
import unicodedata
from itertools import pairwise

from empathy_r1.graph.safety.help import HelpCard

_CN = dict(zip("零〇一二三四五六七八九幺两", "0012345678912", strict=True))
_EN = {
    w: str(n) for n, w in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
} | {"oh": "0"}
_EN_RUN = re.compile(rf"\b(?:{'|'.join(_EN)})(?:[\s,\-.]{{1,3}}(?:{'|'.join(_EN)}))+\b", re.ASCII)
_CN_RUN = re.compile(r"[零〇一二三四五六七八九幺两\d](?:[ \-、,，.]?[零〇一二三四五六七八九幺两\d])+")
_RUN = re.compile(r"\d(?:[ \t\-–—‑.·•()/_*+]{0,3}\d)*")
_COMMAS = re.compile(r"\d+(?:[,，、]\s?\d+)+")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_DATE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d{1,2}(?:[-/. ]\d{1,2})?|(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d"
)
_YEARS = re.compile(r"(?:19|20)\d\d ?[-–—] ?(?:(?:19|20)\d\d|\d\d)")
_PAIR = re.compile(r"(\d{1,3}) ?[-–—/.] ?(\d{1,3})")
_UNIT = re.compile(
    r"\s?(?:元|块|万|亿|千|百|人|个|字|分|岁|年|月|日|天|次|步|米|公里|斤|克|度|倍|名|条|页|词|秒|小时|里|平|届|级|班|室|楼|层|路|点"
    r"|%|％|℃|km\b|kg\b|g\b|m\b|cm\b|words?\b|people\b|dollars?\b|usd\b|rmb\b|yuan\b|pounds?\b|euros?\b|bucks\b|times\b|days?\b|years?\b"
    r"|hours?\b|minutes?\b|steps?\b|points?\b|percent\b|miles?\b|students?\b|k\b)"
)
_MONEY = re.compile(r"[¥￥$€£]\s?$|(?:rmb|usd)\s?$")
_CALL = re.compile(
    r"(?:拨打?|打(?:电话)?(?:给|到)?|致电|热线|电话|号码|专线|求助|联系|短信|加|微信|扣扣|qq|v信|vx|群"
    r"|\b(?:call|dial|text|phone|ring|hot ?line|help ?line|life ?line|line|number|contact|reach|sms|whatsapp)\b)"
    r"[^。.!?\n]{0,16}$"
)
_CALLED = re.compile(
    r"[^。.!?\n\d]{0,6}(?:热线|专线|这个号码|号码|电话|求助)|\s?(?:hot ?line|help ?line|life ?line|crisis line)\b"
)
_DIAL = re.compile(r"(?:拨打?|打|致电|热线|专线|电话是?|call|dial|text|ring|line|number)(?: is)?\s?[:：]?\s?$")
_HOTLINE = re.compile(r"12\d(?!00)\d\d|95\d{3}|96\d{3,4}|116\d{3}|18\d{3}|400\d*|800\d*|1[0-2]\d")
_MOBILE = re.compile(r"(?:86)?1[3-9]\d{9}")

_SCHEME = re.compile(
    r"(?:https?|ftps?|tel|sms|mailto|file|javascript|data|weixin|tg)\s?:\s?(?://|\S)\S*|\bwww\s?\.\s?\S+"
)
_DOT = r"(?:\.|\s?[\[(]\s?(?:\.|dot)\s?[\])]\s?)"
_TLD = "com|org|net|cn|io|cc|tv|gov|edu|info|xyz|ai|uk|hk|tw|ru|fr|jp|kr|online|shop|club|gg|ly|vip"
_TLD_WORDS = "me|co|us|in|de|app|top|link|site|live|chat|health|help|it"
"""Endings that are words too: a link only before a slash, since "Tell me.In time" lacks just a blank."""
_DOMAIN = re.compile(
    rf"(?<![a-z0-9@.-])[a-z0-9][a-z0-9-]{{0,62}}(?:{_DOT}[a-z0-9-]{{1,62}}){{0,4}}{_DOT}"
    rf"(?:(?:{_TLD})(?![a-z0-9-])(?:[/:?#][^\s，。）)]*)?|(?:{_TLD_WORDS})/[^\s，。）)]*)"
)
_SPOKEN = re.compile(r"[a-z0-9-]{2,40} ?(?:\bdot\b|点) ?(?:com|org|net|cn|io)(?![a-z0-9])")
_MAIL = re.compile(r"[\w.+-]+\s?(?:@|[\[(]\s?at\s?[\])]|＠)\s?[\w-]+(?:\.[\w-]+)+")
_HANDLE = re.compile(r"(?<![\w.])@\s?[a-z0-9_][a-z0-9_.-]{2,}")
_ACCOUNT = re.compile(
    r"(?:微信|薇信|威信|v信|vx|wechat|whats ?app|telegram|电报|qq|扣扣|line ?(?:id|账号)|discord|skype"
    r"|instagram|facebook|snapchat|小红书|抖音|公众号|飞机)"
    r"\s?(?:号|id|群|账号|公众号|user ?name|handle)?\s?(?:[:：=]|是|为|搜|\bis\b|@)\s?[a-z0-9_.-]{3,}"
    r"|加(?:一下|下)?(?:我|你)?(?:的)?(?:微信|薇信|v信|vx|qq|扣扣|电报|whats ?app|telegram)"
    r"|(?:add|find|message|dm|text|follow) me (?:on|at|via)\b"
)


def contacts(before: str, sentence: str, card: HelpCard) -> bool:
    """Whether `sentence` shows a way to reach somebody that is not on `card`."""
    tail, text = _fold(before), _fold(sentence)
    whole = tail + text
    return _linked(whole, len(tail), card) or _numbered(whole, len(tail), card)


def _fold(text: str) -> str:
    text = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) not in ("Cf", "Me", "Mn"))
    text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() and c.isdecimal() else c for c in text)
    return text.lower().replace("\n", " ")


def _linked(text: str, start: int, card: HelpCard) -> bool:
    ours = {card.directory_url, *(line.url for line in card.lines)} - {""}
    hosts = {re.sub(r"^https?://", "", url).rstrip("/") for url in ours}
    allowed = re.compile(
        r"(?:https?://)?(?:" + "|".join(re.escape(h) for h in sorted(hosts)) + r")/?(?![\w@:/?#%-]|\.\w)"
    )
    text = re.sub(r"(?<![\w@./-])" + allowed.pattern, lambda m: " " * len(m[0]), text)
    patterns = (_SCHEME, _DOMAIN, _SPOKEN, _MAIL, _HANDLE, _ACCOUNT)
    return any(match.end() > start for pattern in patterns for match in pattern.finditer(text))


def _numbered(text: str, start: int, card: HelpCard) -> bool:
    known = card.numbers()
    for view in _views(text):
        for match in _COMMAS.finditer(view):
            parts = re.split(r"[,，、]\s?", match[0])
            long = sum(map(len, parts)) >= (7 if max(map(len, parts)) > 2 or len(parts) > 6 else 11)
            if match.end() > start and long and not _GROUPED.fullmatch(match[0]) and not _regular(parts):
                return True
        for match in _RUN.finditer(view):
            if match.end() > start and _suspicious(match, view, known):
                return True
    return False


def _views(text: str) -> list[str]:
    """The text, and the text with spelled digits written as figures; lengths stay equal."""
    views = [text]
    if len(_CN_RUN.findall(text)):
        views.append(_CN_RUN.sub(lambda m: "".join(_CN.get(c, c) for c in m[0]), text))
    if _EN_RUN.search(text):
        views.append(_EN_RUN.sub(_figures, text))
    return views


def _figures(match: re.Match[str]) -> str:
    digits = "".join(_EN[w] for w in re.findall(r"[a-z]+", match[0]))
    return digits.rjust(len(match[0]))


def _suspicious(match: re.Match[str], text: str, known: frozenset[str]) -> bool:
    written, digits = match[0], re.sub(r"\D", "", match[0])
    count = len(digits)
    if count < 3 or digits in known or _DATE.fullmatch(written) or _YEARS.fullmatch(written):
        return False
    if _MOBILE.fullmatch(digits):
        return True
    before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 14]
    called = _CALL.search(before) is not None or _CALLED.match(after) is not None
    unit = _UNIT.match(after) is not None or _MONEY.search(before) is not None
    if count >= 7:
        return not (unit and not called) and not _regular(re.findall(r"\d+", written))
    pair = _PAIR.fullmatch(written)
    rising = pair is not None and int(pair[1]) < int(pair[2])
    if not called and (unit or rising or _regular(list(digits))):
        return False
    if count <= 4:
        year = re.fullmatch(r"(?:19|20)\d\d", digits) is not None and not _DIAL.search(before)
        return called and not unit and not year
    return called or _HOTLINE.fullmatch(digits) is not None


def _regular(parts: list[str]) -> bool:
    """Whether numbers only count up or down in equal steps, as in a breathing or grounding exercise."""
    if len(parts) < 3 or any(len(p) > 4 for p in parts):
        return False
    steps = {int(b) - int(a) for a, b in pairwise(parts)}
    return len(steps) == 1 and steps != {0}
