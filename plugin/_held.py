"""Everything held about a session or a person: shown, exported, erased."""

from typing import Any

from pydantic import TypeAdapter

from empathy_r1.plugin._parts import Parts, session_of, stored
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.custody import Custody
from empathy_r1.plugin.views import Contact, Receipt, SessionView, TurnView
from empathy_r1.storage import TurnRecord, audit, erasure

_HANDOVER = TypeAdapter(dict[str, Any])


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
        minor=record.minor,
        contact=Contact.model_validate(record.contact) if record.contact else None,
        turns=[_turn(turn) for turn in turns],
    )


async def export(parts: Parts, session_id: str, tenant: str | None, actor: str) -> dict[str, Any]:
    """The session as JSON data, with the label that AI wrote the replies."""
    owner = await session_of(parts, session_id, tenant)
    held = (await view(parts, session_id, tenant)).model_dump(mode="json")
    custody = Custody(parts)
    with stored():
        for turn in held["turns"]:
            turn["reply_written_by"] = "AI"
            if parts.settings.reveal_chain:
                turn["chain"] = await parts.journal.stages(turn["turn_id"]) or None
        handovers = await parts.outbox.of_session(session_id)
        async with parts.database.write() as db:
            await audit.write(db, "session.exported", [session_id], tenant=owner.tenant, actor=actor)
    return {
        "label": "AI-generated replies · 回复由人工智能生成",
        "session": held,
        "crisis": owner.crisis,
        "notices": owner.disclosures,
        "handovers": [_HANDOVER.dump_python(handover, mode="json") for handover in handovers],
        "consents": [entry.model_dump(mode="json") for entry in await custody.consents(session_id)],
        "audit": [entry.model_dump(mode="json") for entry in await custody.audit(subject=session_id, limit=1000)],
    }


async def erase(parts: Parts, worker: Worker, session_ids: list[str], *, tenant: str | None, actor: str) -> Receipt:
    """Stops what runs in the sessions and deletes them."""
    with stored():
        for session_id in session_ids:
            for turn_id in await parts.journal.open_turns(session_id):
                await worker.cancel(turn_id)
        done = await erasure.erase(parts.database, session_ids, tenant=tenant, actor=actor)
    return Receipt(receipt_id=done.receipt_id, erased_at=done.at, sessions=done.sessions, rows=done.rows)


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
        card=turn.card,
        disclosures=list(turn.notices),
        joined_into=turn.joined_into,
        last_event=turn.last_event,
    )
