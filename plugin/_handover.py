"""Human handover: a crisis is told to the operator's people, signed, again and again until somebody took it.

The message follows Standard Webhooks: headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. The id stays the same over all attempts, so that a
receiver that sees it twice can tell; the timestamp is that of the attempt.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import random
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.plugin._parts import Parts
from empathy_r1.storage import SessionRecord, TurnRecord
from empathy_r1.storage.outbox import Handover, NewHandover

_LOOK_SECONDS = 5.0
_SEND_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0
_GIVE_UP = timedelta(days=3)
_UNSTORED_ATTEMPTS = 8
_log = logging.getLogger("empathy_r1")


def handover_of(parts: Parts, session: SessionRecord, turn: TurnRecord, final: Mapping[str, Any]) -> NewHandover | None:
    """What is told of an answered turn; None where its level, or the operator, asks for nothing."""
    settings = parts.settings
    region = session.region or settings.region
    if not _wanted(parts, region, final["level"]):
        return None
    payload = _payload(region, final) | {
        "tenant": session.tenant,
        "session_id": session.id,
        "turn_id": turn.id,
        "minor": session.minor,
        "metadata": session.metadata,
    }
    if settings.handover_words:
        payload["post"] = turn.post
    quiet = timedelta(seconds=settings.handover_quiet_seconds)
    return NewHandover(payload["id"], session.id, final["level"], payload, quiet)


async def tell_unstored(parts: Parts, session_id: str, final: Mapping[str, Any]) -> None:
    """Tells of a crisis that was answered with the database down: for as long as this process lives, a few times.

    Nobody has checked the session's id then, and what is known of the person cannot be read.
    """
    region = parts.settings.region
    if not _wanted(parts, region, final["level"]):
        return
    unknown: dict[str, Any] = {"tenant": None, "session_id": session_id, "turn_id": None, "minor": None, "metadata": {}}
    payload = _payload(region, final) | unknown | {"contact": None, "stored": False}
    async with _client() as client:
        for attempt in range(_UNSTORED_ATTEMPTS):
            if not (problem := await _post(parts, client, payload)):
                return
            _log.error("handover %s failed (attempt %d): %s", payload["id"], attempt + 1, problem)
            await asyncio.sleep(_FIRST_PAUSE * 2**attempt)


def _wanted(parts: Parts, region: str | None, level: str) -> bool:
    settings = parts.settings
    asked = settings.handover_url is not None and level in settings.handover_levels
    return asked and settings.switches(region).handover


def _payload(region: str | None, final: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"h_{uuid.uuid4().hex}",
        "type": "crisis",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": final["level"],
        "kinds": list(final["kinds"]),
        "region": region,
    }


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message, as it stands in `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"


async def deliver(parts: Parts, stopped: asyncio.Event) -> None:
    """Sends what is due until `stopped`."""
    settings = parts.settings
    if settings.handover_url is None:
        return
    async with _client() as client:
        while not stopped.is_set():
            parts.handovers.clear()
            try:
                while not stopped.is_set() and (due := await parts.outbox.take(3 * _SEND_SECONDS)) is not None:
                    await _send(parts, client, due)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("the database does not answer: %s", type(error).__name__)
            if not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(parts.handovers.wait(), _LOOK_SECONDS)


async def _send(parts: Parts, client: httpx.AsyncClient, due: Handover) -> None:
    problem = await _post(parts, client, due.payload | {"contact": due.contact})
    if not problem:
        await parts.outbox.delivered(due.id)
        return
    pause = min(_FIRST_PAUSE * 2 ** (due.attempts - 1), _LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311
    over = datetime.now(UTC) - due.created > _GIVE_UP
    _log.error("handover %s failed (attempt %d): %s", due.id, due.attempts, problem)
    await parts.outbox.failed(due.id, problem, None if over else timedelta(seconds=pause))


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_SEND_SECONDS, follow_redirects=False)


async def _post(parts: Parts, client: httpx.AsyncClient, payload: dict[str, Any]) -> str:
    """Sends a message, signed; returns what went wrong, or nothing."""
    settings = parts.settings
    body, now = json.dumps(payload, ensure_ascii=False).encode(), int(time.time())
    headers = {"content-type": "application/json", "webhook-id": payload["id"], "webhook-timestamp": str(now)}
    if settings.handover_secret is not None:
        headers["webhook-signature"] = sign(settings.handover_secret.get_secret_value(), payload["id"], now, body)
    try:
        answer = await client.post(settings.handover_url or "", content=body, headers=headers)
    except httpx.HTTPError as error:
        return type(error).__name__
    return "" if answer.is_success else f"status {answer.status_code}"
