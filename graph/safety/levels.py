"""What the screen says about a post: how grave, of what kind, and whose risk it is.

The levels follow the steps of the Columbia protocol in coarse form: passing distress or a risk that lies in the
past (`concern`), a wish to die, thoughts, self-harm or violence (`high`), and a plan, preparation, an attempt under
way or a time frame of hours (`imminent`). `high` and `imminent` open the crisis dialogue; `concern` lets the model
answer with the help kept in view.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["none", "concern", "high", "imminent"]

Kind = Literal[
    "suicide",
    "self_harm",
    "harm_to_others",
    "harm_from_others",
    "abuse",
    "psychosis",
    "eating",
    "minor",
]

LEVELS: tuple[Level, ...] = ("none", "concern", "high", "imminent")
"""From least to most grave."""

KINDS: tuple[Kind, ...] = (
    "suicide",
    "self_harm",
    "harm_to_others",
    "harm_from_others",
    "abuse",
    "psychosis",
    "eating",
    "minor",
)


def worse(a: Level, b: Level) -> Level:
    """The graver of two levels."""
    return max(a, b, key=LEVELS.index)


@dataclass(frozen=True, slots=True)
class Screening:
    """What `screen` found. Holds no word of the post, so that it may be logged and counted."""

    level: Level
    kinds: tuple[Kind, ...] = ()
    """In the order of `KINDS`, each once; empty when the level is `none`."""
    about_other: bool = False
    """The risk is somebody else's: "我朋友想自杀"."""
    rules: tuple[str, ...] = ()
    """Ids of the table rows that fired, `signs:` before signs that added up, `history:` before what posts left."""

    @property
    def alarm(self) -> bool:
        """Whether the crisis dialogue takes the turn."""
        return self.level in ("high", "imminent")


CALM = Screening("none")
"""Nothing found."""
