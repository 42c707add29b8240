"""The engine: joins the graph, the SQL store and the safety policy at ingress.

Example:
    async with EmpathyEngine.open(Settings()) as engine:
        session = await engine.create_session(locale="zh")
        async for event in engine.stream(session.session_id, post):
            ...

Errors that callers meet (empathy_r1.plugin.errors, and PostError of empathy_r1.graph.errors) and the HTTP status
that fits them: PostError 422, SessionNotFoundError and TurnNotFoundError 404, UnauthorizedError 401,
IdempotencyConflictError 422, SessionBusyError 409, OverloadedError 429 with Retry-After, DrainingError and
StorageUnavailableError 503.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel

from empathy_r1.graph import safety
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.models.vllm import VLLMChat
from empathy_r1.graph.text import admit
from empathy_r1.plugin import _held, _opening
from empathy_r1.plugin._admission import Arrival, accept
from empathy_r1.plugin._backends import model_of, ring_of
from empathy_r1.plugin._crisis import UNSTORED, unstored
from empathy_r1.plugin._handover import deliver
from empathy_r1.plugin._health import health
from empathy_r1.plugin._parts import Clock, Parts, parts, session_of, stored, utc_now
from empathy_r1.plugin._sweeper import Sweeper
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.custody import Custody
from empathy_r1.plugin.errors import StorageUnavailableError, TurnFailedError, TurnNotFoundError, UnauthorizedError
from empathy_r1.plugin.events import Committed, Event, Failed
from empathy_r1.plugin.settings import DoubleTexting, Settings
from empathy_r1.plugin.tenants import Tenants
from empathy_r1.plugin.views import Contact, Health, Receipt, SessionCreated, SessionSummary, SessionView
from empathy_r1.storage import Database, TurnRecord, migrate
from empathy_r1.storage.errors import StorageError

DEFAULT_TENANT = "default"
EMERGENCY_CONTACT = "emergency_contact"
"""The purpose under which the consent ledger keeps that a person left a contact."""

__all__ = ["DEFAULT_TENANT", "EMERGENCY_CONTACT", "UNSTORED", "EmpathyEngine"]


class EmpathyEngine:
    """Sessions and turns over one database and one model. Open it with `EmpathyEngine.open`."""

    def __init__(self, parts: Parts) -> None:
        self.settings = parts.settings
        self._parts = parts
        self._worker = Worker(parts)
        self._sweeper = Sweeper(parts)
        self.tenants = Tenants(parts)
        """API keys."""
        self.custody = Custody(parts)
        """Consents and the audit log."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, *, model: BaseChatModel | None = None, clock: Clock = utc_now
    ) -> AsyncIterator["EmpathyEngine"]:
        """An engine that works until the block ends; then it drains.

        Args:
            settings: see `Settings`.
            model: the policy. None: the one that the settings name.
            clock: what time it is for notices and breaks, with a zone.

        Raises:
            ModelError: no model where the settings name one.
            StorageUnavailableError: no database, or encryption keys that do not open it.
        """
        chosen = model or model_of(settings)
        try:
            database = Database(settings.database_url)
            ring = ring_of(settings)
            await migrate.upgrade(settings.database_url)
        except StorageError as error:
            raise StorageUnavailableError(str(error)) from error
        engine = cls(parts(settings, chosen, database, ring, clock))
        engine._worker.start()
        engine._sweeper.start()
        stopped = asyncio.Event()
        delivery = asyncio.create_task(deliver(engine._parts, stopped))
        try:
            yield engine
        finally:
            await engine._sweeper.stop()
            await engine._worker.stop()
            stopped.set()
            engine._parts.handovers.set()
            for task in engine._parts.tasks:
                task.cancel()
            await asyncio.gather(delivery, *engine._parts.tasks, return_exceptions=True)
            await database.close()
            if model is None and isinstance(chosen, VLLMChat):
                await chosen.aclose()

    async def create_session(
        self,
        *,
        locale: Locale | None = None,
        region: str | None = None,
        metadata: dict[str, Any] | None = None,
        tenant: str = DEFAULT_TENANT,
        external_user: str | None = None,
        double_texting: DoubleTexting | None = None,
        minor: bool = False,
    ) -> SessionCreated:
        """A new session with its token and the disclosures to show before the first post.

        Args:
            locale: language of the replies; None follows the posts.
            region: country of the help lines, ISO 3166-1 alpha-2.
            metadata: JSON that belongs to the session; stored encrypted.
            tenant: owner of the session.
            external_user: the host's own id of the person, for export and erase of all of their sessions.
            double_texting: what happens to a post while another is answered; None takes the setting.
            minor: whether the host knows that the person is under age.
        """
        return await _opening.open_session(
            self._parts,
            tenant=tenant,
            locale=locale,
            region=region,
            metadata=metadata or {},
            external_user=external_user,
            double_texting=double_texting,
            minor=minor,
        )

    async def session_for(
        self,
        external_user: str,
        *,
        tenant: str = DEFAULT_TENANT,
        locale: Locale | None = None,
        region: str | None = None,
        minor: bool = False,
    ) -> str:
        """Id of the one session in which a host's own user talks, made at the first call, by whichever process.

        The id follows from tenant and user. It opens nothing without the session's token, which nobody holds: who
        may speak for the user is the host's to check.

        Args:
            external_user: the host's own id of the person, of any length; kept as a digest only.
            tenant: owner of the session.
            locale: as in `create_session`; of effect at the first call.
            region: as in `create_session`; of effect at the first call.
            minor: as in `create_session`; of effect at the first call.
        """
        return await _opening.session_of_user(
            self._parts, external_user, tenant=tenant, locale=locale, region=region, minor=minor
        )

    async def session(self, session_id: str, *, tenant: str | None = None) -> SessionView:
        """The session with its turns. With `tenant`, a session of another tenant is not found."""
        return await _held.view(self._parts, session_id, tenant)

    async def sessions(self, *, limit: int = 50) -> list[SessionSummary]:
        """The sessions that were active last."""
        with stored():
            records = await self._parts.sessions.newest(limit)
        return [SessionSummary(session_id=r.id, last_active=r.last_active, turns=r.turns) for r in records]

    async def stream(
        self, session_id: str, text: str, *, idempotency_key: str | None = None, tenant: str | None = None
    ) -> AsyncGenerator[Event]:
        """Takes a post in and yields the turn's events, ending in `committed`, `failed` or `cancelled`.

        The turn goes on when the listener leaves; `events` picks its stream up again. Errors of the post, the
        session or the caps are raised by the first step of the iteration, before anything is stored. A post that
        alarms the crisis screen is answered at once, past every queue and cap, and also when the database is down
        (then its events carry the turn id `unstored`).
        """
        post = admit(text, self.settings.max_post_chars)
        screening = safety.screen(post)
        alarm = screening.alarm
        try:
            arrival = Arrival(post, screening, idempotency_key, tenant)
            turn_id = await accept(self._parts, self._worker, session_id, arrival)
        except StorageUnavailableError:
            if not alarm:
                raise
            async for event in unstored(self._parts, session_id, post):
                yield event
            return
        async with contextlib.aclosing(self._events(turn_id, 0)) as events:
            async for event in events:
                yield event

    async def turn(
        self, session_id: str, text: str, *, idempotency_key: str | None = None, tenant: str | None = None
    ) -> Committed:
        """Like `stream`, for callers that want the end only.

        Raises:
            TurnFailedError: the turn failed or was cancelled.
        """
        last: Event | None = None
        async for event in self.stream(session_id, text, idempotency_key=idempotency_key, tenant=tenant):
            last = event
        if isinstance(last, Committed):
            return last
        if isinstance(last, Failed):
            raise TurnFailedError(last.code, last.message, turn_id=last.turn_id, retryable=last.retryable)
        turn_id = last.turn_id if last else ""
        raise TurnFailedError("cancelled", "The turn was cancelled. 这一轮已经取消。", turn_id=turn_id, retryable=True)

    async def events(
        self, session_id: str, turn_id: str, *, after: int = 0, tenant: str | None = None
    ) -> AsyncGenerator[Event]:
        """The turn's events with `seq > after`, then what follows until its end; on any worker."""
        turn = await self._turn(session_id, turn_id, tenant)
        if turn.finished is not None and after >= turn.last_event:
            return
        async with contextlib.aclosing(self._events(turn_id, after)) as events:
            async for event in events:
                yield event

    async def cancel(self, session_id: str, turn_id: str, *, tenant: str | None = None) -> bool:
        """Stops the turn for good and frees the model. False: it had ended before."""
        turn = await self._turn(session_id, turn_id, tenant)
        with stored():
            return await self._worker.cancel(turn.id)

    async def set_contact(
        self, session_id: str, contact: Contact | None, *, tenant: str | None = None, actor: str = "host"
    ) -> None:
        """Keeps whom the person wants to be told in a crisis, encrypted; None forgets them.

        The contact goes out with handovers (`Settings.handover_url`) and nowhere else. Consent, and its end, are
        written in the ledger under the purpose `emergency_contact`.
        """
        record = await session_of(self._parts, session_id, tenant)
        if contact is None and record.contact is None:
            return
        with stored():
            await self._parts.sessions.set_contact(session_id, contact.model_dump(mode="json") if contact else None)
        version = contact.consent_version if contact else str((record.contact or {}).get("consent_version"))
        await self.custody.consent(
            session_id, EMERGENCY_CONTACT, version, given=contact is not None, tenant=tenant, actor=actor
        )

    async def export(self, session_id: str, *, tenant: str | None = None, actor: str = "host") -> dict[str, Any]:
        """Everything held about the session, as JSON data with the label that AI wrote the replies."""
        return await _held.export(self._parts, session_id, tenant, actor)

    async def erase(self, session_id: str, *, tenant: str | None = None, actor: str = "host") -> Receipt:
        """Deletes everything held about the session; a running turn is stopped first."""
        owner = (await session_of(self._parts, session_id, tenant)).tenant
        return await _held.erase(self._parts, self._worker, [session_id], tenant=owner, actor=actor)

    async def export_user(
        self, external_user: str, *, tenant: str = DEFAULT_TENANT, actor: str = "host"
    ) -> dict[str, Any]:
        """Everything held about all sessions of the host's user."""
        with stored():
            ids = await self._parts.sessions.of_user(tenant, external_user)
        return {"sessions": [await self.export(session_id, tenant=tenant, actor=actor) for session_id in ids]}

    async def erase_user(self, external_user: str, *, tenant: str = DEFAULT_TENANT, actor: str = "host") -> Receipt:
        """Deletes everything held about all sessions of the host's user."""
        with stored():
            ids = await self._parts.sessions.of_user(tenant, external_user)
        return await _held.erase(self._parts, self._worker, ids, tenant=tenant, actor=actor)

    async def authorize(self, session_id: str, token: str) -> None:
        """Checks a session's token.

        Raises:
            SessionNotFoundError: no such session.
            UnauthorizedError: not its token.
        """
        if not (await session_of(self._parts, session_id, None)).opens_with(token):
            raise UnauthorizedError

    async def ready(self) -> Health:
        """Asks the database (and, if it is a server, the model) for a sign of life, within 2 s."""
        return await health(self._parts, self._worker)

    async def drain(self) -> None:
        """Takes no new posts, lets running turns end for `drain_seconds`, hands the rest to other processes."""
        await self._worker.drain()

    async def _turn(self, session_id: str, turn_id: str, tenant: str | None) -> TurnRecord:
        await session_of(self._parts, session_id, tenant)
        with stored():
            if (turn := await self._parts.journal.get(session_id, turn_id)) is None:
                raise TurnNotFoundError(turn_id)
        return turn

    async def _events(self, turn_id: str, after: int) -> AsyncGenerator[Event]:
        with stored():
            async with contextlib.aclosing(self._parts.news.follow(self._parts.journal, turn_id, after)) as events:
                async for event in events:
                    yield event
