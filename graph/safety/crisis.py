"""The crisis dialogue: every word comes from tables, so it works with the model, network and database down.

Over the turns it acknowledges, asks directly once, follows up on plan, means and time, names a confidential line,
a trusted person and professional care, offers a safety plan and grounding, and in imminent danger puts emergency
help, company and distance from means first. One question a turn, few sentences, no list; a refused question is not
asked again. It never ends the talk and asks for no promise. The order follows the items of the VERA-MH rubric
(SpringCare/VERA-MH), the safety plan the steps of Stanley and Brown (2012).
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety._answers import Answer, brief, close_by, read_answer, soon
from empathy_r1.graph.safety._tables import load
from empathy_r1.graph.safety._talk import Talk, Track, track_of
from empathy_r1.graph.safety.help import HelpCard, help_for, short, takes_text, urgent
from empathy_r1.graph.safety.levels import Level, Screening

IN_VIEW_TURNS = 10
"""Turns of the model after a crisis during which the help card stays in view."""

_TABLES: dict[Locale, dict[str, Any]] = {"zh": load("crisis_zh"), "en": load("crisis_en")}

_PROBES: dict[Track, tuple[str, ...]] = {
    "suicide": ("direct", "plan", "means", "time"),
    "self_harm": ("direct", "wound", "plan", "means", "time"),
    "harm_to_others": ("direct", "means", "plan"),
    "abuse": ("direct", "hurt"),
    "harm_from_others": ("direct", "hurt"),
    "psychosis": ("direct", "alone"),
    "eating": ("direct", "alone"),
    "minor": ("direct", "alone"),
    "other": ("direct", "plan", "means", "time"),
    "other_danger": ("direct",),
    "concern": ("direct", "plan", "means", "time"),
}
_SUPPORT: dict[Track, tuple[str, ...]] = {
    "suicide": ("trusted", "line", "plan", "ground", "professional", "plan", "talk", "reasons", "plan"),
    "self_harm": ("distance", "trusted", "ground", "line", "plan", "professional", "talk"),
    "harm_to_others": ("distance", "trusted", "ground", "line", "talk", "professional"),
    "abuse": ("safety", "trusted", "line", "talk", "professional", "ground"),
    "harm_from_others": ("safety", "trusted", "line", "talk", "professional", "ground"),
    "psychosis": ("steady", "trusted", "professional", "ground", "line", "talk"),
    "eating": ("professional", "trusted", "talk", "line", "ground"),
    "minor": ("trusted", "line", "talk", "professional", "ground"),
    "other": ("askthem", "stay", "professional", "yourself"),
    "other_danger": ("stay", "professional", "yourself"),
    "concern": ("talk", "trusted", "professional", "line", "ground", "plan"),
}
_NOW: dict[Track, str] = {
    "harm_to_others": "others_danger",
    "abuse": "in_danger",
    "harm_from_others": "in_danger",
    "eating": "body",
    "other": "other",
    "other_danger": "other",
}
_OTHER: tuple[Track, ...] = ("other", "other_danger")
_ALIKE: dict[str, str] = {"harm_from_others": "abuse", "other_danger": "other"}
"""Tracks that share their wording."""
_NEAR: tuple[Track, ...] = ("abuse", "harm_from_others", "other_danger")
"""Where somebody close by is the danger."""
_IF_THOUGHTS = {"self_harm": ("plan", "means", "time")}
"""Probes that are asked only after thoughts of suicide were not denied."""


@dataclass(frozen=True, slots=True)
class CrisisReply:
    """One reply of the dialogue."""

    text: str
    card: HelpCard
    state: dict[str, Any]
    """Where the dialogue stands: JSON values, without a word of the person's; goes back in at the next turn."""


def reply(
    screening: Screening, text: str, *, state: Mapping[str, Any] | None, locale: Locale, region: str | None
) -> CrisisReply:
    """Meets a person in crisis.

    Args:
        screening: what the screen says about `text` and the posts before it.
        text: the person's post.
        state: `CrisisReply.state` of the last crisis reply of this session; None at the first.
        locale: language of the reply.
        region: ISO 3166-1 alpha-2 country for help lines; None if unknown.
    """
    talk, card, table = Talk.of(state), help_for(region, locale), _TABLES[locale]
    first = talk.turn == 0
    fresh = first or talk.calm >= 3
    if first:
        talk.seed = zlib.crc32(text.encode("utf-8", "replace")) % 97
    before = talk.level
    track = talk.track = track_of(screening, talk.track)
    talk.minor = talk.minor or "minor" in screening.kinds
    answer = _hear(talk, text, locale)
    talk.level = _level(talk, screening, before, answer, text)
    said = Words(talk, table, card, locale)

    urgent_now = talk.level == "imminent" and answer not in ("safer", "refused")
    if fresh:
        heard = [said.one("open", track if track != "other_danger" else "other", shuffled=True)]
    elif urgent_now:
        heard = [said.one("heard.urgent", "other" if track in _OTHER else "any")]
    else:
        heard = [said.one(f"heard.{answer}", "any", shuffled=True)]
    if talk.level == "imminent":
        heard.append(said.one("now", _NOW.get(track, "self")))
        talk.pending = "who"
        alone = fresh or (answer != "safer" and talk.used.get("ask.who", 0) < 3)
        question = said.ask("who", track) if alone else said.move(_next_move(talk, track), track)
    else:
        again = screening.alarm and (talk.calm > 0 or talk.answers.get("direct") == "no")
        probe = _next_probe(talk, track, again=again)
        question = said.ask(probe, track) if probe else said.move(_next_move(talk, track), track)
        talk.pending = probe
    if fresh:
        if first:
            heard.append(said.one("say", "ai"))
        if talk.level != "imminent":
            heard.append(said.one("say", "line_first"))
            if track in _OTHER:
                heard.append(said.fill(table["say"]["emergency_other"]))
    elif talk.turn % 4 == 0 and talk.level != "imminent":
        heard.append(said.one("say", "card_again"))
    talk.turn += 1
    talk.calm = 0
    glue = "" if locale == "zh" else " "
    return CrisisReply(f"{glue.join(heard)}\n\n{question}", card, talk.as_json())


def holds(screening: Screening, text: str, *, state: Mapping[str, Any] | None, locale: Locale) -> bool:
    """Whether the crisis dialogue takes this turn.

    It does on every alarm, and while a safety question waits for its answer: "yes" alone raises no alarm. A new
    post that is no answer goes to the model, with the help in view.
    """
    if screening.alarm:
        return True
    talk = Talk.of(state)
    if talk.level == "imminent" and talk.steady < 2:
        return True
    if not talk.pending or talk.unsure > 1:
        return False
    return brief(text) or read_answer(text, locale) != "unsure"


def help_in_view(region: str | None, locale: Locale, state: Mapping[str, Any] | None = None) -> str:
    """The line that closes a model's reply while the level is `concern` or was high a short while ago.

    With `state` it is said at the first turn after a crisis reply and at every third one since, each time in other
    words, and is empty in between: the card stays in view all the same.
    """
    talk, card = Talk.of(state), help_for(region, locale)
    lines = _TABLES[locale]["view"]["after" if talk.turn else "concern"]
    if talk.calm % 3:
        return ""
    return Words(talk, _TABLES[locale], card, locale).fill(lines[talk.calm // 3 % len(lines)])


def rest(state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The state after a turn that the model answered; None once the crisis lies `IN_VIEW_TURNS` turns back."""
    if state is None:
        return None
    talk = Talk.of(state)
    talk.calm += 1
    talk.pending = ""
    talk.level = "concern"
    return talk.as_json() if talk.calm < IN_VIEW_TURNS else None


def safety_plan(locale: Locale) -> list[dict[str, Any]]:
    """The sections of a safety plan, to fill in, keep and print: `{key, title, hint, rows}` each."""
    return [dict(section) for section in _TABLES[locale]["plan"]]


def grounding(locale: Locale) -> dict[str, Any]:
    """A grounding exercise: `{title, steps}`."""
    table = _TABLES[locale]["ground"]
    return {"title": table["title"], "steps": list(table["steps"])}


@dataclass(slots=True)
class Words:
    """Takes sentences from a table of one language and fills in the help of one country."""

    talk: Talk
    table: dict[str, Any]
    card: HelpCard
    locale: Locale

    def fill(self, sentence: str) -> str:
        """The sentence with its numbers."""
        filled = (
            sentence.replace("{line}", short(self.card, self.locale))
            .replace("{emergency}", urgent(self.card, self.locale))
            .replace("{ways}", self.table["say"]["ways"] if takes_text(self.card) else "")
        )
        return re.sub(r"(?<=[\u4e00-\u9fff）]) (?=[\u4e00-\u9fff（])", "", filled)

    def one(self, group: str, name: str, *, shuffled: bool = False) -> str:
        """The next sentence of the list `name` of `group` (dotted)."""
        rows = self.table
        for part in group.split("."):
            rows = rows[part]
        return self.fill(self.talk.say(f"{group}.{name}", rows[name], shuffled=shuffled))

    def ask(self, question: str, track: Track) -> str:
        """The question in the words of `track`, or in general words."""
        rows = self.table["ask"][question]
        name = next((n for n in (track, _ALIKE.get(track)) if n in rows), "any")
        return self.fill(self.talk.say(f"ask.{question}", rows[name]))

    def move(self, move: str, track: Track) -> str:
        """The next sentence of a supporting move, in the words of `track`."""
        rows = self.table["move"][move]
        first = "minor" if self.talk.minor else track
        name = next((n for n in (first, track, _ALIKE.get(track)) if n in rows), "any")
        return self.fill(self.talk.say(f"move.{move}.{name}", rows[name]))


def _hear(talk: Talk, text: str, locale: Locale) -> Answer:
    answer = read_answer(text, locale)
    if talk.pending == "who" and answer in ("yes", "no"):
        # Whoever is alone says "no", and whoever has company has not said that it helps.
        answer = "unsure"
    if talk.pending == "time" and answer == "unsure" and soon(text):
        answer = "yes"
    if talk.pending:
        talk.answers[talk.pending] = answer
        talk.unsure = talk.unsure + 1 if answer == "unsure" else 0
    elif answer in ("yes", "no"):
        # Without a safety question, "yes" and "no" answer something else.
        answer = "unsure"
    return answer


def _level(talk: Talk, screening: Screening, before: Level, answer: Answer, text: str) -> Level:
    answers = talk.answers
    near = talk.pending == "direct" and talk.track in _NEAR and answer != "no" and (answer == "yes" or close_by(text))
    named = answers.get("plan") == "yes" and (
        answers.get("means") == "yes" or (answers.get("time") == "yes" and talk.pending == "time" and soon(text))
    )
    if screening.level == "imminent" or near or (named and talk.pending):
        talk.steady = 0
        return "imminent"
    if before == "imminent" and answer != "safer" and talk.steady < 2:
        talk.steady += 1
        return "imminent"
    if screening.alarm or before == "imminent":
        return "high"
    return "high" if before == "high" and answer not in ("no", "safer") else "concern"


def _next_probe(talk: Talk, track: Track, *, again: bool) -> str:
    """The next safety question, or "" where none is left or the person does not want to be asked."""
    if "refused" in talk.answers.values():
        return ""
    direct = talk.answers.get("direct")
    if again and talk.used.get("ask.direct", 0) == 1 and len(_TABLES["zh"]["ask"]["direct"].get(track, ())) > 1:
        talk.answers.clear()
        return "direct"
    for probe in _PROBES[track]:
        if talk.asked(probe):
            continue
        thoughts = track in ("suicide", "self_harm", "concern", "other", "harm_to_others")
        if probe in ("plan", "means", "time") and thoughts and direct == "no":
            continue
        if probe in _IF_THOUGHTS.get(track, ()) and direct != "yes":
            continue
        if probe in ("means", "time") and talk.answers.get("plan") == "no":
            continue
        return probe
    return ""


def _next_move(talk: Talk, track: Track) -> str:
    moves = _SUPPORT[track]
    done = talk.used.get("moves", 0)
    talk.used["moves"] = done + 1
    return moves[done % len(moves)]
