"""Brings a post into the one spelling that the screen's rules are written in.

Width, case, accents, invisible characters, traditional characters, homophones, abbreviations, letters set apart or
replaced by signs: tables/screen_spelling.toml says what stands for what. Nothing here judges.
"""

import re
import unicodedata

from empathy_r1.graph.safety._tables import load

_TABLE = load("screen_spelling")

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_ENDS = ",、:;.!?。\n"
_QUOTES = "“”„‟«»「」『』〈〉"
_LEET = str.maketrans("013457@$!|", "oieastasil")

_FOLD: dict[int, str | None] = {
    **{n: None for n in range(0x10000) if unicodedata.category(chr(n)) in ("Mn", "Me", "Cf", "Cs", "Co")},
    **{n: None for n in range(0xE0000, 0xE0200)},
    **{n: None for n in range(0x1F3FB, 0x1F400)},
    **{ord(pair[0]): pair[1] for pair in _TABLE["traditional"].split()},
    **{ord(sign): word for sign, word in _TABLE["picture"].items()},
    **{ord(sign): '"' for sign in _QUOTES},
    **{ord(sign): "'" for sign in "’‘`´ʼ"},
    **{ord(sign): "\n" for sign in "\r\u2028\u2029\u0085\x0b\x0c"},
    **{ord(sign): " " for sign in "\t\u3000\xa0"},
    ord("ı"): "i",
    **dict(zip(map(ord, "асԁеһіјӏорԛѕуԝхѵмткн"), "acdehijlopqsuwxvmtkh", strict=True)),
}

_TITLE_ZH = re.compile(r"《[^《》\n]{0,60}》")
_HAN_SPACE = re.compile(rf"(?<=[{_HAN}])[^\w\n{_ENDS}\"'《》]{{1,4}}(?=[{_HAN}])")
_APART_HAN = re.compile(rf"(?<![{_HAN}])(?:[{_HAN}][^\w\"]{{1,3}}){{2,12}}[{_HAN}](?![{_HAN}])")
_APART_LATIN = re.compile(r"(?<![a-z0-9'])(?:[a-z@$!0-9][ .\-_*/+~]{1,2}){2,20}[a-z0-9](?![a-z0-9'])")
_MIXED = re.compile(r"(?<![a-z0-9])[a-z]{1,12}[013457@$!|]{1,3}[a-z][a-z0-9@$!|]{0,12}")
_LONG = re.compile(r"([a-z])\1{2,}")
_LONG_HAN = re.compile(rf"([{_HAN}])\1{{3,}}")
_WORD = re.compile(r"[a-z0-9][a-z0-9'*@/-]*")
_SPACES = re.compile(r" {2,}")


def _spelling(written: str) -> re.Pattern[str]:
    head = "(?<![a-z])" if "a" <= written[0] <= "z" else "(?<![来源出发取])" if written[0] == "自" else ""
    tail = "(?![a-z])" if "a" <= written[-1] <= "z" else ""
    return re.compile(head + re.escape(written) + tail)


def _split(word: str, between: str) -> re.Pattern[str]:
    return re.compile(between.join(word))


_ZH = [(w, _spelling(w), _TABLE["zh"][w]) for w in sorted(_TABLE["zh"], key=len, reverse=True)]
_EN_WORDS = {w: to for w, to in _TABLE["en"].items() if _WORD.fullmatch(w)}
_EN_PHRASES = [(w, _spelling(w), to) for w, to in _TABLE["en"].items() if not _WORD.fullmatch(w)]
_SPLIT = [
    *((word, _split(word, r"[^\w\"]{0,4}")) for word in _TABLE["split"]["anyhow"]),
    *((word, _split(word, rf"[^\w\" {_ENDS}]{{0,4}}")) for word in _TABLE["split"]["by_signs"]),
]


def prepare(text: str) -> str:
    """The post in lower case, simplified characters and plain words; clauses still end where they ended.

    Time is linear in the length of `text`; no string raises.
    """
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_FOLD).lower()
        text = _TITLE_ZH.sub("《》", text)
        text = _LONG_HAN.sub(r"\1\1", text)
    text = _latin(text) if _has_latin(text) else text
    if not text.isascii():
        text = _han(text)
    return _SPACES.sub(" ", text)


def _has_latin(text: str) -> bool:
    return re.search("[a-z]", text) is not None


def _latin(text: str) -> str:
    text = _APART_LATIN.sub(lambda m: re.sub(r"[ .\-_*/+~]", "", m[0]), text)
    text = _LONG.sub(r"\1", text)
    text = _MIXED.sub(lambda m: m[0].translate(_LEET), text)
    for written, regex, meant in _EN_PHRASES:
        if written in text:
            text = regex.sub(meant, text)
    return _WORD.sub(lambda m: _EN_WORDS.get(m[0], m[0]), text)


def _han(text: str) -> str:
    text = _APART_HAN.sub(lambda m: re.sub(rf"[^{_HAN}]", "", m[0]), text)
    there = set(text)
    split = [(word, regex) for word, regex in _SPLIT if there.issuperset(word)]
    bare = "".join(filter(str.isalnum, text)) if split else ""
    for word, regex in split:
        if bare.count(word) > text.count(word):
            text = regex.sub(word, text)
    for written, regex, meant in _ZH:
        if there.issuperset(written) and written in text:
            text = regex.sub(meant, text)
            there.update(meant)
    return _HAN_SPACE.sub(",", text)
