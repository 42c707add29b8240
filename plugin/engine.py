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

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel

from empathy_r1.graph.labels import Locale
from empathy_r1.plugin.events import Committed, Event
from empathy_r1.plugin.settings import DoubleTexting, Settings
from empathy_r1.plugin.views import ConsentView, Health, Principal, Receipt, SessionCreated, SessionView

DEFAULT_TENANT = "default"


class EmpathyEngine:
    """Sessions and turns over one database and one model. Open it with `EmpathyEngine.open`."""

    settings: Settings

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, model: BaseChatModel | None = None) -> AsyncIterator["EmpathyEngine"]:
        """An engine that works until the block ends; then it drains.

        Args:
            settings: see `Settings`.
            model: the policy. None: the one that the settings name.

        Raises:
            SettingsError: settings that cannot be used together.
            ModelError: no model where the settings name one.
            StorageUnavailableError: no database, or one whose schema is newer than this code.
        """
        raise NotImplementedError
        yield

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
            metadata: up to 4 kB of JSON that belongs to the session; stored encrypted.
            tenant: owner of the session.
            external_user: the host's own id of the person, for export and erase of all of their sessions.
            double_texting: what happens to a post while another is answered; None takes the setting.
        """
        raise NotImplementedError

    async def session(self, session_id: str, *, tenant: str | None = None) -> SessionView:
        """The session with its turns. With `tenant`, a session of another tenant is not found."""
        raise NotImplementedError

    def stream(
        self, session_id: str, text: str, *, idempotency_key: str | None = None, tenant: str | None = None
    ) -> AsyncIterator[Event]:
        """Takes a post in and yields the turn's events, ending in `committed`, `failed` or `cancelled`.

        The turn goes on when the listener leaves; `events` picks its stream up again. Errors of the post, the
        session or the caps are raised by the first step of the iteration, before anything is stored. A post that
        alarms the crisis screen is answered at once, past every queue and cap, and also when the database is down
        (then its events carry the turn id `unstored`).
        """
        raise NotImplementedError

    async def turn(
        self, session_id: str, text: str, *, idempotency_key: str | None = None, tenant: str | None = None
    ) -> Committed:
        """Like `stream`, for callers that want the end only.

        Raises:
            TurnFailedError: the turn failed or was cancelled.
        """
        raise NotImplementedError

    def events(
        self, session_id: str, turn_id: str, *, after: int = 0, tenant: str | None = None
    ) -> AsyncIterator[Event]:
        """The turn's events with `seq > after`, then what follows until its end; on any worker."""
        raise NotImplementedError

    async def cancel(self, session_id: str, turn_id: str, *, tenant: str | None = None) -> bool:
        """Stops the turn for good and frees the model. False: it had ended before."""
        raise NotImplementedError

    async def export(self, session_id: str, *, tenant: str | None = None) -> dict[str, Any]:
        """Everything held about the session, as JSON data with the label that AI wrote the replies."""
        raise NotImplementedError

    async def erase(self, session_id: str, *, tenant: str | None = None) -> Receipt:
        """Deletes everything held about the session; a running turn is stopped first."""
        raise NotImplementedError

    async def export_user(self, external_user: str, *, tenant: str = DEFAULT_TENANT) -> dict[str, Any]:
        """Everything held about all sessions of the host's user."""
        raise NotImplementedError

    async def erase_user(self, external_user: str, *, tenant: str = DEFAULT_TENANT) -> Receipt:
        """Deletes everything held about all sessions of the host's user."""
        raise NotImplementedError

    async def consent(
        self, session_id: str, purpose: str, version: str, *, granted: bool, tenant: str | None = None
    ) -> list[ConsentView]:
        """Records that consent to `purpose` was given or withdrawn; returns the session's ledger."""
        raise NotImplementedError

    async def authorize(self, session_id: str, token: str) -> Principal:
        """Checks a session's token.

        Raises:
            SessionNotFoundError: no such session.
            UnauthorizedError: not its token.
        """
        raise NotImplementedError

    async def authorize_key(self, key: str) -> Principal:
        """The tenant and scopes of an API key (`er1_...`).

        Raises:
            UnauthorizedError: unknown or revoked.
        """
        raise NotImplementedError

    async def ready(self) -> Health:
        """Asks the database (and, if it is a server, the model) for a sign of life, within 2 s."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Takes no new posts, lets running turns end for `drain_seconds`, hands the rest to other processes."""
        raise NotImplementedError
