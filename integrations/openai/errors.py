"""Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`."""

import math
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ValidationError

from empathy_r1.graph.errors import EmpathyR1Error, PostError
from empathy_r1.plugin.errors import (
    DrainingError,
    IdempotencyConflictError,
    OverloadedError,
    SessionBusyError,
    StorageUnavailableError,
    TurnFailedError,
)

_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is refused."""

    def __init__(self, status: int, message: str, code: str | None = None, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


def body(message: str, status: int, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error document."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says about its errors."""
    error = {"message": {"type": "string"}, "type": {"type": "string"}, "param": {}, "code": {}}
    schema = {"type": "object", "properties": {"error": {"type": "object", "properties": error}}, "required": ["error"]}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


def response(error: ApiError | EmpathyR1Error | ValidationError) -> JSONResponse:
    """The answer to an error. What was sent is not repeated."""
    headers: dict[str, str] = {}
    match error:
        case ApiError():
            return JSONResponse(body(error.message, error.status, error.code, error.param), error.status)
        case ValidationError():
            fault = error.errors(include_input=False, include_url=False)[0]
            at = ".".join(str(part) for part in fault["loc"]) or None
            return JSONResponse(
                body(f"The request does not fit the schema at {at}: {fault['type']}.", 400, param=at), 400
            )
        case PostError():
            status, code = 400, "invalid_post"
        case IdempotencyConflictError():
            status, code = 400, "idempotency_conflict"
        case SessionBusyError():
            status, code = 409, "session_busy"
        case DrainingError():
            status, code = 503, "draining"
        case OverloadedError():
            status, code = 429, "overloaded"
        case StorageUnavailableError():
            status, code = 503, "storage_unavailable"
        case TurnFailedError():
            status, code = 503, error.reason
        case _:
            status, code = 500, "internal"
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    words = str(error) if code != "internal" else "An error that should not happen. The server's log says more."
    return JSONResponse(body(words, status, code), status, headers)
