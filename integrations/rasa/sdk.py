"""The bot's actions as classes of rasa-sdk, for platforms that run their own action server.

    # actions.py
    from empathy_r1.integrations.rasa import ActionBack, ActionEmpathy, ActionHandover

    python -m rasa_sdk --actions actions            # or with --grpc, which streams

The engine lives in the action server: it is opened with the first message, by the settings of the environment.
"""

import asyncio
import json
from typing import Any

from empathy_r1.integrations.rasa import bot
from empathy_r1.integrations.rasa.talk import Answer, pieces
from empathy_r1.plugin.engine import EmpathyEngine
from empathy_r1.plugin.settings import Settings

try:
    from rasa_sdk import Action, Tracker
    from rasa_sdk.executor import CollectingDispatcher
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "empathy_r1.integrations.rasa.sdk requires rasa-sdk 3.17 or newer. Install it beside empathy-r1, in the "
        "environment of your action server: pip install rasa-sdk"
    ) from error

_OPEN: dict[asyncio.AbstractEventLoop, asyncio.Future[EmpathyEngine]] = {}
_KEPT: set[asyncio.Task[None]] = set()


async def _engine() -> EmpathyEngine:
    """The engine of this loop. rasa-sdk loads actions in a process that is not the one that runs them."""
    loop = asyncio.get_running_loop()
    if loop not in _OPEN:
        _OPEN[loop] = loop.create_future()
        _KEPT.add(loop.create_task(_hold(_OPEN[loop])))
    return await asyncio.shield(_OPEN[loop])


async def _hold(opened: asyncio.Future[EmpathyEngine]) -> None:
    try:
        async with EmpathyEngine.open(Settings()) as engine:
            opened.set_result(engine)
            await asyncio.Event().wait()  # until the server ends and cancels this
    except Exception as error:
        del _OPEN[opened.get_loop()]  # the next message tries again
        opened.set_exception(error)


class ActionEmpathy(Action):  # type: ignore[misc]
    """Answers the person; always with words."""

    named = bot.EMPATHY

    def name(self) -> str:
        """The name in the domain."""
        return self.named

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Answers the tracker's latest message."""
        try:
            engine = await _engine()
        except Exception as error:
            dispatcher.utter_message(text=bot.out_of_order(error, Settings().region))
            return [bot.LISTEN]
        message, slots = tracker.latest_message, tracker.slots
        if self.named == bot.EMPATHY and _streams(dispatcher) and not bot.quiet(message, slots):
            await _stream(engine, dispatcher, tracker.sender_id, message)
            return [bot.LISTEN]
        events, answers = await bot.act(engine, self.named, tracker.sender_id, message, slots)
        for one in answers:
            dispatcher.utter_message(text=one.get("text"), json_message=one.get("custom"))
        return events


class ActionHandover(ActionEmpathy):
    """Gives the talk to a human."""

    named = bot.HANDOVER


class ActionBack(ActionEmpathy):
    """Takes the talk back."""

    named = bot.BACK


def _streams(dispatcher: CollectingDispatcher) -> bool:
    """Whether pieces reach the person as they are said.

    rasa-sdk has no public word for it. Over HTTP it would replay every piece as a message of its own.
    """
    return getattr(dispatcher, "_stream_sink", None) is not None


async def _stream(
    engine: EmpathyEngine, dispatcher: CollectingDispatcher, sender: str, message: dict[str, Any]
) -> None:
    text, key = message.get("text") or "", bot.message_id(message)
    await dispatcher.stream_start()
    async for one in pieces(engine, sender, text, tenant=bot.TENANT, message_id=key):
        await dispatcher.stream_chunk(text=one.get("text"), json_message=_plain(one))
    await dispatcher.stream_end()


def _plain(one: Answer) -> dict[str, Any] | None:
    # The wire is protobuf, which takes no tuples.
    found: dict[str, Any] | None = json.loads(json.dumps(one.get("custom")))
    return found
