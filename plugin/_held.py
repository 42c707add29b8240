"""Everything held about a session or a person: shown, exported, erased."""

import uuid
from datetime import UTC, datetime
from typing import Any

from empathy_r1.plugin._parts import Parts, session_of, stored
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.views import Receipt, SessionView, TurnView
from empathy_r1.storage import TurnRecord


async def view(parts: Parts, session_id: str, tenant: str | None) -> SessionView:
    """The session with its turns."""
    record = await session_of(parts, session_id, tenant)
    with stored():
        turns = await parts.journal.of_session(session_id)
    return SessionView(
        session_id=record.id,
        created=record.created,
        last_active=record.last_active,
        locale=record.locale,
        region=record.region,
        metadata=record.metadata,
        double_texting=record.double_texting,
        turns=[_turn(turn) for turn in turns],
    )


async def export(parts: Parts, session_id: str, tenant: str | None) -> dict[str, Any]:
    """The session as JSON data, with the label that AI wrote the replies."""
    held = (await view(parts, session_id, tenant)).model_dump(mode="json")
    with stored():
        for turn in held["turns"]:
            turn["reply_written_by"] = "AI"
            if parts.settings.reveal_chain:
                turn["chain"] = await parts.journal.stages(turn["turn_id"]) or None
    return {"label": "AI-generated replies · 回复由人工智能生成", "session": held}


async def erase(parts: Parts, worker: Worker, session_ids: list[str]) -> Receipt:
    """Stops what runs in the sessions and deletes them."""
    with stored():
        for session_id in session_ids:
            for turn_id in await parts.journal.open_turns(session_id):
                if turn := await parts.journal.get(session_id, turn_id):
                    await worker.cancel(turn)
        rows = await parts.sessions.erase(session_ids)
    return Receipt(
        receipt_id=f"r_{uuid.uuid4().hex}", erased_at=datetime.now(UTC), sessions=len(session_ids), rows=rows
    )


def _turn(turn: TurnRecord) -> TurnView:
    return TurnView(
        turn_id=turn.id,
        post=turn.post,
        reply=turn.reply,
        level=turn.level,
        status=turn.status,
        created=turn.created,
        finished=turn.finished,
        degraded=turn.degraded,
        last_event=turn.last_event,
    )
