"""Runs claimed turns through the graph: stages and events go to the journal while the next stage decodes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langgraph.graph.state import CompiledStateGraph
from pydantic import SecretStr

from empathy_r1.graph import Context, Input, Output, State
from empathy_r1.graph.errors import ModelError, ModelNotFoundError, PromptTooLongError, ReplyCutError
from empathy_r1.graph.labels import Locale
from empathy_r1.graph.text import locale_of
from empathy_r1.graph.wire import HIDDEN
from empathy_r1.plugin.events import Cancelled, Committed, Event, Failed, Safety, StageDone, Token
from empathy_r1.plugin.settings import Settings
from empathy_r1.storage import Journal, SessionRecord, TurnRecord

Graph = CompiledStateGraph[State, Context, Input, Output]


class TurnLog:
    """The events of one turn on their way into the journal, in order, written behind the graph's back."""

    def __init__(self, journal: Journal, turn_id: str, last_seq: int, published: Callable[[str], None]) -> None:
        self.turn_id, self.seq = turn_id, last_seq
        self._journal, self._published = journal, published
        self._queue: asyncio.Queue[tuple[Event, dict[str, str]] | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self.timings: dict[str, Any] = {}

    def next(self) -> dict[str, Any]:
        """Sequence number and turn of the next event."""
        self.seq += 1
        return {"seq": self.seq, "turn_id": self.turn_id}

    def add(self, event: Event, stages: dict[str, str] | None = None) -> None:
        """Sends an event, and sections that are finished with it, on their way."""
        self._queue.put_nowait((event, stages or {}))

    async def flush(self) -> None:
        """Waits until all is written; the log takes nothing more.

        Raises:
            SQLAlchemyError: the journal could not be written.
        """
        self._queue.put_nowait(None)
        await self._writer

    async def close(self) -> None:
        """Like `flush`, for a turn that ends without its reply: what cannot be written is let go."""
        with contextlib.suppress(Exception):
            await self.flush()

    async def _write(self) -> None:
        while (item := await self._queue.get()) is not None:
            events, stages = [item[0]], dict(item[1])
            ended = False
            while not self._queue.empty():  # what came meanwhile goes in the same transaction
                more = self._queue.get_nowait()
                if more is None:
                    ended = True
                    break
                events.append(more[0])
                stages |= more[1]
            data = [event.model_dump(mode="json") for event in events]
            await self._journal.write(self.turn_id, data, stages)
            self._published(self.turn_id)
            if ended:
                return


async def run_turn(
    turn: TurnRecord,
    session: SessionRecord,
    history: list[TurnRecord],
    *,
    graph: Graph,
    model: BaseChatModel,
    journal: Journal,
    settings: Settings,
    published: Callable[[str], None],
) -> None:
    """Answers one turn that this worker holds, from its last finished section on, and ends it in the journal.

    Cancelling the task stops the model; the caller then says what becomes of the turn.
    """
    done = await journal.stages(turn.id)
    log = TurnLog(journal, turn.id, turn.last_event, published)
    try:
        async with asyncio.timeout(settings.turn_deadline):
            final = await _walk(graph, _input(turn, session, history, done), _context(session, model, settings), log)
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
        published(turn.id)


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


def _input(turn: TurnRecord, session: SessionRecord, history: list[TurnRecord], done: dict[str, str]) -> Input:
    messages: list[Any] = []
    for past in history:
        messages.append(HumanMessage(past.post, id=past.id))
        messages.append(AIMessage(past.reply or "", id=f"{past.id}-reply"))
    given: dict[str, Any] = {
        "messages": [*messages, HumanMessage(turn.post, id=turn.id)],
        "crisis": session.crisis,
    }
    if done:
        given |= {"turn": turn.id, **{name: SecretStr(text) for name, text in done.items() if name != "strategy"}}
    return given  # type: ignore[return-value]


def _context(session: SessionRecord, model: BaseChatModel, settings: Settings) -> Context:
    locale: Any = session.locale or settings.locale
    return Context(
        model=model,
        locale=locale,
        region=session.region or settings.region,
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


def failure(error: Exception, place: dict[str, Any], locale: Locale) -> Failed:
    """What the person is told when the model gave no answer: their words are kept, and what to do."""
    match error:
        case PromptTooLongError():
            code, retryable = "too_long", False
        case ModelNotFoundError():
            code, retryable = "model_not_found", False
        case ReplyCutError():
            code, retryable = "reply_cut", True
        case TimeoutError():
            code, retryable = "timeout", True
        case ModelError():
            code, retryable = "model_unavailable", True
        case _:
            code, retryable = "internal", True
    return Failed(**place, code=code, message=_MESSAGES[locale][code], retryable=retryable)


_MESSAGES: dict[Locale, dict[str, str]] = {
    "zh": {
        "too_long": "这段话加上之前的对话，超出了模型一次能读的长度。你写的都还在，请分几次发给我。",
        "model_not_found": "服务里没有配置好的模型，暂时没法回应。你写的都还在，请联系这里的管理员。",
        "reply_cut": "回复说到一半断开了。你写的都还在，请再发一次，我会从头好好回应。",
        "timeout": "这次想得太久，没有在时限内写完。你写的都还在，请再发一次。",
        "model_unavailable": "我这边暂时连不上模型，没能回应你。你写的都还在，请过一会儿再发一次。",
        "internal": "我这边出了一个问题，没能回应你。你写的都还在，请再发一次。",
    },
    "en": {
        "too_long": (
            "This post and our conversation so far are longer than the model can read at once. "
            "What you wrote is kept; please send it in parts."
        ),
        "model_not_found": (
            "The model that was set up is not there, so I cannot answer. What you wrote is kept; "
            "please tell the people who run this service."
        ),
        "reply_cut": "The reply broke off. What you wrote is kept; please send it again and I will answer afresh.",
        "timeout": "This took too long and was not finished in time. What you wrote is kept; please send it again.",
        "model_unavailable": (
            "I cannot reach the model at the moment, so I could not answer. What you wrote is kept; "
            "please send it again in a little while."
        ),
        "internal": "Something went wrong on my side. What you wrote is kept; please send it again.",
    },
}
