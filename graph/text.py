"""A person's text on its way in: limits, cleaning, neutralising, language."""

import re
import unicodedata

from empathy_r1.graph.errors import BrokenTextError, EmptyPostError, PostTooLongError
from empathy_r1.graph.labels import Locale

MAX_POST_CHARS = 8000
"""Most characters of a post by default; a long Chinese post of the paper's kind has 300 to 2,000."""

_KEPT_CONTROLS = "\n\t"
_JOINERS = "\u200c\u200d"
"""Zero-width joiners carry meaning in emoji and in several scripts; other invisible characters carry none."""
_MARKUP = re.compile(
    r"<(?=[|｜/!?A-Za-z]|\s+/?\s*(?:emotion|cause|intention|strategy|response)\b)|(?<=[|｜A-Za-z0-9/])>"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_|AVAILABLE_TOOLS))|\](?<=INST\])"
)
_SHOWN_AS = {"<": "‹", ">": "›", "[": "［", "]": "］"}
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+")


def admit(text: str, limit: int = MAX_POST_CHARS) -> str:
    """The post as it is kept and answered: NFC, without control, bidi-control and invisible characters.

    Raises:
        BrokenTextError: a lone surrogate, which no encoding can carry.
        PostTooLongError: more than `limit` characters after cleaning.
        EmptyPostError: no visible character.
    """
    if surrogate := _SURROGATE.search(text):
        raise BrokenTextError(surrogate.start())
    if len(text) > 16 * limit:
        raise PostTooLongError(len(text), limit)
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not all(map(str.isprintable, text.split("\n"))):
        text = "".join(filter(_visible, text))
    text = text.strip()
    if len(text) > limit:
        raise PostTooLongError(len(text), limit)
    if not any(unicodedata.category(c)[0] in "LNPS" for c in text):
        raise EmptyPostError
    return text


def neutralise(text: str) -> str:
    """The text with everything that looks like a tag or a chat-template token turned into plain characters.

    Angle brackets of `<response>`, `<|im_start|>`, `<s>` become `‹` and `›`; `a < b`, `<3` and `>_<` stay.
    """
    if not any(mark in text for mark in _SHOWN_AS):
        return text
    return _MARKUP.sub(lambda m: _SHOWN_AS[m[0]], text)


def locale_of(text: str) -> Locale:
    """Chinese where Han characters weigh at least as much as Latin words, else English."""
    return "zh" if len(_HAN.findall(text)) >= max(1, len(_LATIN_WORD.findall(text))) else "en"


def _visible(c: str) -> bool:
    if c in _KEPT_CONTROLS or c in _JOINERS:
        return True
    category = unicodedata.category(c)
    return category not in ("Cc", "Cf", "Co", "Cn") or "\U000e0020" <= c <= "\U000e007f"
