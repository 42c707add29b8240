"""Watches a reply while it streams: nothing forbidden is shown, and what is withheld is counted."""

import re
from collections import Counter
from collections.abc import Sequence

from empathy_r1.graph.labels import Locale

_END = re.compile(r"[。！？!?…；;\n]+|\.(?=\s)")
_BAD = {
    "chain": re.compile(r"</?\s*(?:emotion|cause|intention|strategy|response)\s*>", re.IGNORECASE),
    "template": re.compile(r"<\|[^|]*\|>|\[/?INST\]"),
    "diagnosis": re.compile(
        r"你(?:这是|得了|患有|有)(?:抑郁症|双相|焦虑症)|you have (?:depression|bipolar)", re.IGNORECASE
    ),
}
_HUMAN = re.compile(
    r"你是(?:真)?人吗|你是机器人吗|你是(?:不是)?ai吗|are you (?:a |an )?(?:human|real|robot|bot|ai)\b", re.IGNORECASE
)


class Guard:
    """Feeds a reply through the checks, held back by the sentence."""

    def __init__(
        self, *, locale: Locale, region: str | None = None, sealed: Sequence[str] = (), post: str = ""
    ) -> None:
        self.withheld: Counter[str] = Counter()
        self.text = ""
        self._held = ""

    def feed(self, text: str) -> str:
        """Takes the next piece of the reply and returns what may be shown."""
        self._held += text
        shown = ""
        while mark := _END.search(self._held):
            shown += self._pass(self._held[: mark.end()])
            self._held = self._held[mark.end() :]
        return shown

    def close(self) -> str:
        """Ends the reply and returns what may still be shown."""
        held, self._held = self._held, ""
        return self._pass(held)

    def _pass(self, sentence: str) -> str:
        for name, pattern in _BAD.items():
            if pattern.search(sentence):
                self.withheld[name] += 1
                return ""
        self.text += sentence
        return sentence


def check(
    text: str, *, locale: Locale, region: str | None = None, sealed: Sequence[str] = (), post: str = ""
) -> list[str]:
    """The rules that a whole reply breaks."""
    return [name for name, pattern in _BAD.items() if pattern.search(text)]


def identity_answer(text: str, locale: Locale) -> str | None:
    """The truth, where a person asks whether a human is speaking; else None."""
    if not _HUMAN.search(text):
        return None
    return "我是 AI，不是真人。" if locale == "zh" else "I am an AI, not a human being."
