"""Who may do what: the app's engine, and callers who hold a session's token."""

import re
from typing import Annotated, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import SessionNotFoundError, TurnNotFoundError, UnauthorizedError

_BEARER = HTTPBearer(auto_error=False, description="The session's token.")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

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


async def _token(credentials: Credentials) -> str:
    if credentials is None:
        raise UnauthorizedError
    return credentials.credentials


Token = Annotated[str, Depends(_token)]


async def _opened(session_id: SessionId, token: Token, engine: Engine) -> str:
    await engine.authorize(session_id, token)
    return session_id


OpenedSession = Annotated[str, Depends(_opened)]
"""The id of a session whose token the caller has shown."""
