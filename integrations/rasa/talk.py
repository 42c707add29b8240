"""One message of a person on Rasa, answered in Rasa's kind of messages: always with words, never late."""

import asyncio
import contextlib
import hashlib
import logging
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from empathy_r1.graph import safety
from empathy_r1.graph.errors import EmpathyR1Error, PostError
from empathy_r1.integrations import hosts
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import TurnFailedError
from empathy_r1.plugin.events import Cancelled, Committed, Event, Failed, Safety, Token

DEADLINE = 45.0
"""Seconds to an answer. Rasa's lock on a conversation ends after 60 s; a later answer loses the turn."""
GREETING = (
    "你好，我在。想说什么，可以慢慢写给我。我是人工智能，给的是支持，不是治疗。\n"
    "Hello, I am here. Take your time and write to me. I am an AI; this is support, not therapy."
)
LATER = (
    "你写的我收到了，还在想怎么回。过一会儿随便发一句，我就把回复给你。\n"
    "I have what you wrote and am still working on the reply. Send me any word in a moment and it will come."
)
_COMMAND = re.compile(r"\s*/[A-Za-z_][\w+-]*(@[\d.]+)?\s*(\{.*\})?\s*", re.DOTALL)
_UNSEEN = "\u200b\u2060 \t\r\n"
"""What a channel puts before a `/`, so that Rasa takes the text for a text."""
_LATE: "OrderedDict[tuple[str, str], list[tuple[str, str]]]" = OrderedDict()
"""Per tenant and sender: the messages whose answers the person has not seen yet, each with its key."""
_LATE_MOST = 10_000
_log = logging.getLogger("empathy_r1")

Answer = dict[str, Any]
"""A Rasa message: `{"text"}` or `{"custom": {"data": ...}}`."""


async def answer(
    engine: EmpathyEngine,
    sender: str,
    text: str,
    *,
    tenant: str,
    message_id: str | None,
    deadline: float | None = None,
) -> list[Answer]:
    """The messages for the person; at least one, whatever happens, within `deadline` seconds.

    An answer that is not ready by then is written on, and comes before the answer to the person's next message.

    Args:
        engine: the app's.
        sender: Rasa's `sender_id`.
        text: what the person wrote. A command such as `/restart` or `/intent{...}` is greeted and kept out of the talk.
        tenant: owner of the sender's session.
        message_id: Rasa's id of the message; the same id again gets the same answer.
        deadline: seconds; None: `DEADLINE`.
    """
    text = text.lstrip(_UNSEEN)
    alarm = alarms(text)
    if _COMMAND.fullmatch(text) and not alarm:
        return [{"text": GREETING}]
    who, key = (tenant, sender), _key(message_id) if message_id else None
    # Help does not wait for an answer that is late.
    late = [] if alarm else [one for one in _LATE.get(who, []) if one[1] != key]
    try:
        async with asyncio.timeout(DEADLINE if deadline is None else deadline):
            # At once, so that this message too is in the journal before the deadline.
            told = await asyncio.gather(*(_told(engine, sender, *one, tenant) for one in [*late, (text, key)]))
    except TimeoutError:
        # Without an id the message cannot be found again: asking once more would be a second turn.
        if key is not None and (text, key) not in _LATE.setdefault(who, []):
            _LATE[who].append((text, key))
            while len(_LATE) > _LATE_MOST:
                _LATE.popitem(last=False)
        return [{"text": LATER}]
    if still := [one for one in _LATE.pop(who, []) if one not in late and one[1] != key]:
        _LATE[who] = still
    return [one for answers in told for one in answers]


async def pieces(
    engine: EmpathyEngine, sender: str, text: str, *, tenant: str, message_id: str | None
) -> AsyncIterator[Answer]:
    """The messages of `answer`, but the reply in pieces while it is written, for a wire that takes them.

    Joined, the texts are what the person reads. An answer that is late or goes wrong ends in the words of `answer`.
    """
    text, message_id = text.lstrip(_UNSEEN), message_id or uuid.uuid4().hex
    until = time.monotonic() + DEADLINE
    if not _COMMAND.fullmatch(text) and (tenant, sender) not in _LATE:
        try:
            events = hosts.events_for(engine, sender, text, tenant=tenant, key=_key(message_id))
            async with contextlib.aclosing(events), contextlib.aclosing(_pieces(events, until)) as shown:
                async for one in shown:
                    yield one
            return
        except (TimeoutError, EmpathyR1Error):
            pass
    # The same message under the same key: the same turn, to its end or to words for what went wrong.
    left = max(0.0, until - time.monotonic())
    for one in await answer(engine, sender, text, tenant=tenant, message_id=message_id, deadline=left):
        yield one


async def _pieces(events: AsyncIterator[Event], until: float) -> AsyncGenerator[Answer]:
    """Raises TimeoutError after `until`, and TurnFailedError where the turn has no reply."""
    said, card = False, None
    while True:
        # Not `asyncio.timeout` over the whole: it would cancel whoever listens, between two pieces.
        match await asyncio.wait_for(_next(events), max(0.0, until - time.monotonic())):
            case Safety() as event:
                card = event.card or card
                if words := hosts.notices(event):
                    yield {"text": f"{words}\n"}
            case Token() as event:
                yield {"text": (hosts.WITHDRAWN if event.reset and said else "") + event.text}
                said = True
            case Committed() as event:
                if not said:
                    yield {"text": hosts.words_of(event)}
                for one in card_messages(card, event.reply):
                    yield {"text": f"\n{one['text']}"} if "text" in one else one
                return
            case Failed() | Cancelled() | None as event:
                raise TurnFailedError("failed", "", turn_id=event.turn_id if event else "", retryable=True)


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _key(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()


def alarms(text: str) -> bool:
    """Whether the crisis screen answers this text in place of the model."""
    return safety.screen(text).alarm


async def _told(engine: EmpathyEngine, sender: str, text: str, key: str | None, tenant: str) -> list[Answer]:
    """The answer of one turn, or words for what went wrong."""
    try:
        return await _turn(engine, sender, text, tenant, key)
    except PostError as error:
        return [{"text": str(error)}]
    except TurnFailedError as error:
        return [{"text": str(error)}, {"text": hosts.fallback(engine.settings.region)}]
    except EmpathyR1Error as error:
        _log.error("no answer for Rasa: %s", type(error).__name__)
    except Exception as error:
        # Neither the post nor the reply may reach a log.
        _log.error("no answer for Rasa: unexpected %s", type(error).__name__)
    return [{"text": hosts.fallback(engine.settings.region)}]


async def _turn(engine: EmpathyEngine, sender: str, text: str, tenant: str, key: str | None) -> list[Answer]:
    card: dict[str, Any] | None = None
    before: list[Answer] = []
    event: Event
    async for event in hosts.events_for(engine, sender, text, tenant=tenant, key=key):
        match event:
            case Safety():
                card = event.card or card
                before += [{"text": _whole(words)}] if (words := hosts.notices(event)) else []
            case Committed():
                said = hosts.words_of(event)
                return [*before, {"text": _whole(said)}, *card_messages(card, said)]
            case Failed():
                raise TurnFailedError(event.code, event.message, turn_id=event.turn_id, retryable=event.retryable)
    raise TurnFailedError("cancelled", "这一轮已经停下。The turn was stopped.", turn_id="", retryable=True)


def _whole(text: str) -> str:
    """The text with no empty line in it: Rasa cuts a text there, and some channels change the pieces' order."""
    return re.sub(r"\n{2,}", "\n \n", text)


def card_messages(card: dict[str, Any] | None, said: str = "") -> list[Answer]:
    """The help card as text, for every channel, and as data under `data`: socket.io spreads any other key.

    Args:
        card: a help card as JSON; None: no messages.
        said: the reply that goes before; the text is left out where it is in there.
    """
    if card is None:
        return []
    words = hosts.card_text(card)
    lines = [
        {"title": f"{row['name']} {row['number']}".strip(), "description": f"{row['hours']} {row['note']}".strip()}
        for row in card["lines"]
    ]
    shown: list[Answer] = [] if words in said else [{"text": words}]
    return [*shown, {"custom": {"data": {"type": "accordion", "elements": lines, "card": card}}}]
