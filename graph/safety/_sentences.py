"""Cuts a stream into sentences, the same way however the stream is chunked."""

import re
import unicodedata

MOST = 400
"""Most characters of a sentence without an end: then it is cut."""
_RUN = 20
_AHEAD = 2 * _RUN + 24
"""Characters beyond `MOST` that decide whether a sentence ends there."""

# The run of ends, closing quotes and blanks is possessive and bounded, and one more character must follow: so the cut
# never depends on where a chunk ends.
_CLOSERS = "”’\"'」』）)】\\]*_"
_END = re.compile(
    rf"(?:[。！？!?…；\n]|\.(?=[\s{_CLOSERS}\u3400-\u9fff.]))[。！？!?…；;.\n{_CLOSERS}]{{0,{_RUN}}}+\s{{0,{_RUN}}}+(?=[\s\S])"
)
_KEPT = "\n\t\u200c\u200d\ufe0f"
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")


class Sentences:
    """Takes pieces of text and gives whole sentences; `rest` is the last one."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """The sentences that `text` completes."""
        self._held += visible(text)
        whole: list[str] = []
        while True:
            mark = _END.search(self._held, 0, len(self._held))
            if mark and mark.start() < MOST:
                cut = mark.end()
            elif len(self._held) >= MOST + _AHEAD:
                cut = _soft_cut(self._held[:MOST])
            else:
                return whole
            whole.append(self._held[:cut])
            self._held = self._held[cut:]

    def rest(self) -> str:
        """What is left when the stream has ended."""
        held, self._held = self._held, ""
        return held


def visible(text: str) -> str:
    """The text without control, bidi-control and other invisible characters, and without lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in _KEPT or (unicodedata.category(c) not in _DROPPED and c != "\ufffd"))


def _soft_cut(text: str) -> int:
    at = max(text.rfind(c) for c in "，,、 ：:")
    return at + 1 if at > MOST // 2 else len(text)
