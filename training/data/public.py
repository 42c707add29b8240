"""Posts of the public sets that may be trained on: CPsyCoun (CC BY 4.0), CounselChat (MIT). Read, never committed."""

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import admit
from empathy_r1.training.data.annotate import read
from empathy_r1.training.data.compose import compose
from empathy_r1.training.data.sample import Sample

SIZES: dict[Locale, tuple[int, ...]] = {"zh": (140, 260, 420, 800), "en": (300, 700, 1600)}
"""Most characters of a post: a long text is read once at each size that it reaches."""
WINDOW: dict[Locale, int] = {"zh": 70, "en": 160}
"""Most characters of the short posts, which are cut from anywhere in a text."""
WINDOWS = 4

_SENTENCE = re.compile(r"[^。！？!?.…\n]+[。！？!?.…\n]+")
_SENTENCES = re.compile(r"(?s).*[。！？!?.…\n]")


def folder() -> Path:
    """Where the public sets stand: EMPATHY_DATA_DIR, or `../shared/data`."""
    return Path(os.environ.get("EMPATHY_DATA_DIR", "../shared/data"))


def samples(seed: int) -> Iterator[Sample]:
    """Annotated posts of every set that is there; posts that alarm the crisis screen are left out."""
    for number, (locale, source, text) in enumerate(_posts()):
        dice = random.Random(f"{seed}:{number}")
        whole = admit(text[: 2 * SIZES[locale][-1]])
        for size, post in (*_cut(whole[: SIZES[locale][-1]], locale), *_windows(whole, locale, dice)):
            if len(post) < 12 or safety.screen(post).alarm:
                continue
            reading = read(post, locale, dice)
            if reading is not None:
                yield Sample(
                    id=f"{source}-{number}-{size}",
                    locale=locale,
                    source=source,
                    topic=reading.aspect.name if reading.aspect else "other",
                    history=[],
                    post=post,
                    chain=compose(reading, dice),
                )


def sentences(locale: Locale) -> list[str]:
    """Sentences of the public posts that tell of no topic of the bank: what else people say, to be read past."""
    found = {
        sentence.strip(" 。.")
        for language, _, text in _posts()
        if language == locale
        for sentence in _SENTENCE.findall(admit(text[: 2 * SIZES[locale][-1]]))
        if sentence[-1] in "。." and 8 <= len(sentence) <= WINDOW[locale]
    }
    dice = random.Random(0)
    return sorted(s for s in found if read(s, locale, dice) is None and safety.screen(s).level == "none")


def _cut(text: str, locale: Locale) -> Iterator[tuple[int, str]]:
    """The beginning of a text at each size, up to the end of a sentence."""
    for size, before in zip(SIZES[locale], (0, *SIZES[locale]), strict=False):
        if len(text) > before:
            whole = _SENTENCES.match(text[:size])
            yield size, (whole[0] if whole and len(whole[0]) > before else text[:size])


def _windows(text: str, locale: Locale, dice: random.Random) -> Iterator[tuple[str, str]]:
    """A few runs of whole sentences from anywhere in the text, as short posts."""
    sentences = _SENTENCE.findall(text)
    for number in range(min(WINDOWS, len(sentences) // 2)):
        at = dice.randrange(len(sentences))
        post = sentences[at]
        for sentence in sentences[at + 1 : at + dice.randint(1, 4)]:
            if len(post) + len(sentence) <= WINDOW[locale]:
                post += sentence
        yield f"w{number}", post.strip()[: 2 * WINDOW[locale]]


def _posts() -> Iterator[tuple[Locale, str, str]]:
    path = folder() / "cpsycoun" / "dialogues.jsonl"
    if path.exists():
        for line in path.open(encoding="utf-8"):
            turns = json.loads(line)["turns"]
            yield "zh", "cpsycoun", "".join(t["text"].strip() for t in turns if t["role"] == "client")
    path = folder() / "counsel-chat" / "answers.jsonl"
    if path.exists():
        seen = set()
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            text = " ".join(str(row.get("question") or row.get("text") or "").split())
            if text and text not in seen:
                seen.add(text)
                yield "en", "counsel-chat", text
