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
import hashlib
import json
import logging
import secrets
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.graph import Context, build_graph, safety
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.models.vllm import VLLMChat, served_models, vllm_chat
from empathy_r1.graph.text import admit
from empathy_r1.plugin import _runner
from empathy_r1.plugin.errors import (
    DrainingError,
    IdempotencyConflictError,
    OverloadedError,
    SessionBusyError,
    SessionNotFoundError,
    StorageUnavailableError,
    TurnFailedError,
    TurnNotFoundError,
    UnauthorizedError,
)
from empathy_r1.plugin.events import EVENT, Accepted, Cancelled, Committed, Event, Failed, Safety, Token
from empathy_r1.plugin.settings import DoubleTexting, Settings
from empathy_r1.plugin.views import Health, Receipt, SessionCreated, SessionSummary, SessionView, TurnView
from empathy_r1.storage import Database, Journal, KeyRing, SessionRecord, Sessions, TurnRecord, migrate
from empathy_r1.storage.errors import DuplicateKeyError, StorageError

DEFAULT_TENANT = "default"
UNSTORED = "unstored"
"""Turn id of a crisis answer that was given while the database was down."""
_POLL_SECONDS = 0.5
"""How often a listener asks the database for events of a turn that another process answers."""
_ENDS = (Committed, Failed, Cancelled)
_log = logging.getLogger("empathy_r1")


class EmpathyEngine:
    """Sessions and turns over one database and one model. Open it with `EmpathyEngine.open`."""

    def __init__(self, settings: Settings, model: BaseChatModel, database: Database, ring: KeyRing) -> None:
        self.settings = settings
        self._model = model
        self._database = database
        self._sessions = Sessions(database, ring)
        self._journal = Journal(database, ring, owner=uuid.uuid4().hex)
        self._graph = build_graph().compile()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._work = asyncio.Event()
        self._draining = False

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, model: BaseChatModel | None = None) -> AsyncIterator["EmpathyEngine"]:
        """An engine that works until the block ends; then it drains.

        Args:
            settings: see `Settings`.
            model: the policy. None: the one that the settings name.

        Raises:
            ModelError: no model where the settings name one.
            StorageUnavailableError: no database, or encryption keys that do not open it.
        """
        chosen = model or _model(settings)
        try:
            database = Database(settings.database_url)
            ring = _ring(settings)
            await migrate.upgrade(settings.database_url)
        except StorageError as error:
            raise StorageUnavailableError(str(error)) from error
        engine = cls(settings, chosen, database, ring)
        tasks = [asyncio.create_task(engine._dispatch()), asyncio.create_task(engine._heartbeat())]
        try:
            yield engine
        finally:
            await engine.drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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
    ) -> SessionCreated:
        """A new session with its token and the disclosures to show before the first post.

        Args:
            locale: language of the replies; None follows the posts.
            region: country of the help lines, ISO 3166-1 alpha-2.
            metadata: JSON that belongs to the session; stored encrypted.
            tenant: owner of the session.
            external_user: the host's own id of the person, for export and erase of all of their sessions.
            double_texting: what happens to a post while another is answered; None takes the setting.
        """
        session_id, token = f"s_{uuid.uuid4().hex}", secrets.token_urlsafe(24)
        with _storage():
            await self._sessions.create(
                session_id,
                tenant=tenant,
                token=token,
                locale=locale,
                region=region,
                double_texting=double_texting or self.settings.double_texting,
                metadata=metadata or {},
                external_user=external_user,
            )
        shown = _at_start(locale or self.settings.locale, region or self.settings.region)
        return SessionCreated(session_id=session_id, token=token, disclosures=shown)

    async def session_for(
        self,
        external_user: str,
        *,
        tenant: str = DEFAULT_TENANT,
        locale: Locale | None = None,
        region: str | None = None,
    ) -> str:
        """Id of the one session in which a host's own user talks, made at the first call, by whichever process.

        The id follows from tenant and user. It opens nothing without the session's token, which nobody holds: who
        may speak for the user is the host's to check.

        Args:
            external_user: the host's own id of the person, of any length; kept as a digest only.
            tenant: owner of the session.
            locale: as in `create_session`; of effect at the first call.
            region: as in `create_session`; of effect at the first call.
        """
        named = json.dumps(["session_for", tenant, external_user])
        session_id = f"u_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
        with _storage():
            await self._sessions.ensure(
                session_id,
                tenant=tenant,
                token=secrets.token_urlsafe(24),
                locale=locale,
                region=region,
                double_texting=self.settings.double_texting,
                external_user=external_user,
            )
        return session_id

    async def session(self, session_id: str, *, tenant: str | None = None) -> SessionView:
        """The session with its turns. With `tenant`, a session of another tenant is not found."""
        record = await self._session(session_id, tenant)
        with _storage():
            turns = await self._journal.of_session(session_id)
        return SessionView(
            session_id=record.id,
            created=record.created,
            last_active=record.last_active,
            locale=record.locale,
            region=record.region,
            metadata=record.metadata,
            double_texting=record.double_texting,
            turns=[_view(turn) for turn in turns],
        )

    async def sessions(self, *, limit: int = 50) -> list[SessionSummary]:
        """The sessions that were active last."""
        with _storage():
            records = await self._sessions.newest(limit)
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
        alarm = safety.screen(post).alarm
        try:
            session = await self._session(session_id, tenant)
            turn_id = await self._accept(session, post, idempotency_key, alarm=alarm)
        except StorageUnavailableError:
            if not alarm:
                raise
            async for event in self._unstored(session_id, post):
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
        await self._session(session_id, tenant)
        with _storage():
            if (turn := await self._journal.get(session_id, turn_id)) is None:
                raise TurnNotFoundError(turn_id)
        if turn.finished is not None and after >= turn.last_event:
            return
        async with contextlib.aclosing(self._events(turn_id, after)) as events:
            async for event in events:
                yield event

    async def cancel(self, session_id: str, turn_id: str, *, tenant: str | None = None) -> bool:
        """Stops the turn for good and frees the model. False: it had ended before."""
        await self._session(session_id, tenant)
        with _storage():
            turn = await self._journal.get(session_id, turn_id)
            if turn is None:
                raise TurnNotFoundError(turn_id)
            return await self._cancel(turn)

    async def export(self, session_id: str, *, tenant: str | None = None) -> dict[str, Any]:
        """Everything held about the session, as JSON data with the label that AI wrote the replies."""
        view = await self.session(session_id, tenant=tenant)
        held = view.model_dump(mode="json")
        with _storage():
            for turn in held["turns"]:
                turn["reply_written_by"] = "AI"
                if self.settings.reveal_chain:
                    turn["chain"] = await self._journal.stages(turn["turn_id"]) or None
        return {"label": "AI-generated replies · 回复由人工智能生成", "session": held}

    async def erase(self, session_id: str, *, tenant: str | None = None) -> Receipt:
        """Deletes everything held about the session; a running turn is stopped first."""
        await self._session(session_id, tenant)
        return await self._erase([session_id])

    async def export_user(self, external_user: str, *, tenant: str = DEFAULT_TENANT) -> dict[str, Any]:
        """Everything held about all sessions of the host's user."""
        with _storage():
            ids = await self._sessions.of_user(tenant, external_user)
        return {"sessions": [await self.export(session_id, tenant=tenant) for session_id in ids]}

    async def erase_user(self, external_user: str, *, tenant: str = DEFAULT_TENANT) -> Receipt:
        """Deletes everything held about all sessions of the host's user."""
        with _storage():
            ids = await self._sessions.of_user(tenant, external_user)
        return await self._erase(ids)

    async def authorize(self, session_id: str, token: str) -> None:
        """Checks a session's token.

        Raises:
            SessionNotFoundError: no such session.
            UnauthorizedError: not its token.
        """
        if not (await self._session(session_id, None)).opens_with(token):
            raise UnauthorizedError

    async def ready(self) -> Health:
        """Asks the database (and, if it is a server, the model) for a sign of life, within 2 s."""
        database = await _answers(self._journal.events("", 0))
        model = True
        if isinstance(self._model, VLLMChat):
            model = await _answers(asyncio.to_thread(_served, self.settings))
        return Health(
            ready=database and model and not self._draining,
            database=database,
            model=model,
            draining=self._draining,
            running=len(self._running),
        )

    async def drain(self) -> None:
        """Takes no new posts, lets running turns end for `drain_seconds`, hands the rest to other processes."""
        self._draining = True
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self.settings.drain_seconds)
        for turn_id, task in list(self._running.items()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(SQLAlchemyError):
                await self._journal.release(turn_id)

    async def _session(self, session_id: str, tenant: str | None) -> SessionRecord:
        with _storage():
            record = await self._sessions.get(session_id)
        if record is None or (tenant is not None and record.tenant != tenant):
            raise SessionNotFoundError(session_id)
        return record

    async def _accept(self, session: SessionRecord, post: str, key: str | None, *, alarm: bool) -> str:
        digest = hashlib.sha256(post.encode()).hexdigest()
        with _storage():
            if key is not None and (known := await self._journal.by_key(session.id, key)):
                return _same(known, digest)
            if self._draining:
                raise DrainingError
            waiting = await self._journal.open_turns(session.id)
            if waiting and not alarm:
                if session.double_texting == "reject":
                    raise SessionBusyError
                if len(waiting) >= self.settings.session_max_open:
                    raise OverloadedError("This session", 5.0)
            if waiting and session.double_texting == "interrupt":
                for turn in [await self._journal.get(session.id, turn_id) for turn_id in waiting]:
                    if turn is not None:
                        await self._cancel(turn)
            turn_id = f"t_{uuid.uuid4().hex}"
            accepted = Accepted(seq=1, turn_id=turn_id, session_id=session.id)
            try:
                await self._journal.accept(
                    turn_id,
                    session.id,
                    post,
                    body_digest=digest,
                    idempotency_key=key,
                    level="none",
                    first=accepted.model_dump(mode="json"),
                )
            except DuplicateKeyError:
                known = await self._journal.by_key(session.id, key or "")
                if known is None:
                    raise
                return _same(known, digest)
            if alarm:
                await self._answer_crisis(session, turn_id, post)
            self._work.set()
            return turn_id

    async def _answer_crisis(self, session: SessionRecord, turn_id: str, post: str) -> None:
        """Answers at once, beside whatever else the session is doing: no model is asked."""
        history = await self._history(session.id)
        given = [m for past in history for m in (HumanMessage(past.post), AIMessage(past.reply or ""))]
        final = await self._crisis(session.locale, session.region, [*given, HumanMessage(post)], session.crisis)
        events = _crisis_events(turn_id, final)
        await self._journal.finish(
            turn_id,
            "committed",
            [event.model_dump(mode="json") for event in events],
            reply=final["messages"][-1].text,
            level=final["level"],
            crisis=(final["crisis"],),
            owned=False,
        )

    async def _crisis(
        self, locale: str | None, region: str | None, messages: list[Any], state: dict[str, Any] | None
    ) -> dict[str, Any]:
        context = Context(
            model=self._model,
            locale=locale or self.settings.locale,  # type: ignore[arg-type]
            region=region or self.settings.region,
        )
        return await self._graph.ainvoke({"messages": messages, "crisis": state}, context=context)

    async def _unstored(self, session_id: str, post: str) -> AsyncGenerator[Event]:
        final = await self._crisis(None, None, [HumanMessage(post)], None)
        yield Accepted(seq=1, turn_id=UNSTORED, session_id=session_id)
        for event in _crisis_events(UNSTORED, final):
            yield event

    async def _history(self, session_id: str) -> list[TurnRecord]:
        turns = await self._journal.of_session(session_id)
        return [turn for turn in turns if turn.status == "committed"][-self.settings.max_history :]

    async def _events(self, turn_id: str, after: int) -> AsyncGenerator[Event]:
        while True:
            news = self._news[turn_id]
            news.clear()
            with _storage():
                events = [EVENT.validate_python(data) for data in await self._journal.events(turn_id, after)]
            for event in events:
                after = event.seq
                yield event
                if isinstance(event, _ENDS):
                    self._news.pop(turn_id, None)
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), _POLL_SECONDS)

    def _published(self, turn_id: str) -> None:
        if turn_id in self._news:
            self._news[turn_id].set()

    async def _cancel(self, turn: TurnRecord) -> bool:
        event = Cancelled(seq=turn.last_event + 1, turn_id=turn.id).model_dump(mode="json")
        became = await self._journal.ask_cancel(turn.id, event)
        if became == "running" and (task := self._running.get(turn.id)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await _runner.cancel_turn(turn.id, self._journal)
        self._published(turn.id)
        return became is not None

    async def _erase(self, session_ids: list[str]) -> Receipt:
        with _storage():
            for session_id in session_ids:
                for turn_id in await self._journal.open_turns(session_id):
                    if turn := await self._journal.get(session_id, turn_id):
                        await self._cancel(turn)
            rows = await self._sessions.erase(session_ids)
        return Receipt(
            receipt_id=f"r_{uuid.uuid4().hex}", erased_at=datetime.now(UTC), sessions=len(session_ids), rows=rows
        )

    async def _dispatch(self) -> None:
        """Claims turns that wait, or that another worker left, and starts them up to the cap."""
        while True:
            self._work.clear()
            try:
                while not self._draining and len(self._running) < self.settings.max_running:
                    claimed = await self._journal.claim(self.settings.lease_seconds)
                    if claimed is None:
                        break
                    task = asyncio.create_task(self._answer(*claimed))
                    self._running[claimed[1]] = task
                    task.add_done_callback(lambda _, turn_id=claimed[1]: self._ended(turn_id))  # type: ignore[misc]
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), 2.0)

    def _ended(self, turn_id: str) -> None:
        self._running.pop(turn_id, None)
        self._work.set()

    async def _answer(self, session_id: str, turn_id: str) -> None:
        session = await self._sessions.get(session_id)
        turn = await self._journal.get(session_id, turn_id)
        if session is None or turn is None:
            return
        history = [past for past in await self._history(session_id) if past.number < turn.number]
        try:
            await _runner.run_turn(
                turn,
                session,
                history,
                graph=self._graph,
                model=self._model,
                journal=self._journal,
                settings=self.settings,
                published=self._published,
            )
        except Exception as error:
            # Neither the post nor the reply may reach a log: the kind of error and its place are enough.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            line = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            _log.error("turn %s failed: %s at %s", turn_id, type(error).__name__, line)

    async def _heartbeat(self) -> None:
        """Prolongs the leases of running turns, stops those that were cancelled elsewhere or lost."""
        while True:
            await asyncio.sleep(self.settings.lease_seconds / 4)
            if not self._running:
                continue
            try:
                lost, asked = await self._journal.renew(list(self._running), self.settings.lease_seconds)
            except SQLAlchemyError as error:
                _log.warning("the database does not answer: %s", type(error).__name__)
                continue
            for turn_id in (*lost, *asked):
                if task := self._running.get(turn_id):
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                if turn_id in asked:
                    await _runner.cancel_turn(turn_id, self._journal)
                    self._published(turn_id)


def _at_start(locale: Locale | None, region: str | None) -> list[dict[str, Any]]:
    """The disclosures of a new session, in both languages where its language is open."""
    languages: tuple[Locale, ...] = (locale,) if locale else ("zh", "en")
    return [
        {"id": row.id, "when": row.when, "text": row.text}
        for language in languages
        for row in safety.due(
            safety.DisclosureHistory(), now=datetime.now(UTC), region=region, locale=language, minor=False
        )
    ]


def _model(settings: Settings) -> BaseChatModel:
    if settings.model_url:
        key = settings.model_api_key.get_secret_value() if settings.model_api_key else None
        return vllm_chat(settings.model_url, settings.model, api_key=key)
    from empathy_r1.graph.models.embedded import EmbeddedChat, shipped_model

    return EmbeddedChat(path=settings.model) if settings.model else shipped_model()


def _ring(settings: Settings) -> KeyRing:
    if settings.encryption_keys is not None:
        return KeyRing(settings.encryption_keys.get_secret_value())
    if not settings.database_url.startswith("sqlite"):
        raise StorageError(
            "EMPATHY_R1_ENCRYPTION_KEYS is not set; with PostgreSQL every process needs the same keys. "
            "Make one with: empathy-r1 db key"
        )
    return KeyRing.in_file(settings.data_dir / "encryption.key")


def _served(settings: Settings) -> list[str]:
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else None
    return served_models(settings.model_url or "", api_key=key, timeout=1.5)


async def _answers(question: Any) -> bool:
    try:
        await asyncio.wait_for(question, 2.0)
    except Exception:
        return False
    return True


@contextlib.contextmanager
def _storage() -> Any:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StorageUnavailableError(type(error).__name__) from error


def _same(known: TurnRecord, digest: str) -> str:
    if known.body_digest != digest:
        raise IdempotencyConflictError
    return known.id


def _crisis_events(turn_id: str, final: dict[str, Any]) -> list[Event]:
    reply = final["messages"][-1].text
    timings = final.get("timings") or {}
    return [
        Safety(seq=2, turn_id=turn_id, level=final["level"], kinds=final["kinds"], card=final["card"]),
        Token(seq=3, turn_id=turn_id, text=reply),
        Committed(seq=4, turn_id=turn_id, reply=reply, level=final["level"], timings=timings),
    ]


def _view(turn: TurnRecord) -> TurnView:
    return TurnView(
        turn_id=turn.id,
        post=turn.post,
        reply=turn.reply,
        level=turn.level,
        status=turn.status,
        created=turn.created,
        finished=turn.finished,
        degraded=turn.degraded,
        last_event=turn.last_event,
    )
