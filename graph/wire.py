"""The chain's wire format: the one text that serving sends, training learns and parsing reads.

A whole turn of the model is one assistant message of five sections, in this order::

    <emotion>
    焦虑/强 委屈/中｜连续面试失败，怕让父母失望</emotion>
    <cause>
    把一次次被拒当成“我不行”的证据</cause>
    <intention>
    倾诉 建议｜想先被理解，也想知道下一步</intention>
    <strategy>
    先命名情绪，再松动“失败=无能”，最后给一个很小的下一步</strategy>
    <response>
    ……</response>

`emotion` and `intention` open with labels of empathy_r1.graph.labels, then `｜`, then one sentence. The
sections are the paper's L1 to L4 and its answer (arXiv 2509.14851, section 3); the tags are plain text, so
that a LoRA adapter needs no new vocabulary. Only text that a model generated is ever parsed here.

An opening tag ends its line because a prompt may end there: Qwen's tokenizer makes one token of `>The` or `>I`,
so a finished `<cause>The ...` would have other tokens than `<cause>` continued. It never merges over a line end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from empathy_r1.graph.labels import EMOTIONS, INTENSITIES, INTENTIONS, Label, Locale, find

Section = Literal["emotion", "cause", "intention", "strategy", "response"]
SECTIONS: tuple[Section, ...] = get_args(Section)
HIDDEN: tuple[Section, ...] = SECTIONS[:-1]
SEPARATOR = "｜"

INNER_LIMIT = 400
"""Most characters of a hidden section: the person waits while it is written."""
RESPONSE_LIMIT = 4000
"""Most characters of a response."""

_TAG = re.compile(rf"<\s*(/?)\s*({'|'.join(SECTIONS)})\s*>", re.IGNORECASE)
_LOOP = re.compile(r"(.{1,24}?)\1{4}")
_MARKUP = re.compile(r"<\|[^<>|]{0,40}\|>|</?(?:think|empathy_think|answer|L[1-4])>|\[/?INST\]", re.IGNORECASE)


def open_tag(section: Section) -> str:
    """The line that opens `section`, with its end."""
    return f"<{section}>\n"


def close_tag(section: Section) -> str:
    """The tag that closes `section`; also the stop string of its node."""
    return f"</{section}>"


def render(chain: Mapping[Section, str]) -> str:
    """The assistant message of the sections in `chain`, in order; missing ones are left out."""
    return "\n".join(f"{open_tag(s)}{chain[s]}{close_tag(s)}" for s in SECTIONS if s in chain)


def opened(chain: Mapping[Section, str], section: Section) -> str:
    """The assistant message so far, ending inside the opened `section`: what a node asks to be continued.

    Equal to the beginning of `render(...)` of the finished chain, which is what training sees.
    """
    done = {s: chain[s] for s in SECTIONS[: SECTIONS.index(section)]}
    return "\n".join(filter(None, (render(done), open_tag(section))))


def parse(text: str) -> dict[Section, str]:
    """The raw sections of a whole model message, leniently: an unclosed section ends at the next tag."""
    found: dict[Section, str] = {}
    marks = list(_TAG.finditer(text))
    for here, mark in enumerate(marks):
        section = _section(mark)
        if mark[1] or section in found:
            continue
        end = marks[here + 1].start() if here + 1 < len(marks) else len(text)
        found[section] = text[mark.end() : end].strip()
    return found


def repair(section: Section, text: str, locale: Locale) -> str | None:
    """A section as the model wrote it, made valid, or None where nothing valid is left.

    Cuts at the first tag, drops template tokens, folds blanks, brings labels into the closed set of
    `locale` (unknown ones go), and bounds the length at a sentence. A hidden section that turns in a loop is
    not valid; in a reply the guard sees to loops.
    """
    text = _TAG.split(text, maxsplit=1)[0]
    text = _MARKUP.sub("", text)
    text = "".join(c for c in text if (c.isprintable() or c == "\n") and c != "\ufffd")
    if section == "response":
        text = re.sub(r"[^\S\n]+", " ", text)
        text = re.sub(r"\s*\n\s*\n\s*", "\n\n", text).strip()
        text = _bounded(text, RESPONSE_LIMIT)
        return text if _says_something(text) else None
    text = _bounded(" ".join(text.split()), INNER_LIMIT)
    if _LOOP.search(text):
        return None
    if section in ("cause", "strategy"):
        return text if _says_something(text) else None
    head, _, sentence = text.replace("|", SEPARATOR).partition(SEPARATOR)
    words = re.split(r"[\s,，、;；]+", head.strip())
    labels = _emotion_words(words, locale) if section == "emotion" else _intention_words(words, locale)
    if not labels:
        return None
    sentence = sentence.strip()
    return f"{' '.join(labels)}{SEPARATOR}{sentence}" if sentence else " ".join(labels)


@dataclass(frozen=True, slots=True)
class Emotion:
    """One felt emotion of a chain with its intensity."""

    label: Label
    intensity: Label


def emotions(section: str) -> list[Emotion]:
    """The emotions that a valid emotion section opens with, strongest claim first as written."""
    found = []
    for word in section.partition(SEPARATOR)[0].split():
        name, _, strength = word.partition("/")
        label = find(EMOTIONS, name)
        if label is not None:
            found.append(Emotion(label, find(INTENSITIES, strength) or INTENSITIES[1]))
    return found


def intentions(section: str) -> list[Label]:
    """The intentions that a valid intention section opens with: primary first."""
    words = section.partition(SEPARATOR)[0].split()
    return [label for word in words if (label := find(INTENTIONS, word)) is not None]


@dataclass(slots=True)
class SectionStream:
    """Splits the streamed text of the last node into sections, and lets only the response out as it comes.

    A tag that the stream cuts in two is held back until it is whole, so no part of a tag is ever shown.
    """

    inside: Section | None
    """The section that the prompt left open, or None where the text begins outside of all."""
    sections: dict[Section, str] = field(default_factory=dict)
    """What each section holds so far, raw but for blanks in front."""
    done: bool = False
    """The response is complete: nothing after it counts."""
    _held: str = ""
    _outside: str = ""

    def feed(self, text: str) -> str:
        """Takes the next piece of the stream and returns what of it belongs to the response."""
        self._held += text
        shown = ""
        while not self.done and (mark := _TAG.search(self._held)):
            shown += self._take(self._held[: mark.start()])
            self._held = self._held[mark.end() :]
            self._cross(mark)
        if self.done:
            self._held = ""
            return shown
        cut = self._held.rfind("<")
        if cut < 0 or ">" in self._held[cut:] or len(self._held) - cut > _LONGEST_TAG:
            cut = len(self._held)
        shown += self._take(self._held[:cut])
        self._held = self._held[cut:]
        return shown

    def close(self) -> str:
        """Ends the stream; returns what of the response was still held back, unless a tag begins there.

        A text without any tag is a response as a whole: some chat models answer so.
        """
        held, self._held = self._held, ""
        tags = (tag for s in SECTIONS for tag in (open_tag(s), close_tag(s)))
        shown = "" if self.done or any(tag.startswith(held.lower()) for tag in tags) else self._take(held)
        if not self.done and self.inside is None and not self.sections:
            self.sections["response"] = shown = self._outside
        self.done = True
        return shown

    def _cross(self, mark: re.Match[str]) -> None:
        section = _section(mark)
        if "response" in self.sections:
            self.done = True
        elif mark[1]:
            self.inside = None
        elif section not in self.sections:
            self.inside = section
            self.sections[section] = ""

    def _take(self, text: str) -> str:
        if self.inside is None:
            self._outside += text
            return ""
        before = self.sections.get(self.inside, "")
        text = text if before else text.lstrip()
        self.sections[self.inside] = before + text
        return text if self.inside == "response" else ""


_LONGEST_TAG = 24
"""Characters of the longest tag that a model may write, with blanks inside it."""


def _section(mark: re.Match[str]) -> Section:
    name = mark[2].lower()
    return next(s for s in SECTIONS if s == name)


def _says_something(text: str) -> bool:
    return any(c.isalnum() for c in text)


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    ends = [m.end() for m in re.finditer(r"[。！？!?；;]|\.(?=\s)", text[:limit])]
    return text[: ends[-1]] if ends else text[:limit]


def _emotion_words(words: list[str], locale: Locale) -> list[str]:
    kept: dict[str, str] = {}
    for word in words:
        name, _, strength = word.partition("/")
        label = find(EMOTIONS, name)
        if label is not None:
            intensity = find(INTENSITIES, strength) or INTENSITIES[1]
            kept.setdefault(label.key, f"{label.text(locale)}/{intensity.text(locale)}")
    return list(kept.values())[:4]


def _intention_words(words: list[str], locale: Locale) -> list[str]:
    kept = {label.key: label.text(locale) for word in words if (label := find(INTENTIONS, word)) is not None}
    return list(kept.values())[:3]
