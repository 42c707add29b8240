"""The notices that are due to a person: at the opening of a session, and with each post."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale

Notice = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """What decides about notices."""

    region: str | None
    minor: bool


def at_opening(
    before: dict[str, Any] | None, person: Person, locale: Locale | None, now: datetime
) -> tuple[list[Notice], dict[str, Any]]:
    """What a new session shows before the first post, and its history of notices.

    Args:
        before: the history of the person's last session, where the host knows it.
        person: of the session.
        locale: None shows the notices in both languages.
        now: the time.
    """
    history = safety.opened(safety.DisclosureHistory.of(before))
    languages: tuple[Locale, ...] = (locale,) if locale else ("zh", "en")
    shown = [row for language in languages for row in _due(history, person, language, now, asked=False)]
    return [_shown(row) for row in shown], safety.noted(history, shown, now=now).as_json()


def with_post(
    before: dict[str, Any] | None, person: Person, locale: Locale, post: str, now: datetime, *, in_crisis: bool
) -> tuple[list[Notice], dict[str, Any]]:
    """What is shown with a post, and the history from there on.

    A break is not offered in a crisis. A question what is speaking is answered by the reply itself, by the guard's
    words; only the crisis dialogue leaves that to the notice.
    """
    history = safety.DisclosureHistory.of(before)
    asked = safety.identity_answer(post, locale) is not None
    due = _due(history, person, locale, now, asked=asked)
    if in_crisis:
        due = [row for row in due if row.when != "break"]
    shown = [row for row in due if in_crisis or row.when != "asked"]
    return [_shown(row) for row in shown], safety.noted(history, due, now=now).as_json()


def _due(
    history: safety.DisclosureHistory, person: Person, locale: Locale, now: datetime, *, asked: bool
) -> list[safety.Disclosure]:
    return safety.due(history, now=now, region=person.region, locale=locale, minor=person.minor, asked=asked)


def _shown(row: safety.Disclosure) -> Notice:
    return {"id": row.id, "when": row.when, "text": row.text}
