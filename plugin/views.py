"""What the engine hands out about sessions: plain data, ready for JSON."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from empathy_r1.graph.labels import Locale
from empathy_r1.graph.safety.levels import Level
from empathy_r1.graph.state import Chain
from empathy_r1.plugin.settings import DoubleTexting

Status = Literal["accepted", "running", "committed", "failed", "cancelled"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SessionCreated(_View):
    """A new session. `token` opens it and is not stored: it cannot be had again."""

    session_id: str
    token: str
    disclosures: list[dict[str, Any]] = []


class TurnView(_View):
    """One post and what became of it."""

    turn_id: str
    post: str
    reply: str | None
    level: Level
    status: Status
    created: datetime
    finished: datetime | None = None
    degraded: str | None = None
    chain: Chain | None = None
    """Only where the operator reveals the chain."""
    card: dict[str, Any] | None = None
    last_event: int = 0
    """Sequence number of the turn's last event so far."""


class SessionSummary(_View):
    """A session without what was said in it."""

    session_id: str
    last_active: datetime
    turns: int


class SessionView(_View):
    """A session with its turns, oldest first."""

    session_id: str
    created: datetime
    last_active: datetime
    locale: Locale | None = None
    region: str | None = None
    metadata: dict[str, Any] = {}
    double_texting: DoubleTexting = "enqueue"
    turns: list[TurnView] = []


class Receipt(_View):
    """Proof of an erasure: what was deleted and when, without any content."""

    receipt_id: str
    erased_at: datetime
    sessions: int
    rows: dict[str, int]
    """Table -> deleted rows."""


class Health(_View):
    """Whether this process can do its work; `ready` means: send it posts."""

    ready: bool
    database: bool
    model: bool
    """An embedded model is there when the process is; a server's is asked."""
    draining: bool
    running: int
    """Turns that this process answers at the moment."""
