"""What the engine hands out about sessions: plain data, ready for JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    """Help lines that were shown."""
    disclosures: list[dict[str, Any]] = []
    """Notices that were shown with the post."""
    joined_into: str | None = None
    """The later turn whose reply answers this post too."""
    last_event: int = 0
    """Sequence number of the turn's last event so far."""


class Contact(_View):
    """Somebody whom the person wants to be told in a crisis."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    reach: Annotated[str, Field(min_length=3, max_length=200)]
    """How to reach them: a number, an address."""
    relation: Annotated[str | None, Field(max_length=80)] = None
    consent_version: Annotated[str, Field(min_length=1, max_length=40)]
    """Which text the person agreed to."""
    consented: datetime
    """When."""


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
    minor: bool = False
    contact: Contact | None = None
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
