"""Where a crisis dialogue stands: a small, JSON-serialisable record without a word of the person's."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from empathy_r1.graph.safety.levels import LEVELS, Kind, Level, Screening

Track = Literal[
    "suicide",
    "self_harm",
    "harm_to_others",
    "abuse",
    "harm_from_others",
    "psychosis",
    "eating",
    "minor",
    "other",
    "other_danger",
    "concern",
]

_TRACKS: tuple[Track, ...] = get_args(Track)
_FIRST: tuple[Kind, ...] = (
    "suicide",
    "self_harm",
    "harm_to_others",
    "abuse",
    "harm_from_others",
    "psychosis",
    "eating",
    "minor",
)
"""Which kind leads the talk where several are present."""


@dataclass(slots=True)
class Talk:
    """The record. `as_json` and `of` carry it over a turn."""

    turn: int = 0
    """Crisis replies given."""
    level: Level = "none"
    track: Track = "concern"
    minor: bool = False
    pending: str = ""
    """The safety question that waits for an answer."""
    answers: dict[str, str] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    """List of sentences -> how many of it were said."""
    steady: int = 0
    """Turns since the last imminent post."""
    unsure: int = 0
    """Unclear answers in a row."""
    calm: int = 0
    """Turns that the model answered since the last crisis reply."""
    seed: int = 0

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> "Talk":
        """The record in `state`; whatever in it is missing or malformed takes its default."""
        talk = cls()
        for name in ("turn", "steady", "unsure", "calm", "seed"):
            value = (state or {}).get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
                setattr(talk, name, value)
        if state and state.get("level") in LEVELS:
            talk.level = state["level"]
        if state and state.get("track") in _TRACKS:
            talk.track = state["track"]
        talk.minor = bool(state and state.get("minor") is True)
        pending = state.get("pending") if state else None
        talk.pending = pending if isinstance(pending, str) else ""
        answers, used = (state or {}).get("answers"), (state or {}).get("used")
        if isinstance(answers, Mapping):
            talk.answers = {str(k): str(v) for k, v in answers.items()}
        if isinstance(used, Mapping):
            talk.used = {str(k): v for k, v in used.items() if isinstance(v, int) and 0 <= v < 1_000_000}
        return talk

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return asdict(self)

    def say(self, pool: str, sentences: Sequence[str], *, shuffled: bool = False) -> str:
        """The next sentence of a list, in order, from the start again after the last."""
        said = self.used.get(pool, 0)
        self.used[pool] = said + 1
        return sentences[(said + (self.seed if shuffled else 0)) % len(sentences)]

    def asked(self, question: str) -> bool:
        """Whether `question` was asked before."""
        return self.used.get(f"ask.{question}", 0) > 0


def track_of(screening: Screening, before: Track) -> Track:
    """What the dialogue is about: the gravest kind present, whose risk it is, or what it was about before."""
    lead = next((kind for kind in _FIRST if kind in screening.kinds), None)
    if lead is None:
        return before
    if screening.about_other:
        return "other_danger" if lead in ("abuse", "harm_from_others", "minor") else "other"
    return lead
