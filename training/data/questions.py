"""Questions with their answers, from a user's own JSONL and from the public sets.

A line of a user's file is `{"post": ..., "answers": [...]}` (also `question`/`text`, `answer`), or
`{"dialogue": [{"role": "client", "text": ...}, ...]}` (also `turns`, or `conversation` of `input` and `output`), whose
client turns are joined into one long post; `id`, `locale` and `topic` are optional. A file may also be one JSON array.
Two rows with the same post are one question with several answers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict, cast

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.training.data.sentences import aspects
from empathy_r1.training.errors import DataError

_EXPECTED = 'Expected {"post": "...", "answers": ["..."]} or {"dialogue": [{"role": "client", "text": "..."}, ...]}.'
_PEOPLE = ("client", "user", "seeker", "来访者", "求助者")


class Question(TypedDict):
    """A post with its reference answers."""

    id: str
    locale: Locale
    source: str
    topic: str
    """`family.aspect` of the sentence bank by key words, or as the file says; `other` where neither is known."""
    post: str
    answers: list[str]


def read(path: Path, source: str | None = None) -> Iterator[Question]:
    """The questions of a JSONL file; answers to the same post come together, in order of their first line.

    Raises:
        DataError: a line is no JSON object with a post or a dialogue.
    """
    found: dict[str, Question] = {}
    for number, row in _rows(path):
        try:
            post, answers = _texts(row)
        except (AttributeError, TypeError, KeyError) as error:
            raise DataError(path, number, f"{type(error).__name__}: {error}", _EXPECTED) from error
        question = _question(post, source or path.stem, row)
        held = found.setdefault(question["id"], question)
        held["answers"] += [answer for answer in answers if answer not in held["answers"]]
    yield from found.values()


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The lines' objects with their numbers; of a file that is one JSON array, its items with theirs."""
    text = path.read_text(encoding="utf-8")
    number = 1
    try:
        if text.lstrip().startswith("["):
            yield from enumerate(json.loads(text), start=1)
            return
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield number, json.loads(line)
    except ValueError as error:
        raise DataError(path, number, str(error), _EXPECTED) from error


def _texts(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    turns = row.get("dialogue") or row.get("turns") or _exchanges(row.get("conversation") or [])
    if turns:
        told = [(str(t.get("role")), str(t.get("text") or t.get("content") or "").strip()) for t in turns]
        post = _joined([text for who, text in told if who in _PEOPLE and text])
        replies = [text for who, text in told if who not in _PEOPLE]
        return post, replies[-1:] if len(replies) == 1 else []
    post = str(row.get("post") or row.get("question") or row.get("text") or "").strip()
    if not post:
        raise KeyError("no post, question or dialogue")
    answers = row.get("answers") or ([row["answer"]] if row.get("answer") else [])
    return post, [str(answer).strip() for answer in answers]


def _exchanges(conversation: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Turns of `{"input", "output"}` exchanges."""
    roles = {"input": "client", "output": "counsellor"}
    return [{"role": role, "text": turn.get(key)} for turn in conversation for key, role in roles.items()]


def _joined(texts: list[str]) -> str:
    zh = locale_of("".join(texts)) == "zh"
    ended = [text if text.endswith(tuple("。！？!?.…")) else text + ("。" if zh else ".") for text in texts]
    return ("" if zh else " ").join(ended)


def _question(post: str, source: str, row: Mapping[str, Any]) -> Question:
    locale = cast("Locale", row.get("locale")) if row.get("locale") in ("zh", "en") else locale_of(post)
    name = str(row.get("id") or f"{source}-{sha256(post.encode()).hexdigest()[:12]}")
    return Question(
        id=name, locale=locale, source=source, topic=str(row.get("topic") or topic(post, locale)), post=post, answers=[]
    )


def topic(post: str, locale: Locale) -> str:
    """The topic of the sentence bank that the post's key words name, or `other`."""
    found = [(len(set(aspect.keys.findall(post))), aspect.name) for aspect in aspects(locale)]
    count, name = max(found, key=lambda pair: pair[0])
    return name if count else "other"


def write(path: Path, questions: Iterable[Question]) -> int:
    """Writes the questions, one a line; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in questions]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)
