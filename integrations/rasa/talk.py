"""One message of a person on Rasa, answered in Rasa's kind of messages: always with words, never late."""

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from typing import Any

from empathy_r1.graph import safety
from empathy_r1.graph.errors import EmpathyR1Error, PostError
from empathy_r1.integrations import hosts
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.errors import TurnFailedError
from empathy_r1.plugin.events import Committed, Event, Failed, Safety

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
_LATE: "OrderedDict[tuple[str, str], tuple[str, str | None]]" = OrderedDict()
"""Per tenant and sender: the message whose answer the person has not seen yet, and its key."""
_LATE_MOST = 10_000
_log = logging.getLogger("empathy_r1")

Answer = dict[str, Any]
"""A Rasa message: `{"text"}` or `{"custom": {"data": ...}}`."""


async def answer(
    engine: EmpathyEngine, sender: str, text: str, *, tenant: str, message_id: str | None, deadline: float = DEADLINE
) -> list[Answer]:
    """The messages for the person; at least one, whatever happens, within `deadline` seconds.

    An answer that is not ready by then is written on, and comes before the answer to the person's next message.

    Args:
        engine: the app's.
        sender: Rasa's `sender_id`.
        text: what the person wrote. A command such as `/restart` or `/intent{...}` is greeted and kept out of the talk.
        tenant: owner of the sender's session.
        message_id: Rasa's id of the message; the same id again gets the same answer.
        deadline: seconds.
    """
    if _COMMAND.fullmatch(text) and not _alarms(text):
        return [{"text": GREETING}]
    key = hashlib.sha256(message_id.encode()).hexdigest() if message_id else None
    try:
        async with asyncio.timeout(deadline):
            late = await _late(engine, tenant, sender, key)
            return late + await _turn(engine, sender, text, tenant, key)
    except TimeoutError:
        _remember(tenant, sender, text, key)
        return [{"text": LATER}]
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
                return [*before, {"text": _whole(event.reply)}, *_card(card, event.reply)]
            case Failed():
                raise TurnFailedError(event.code, event.message, turn_id=event.turn_id, retryable=event.retryable)
    raise TurnFailedError("cancelled", "这一轮已经停下。The turn was stopped.", turn_id="", retryable=True)


async def _late(engine: EmpathyEngine, tenant: str, sender: str, key: str | None) -> list[Answer]:
    """The answer that came too late for an earlier message, if there is one."""
    if (known := _LATE.get((tenant, sender))) is None or known[1] == key:
        return []
    text, late_key = known
    try:
        answers = await _turn(engine, sender, text, tenant, late_key)
    except EmpathyR1Error:
        answers = []
    _LATE.pop((tenant, sender), None)
    return answers


def _remember(tenant: str, sender: str, text: str, key: str | None) -> None:
    # Without an id the message cannot be found again: asking once more would be a second turn.
    if key is not None:
        _LATE.setdefault((tenant, sender), (text, key))
        while len(_LATE) > _LATE_MOST:
            _LATE.popitem(last=False)


def _alarms(text: str) -> bool:
    return safety.screen(text).alarm


def _whole(text: str) -> str:
    """The text with no empty line in it: Rasa cuts a text there, and some channels change the pieces' order."""
    return re.sub(r"\n{2,}", "\n \n", text)


def _card(card: dict[str, Any] | None, said: str) -> list[Answer]:
    """The help card as text, for every channel, and as data under `data`: socket.io spreads any other key."""
    if card is None:
        return []
    words = hosts.card_text(card)
    lines = [
        {"title": f"{row['name']} {row['number']}".strip(), "description": f"{row['hours']} {row['note']}".strip()}
        for row in card["lines"]
    ]
    shown: list[Answer] = [] if words in said else [{"text": words}]
    return [*shown, {"custom": {"data": {"type": "accordion", "elements": lines, "card": card}}}]
