"""Runs claimed turns through the graph: stages and events go to the journal while the next stage decodes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import SecretStr

from empathy_r1.graph import Context, Input
from empathy_r1.graph.errors import ModelError
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.graph.wire import HIDDEN
from empathy_r1.plugin._failures import failure
from empathy_r1.plugin._history import said_before
from empathy_r1.plugin._log import TurnLog
from empathy_r1.plugin._parts import Graph, Parts
from empathy_r1.plugin.events import Cancelled, Committed, Event, Safety, StageDone, Token
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import Journal, SessionRecord, TurnRecord


async def run_turn(parts: Parts, turn: TurnRecord, session: SessionRecord) -> None:
    """Answers one turn that this worker holds, from its last finished section on, and ends it in the journal.

    Cancelling the task stops the model; the caller then says what becomes of the turn.
    """
    journal, settings = parts.journal, parts.settings
    past = await said_before(parts, session.id, turn.number)
    done = await journal.stages(turn.id)
    log = TurnLog(journal, turn.id, turn.last_event, parts.news.publish)
    try:
        async with asyncio.timeout(settings.turn_deadline):
            final = await _walk(parts.graph, _input(turn, session, past, done), context_of(parts, session), log)
        await log.flush()
        events, crisis = _ending(final, log, settings)
        await journal.finish(
            turn.id,
            "committed",
            events,
            reply=final["messages"][-1].text,
            level=final["level"],
            degraded=final.get("degraded"),
            crisis=crisis,
        )
    except asyncio.CancelledError:
        await asyncio.shield(log.close())
        raise
    except Exception as error:
        await log.close()
        place = {"seq": await journal.last_event(turn.id) + 1, "turn_id": turn.id}
        failed = failure(error, place, _locale(turn, session, settings))
        await journal.finish(turn.id, "failed", [failed.model_dump(mode="json")])
        if not isinstance(error, ModelError | TimeoutError):
            raise
    finally:
        parts.news.publish(turn.id)


async def cancel_turn(turn_id: str, journal: Journal) -> bool:
    """Ends a turn whose task was stopped as cancelled."""
    seq = await journal.last_event(turn_id) + 1
    return await journal.finish(
        turn_id, "cancelled", [Cancelled(seq=seq, turn_id=turn_id).model_dump(mode="json")], owned=False
    )


async def _walk(graph: Graph, given: Input, context: Context, log: TurnLog) -> dict[str, Any]:
    final: dict[str, Any] = {}
    reveal = context.reveal_chain
    stream: AsyncIterator[Any] = graph.astream(given, context=context, stream_mode=["updates", "messages"])
    async for mode, data in stream:
        if mode == "messages":
            chunk = data[0]
            if isinstance(chunk, AIMessageChunk) and chunk.text:
                log.add(Token(**log.next(), text=chunk.text))
            continue
        for node, update in data.items():
            update = update or {}
            final |= update
            if node == "screen":
                continue
            texts: dict[str, str] = {
                s: update[s].get_secret_value() for s in HIDDEN if isinstance(update.get(s), SecretStr)
            }
            shown = "\n".join(texts.values()) if reveal and texts else None
            seconds = float((update.get("timings") or {}).get(node, {}).get("seconds", 0.0))
            log.timings |= update.get("timings") or {}
            log.add(StageDone(**log.next(), name=node, seconds=round(seconds, 4), text=shown), texts)
    return final


def _input(turn: TurnRecord, session: SessionRecord, past: list[Any], done: dict[str, str]) -> Input:
    given: dict[str, Any] = {"messages": [*past, HumanMessage(turn.post, id=turn.id)], "crisis": session.crisis}
    if done:
        given |= {"turn": turn.id, **{name: SecretStr(text) for name, text in done.items() if name != "strategy"}}
    return given  # type: ignore[return-value]


def context_of(parts: Parts, session: SessionRecord | None) -> Context:
    """What the graph is to know of the session; None where the database is down."""
    settings = parts.settings
    locale: Any = (session and session.locale) or settings.locale
    return Context(
        model=parts.model,
        locale=locale,
        region=(session and session.region) or settings.region,
        reveal_chain=settings.reveal_chain,
        max_history=settings.max_history,
    )


def _ending(
    final: dict[str, Any], log: TurnLog, settings: Settings
) -> tuple[list[dict[str, Any]], tuple[dict[str, Any] | None] | None]:
    events: list[Event] = []
    if final["level"] != "none" or final.get("card"):
        events.append(Safety(**log.next(), level=final["level"], kinds=final["kinds"], card=final.get("card")))
    events.append(
        Committed(
            **log.next(),
            reply=final["messages"][-1].text,
            level=final["level"],
            degraded=final.get("degraded"),
            chain=final.get("chain") if settings.reveal_chain else None,
            timings=log.timings,
        )
    )
    crisis = (final["crisis"],) if "crisis" in final else None
    return [event.model_dump(mode="json") for event in events], crisis


def _locale(turn: TurnRecord, session: SessionRecord, settings: Settings) -> Locale:
    chosen = session.locale or settings.locale
    return cast("Locale", chosen) if chosen else locale_of(turn.post)
