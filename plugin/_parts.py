"""What the engine's modules share: settings, model, graph, store, and the way in to a session."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from langchain_core.language_models import BaseChatModel
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.graph import build_graph
from empathy_r1.graph.walk import Walk
from empathy_r1.plugin._log import News
from empathy_r1.plugin.errors import SessionNotFoundError, StorageUnavailableError
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import Database, Journal, KeyRing, SessionRecord, Sessions
from empathy_r1.storage.outbox import Outbox

SILENCE_SECONDS = 5.0
"""How long a person waits for a database that says nothing."""
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's model and graph over one database."""

    settings: Settings
    model: BaseChatModel
    database: Database
    sessions: Sessions
    journal: Journal
    outbox: Outbox
    clock: Clock = utc_now
    """What time it is for notices and breaks."""
    walk: Walk = field(default_factory=lambda: Walk(build_graph()))
    """Bounded by `Settings.turn_deadline`; the journal keeps what is finished."""
    news: News = field(default_factory=News)
    handovers: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where there may be a handover to send."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Work beside the turns, which ends with the engine."""

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work` beside the turns."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def parts(settings: Settings, model: BaseChatModel, database: Database, ring: KeyRing, clock: Clock) -> Parts:
    """The parts over an open database."""
    journal = Journal(database, ring, owner=uuid.uuid4().hex)
    return Parts(settings, model, database, Sessions(database, ring), journal, Outbox(database, ring), clock)


@contextlib.contextmanager
def stored() -> Iterator[None]:
    """Turns the database's errors into the engine's.

    Raises:
        StorageUnavailableError: the database does not answer.
    """
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StorageUnavailableError(type(error).__name__) from error


async def session_of(parts: Parts, session_id: str, tenant: str | None) -> SessionRecord:
    """The session, for a caller of `tenant`; None is the operator, who sees all.

    Raises:
        SessionNotFoundError: there is none, or it is another tenant's.
    """
    with stored():
        async with asyncio.timeout(SILENCE_SECONDS):
            record = await parts.sessions.get(session_id)
    if record is None or (tenant is not None and record.tenant != tenant):
        raise SessionNotFoundError(session_id)
    return record
