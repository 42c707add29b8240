"""Finds what is not a reply at all: the hidden chain, template tokens, code, loops, another language."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import accumulate

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Locale
from empathy_r1.graph.prompts import SYSTEM
from empathy_r1.graph.wire import SECTIONS

_NAMES = "|".join(
    (*SECTIONS, "think", "thinking", "reasoning", "analysis", "scratchpad", "answer", "empathy_think", r"l[1-4]")
)
_NAMES_ZH = "情绪|起因|原因|意图|策略|回应|回复|分析|思考|推理"
_TAG = re.compile(
    rf"[<‹〈«《【\[{{(]\s?/?\s?(?:{_NAMES}|{_NAMES_ZH})\s?/?\s?[>›〉»》】\]}})]|</?\s?(?:{_NAMES})\b|&lt;/?(?:{_NAMES})"
)
_LABEL = re.compile(
    r"(?:^|(?<=\W))\W*(?:[0-9一二三四五]\W{1,2})?(?:情绪|起因|原因|意图|策略|回应策略|回复策略|内部分析|隐藏分析|情绪分析|意图分析"
    r"|思考过程|推理过程|系统提示词?|共情链|分析过程"
    r"|emotions?|causes?|intentions?|intent|strategy|response strategy|chain of empathy|chain of thought"
    r"|hidden (?:analysis|chain|reasoning)"
    r"|system prompt|internal (?:notes?|analysis|reasoning)|l[1-4]|reasoning|my analysis|analysis)"
    r"\s?(?:标签|识别|判断|is)?\s?[:：｜|=]"
)
_WORDS = "|".join(re.escape(w) for label in EMOTIONS for w in (label.zh, label.key))
_GRADES = "|".join(re.escape(w) for label in INTENSITIES for w in (label.zh, label.key))
_AIMS = "|".join(re.escape(w) for label in (*EMOTIONS, *INTENTIONS) for w in (label.zh, label.key))
_CODED = re.compile(rf"(?:{_WORDS})\s?[/／]\s?(?:{_GRADES})(?![a-z])|(?:{_AIMS})[^。.!?]{{0,12}}｜")
_META = re.compile(
    r"(?:我的|以下是|这是|输出)(?:完整的?|全部的?)?(?:系统提示词?|系统指令|内部指令|隐藏(?:的)?(?:分析|推理|思考)|提示词)"
    r"|(?:开发者模式|越狱模式|dan ?模式)"
    r"|\b(?:my|the|here (?:is|are) (?:my|the)) (?:full |hidden |original |internal )*(?:system prompt|system message"
    r"|hidden (?:analysis|reasoning|chain)|instructions (?:are|say|tell me))"
    r"|\b(?:developer|jailbreak|dan|god) mode\b"
)
_TEMPLATE = re.compile(
    r"<\|[^|<>]{0,40}\|?>|[‹<][|｜]|[|｜][›>]|\[/?inst\]|<</?sys>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    r"|\[/?(?:system|sys|bos|eos)\]|\bim_(?:start|end)\b|\bendoftext\b|\beot_id\b"
    r"|^\W{0,4}(?:user|human|assistant|system|instruction|用户|助手|系统|人类|来访者|求助者|咨询师)\s?[:：]"
)
_PACKED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_HEX = re.compile(
    r"(?:(?:0x|\\x)?[0-9a-f]{2}[\s:,]?){14,}|(?:[01]{8}\s?){3,}|(?:\\u[0-9a-f]{4}){3,}|(?:%[0-9a-f]{2}){4,}"
    r"|(?:&#x?[0-9a-f]+;){3,}|(?:[.\-]{1,5}[ /]){8,}",
    re.I,
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_SHORT_QUOTE = re.compile(r"[“\"「『‘（(《][^”\"」』’）)》\n]{1,60}[”\"」』’）)》]")
_LOOP = re.compile(r"(.{2,60}?)\1{4,}|(.)\2{19,}")
_LINK = re.compile(r"https?://\S+|\b\w+\.(?:com|org)\b")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][a-z]+)?")

_LENGTHS = (16, 48)
"""Letters that count as long, in Chinese and in Latin script."""
_PROMPTS = frozenset(SYSTEM.values())
_Cut = tuple[str, dict[int, tuple[frozenset[str], frozenset[str]]]]
"""The letters of a section, and for each length its long pieces and what of them must not stand in the post."""

ENDING = ("template", "loop")
"""Rules after which nothing more of the stream is read."""


def leaks(sentence: str) -> str | None:
    """The name of the leak in `sentence`, or None."""
    folded = unicodedata.normalize("NFKC", sentence).lower().strip()
    unmarked = re.sub(r"[*_#`]+", "", folded).strip()
    wide = sentence.lower()
    if _TEMPLATE.search(folded) or _TEMPLATE.search(unmarked):
        return "template"
    if _TAG.search(folded) or _LABEL.search(unmarked) or _CODED.search(folded) or _CODED.search(wide):
        return "chain_leak"
    if _META.search(folded):
        return "chain_leak"
    return "encoded" if _HEX.search(folded) or any(map(_packed, _PACKED.findall(sentence))) else None


class Sealed:
    """Knows long verbatim pieces of the hidden sections, less what the person's own post says.

    Args:
        sections: the hidden ones.
        own: the post, `bare`.
    """

    _COVERED = 0.8
    """Share of a sentence that a whole section may not make up."""

    def __init__(self, sections: Iterable[str], own: str) -> None:
        said = {size: _runs(own, size - size // 4) for size in _LENGTHS}
        self._pieces: set[str] = set()
        self._whole: set[str] = set()
        for section in sections:
            text, cut = _prompt(section) if section in _PROMPTS else _cut(section)
            if 2 * len(text) >= _size(text) and text not in own:
                self._whole.add(text)
            for size, (pieces, cores) in cut.items():
                if not cores.isdisjoint(said[size]):
                    pieces = frozenset(piece for piece in pieces if not _said(piece, said[size]))
                self._pieces |= pieces

    def shown_by(self, before: str, sentence: str) -> bool:
        """Whether `sentence`, after `before`, completes such a piece."""
        head, tail = bare(before), bare(sentence)
        if any(text in tail and len(text) > self._COVERED * len(tail) for text in self._whole):
            return True
        if not self._pieces:
            return False
        for size in _LENGTHS:
            text = head[-(size - 1) :] + tail
            if any(text[i : i + size] in self._pieces for i in range(len(text) - size + 1)):
                return True
        return False


class Foreign:
    """Keeps count of words in another language than the reply's: a few are quotes, many are the wrong language."""

    _ALLOWED = 8
    """Words of the other language outside quotes that a reply may hold beside its sentences."""

    def __init__(self, locale: Locale) -> None:
        self._zh = locale == "zh"
        self._spent = 0

    def wrong(self, sentence: str) -> bool:
        """Whether `sentence` is in another language; remembers what it spent if it is not."""
        text = _LINK.sub(" ", unicodedata.normalize("NFKC", sentence))
        bare_text = _SHORT_QUOTE.sub(" ", text)
        rest = bare_text if len(_letters(bare_text)) >= 2 else text
        han = len(_HAN.findall(rest))
        words = len(_LATIN_WORD.findall(rest))
        other = sum(c.isalpha() and not _HAN.match(c) and not _LATIN_WORD.match(c) for c in rest)
        if other > 6:
            return True
        ours, theirs = (han / 1.6, words) if self._zh else (words, han / 1.6)
        if theirs > 2 and theirs > ours:
            return True
        if theirs > ours:
            self._spent += max(1, round(theirs))
            return self._spent > self._ALLOWED
        return theirs > 12 and theirs > 0.6 * ours


class Loop:
    """Notices that a stream goes in circles."""

    _MOST = 2

    def __init__(self) -> None:
        self._said: Counter[str] = Counter()

    def turns(self, sentence: str) -> bool:
        """Whether `sentence` was said twice before, or repeats itself within."""
        key = bare(sentence)
        if _LOOP.search(key):
            return True
        self._said[key] += 1
        return self._said[key] > (self._MOST if len(key) >= 4 else 6)


def bare(text: str) -> str:
    """Letters and digits only, lower case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


def _runs(text: str, size: int) -> set[str]:
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def _said(piece: str, said: set[str]) -> bool:
    """Whether runs of the post hold the piece but for a few letters at its ends, such as those of a word before it."""
    core = len(piece) - len(piece) // 4
    return any(piece[i : i + core] in said for i in range(len(piece) - core + 1))


def _cut(section: str) -> _Cut:
    text = bare(section)
    han = [0, *accumulate(map(_is_han, text))]
    cut = {}
    for size in _LENGTHS:
        starts = range(len(text) - size + 1)
        pieces = (text[at : at + size] for at in starts if _long(han[at + size] - han[at], size) == size)
        cut[size] = (frozenset(pieces), frozenset(_runs(text, size - size // 4)))
    return text, cut


_prompt = cache(_cut)
"""The same, kept: for what the model is told every time."""


def _long(han: int, letters: int) -> int:
    """How many letters are long where so many of them are Han characters."""
    return _LENGTHS[0] if 2 * han >= letters else _LENGTHS[1]


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u4dbf" or "\u4e00" <= letter <= "\u9fff"


def _packed(word: str) -> bool:
    return sum(map(str.isupper, word)) > 2 and sum(map(str.islower, word)) > 2


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha())


def _size(piece: str) -> int:
    return _long(len(_HAN.findall(piece)), len(piece))
