"""What the bot's actions do, whichever action server runs them."""

import logging
from typing import Any

from empathy_r1.graph.safety.help import help_for
from empathy_r1.integrations import hosts
from empathy_r1.integrations.rasa.talk import Answer, alarms, answer, card_messages
from empathy_r1.plugin.engine import EmpathyEngine

TENANT = "rasa"
EMPATHY, HANDOVER, BACK = "action_empathy", "action_handover", "action_back"
ACTIONS = (EMPATHY, "action_counsel", HANDOVER, BACK)
"""The first two are one: they answer the person. The others give the talk to a human, and take it back."""
HUMAN = "human"
"""The slot that says whether a human has taken over."""
LISTEN = {"event": "followup", "timestamp": None, "name": "action_listen"}
WAITING = (
    "好，接下来由真人回复你，可能要等一会儿。想回来找我，发“回到助手”就行。等的时候如果很难受：\n"
    "A person will answer you here; it may take a while. To talk with me again, write: back to the assistant. "
    "If it gets hard while you wait:"
)
AGAIN = (
    "我回来了。想说什么，慢慢写给我。我是人工智能，给的是支持，不是治疗。\n"
    "I am here again. Take your time and write to me. I am an AI; this is support, not therapy."
)
_log = logging.getLogger("empathy_r1")


async def act(
    engine: EmpathyEngine,
    action: str,
    sender: str,
    message: dict[str, Any],
    slots: dict[str, Any],
    *,
    tenant: str = TENANT,
) -> tuple[list[dict[str, Any]], list[Answer]]:
    """Rasa's events and messages of an action.

    Args:
        engine: the app's.
        action: one of `ACTIONS`; any other is answered with words too.
        sender: Rasa's `sender_id`.
        message: the tracker's `latest_message`.
        slots: the tracker's `slots`.
        tenant: owner of the sender's session.
    """
    match action:
        case "action_handover":
            return [_human(True), LISTEN], waiting(engine.settings.region)
        case "action_back":
            return [_human(False), LISTEN], [{"text": AGAIN}]
        case "action_empathy" | "action_counsel":
            if quiet(message, slots):
                return [LISTEN], []
            text, key = message.get("text") or "", message_id(message)
            return [LISTEN], await answer(engine, sender, text, tenant=tenant, message_id=key)
    return [LISTEN], [{"text": hosts.fallback(engine.settings.region)}]


def quiet(message: dict[str, Any], slots: dict[str, Any]) -> bool:
    """Whether a human answers this message. Only the crisis screen still listens then."""
    return bool(slots.get(HUMAN)) and not alarms(message.get("text") or "")


def message_id(message: dict[str, Any]) -> str | None:
    """The platform's own id of the message where it gives one: Rasa makes a new one at each delivery."""
    metadata = message.get("metadata")
    named = metadata.get("message_id") if isinstance(metadata, dict) else None
    given = named or message.get("message_id")
    return str(given) if given else None


def out_of_order(error: Exception, region: str | None) -> str:
    """Words for the person where no engine can be opened; the operator finds the error in the log."""
    _log.error("no engine for Rasa: %s: %s", type(error).__name__, error)
    return hosts.fallback(region)


def waiting(region: str | None) -> list[Answer]:
    """Words for the wait for a human, with where help is meanwhile."""
    first, *more = card_messages(help_for(region, "zh").as_json())
    return [{"text": f"{WAITING}\n{first['text']}"}, *more]


def _human(there: bool) -> dict[str, Any]:
    return {"event": "slot", "timestamp": None, "name": HUMAN, "value": there}
