"""The action server's protocol: `POST /rasa/webhook`, `GET /rasa/health`, `GET /rasa/actions`.

Rasa shows the person nothing where an action answers with anything but 200, so this one answers 200 with words even
to a body that cannot be read or a token that is wrong.
"""

import json
import logging
import zlib
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from empathy_r1.integrations import hosts
from empathy_r1.integrations.rasa.access import shown, tenant_of
from empathy_r1.integrations.rasa.bot import ACTIONS, LISTEN, TENANT, act
from empathy_r1.integrations.rasa.talk import Answer
from empathy_r1.plugin.engine import EmpathyEngine

BODY_BYTES = 32 * 2**20
"""Most bytes of a request, inflated. Rasa sends the whole talk, about 2.4 kB a turn, with each message."""
_TEXT = {"type": "string"}
_ANSWER = {
    "type": "object",
    "required": ["events", "responses"],
    "properties": {
        "events": {"type": "array", "items": {"type": "object"}},
        "responses": {"type": "array", "items": {"type": "object"}},
    },
}
_log = logging.getLogger("empathy_r1")


def body(about: str, properties: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a JSON body that a route reads itself."""
    schema = {"type": "object", "properties": properties}
    return {
        "requestBody": {"description": about, "required": True, "content": {"application/json": {"schema": schema}}}
    }


def answers(about: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route's answer."""
    return {200: {"description": about, "content": {"application/json": {"schema": schema}}}}


router = APIRouter(tags=["rasa"])


@router.get("/rasa/health")
async def health() -> dict[str, str]:
    """Whether the process is alive."""
    return {"status": "ok"}


@router.get("/rasa/actions")
async def actions() -> list[dict[str, str]]:
    """The names under which Rasa may ask for the action."""
    return [{"name": name} for name in ACTIONS]


@router.post(
    "/rasa/webhook",
    response_class=JSONResponse,
    openapi_extra=body(
        "Rasa's call; `Content-Encoding: deflate` is read.",
        {"next_action": {"enum": list(ACTIONS)}, "sender_id": _TEXT, "tracker": {"type": "object"}},
    ),
    responses=answers("Rasa's events, and messages for the person: also where the call is wrong.", _ANSWER),
)
async def webhook(request: Request) -> JSONResponse:
    """Answers the person's last message. Of the body only the sender and that message are read."""
    engine = engine_of(request)
    try:
        call = json.loads(await body_of(request))
        tracker = call["tracker"]
        message, slots = dict(tracker.get("latest_message") or {}), dict(tracker.get("slots") or {})
        sender, action = str(call.get("sender_id") or tracker["sender_id"]), str(call.get("next_action"))
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        _log.error("a call of Rasa cannot be read: %s", type(error).__name__)
        return _reply([LISTEN], [{"text": hosts.fallback(engine.settings.region)}])
    tenant = await tenant_of(engine, shown(request), TENANT)
    if tenant is None:
        _log.error("a call of Rasa shows no valid token; set `headers` of its action_endpoint to EMPATHY_R1_RASA_TOKEN")
        return _reply([LISTEN], [{"text": hosts.fallback(engine.settings.region)}])
    if action not in ACTIONS:
        _log.error("Rasa asks for an action that is not here; expected one of %s", ", ".join(ACTIONS))
    return _reply(*await act(engine, action, sender, message, slots, tenant=tenant))


def engine_of(request: Request) -> EmpathyEngine:
    """The app's engine."""
    return cast(EmpathyEngine, request.app.state.engine)


async def body_of(request: Request) -> bytes:
    """The body, inflated (COMPRESS_ACTION_SERVER_REQUEST deflates it).

    Raises:
        ValueError: more than `BODY_BYTES`.
        zlib.error: not what its encoding says.
    """
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > BODY_BYTES:
            raise ValueError("the body is too large")
    coding = request.headers.get("content-encoding", "identity").lower()
    if coding in ("", "identity"):
        return bytes(raw)
    # Both zlib's and gzip's headers are recognised; a stream that ends early is refused by the JSON parser.
    inflater = zlib.decompressobj(wbits=47)
    body = inflater.decompress(bytes(raw), BODY_BYTES)
    if inflater.unconsumed_tail:
        raise ValueError("the inflated body is too large")
    return body


def _reply(events: list[dict[str, Any]], responses: list[Answer]) -> JSONResponse:
    return JSONResponse({"events": events, "responses": responses})
