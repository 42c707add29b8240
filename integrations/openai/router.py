"""The OpenAI-compatible API: models and chat completions, streamed or whole.

The server keeps the talk, so of the messages sent only the last one of the user is a new turn. Whose talk it is says
the header `X-Session-Id`, or `X-OpenWebUI-Chat-Id`, or the field `user`; without any of them the request opens a talk
of its own, whose id comes back in the header `X-Session-Id`. `Idempotency-Key` names the message.
"""

import hmac
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from empathy_r1.graph.errors import EmpathyR1Error
from empathy_r1.integrations import hosts
from empathy_r1.integrations.openai import errors
from empathy_r1.integrations.openai.errors import ApiError
from empathy_r1.integrations.openai.stream import completion, lines
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import ForbiddenError, StorageUnavailableError, UnauthorizedError
from empathy_r1.plugin.events import Accepted, Committed, Event
from empathy_r1.plugin.tenants import PREFIX

MODEL = "empathy-r1"
TENANT = "openai"
_CREATED = 1_760_000_000
_CHORE = re.compile(r"\s*### Task:.*<chat_history>", re.DOTALL)
"""How Open WebUI asks the chat's own model for a title, tags or follow-ups: no post of a person."""


class Part(BaseModel):
    """One part of a message's content; only text is read."""

    type: str = "text"
    text: str | None = None


class Message(BaseModel):
    """One message."""

    role: str
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """What a stream brings beside the text."""

    include_usage: bool = False


class Completion(BaseModel):
    """A request. Fields that steer a model (temperature, tools, ...) are taken and have no effect."""

    model_config = ConfigDict(extra="allow")

    model: str = MODEL
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = 1
    user: str | None = None


class _Route(APIRoute):
    """Answers every error in OpenAI's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        plain = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await plain(request)
            except (ApiError, EmpathyR1Error, ValidationError) as error:
                return errors.response(error)
            except HTTPException as error:
                return errors.response(ApiError(error.status_code, str(error.detail)))

        return handler


router = APIRouter(prefix="/v1", tags=["openai"], route_class=_Route)


@router.get("/models", responses=errors.answers(401, 403))
async def list_models(request: Request) -> dict[str, Any]:
    """The one model there is."""
    await _caller(request)
    return {"object": "list", "data": [_model()]}


@router.get("/models/{model}", responses=errors.answers(401, 403, 404))
async def read_model(request: Request, model: str) -> dict[str, Any]:
    """The model, if it is that one."""
    await _caller(request)
    _known(model)
    return _model()


@router.post(
    "/chat/completions",
    responses=errors.answers(400, 401, 403, 404, 409, 413, 429, 503)
    | {200: {"description": "The reply; or its pieces.", "content": {"text/event-stream": {}}}},
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": Completion.model_json_schema()}}}},
)
async def complete(request: Request) -> Response:
    """Answers the last message of the user. With `stream`, as `chat.completion.chunk` events."""
    engine, tenant = await _caller(request)
    asked = await _read(request)
    text, prompt = _post(asked)
    key = _key(request)
    whose, session = _whose(request, asked, key)
    events = _nothing() if _CHORE.match(text) else hosts.events_for(engine, whose, text, tenant=tenant, key=key)
    first = await anext(events)  # errors of the post or the session surface here, before any header is sent
    headers = {"X-Session-Id": session} if session else {}
    if asked.stream:
        usage = asked.stream_options is not None and asked.stream_options.include_usage
        return StreamingResponse(
            lines(first, events, MODEL, prompt, usage=usage),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"} | headers,
        )
    return JSONResponse(await completion(first, events, MODEL, prompt), headers=headers)


async def _read(request: Request) -> Completion:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise ApiError(400, "The body is not JSON. Expected a JSON object with `messages`.") from None
    return Completion.model_validate(body)


async def _caller(request: Request) -> tuple[EmpathyEngine, str]:
    """The app's engine, and the tenant for whom the request is: the API key's, else the door's own."""
    engine = cast(EmpathyEngine, request.app.state.engine)
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    shown = shown.strip() if scheme.lower() == "bearer" else ""
    expected = engine.settings.openai_api_key
    try:
        if shown.startswith(PREFIX):
            caller = await engine.tenants.by_key(shown)
            caller.needs("chat")
            return engine, caller.tenant
        if expected is None:
            return engine, engine.tenants.stranger(TENANT).tenant
    except ForbiddenError as error:
        raise ApiError(403, str(error), "insufficient_permissions") from None
    except StorageUnavailableError:
        # A post in crisis is answered with the database down too.
        return engine, hosts.NOBODY
    except UnauthorizedError:
        pass
    else:
        if hmac.compare_digest(shown.encode(), expected.get_secret_value().encode()):
            return engine, TENANT
    raise ApiError(401, "Incorrect API key. Expected `Authorization: Bearer <key>`.", "invalid_api_key")


def _known(model: str) -> None:
    if model != MODEL:
        raise ApiError(404, f"The model does not exist. Expected {MODEL!r}.", "model_not_found", param="model")


def _post(asked: Completion) -> tuple[str, str]:
    """The new post, and all that was sent, for the count of tokens."""
    _known(asked.model)
    if asked.n not in (None, 1):
        raise ApiError(400, "Expected n = 1: there is one reply to a post.", param="n")
    last = next((m for m in reversed(asked.messages) if m.role == "user"), None)
    if last is None:
        raise ApiError(400, "Expected a message with the role `user`.", param="messages")
    if isinstance(last.content, list) and any(part.type not in ("text", "input_text") for part in last.content):
        raise ApiError(400, "Only text is read. Expected content parts of the type `text`.", param="messages")
    return _text(last), "\n".join(_text(message) for message in asked.messages)


def _text(message: Message) -> str:
    if isinstance(message.content, list):
        return "\n".join(part.text or "" for part in message.content)
    return message.content or ""


async def _nothing() -> AsyncGenerator[Event]:
    """An empty JSON object: the client then takes the title, tags or follow-ups that it has without a model."""
    turn = uuid.uuid4().hex
    yield Accepted(seq=1, turn_id=turn, session_id="")
    yield Committed(seq=2, turn_id=turn, reply="{}", level="none")


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 200:
        raise ApiError(400, "Expected an Idempotency-Key of 1 to 200 characters.", param="Idempotency-Key")
    return key


def _whose(request: Request, asked: Completion, key: str | None) -> tuple[str, str | None]:
    """Whose talk, as the engine knows it, and the id for the header that names it next time."""
    named = request.headers.get("x-session-id") or request.headers.get("x-openwebui-chat-id")
    if named:
        return f"session:{named}", named
    if asked.user:
        return f"user:{asked.user}", None
    # A talk of its own; sent again under the same key it is the same one.
    own = f"anonymous-{uuid.uuid5(uuid.NAMESPACE_OID, key) if key else uuid.uuid4()}"
    return f"session:{own}", own


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": min(_CREATED, int(time.time())), "owned_by": "empathy-r1"}
