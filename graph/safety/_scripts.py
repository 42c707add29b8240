"""Finds the words that a reply gives to the person to say to somebody else: they are no claim of the reply's own.

"Tell her: I miss you." A quote of that kind may run over several sentences, so the finder goes along with the stream.
It reads text as the guard's rules do, in which all quotation marks are one.
"""

import re

_SAYING = re.compile(
    r"说|讲|写|发|抄|递|念|告诉|问|条件|\b(?:say|tell|send|write|text|ask|call|answer)(?:ing)?\b", re.ASCII
)
_QUOTE = re.compile(r'"([^"]*)("|$)')
_PLAIN = re.compile(
    r"(?:(?:跟|对|和|给|向)(?!我|你)[^,。:、我你]{1,8}(?:说|讲)|告诉(?!我|你)[^,。:、我你]{1,5}|(?<!我)就(?:说|讲)|你就[^,。:]{1,6}(?:说|讲)(?=[,:])"
    r"|[他她][^。!?]{0,40}想(?:说|讲)|你心里[^,。!?]{0,12}是(?=,))[:,]?(?P<zh>[^\"]+)"
    r"|\b(?:tell|text|write to|say to) (?!you\b|me\b)(?:your )?\w+(?: this)?:(?P<en>[^\"]+)",
    re.ASCII,
)
_WHAT_I_AM = re.compile(
    r"真人|人类|机器|程序|咨询师|治疗师|医生|\b(?:ai|human|bot|machine|real person|therapist|counsell?or|doctor)\b",
    re.ASCII,
)
_REACH = 90
"""Characters before a quote in which the saying is named."""
_LONGEST = 400
"""Characters of a quote, however many sentences they make."""


class Scripts:
    """Goes along with one reply, sentence by sentence."""

    def __init__(self) -> None:
        self._left = 0

    def without(self, before: str, sentence: str) -> str:
        """The sentence without the words to be said to somebody else.

        What tells who or what is speaking stays: a reply may not say it through somebody else's mouth.

        Args:
            before: the end of the reply before the sentence.
            sentence: the next sentence; each is to be given once, in order.
        """
        kept = ""
        if self._left:
            words, mark, after = sentence.partition('"')
            kept = _spared(words[: self._left]) + words[self._left :] + mark
            self._left = 0 if mark else max(0, self._left - len(words))
            sentence = after
        for quote in reversed(list(_QUOTE.finditer(sentence))):
            if not quote[1].strip() and not quote[2]:
                continue  # a mark that ends a sentence closes a quote, whether or not one was opened
            if _SAYING.search((before + kept + sentence[: quote.start()])[-_REACH:]):
                sentence = sentence[: quote.start(1)] + _spared(quote[1]) + sentence[quote.end(1) :]
                self._left = self._left if quote[2] else _LONGEST
        return kept + _PLAIN.sub(_told, sentence)


def _told(match: re.Match[str]) -> str:
    words = match["zh"] or match["en"]
    return match[0].removesuffix(words) + _spared(words)


def _spared(words: str) -> str:
    return words if _WHAT_I_AM.search(words) else "…"
