"""Every error of the HTTP interface as an RFC 9457 problem document, worded for the person in zh or en.

`title` is for the person, in the language that Accept-Language prefers; `detail` is for the developer; `code` is
stable. No problem document repeats anything of what was sent.
"""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from empathy_r1.graph.errors import (
    BrokenTextError,
    EmpathyR1Error,
    EmptyPostError,
    ModelError,
    PostError,
    PostTooLongError,
)
from empathy_r1.graph.labels import Locale
from empathy_r1.plugin.errors import (
    DrainingError,
    EngineError,
    ForbiddenError,
    IdempotencyConflictError,
    OverloadedError,
    SessionBusyError,
    SessionNotFoundError,
    StorageUnavailableError,
    TurnFailedError,
    TurnNotFoundError,
    UnauthorizedError,
)

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

WORDS: dict[str, tuple[int, str, str]] = {
    "post_empty": (422, "还没有写内容。", "There is nothing written yet."),
    "post_too_long": (422, "这段文字太长了，可以分几次发。", "This is too long; you can send it in parts."),
    "post_broken": (422, "这段文字里有无法识别的字符，请重新输入。", "The text has characters that cannot be read."),
    "invalid_request": (422, "请求的内容不符合要求。", "The request is not as expected."),
    "malformed_request": (400, "请求无法读取。", "The request cannot be read."),
    "unauthorized": (401, "没有打开这段对话的凭证。", "The key to this conversation is missing or wrong."),
    "forbidden": (403, "没有做这件事的权限。", "This is not allowed."),
    "session_not_found": (
        404,
        "找不到这段对话，它可能已被删除。",
        "This conversation is not here; it may have been erased.",
    ),
    "turn_not_found": (404, "找不到这条消息。", "This message is not here."),
    "not_found": (404, "这里什么也没有。", "There is nothing here."),
    "method_not_allowed": (405, "这个地址不支持这种操作。", "This address does not take that method."),
    "session_busy": (
        409,
        "上一条还在回复中，等它结束或先停下。",
        "The last post is still being answered: wait, or stop it.",
    ),
    "turn_cancelled": (409, "已停下，没有回复。", "The turn was stopped; there is no reply."),
    "body_too_large": (413, "发送的内容太大了。", "What was sent is too large."),
    "idempotency_conflict": (422, "这个请求编号已用于另一段文字。", "This request key was used for another text."),
    "overloaded": (429, "这会儿人有点多，请稍后再发。", "It is busy right now. Please send it again shortly."),
    "internal": (
        500,
        "出了点问题，不是你的原因。请稍后再试。",
        "Something went wrong on our side. Please try again later.",
    ),
    "turn_failed": (503, "这次没能回复，可以再试一次。", "There is no reply this time. Please try again."),
    "model_unavailable": (
        503,
        "这会儿没法回复，请稍后再试。",
        "A reply is not possible right now. Please try again later.",
    ),
    "draining": (503, "服务正在重启，请稍后再发。", "The service is restarting. Please send it again shortly."),
    "storage_unavailable": (
        503,
        "服务暂时不可用，请稍后再试。",
        "The service is not available right now. Please try later.",
    ),
}
"""Code -> status, title in Chinese, title in English."""

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (EmptyPostError, "post_empty"),
    (PostTooLongError, "post_too_long"),
    (BrokenTextError, "post_broken"),
    (PostError, "post_broken"),
    (SessionNotFoundError, "session_not_found"),
    (TurnNotFoundError, "turn_not_found"),
    (UnauthorizedError, "unauthorized"),
    (ForbiddenError, "forbidden"),
    (IdempotencyConflictError, "idempotency_conflict"),
    (SessionBusyError, "session_busy"),
    (DrainingError, "draining"),
    (OverloadedError, "overloaded"),
    (StorageUnavailableError, "storage_unavailable"),
    (ModelError, "model_unavailable"),
    (TurnFailedError, "turn_failed"),
)
_BY_STATUS = {400: "malformed_request", 401: "unauthorized", 403: "forbidden", 404: "not_found"} | {
    405: "method_not_allowed",
    413: "body_too_large",
    429: "overloaded",
}


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:empathy-r1:problem:overloaded"])
    title: str
    """For the person, in zh or en."""
    status: int
    detail: str
    """For the developer: what was wrong, what was expected, what to do."""
    code: str = Field(examples=["overloaded"])
    errors: list[dict[str, str]] | None = None
    """Of an invalid request: where each fault lies and what it is."""
    turn_id: str | None = None
    retryable: bool | None = None


def answers(*codes: str) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says about its errors."""
    statuses: dict[int, list[str]] = {}
    for code in codes:
        statuses.setdefault(WORDS[code][0], []).append(code)
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(sorted(names))}",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in (429, 503) else {}),
        }
        for status, names in sorted(statuses.items())
    }


def language(request: Request) -> Locale:
    """`zh` where Accept-Language puts Chinese first, else `en`."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def problem(
    request: Request,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """A response with a problem document."""
    known, zh, en = WORDS[code]
    locale = language(request)
    body = Problem(
        type=f"urn:empathy-r1:problem:{code}",
        title=zh if locale == "zh" else en,
        status=status or known,
        detail=detail,
        code=code,
        **members,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=body.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "Content-Language": locale, "Vary": "Accept-Language", **(headers or {})},
    )


async def on_known(request: Request, error: Exception) -> JSONResponse:
    """Errors that this project raises on purpose."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "internal")
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TurnFailedError):
        code = "turn_cancelled" if error.reason == "cancelled" else "turn_failed"
        members = {"turn_id": error.turn_id, "retryable": error.retryable}
    if code == "internal":
        _LOG.error("unexpected %s at %s", type(error).__name__, request.scope.get("path"), exc_info=error)
        return problem(request, code, "An error that should not happen. The server's log says more.")
    return problem(request, code, str(error), headers=headers, **members)


async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Requests that do not fit the schema. What was sent is not repeated."""
    faults = [
        {
            "at": ".".join(str(part) for part in fault["loc"])[:200].encode("ascii", "replace").decode(),
            "fault": str(fault["type"]),
        }
        for fault in error.errors()
    ]
    kinds = {fault["fault"] for fault in faults}
    if kinds == {"json_invalid"}:
        return problem(request, "malformed_request", "The body is not JSON. Expected a JSON object.", errors=faults)
    if "string_unicode" in kinds:
        return problem(
            request, "post_broken", "The text is not valid Unicode: it holds a lone surrogate.", errors=faults
        )
    return problem(request, "invalid_request", "The request does not fit the schema in /openapi.json.", errors=faults)


async def on_http(request: Request, error: HTTPException) -> JSONResponse:
    """What the framework refuses: unknown addresses, methods, bodies that are too large or unreadable."""
    code = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "invalid_request")
    return problem(request, code, str(error.detail), status=error.status_code, headers=error.headers)


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    """Anything else: the log has it, the answer says nothing about it."""
    _LOG.error("unexpected %s at %s", type(error).__name__, request.scope.get("path"), exc_info=error)
    return problem(request, "internal", "An error that should not happen. The server's log says more.")


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem document."""
    app.add_exception_handler(EmpathyR1Error, on_known)
    app.add_exception_handler(EngineError, on_known)
    app.exception_handler(RequestValidationError)(on_invalid)
    app.exception_handler(HTTPException)(on_http)
    app.add_exception_handler(Exception, on_bug)
