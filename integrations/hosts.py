"""What the doors of other hosts share: whose session it is, and the events of a turn in words.

These doors have one text and no place beside it, so help lines and notices stand in the text.
"""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from empathy_r1.graph.safety.help import help_for
from empathy_r1.integrations.web import metrics
from empathy_r1.plugin.engine import UNSTORED, EmpathyEngine
from empathy_r1.plugin.errors import SessionNotFoundError, StorageUnavailableError
from empathy_r1.plugin.events import Committed, Event, Safety

WITHDRAWN = "\n\n（上面的话收回，以下面为准。/ Please disregard the above; this stands instead.）\n\n"
"""Said on a wire that cannot take words back."""
JOINED = "（这段和你接着写的一起回复。/ This is answered together with what you wrote next.）"
"""Said for a post whose reply stands under a later one."""
NOBODY = "-"
"""Whose tenant nobody is: no session is in it."""


async def events_for(
    engine: EmpathyEngine, user: str, text: str, *, tenant: str, key: str | None = None
) -> AsyncGenerator[Event]:
    """The events of a turn in the session of a host's own user. A crisis is answered with the database down too.

    Args:
        engine: the app's.
        user: the host's own id of the person.
        text: the post.
        tenant: owner of the session; one for each door, so that no door reaches another's sessions.
        key: the host's id of the message; the same id again gets the same answer.

    Raises:
        PostError: the post cannot be read; EngineError: as `EmpathyEngine.stream`.
    """
    of: str | None = tenant
    try:
        session_id = await engine.session_for(user, tenant=tenant)
    except StorageUnavailableError:
        session_id, of = UNSTORED, NOBODY
    try:
        async with contextlib.aclosing(engine.stream(session_id, text, idempotency_key=key, tenant=of)) as events:
            async for event in metrics.counted(events):
                yield event
    except SessionNotFoundError as error:
        # The database came back between the two calls, or the person was erased just then.
        raise StorageUnavailableError("the session is not there") from error


def notices(event: Safety) -> str:
    """The disclosures of the event as text; empty where there are none."""
    return "\n".join(str(row["text"]) for row in event.disclosures)


def words_of(done: Committed) -> str:
    """The reply, or words for where it is."""
    return JOINED if done.joined_into else done.reply


def card_text(card: dict[str, Any] | None) -> str:
    """A help card as one text; empty without a card."""
    return str(card["text"]) if card else ""


def fallback(region: str | None) -> str:
    """Words for when no reply can be given: Chinese first, English after, each with where help is."""
    zh, en = help_for(region, "zh").as_json()["text"], help_for(region, "en").as_json()["text"]
    return (
        f"抱歉，现在没能写出回复。你的话很重要，请过一会儿再发一次。{zh}\n"
        f"Sorry, a reply could not be written right now. What you say matters; please send it again in a moment. {en}"
    )
