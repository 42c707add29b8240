"""Runs claimed turns through the graph: stages and events go to the journal while the next stage decodes."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from empathy_r1.graph import Context, Input
from empathy_r1.graph.errors import ModelError, ModelUnavailableError, ReplyCutError
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.graph.walk import Walk
from empathy_r1.graph.wire import HIDDEN
from empathy_r1.plugin._failures import failure
from empathy_r1.plugin._handover import handover_of
from empathy_r1.plugin._log import TurnLog, TurnLostError, patient
from empathy_r1.plugin._parts import Parts
from empathy_r1.plugin.events import Committed, Event, Safety, StageDone, Token
from empathy_r1.storage import SessionRecord, TurnRecord
from empathy_r1.storage.journal import Work
from empathy_r1.storage.turns import Said

_LAST_WORDS = 0.95
"""Share of the deadline in which the model speaks; the rest is for what must be said without it."""
_log = logging.getLogger("empathy_r1")
_INNER = ("emotion", "cause", "intention")


async def run_turn(parts: Parts, work: Work) -> bool | None:
    """Answers one turn that this worker holds, from its last finished section on, and ends it in the journal.

    Cancelling the task stops the model; the caller then says what becomes of the turn.

    Returns:
        Whether the model answered; None where that was not found out.
    """
    turn, session, past = work
    journal, settings = parts.journal, parts.settings
    again = turn.attempts > 1
    done = await journal.stages(turn.id) if again else {}
    post = await journal.whole_post(turn) if session.double_texting == "coalesce" else turn.post
    log = TurnLog(journal, parts.news, turn.id, turn.last_event, settings.lease_seconds)
    heard: bool | None = None
    try:
        loop = asyncio.get_running_loop()
        context = context_of(parts, session, until=loop.time() + _LAST_WORDS * settings.turn_deadline)
        async with asyncio.timeout(settings.turn_deadline):
            final = await _walk(parts.walk, _input(turn, post, session, past, done), context, log, again=again)
        heard = bool(log.timings)
        await _commit(parts, session, turn, final, log)
    except asyncio.CancelledError:
        await asyncio.shield(log.close())
        raise
    except TurnLostError:
        return None
    except SQLAlchemyError:
        # The database was away for too long. The lease runs out, and whoever sees the turn then goes on with it.
        _log.warning("turn %s waits for the database", turn.id)
        return None
    except Exception as error:
        await log.close()
        seq = await patient(lambda _: journal.last_event(turn.id), settings.lease_seconds) + 1
        failed = failure(error, {"seq": seq, "turn_id": turn.id}, _locale(turn, session, parts))
        data = [failed.model_dump(mode="json")]
        if await patient(lambda _: journal.finish(turn.id, "failed", data), settings.lease_seconds):
            parts.news.publish(turn.id, [failed])
        if not isinstance(error, ModelError | TimeoutError):
            raise
        heard = False if isinstance(error, ModelUnavailableError | ReplyCutError) else None
    finally:
        parts.news.publish(turn.id, [])
    return heard


async def _walk(walk: Walk, given: Input, context: Context, log: TurnLog, *, again: bool) -> dict[str, Any]:
    final: dict[str, Any] = {}
    spoken: list[str] = []

    def hear(piece: str) -> None:
        # Whoever had the turn before may have spoken already.
        log.add(Token(**log.next(), text=piece, reset=again and not spoken))
        spoken.append(piece)

    async with contextlib.aclosing(walk.steps(given, replace(context, hear=hear))) as steps:
        async for node, update in steps:
            final |= update
            if node != "screen" and (update or node not in _INNER):
                _note(node, update, log, reveal=context.reveal_chain)
    reply = final["messages"][-1].text
    if "".join(spoken) != reply:
        log.add(Token(**log.next(), text=reply, reset=bool(spoken) or again))
    return final


def _note(node: str, update: dict[str, Any], log: TurnLog, *, reveal: bool) -> None:
    texts: dict[str, str] = {s: update[s].get_secret_value() for s in HIDDEN if isinstance(update.get(s), SecretStr)}
    shown = "\n".join(texts.values()) if reveal and texts else None
    seconds = float((update.get("timings") or {}).get(node, {}).get("seconds", 0.0))
    log.timings |= update.get("timings") or {}
    log.add(StageDone(**log.next(), name=node, seconds=round(seconds, 4), text=shown), texts)


async def _commit(parts: Parts, session: SessionRecord, turn: TurnRecord, final: dict[str, Any], log: TurnLog) -> None:
    """Writes the end of the turn, and what is not written yet, in one transaction."""
    left, stages = await log.stop()
    ending = _ending(final, log, reveal=parts.settings.reveal_chain)
    data = [event.model_dump(mode="json") for event in (*left, *ending)]
    committed = await patient(
        lambda _: parts.journal.finish(
            turn.id,
            "committed",
            data,
            stages=stages,
            reply=final["messages"][-1].text,
            level=final["level"],
            degraded=final.get("degraded"),
            card=final.get("card"),
            crisis=(final["crisis"],) if "crisis" in final else None,
            handover=handover_of(parts, session, turn, final),
        ),
        parts.settings.lease_seconds,
    )
    if committed:
        parts.news.publish(turn.id, [*left, *ending])
        parts.handovers.set()


def _ending(final: dict[str, Any], log: TurnLog, *, reveal: bool) -> list[Event]:
    events: list[Event] = []
    if final["level"] != "none" or final.get("card"):
        events.append(Safety(**log.next(), level=final["level"], kinds=final["kinds"], card=final.get("card")))
    events.append(
        Committed(
            **log.next(),
            reply=final["messages"][-1].text,
            level=final["level"],
            degraded=final.get("degraded"),
            chain=final.get("chain") if reveal else None,
            timings=log.timings,
        )
    )
    return events


def messages_of(past: list[Said]) -> list[BaseMessage]:
    """What was said before, as messages: posts and replies, never their reasoning."""
    messages: list[BaseMessage] = []
    for turn_id, post, reply in past:
        messages += [HumanMessage(post, id=turn_id), AIMessage(reply, id=f"{turn_id}-reply")]
    return messages


def _input(turn: TurnRecord, post: str, session: SessionRecord, past: list[Said], done: dict[str, str]) -> Input:
    messages = [*messages_of(past), HumanMessage(post, id=turn.id)]
    given: dict[str, Any] = {"messages": messages, "crisis": session.crisis}
    if done:
        given |= {"turn": turn.id, **{name: SecretStr(text) for name, text in done.items() if name != "strategy"}}
    return given  # type: ignore[return-value]


def context_of(parts: Parts, session: SessionRecord | None, *, until: float | None = None) -> Context:
    """What the graph is to know of the session; None where the database is down."""
    settings = parts.settings
    locale: Any = (session and session.locale) or settings.locale
    region = (session and session.region) or settings.region
    return Context(
        model=parts.model,
        locale=locale,
        region=region,
        reveal_chain=settings.reveal_chain,
        max_history=settings.max_history,
        max_post_chars=None,  # checked on the way in, by the settings of then
        infer=settings.switches(region).emotion_inference,
        until=until,
    )


def _locale(turn: TurnRecord, session: SessionRecord, parts: Parts) -> Locale:
    chosen = session.locale or parts.settings.locale
    return cast("Locale", chosen) if chosen else locale_of(turn.post)
