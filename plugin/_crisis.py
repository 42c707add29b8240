"""A post that alarms the screen is answered at ingress: past queues and caps, by no model, with the database down."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from empathy_r1.plugin._handover import handover_of, tell_unstored
from empathy_r1.plugin._parts import Parts
from empathy_r1.plugin._turn import context_of, messages_of
from empathy_r1.plugin.events import Accepted, Committed, Event, Safety, Token
from empathy_r1.storage import SessionRecord, TurnRecord

UNSTORED = "unstored"
"""Turn id of a crisis answer that was given while the database was down."""


async def answer_crisis(parts: Parts, session: SessionRecord, turn: TurnRecord) -> None:
    """Answers at once, beside whatever else the session is doing.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    past = messages_of(await parts.journal.said(session.id, turn.number, parts.settings.max_history))
    final = await _reply(parts, session, [*past, HumanMessage(turn.post)])
    events = _events(turn.id, final, turn.last_event)
    stored = await parts.journal.finish(
        turn.id,
        "committed",
        [event.model_dump(mode="json") for event in events],
        reply=final["messages"][-1].text,
        level=final["level"],
        card=final["card"],
        crisis=(final["crisis"],),
        handover=handover_of(parts, session, turn, final),
        owned=False,
    )
    parts.news.publish(turn.id, events if stored else [])
    parts.handovers.set()


async def unstored(parts: Parts, session_id: str, post: str) -> AsyncGenerator[Event]:
    """The events of a crisis answer that nothing is kept of."""
    final = await _reply(parts, None, [HumanMessage(post)])
    parts.background(tell_unstored(parts, session_id, final))
    yield Accepted(seq=1, turn_id=UNSTORED, session_id=session_id)
    for event in _events(UNSTORED, final, 1):
        yield event


async def _reply(parts: Parts, session: SessionRecord | None, messages: list[BaseMessage]) -> dict[str, Any]:
    given: Any = {"messages": messages, "crisis": session and session.crisis}
    final: dict[str, Any] = {}
    said: list[str] = []  # heard here: LangChain makes no run of it, which a tracer would see
    async for _, update in parts.walk.steps(given, replace(context_of(parts, session), hear=said.append)):
        final |= update
    return final


def _events(turn_id: str, final: dict[str, Any], last: int) -> list[Event]:
    reply, timings = final["messages"][-1].text, final.get("timings") or {}
    return [
        Safety(seq=last + 1, turn_id=turn_id, level=final["level"], kinds=final["kinds"], card=final["card"]),
        Token(seq=last + 2, turn_id=turn_id, text=reply),
        Committed(seq=last + 3, turn_id=turn_id, reply=reply, level=final["level"], timings=timings),
    ]
