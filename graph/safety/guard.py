"""Watches a reply while it streams: nothing forbidden is shown, and what is withheld is counted.

The stream is held back by the sentence. Each sentence is read together with the end of what is already shown; one that
breaks a rule is left out, the first of its kind is replaced by a sentence of the table, and a reply of which nothing is
left becomes a fixed one. What is shown does not depend on how the stream is cut into pieces.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._contacts import contacts
from empathy_r1.graph.safety._forbidden import (
    broken,
    fixed,
    identity_patterns,
    illnesses,
    instead,
    plain,
    spares_quotes,
    spares_scripts,
)
from empathy_r1.graph.safety._leaks import ENDING, Foreign, Loop, Sealed, bare, leaks
from empathy_r1.graph.safety._scripts import Scripts
from empathy_r1.graph.safety._sentences import Sentences
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety.help import help_for, short

_CONTEXT = 120
"""Characters already shown that are read again with the next sentence."""
_POST = 8000
"""Characters of the post that are read."""
_QUESTION = 2000
"""Characters at the end of a post that may ask what is speaking."""
_MOST_INSTEAD = 2
"""Table sentences in one reply; what is withheld beyond them leaves no trace but its count."""
_OWN_ILLNESS = (
    "确诊",
    "诊断",
    "医生",
    "得了",
    "患",
    "我有",
    "diagnos",
    "doctor",
    "i have",
    "i suffer",
    "my ",
    "i am",
    "i was",
)


class Guard:
    """Passes on what may be shown of one reply.

    Args:
        locale: language that the reply must have.
        region: country whose help lines may be named.
        sealed: the hidden sections of the chain, of which no long piece may be shown.
        post: the person's post; its own words may be said again, and a diagnosis named in it may be referred to.
    """

    def __init__(
        self, *, locale: Locale, region: str | None = None, sealed: Sequence[str] = (), post: str = ""
    ) -> None:
        self.withheld: Counter[str] = Counter()
        """Rule name -> sentences withheld."""
        self.text = ""
        """Everything shown."""
        self._locale: Locale = locale
        self._card = help_for(region, locale)
        self._sentences = Sentences()
        self._said, self._spared, self._post = _reading(post)
        self._sealed = Sealed(sealed, self._post)
        self._foreign = Foreign(locale)
        self._loop = Loop()
        self._scripts = Scripts()
        self._own = False
        self._replaced: set[str] = set()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will be shown, so that the model may be stopped."""
        return self._ended

    def feed(self, text: str) -> str:
        """Takes the next piece of the reply and returns what may be shown of it."""
        if self._ended:
            return ""
        return "".join(self._pass(sentence) for sentence in self._sentences.feed(text))

    def close(self) -> str:
        """Ends the reply and returns what may still be shown."""
        shown = "" if self._ended else self._pass(self._sentences.rest())
        self._ended = True
        if not self._own and self.withheld:
            shown += self._show(fixed(self._locale))
            self._own = True
        return shown

    def _pass(self, sentence: str) -> str:
        if self._ended or not sentence:
            return ""
        before = self.text[-_CONTEXT:]
        rules = self._rules(before, sentence)
        if not rules:
            self._own = self._own or bool(bare(sentence))
            self.text += sentence
            return sentence
        self.withheld.update(rules)
        self._ended = any(rule in ENDING for rule in rules)
        line = next((said for rule in rules if (said := instead(self._locale).get(rule))), "")
        if not line or line in self._replaced or len(self._replaced) >= _MOST_INSTEAD:
            return ""
        self._replaced.add(line)
        line = line.replace("{line}", short(self._card, self._locale))
        return self._show(line) + self._keep(_blanks(sentence) or ("" if self._locale == "zh" else " "))

    def _rules(self, before: str, sentence: str) -> list[str]:
        read = plain(sentence)
        own_words = self._scripts.without(plain(before), read)
        if not bare(sentence):
            return ["loop"] if self._loop.turns(sentence) else []
        if leak := leaks(sentence):
            return ["contact"] if leak == "encoded" and contacts(before, sentence, self._card) else [leak]
        if self._sealed.shown_by(before, sentence):
            return ["chain_leak"]
        rules = broken(before, sentence, self._spared, self._said)
        if rules and self._post and (reduced := _unquoted(sentence, self._post)) != sentence:
            still = broken(before, reduced, self._spared, self._said)
            rules = [name for name in rules if name in still or name not in spares_quotes()]
        if rules and own_words != read:
            still = broken(before, own_words, self._spared, self._said)
            rules = [name for name in rules if name in still or name not in spares_scripts()]
        if contacts(before, sentence, self._card):
            rules.append("contact")
        if rules:
            return rules
        if self._post and _misquotes(sentence, self._post):
            return ["misquote"]
        if self._foreign.wrong(sentence):
            return ["language"]
        return ["loop"] if self._loop.turns(sentence) else []

    def _show(self, line: str) -> str:
        if self.text and self.text[-1] not in ' \n。！？!?…；;”"’」』）)':
            line = ("。" if self._locale == "zh" else ". ") + line
        return self._keep(line)

    def _keep(self, text: str) -> str:
        self.text += text
        return text


_BY_NAME = re.compile(
    r"(?:你(?:还|也)?(?:说|写)到?|读到|你心里那句"
    r"|you (?:also )?(?:wrote|said)|when i read|the thought|told yourself)"
    r"[ ，,：:]{0,2}[“\"]([^”\"]{3,})[”\"]?",
    re.IGNORECASE,
)
_BY_PLACE = re.compile(
    r"(?:尤其是|^\s*and)[ ，,：:]{0,2}[“\"]([^”\"]{3,})[”\"]?|^\s*“([^”]{3,})”[，:：]", re.IGNORECASE
)
"""Words that a reply puts into the person's mouth: it says so, or where they stand shows it."""
_WHAT_I_AM = re.compile(
    r"我[^，。]{0,6}(?:真人|人类|机器人|程序)|我(?:就)?是(?:个|一个)?(?:活)?人|(?<![a-z])ai(?![a-z])|human|bot\b|machine"
    r"|real person",
    re.IGNORECASE,
)


def _quotes(sentence: str) -> list[tuple[re.Match[str], str]]:
    """The quotes of the person in `sentence`: the match and the words."""
    marks = (mark for pattern in (_BY_NAME, _BY_PLACE) for mark in pattern.finditer(sentence))
    return [(mark, mark[1] or mark[2]) for mark in marks]


def _misquotes(sentence: str, post: str) -> bool:
    """Whether the sentence quotes the person with words that the post does not hold."""
    return any(bare(words) not in post for _, words in _quotes(sentence))


def _unquoted(sentence: str, post: str) -> str:
    """The sentence without what it rightly quotes of the post; "I'm human" stays unless it is said to be quoted."""
    spans = [
        mark.span(1) if mark[1] else mark.span(2)
        for mark, words in _quotes(sentence)
        if bare(words) in post and (mark.re is _BY_NAME or not _WHAT_I_AM.search(words))
    ]
    for start, end in sorted(spans, reverse=True):
        sentence = f"{sentence[:start]}…{sentence[end:]}"
    return sentence


def _blanks(sentence: str) -> str:
    return sentence[len(sentence.rstrip()) :]


def check(
    text: str, *, locale: Locale, region: str | None = None, sealed: Sequence[str] = (), post: str = ""
) -> list[str]:
    """Names of the rules that a whole reply breaks, one for each sentence that `Guard` would withhold."""
    guard = Guard(locale=locale, region=region, sealed=sealed, post=post)
    guard.feed(text)
    guard.close()
    return sorted(guard.withheld.elements())


def identity_answer(text: str, locale: Locale) -> str | None:
    """The truth, where a person asks whether a human or a professional is speaking; else None."""
    end = _reading(text)[0] if len(text) <= _QUESTION else plain(text[-_QUESTION:])
    if not identity_patterns().search(end):
        return None
    answer: str = load("disclosures")["identity"][locale]
    return answer


@lru_cache(maxsize=64)
def _reading(post: str) -> tuple[str, tuple[str, ...], str]:
    """What the guard reads out of a post, several times in a turn: its words, its illnesses, its letters."""
    said = plain(post[:_POST]) if post else ""
    return said, _spared(said), bare(post)


def _spared(text: str) -> tuple[str, ...]:
    """Illnesses that the person speaks of as diagnosed."""
    if not any(word in text for word in _OWN_ILLNESS):
        return ()
    return tuple(sorted({m[0] for m in illnesses().finditer(text)}, key=len, reverse=True))
