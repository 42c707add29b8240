"""Turns over HTTP: send a post, listen, listen again, stop."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from empathy_r1.graph.safety.levels import Level
from empathy_r1.graph.state import Chain, Timing
from empathy_r1.integrations.web import metrics, sse
from empathy_r1.integrations.web.access import ChatSession, Engine, SendingSession, TurnId
from empathy_r1.integrations.web.problems import answers
from empathy_r1.plugin.errors import DrainingError, TurnFailedError
from empathy_r1.plugin.events import Cancelled, Committed, Event, Failed, Safety

POST_CHARS = 1_600_000
"""Hard bound on the text field; the engine's own limit (`max_post_chars`) is far lower and words its refusal."""


class Post(BaseModel):
    """What the person wrote."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(max_length=POST_CHARS)]


class Answer(BaseModel):
    """A committed turn."""

    turn_id: str
    reply: str
    level: Level
    degraded: str | None = None
    """None, or how far down the ladder the reply came from."""
    card: dict[str, Any] | None = None
    """Help lines, where the screen saw a risk."""
    disclosures: list[dict[str, Any]] = []
    """Notices that were due with this turn."""
    chain: Chain | None = None
    """Only where the operator reveals the chain."""
    timings: dict[str, Timing] = {}
    joined_into: str | None = None
    """The later turn that answers this post together with its own, where the session joins posts."""


class Stopped(BaseModel):
    """Whether the turn was stopped; false: it had ended before."""

    cancelled: bool


router = APIRouter(prefix="/v1/sessions/{session_id}/turns", tags=["turns"])
_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One event of the stream.",
            "properties": {
                "event": {"type": "string", "description": "Its type."},
                "id": {"type": "string", "description": "Its sequence number within the turn."},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
            "required": ["event", "id", "data"],
        },
        "example": 'event: accepted\ndata: {"seq":1,"turn_id":"…","type":"accepted","session_id":"…"}\nid: 1\n\n',
    }
}
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Sending the same text again with the same key gives the same turn, answered once.",
    ),
]
Accept = Annotated[str, Header(description="`text/event-stream` streams events; anything else waits for the reply.")]
LastEventId = Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**53, description="Skip events up to this one.")]


@router.post(
    "",
    response_model=Answer,
    responses=answers(
        *(
            "malformed_request",
            "unauthorized",
            "forbidden",
            "session_not_found",
            "session_busy",
            "turn_cancelled",
            "body_too_large",
        ),
        *("post_empty", "post_too_long", "post_broken", "invalid_request", "idempotency_conflict", "overloaded"),
        *("turn_failed", "draining", "storage_unavailable"),
    )
    | {200: {"description": "The reply; or the stream of the turn's events.", "content": _STREAM}},
)
async def send(
    session: SendingSession, post: Post, engine: Engine, key: Key = None, accept: Accept = "*/*"
) -> Response | Answer:
    """Takes a post in. A client that leaves does not stop the turn: only `cancel` does."""
    events = metrics.counted(engine.stream(session.id, post.text, idempotency_key=key, tenant=session.tenant))
    first = await anext(events, None)  # errors of the post or the session surface here, before any header is sent
    if "text/event-stream" in accept:
        return sse.respond(first, events)
    return await _answer(first, events)


@router.get(
    "/{turn_id}/events",
    response_class=Response,
    responses=answers(
        "unauthorized", "forbidden", "session_not_found", "turn_not_found", "invalid_request", "storage_unavailable"
    )
    | {200: {"description": "The turn's events after `Last-Event-ID`, to its end.", "content": _STREAM}},
)
async def listen(session: ChatSession, turn_id: TurnId, engine: Engine, after: LastEventId = 0) -> Response:
    """Picks a turn's stream up again, on any worker, with no event lost or repeated."""
    events = engine.events(session.id, turn_id, after=after, tenant=session.tenant)
    return sse.respond(await anext(events, None), events)


@router.post(
    "/{turn_id}/cancel",
    responses=answers("unauthorized", "forbidden", "session_not_found", "turn_not_found", "storage_unavailable"),
)
async def cancel(session: ChatSession, turn_id: TurnId, engine: Engine) -> Stopped:
    """Stops a turn for good."""
    return Stopped(cancelled=await engine.cancel(session.id, turn_id, tenant=session.tenant))


async def _answer(first: Event | None, events: AsyncIterator[Event]) -> Answer:
    """The end of a turn as one document.

    Raises:
        TurnFailedError: it failed or was cancelled.
        DrainingError: this process stops before the turn ends.
    """
    card: dict[str, Any] | None = None
    disclosures: list[dict[str, Any]] = []
    event = first
    while event is not None:
        match event:
            case Safety():
                card = event.card or card
                disclosures += event.disclosures
            case Committed():
                return Answer(**event.model_dump(exclude={"seq", "type"}), card=card, disclosures=disclosures)
            case Failed():
                raise TurnFailedError(event.code, event.message, turn_id=event.turn_id, retryable=event.retryable)
            case Cancelled():
                raise TurnFailedError("cancelled", "The turn was stopped.", turn_id=event.turn_id, retryable=True)
        event = await anext(events, None)
    raise DrainingError  # the turn goes on in another process; the same key finds it there
