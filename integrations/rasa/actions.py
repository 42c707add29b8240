"""The action server's protocol: `POST /rasa/webhook`, `GET /rasa/health`, `GET /rasa/actions`.

Rasa shows the person nothing where an action answers with anything but 200, so this one answers 200 with words even
to a body that cannot be read or a token that is wrong.
"""

import hmac
import json
import logging
import zlib
from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from empathy_r1.integrations import hosts
from empathy_r1.integrations.rasa.talk import Answer, answer
from empathy_r1.plugin.engine import EmpathyEngine

TENANT = "rasa"
ACTIONS = ("action_empathy", "action_counsel")
"""Two names of the one action."""
BODY_BYTES = 32 * 2**20
"""Most bytes of a request, inflated. Rasa sends the whole talk, about 2.4 kB a turn, with each message."""
_LISTEN = {"event": "followup", "timestamp": None, "name": "action_listen"}
_log = logging.getLogger("empathy_r1")

router = APIRouter(tags=["rasa"])


@router.get("/rasa/health")
async def health() -> dict[str, str]:
    """Whether the process is alive."""
    return {"status": "ok"}


@router.get("/rasa/actions")
async def actions() -> list[dict[str, str]]:
    """The names under which Rasa may ask for the action."""
    return [{"name": name} for name in ACTIONS]


@router.post("/rasa/webhook")
async def webhook(request: Request) -> JSONResponse:
    """Answers the person's last message. Of the body only the sender and that message are read."""
    engine = engine_of(request)
    try:
        call = json.loads(await body_of(request))
        message = call["tracker"].get("latest_message") or {}
        sender = str(call.get("sender_id") or call["tracker"]["sender_id"])
        text, message_id = message.get("text") or "", message.get("message_id")
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        _log.error("a call of Rasa cannot be read: %s", type(error).__name__)
        return _reply([{"text": hosts.fallback(engine.settings.region)}])
    if not opens(engine, request):
        _log.error("a call of Rasa shows no valid token; set `token` of its action_endpoint to EMPATHY_R1_RASA_TOKEN")
        return _reply([{"text": hosts.fallback(engine.settings.region)}])
    if call.get("next_action") not in ACTIONS:
        _log.error("Rasa asks for an action that is not here; expected one of %s", ", ".join(ACTIONS))
        return _reply([{"text": hosts.fallback(engine.settings.region)}])
    key = f"{message_id}" if message_id else None
    return _reply(await answer(engine, sender, text, tenant=TENANT, message_id=key))


def engine_of(request: Request) -> EmpathyEngine:
    """The app's engine."""
    return cast(EmpathyEngine, request.app.state.engine)


def opens(engine: EmpathyEngine, request: Request) -> bool:
    """Whether the caller shows the token, as `Authorization: Bearer`, or as `token` in the address."""
    if engine.settings.rasa_token is None:
        return True
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    shown = value.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")
    return hmac.compare_digest(shown.encode(), engine.settings.rasa_token.get_secret_value().encode())


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


def _reply(responses: list[Answer]) -> JSONResponse:
    return JSONResponse({"events": [_LISTEN], "responses": responses})
