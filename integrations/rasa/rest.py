"""Rasa's REST channel, for front ends that talk to Rasa: `POST /webhooks/rest/webhook`."""

import json
import uuid
import zlib

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from empathy_r1.integrations import hosts
from empathy_r1.integrations.rasa.access import shown, tenant_of
from empathy_r1.integrations.rasa.actions import answers, body, body_of, engine_of
from empathy_r1.integrations.rasa.talk import Answer, answer

TENANT = "rasa-channel"
"""Not the action server's: here the client chooses the sender, and must not reach a platform's."""

router = APIRouter(tags=["rasa"])


@router.get("/webhooks/rest/")
async def alive() -> dict[str, str]:
    """Whether the channel is there."""
    return {"status": "ok"}


@router.post(
    "/webhooks/rest/webhook",
    response_class=JSONResponse,
    openapi_extra=body(
        "A message; read as JSON whatever its type says.",
        {name: {"type": "string"} for name in ("sender", "message", "message_id")} | {"metadata": {"type": "object"}},
    ),
    responses=answers("Messages for the person.", {"type": "array", "items": {"type": "object"}})
    | {400: {"description": "No JSON."}, 401: {"description": "No valid token."}},
)
async def webhook(request: Request) -> Response:
    """Answers `{"sender", "message", "message_id"?}` with a list of messages.

    The body is read as JSON whatever its type says: RasaHQ's widget sends `text/plain`. With `stream=true` in the
    address each message is a line of its own. A message without a sender is answered in a talk of its own: Rasa's
    common `default` would mix people up.
    """
    engine = engine_of(request)
    tenant = await tenant_of(engine, shown(request), TENANT)
    if tenant is None:
        return JSONResponse({"status": "failure", "reason": "NotAuthenticated", "code": 401}, 401)
    try:
        sent = json.loads(await body_of(request))
        text, metadata = sent.get("message") or "", sent.get("metadata")
    except (ValueError, AttributeError, zlib.error):
        reason = "The body is not JSON. Expected {sender, message}."
        return JSONResponse({"status": "failure", "reason": reason, "code": 400}, 400)
    sender = str(sent.get("sender") or f"anonymous-{uuid.uuid4()}")
    named = metadata.get("message_id") if isinstance(metadata, dict) else None
    key = sent.get("message_id") or named or request.headers.get("idempotency-key")
    answers = (
        await answer(engine, whose(sender, tenant), text, tenant=tenant, message_id=str(key) if key else None)
        if isinstance(text, str)
        else [{"text": hosts.fallback(engine.settings.region)}]
    )
    return _written(sender, answers, lines=request.query_params.get("stream") == "true")


def whose(sender: str, tenant: str) -> str:
    """The sender as the engine knows it: within a host's tenant, apart from the users that the host itself names."""
    return sender if tenant == TENANT else f"channel:{sender}"


def _written(sender: str, answers: list[Answer], *, lines: bool) -> Response:
    messages = [
        {"recipient_id": sender} | ({"custom": one["custom"]["data"]} if "custom" in one else one) for one in answers
    ]
    if lines:
        body = "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)
        return Response(body, media_type="application/json")
    return JSONResponse(messages)
