"""Who may do what: holders of a session's token, and programs with an API key of the session's tenant."""

import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from empathy_r1.plugin.engine import DEFAULT_TENANT, EmpathyEngine
from empathy_r1.plugin.errors import (
    SessionNotFoundError,
    StorageUnavailableError,
    TurnNotFoundError,
    UnauthorizedError,
)
from empathy_r1.plugin.tenants import PREFIX, Caller, Scope

_BEARER = HTTPBearer(auto_error=False, description=f"The session's token, or an API key ({PREFIX}…) of its tenant.")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOBODY = "-"

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def _engine(request: Request) -> EmpathyEngine:
    return cast(EmpathyEngine, request.app.state.engine)


Engine = Annotated[EmpathyEngine, Depends(_engine)]


async def _session_id(session_id: Annotated[str, Path()]) -> str:
    if not _ID.fullmatch(session_id):
        raise SessionNotFoundError("of this form")
    return session_id


async def _turn_id(turn_id: Annotated[str, Path()]) -> str:
    if not _ID.fullmatch(turn_id):
        raise TurnNotFoundError("of this form")
    return turn_id


SessionId = Annotated[str, Depends(_session_id)]
TurnId = Annotated[str, Depends(_turn_id)]


class Opened(NamedTuple):
    """A session that the caller may touch."""

    id: str
    tenant: str | None
    """The key's, which the engine holds against the session's; None: the session's own token was shown."""
    actor: str
    """How the audit log names the caller."""


def opened(scope: Scope) -> Any:
    """The dependency of a route on a session: the session's token, or an API key with `scope`."""

    async def check(session_id: SessionId, credentials: Credentials, engine: Engine) -> Opened:
        if credentials is None:
            raise UnauthorizedError
        shown = credentials.credentials
        if shown.startswith(PREFIX):
            # One session's token in 16 million begins so too.
            with contextlib.suppress(UnauthorizedError):
                caller = await engine.tenants.by_key(shown)
                caller.needs(scope)
                return Opened(session_id, caller.tenant, caller.actor)
        await engine.authorize(session_id, shown)
        return Opened(session_id, None, "token")

    return Depends(check)


ChatSession = Annotated[Opened, opened("chat")]
ReadSession = Annotated[Opened, opened("read")]
EraseSession = Annotated[Opened, opened("erase")]


async def _sender(session_id: SessionId, credentials: Credentials, engine: Engine) -> Opened:
    check: Callable[..., Awaitable[Opened]] = opened("chat").dependency
    try:
        return await check(session_id, credentials, engine)
    except StorageUnavailableError:
        # A post in crisis is answered with the database down too. Should it be back by the next line, nobody's
        # session is in this tenant, so that an unchecked token opens nothing.
        return Opened(session_id, _NOBODY, "anyone")


SendingSession = Annotated[Opened, Depends(_sender)]


async def _creator(credentials: Credentials, engine: Engine) -> Caller:
    if credentials is None:
        return engine.tenants.stranger(DEFAULT_TENANT)
    caller = await engine.tenants.by_key(credentials.credentials)
    caller.needs("chat")
    return caller


Creator = Annotated[Caller, Depends(_creator)]
"""Who opens a session: a tenant's program, or, where keys are not required, anyone."""


def holder(scope: Scope) -> Any:
    """The dependency of a route that only an API key with `scope` opens."""

    async def check(credentials: Credentials, engine: Engine) -> Caller:
        if credentials is None:
            raise UnauthorizedError("API key")
        caller = await engine.tenants.by_key(credentials.credentials)
        caller.needs(scope)
        return caller

    return Depends(check)
