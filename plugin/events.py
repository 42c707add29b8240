"""What a turn tells its listener: one small union of typed events, each with a sequence number.

`seq` counts from 1 within a turn and is the SSE event id: a listener that resumes after `seq` misses and
repeats nothing. Every stream ends with exactly one of `committed`, `failed` or `cancelled`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from empathy_r1.graph.safety.levels import Kind, Level
from empathy_r1.graph.state import Chain, Timing

Stage = Literal["screen", "emotion", "cause", "intention", "response", "guard", "crisis"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    turn_id: str


class Accepted(_Event):
    """The turn stands in the journal: it will be answered."""

    type: Literal["accepted"] = "accepted"
    session_id: str


class StageDone(_Event):
    """A stage has its result. The result itself is there only when the operator reveals the chain."""

    type: Literal["stage"] = "stage"
    name: Stage
    seconds: float
    text: str | None = None


class Token(_Event):
    """A piece of the reply, checked by the guard. All pieces since the last `reset` together are the reply."""

    type: Literal["token"] = "token"
    text: str
    reset: bool = False
    """The pieces before this one no longer count: another worker took over, or the guard withdrew them."""


class Safety(_Event):
    """The screen saw a risk, or a disclosure is due. `card` holds help lines, `disclosures` texts to show."""

    type: Literal["safety"] = "safety"
    level: Level
    kinds: list[Kind] = []
    card: dict[str, Any] | None = None
    disclosures: list[dict[str, Any]] = []


class Committed(_Event):
    """The turn is answered and stored; `reply` is the whole text."""

    type: Literal["committed"] = "committed"
    reply: str
    level: Level
    degraded: str | None = None
    chain: Chain | None = None
    timings: dict[str, Timing] = {}
    joined_into: str | None = None
    """The later turn of the session that answers this post together with its own, unless it was joined itself into
    one that came after; `reply` is empty then."""


class Failed(_Event):
    """The turn has no answer. `message` is for the person; `retryable` says whether sending again may help."""

    type: Literal["failed"] = "failed"
    code: str
    message: str
    retryable: bool


class Cancelled(_Event):
    """The turn was stopped for good."""

    type: Literal["cancelled"] = "cancelled"


Event = Annotated[Accepted | StageDone | Token | Safety | Committed | Failed | Cancelled, Field(discriminator="type")]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes events as JSON."""
