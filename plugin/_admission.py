"""The way in for a post: idempotency, caps, double texting, and the row in the journal that promises an answer."""

import hashlib
import uuid

from empathy_r1.plugin._crisis import answer_crisis
from empathy_r1.plugin._parts import Parts, stored
from empathy_r1.plugin._worker import Worker
from empathy_r1.plugin.errors import DrainingError, IdempotencyConflictError, OverloadedError, SessionBusyError
from empathy_r1.plugin.events import Accepted
from empathy_r1.storage import SessionRecord, TurnRecord
from empathy_r1.storage.errors import DuplicateKeyError


async def accept(
    parts: Parts, worker: Worker, session: SessionRecord, post: str, key: str | None, *, alarm: bool
) -> str:
    """Takes the post in and returns its turn's id. A post that raises an `alarm` is answered already.

    Raises:
        IdempotencyConflictError: `key` stands for another post.
        DrainingError: this process stops.
        SessionBusyError: the session answers another post, and refuses a second.
        OverloadedError: too many posts wait in the session.
        StorageUnavailableError: the database does not answer.
    """
    digest = hashlib.sha256(post.encode()).hexdigest()
    with stored():
        if key is not None and (known := await parts.journal.by_key(session.id, key)):
            return _same(known, digest)
        if worker.draining:
            raise DrainingError
        await _make_way(parts, worker, session, alarm=alarm)
        turn_id = f"t_{uuid.uuid4().hex}"
        accepted = Accepted(seq=1, turn_id=turn_id, session_id=session.id)
        try:
            await parts.journal.accept(
                turn_id,
                session.id,
                post,
                body_digest=digest,
                idempotency_key=key,
                level="none",
                first=accepted.model_dump(mode="json"),
            )
        except DuplicateKeyError:
            known = await parts.journal.by_key(session.id, key or "")
            if known is None:
                raise
            return _same(known, digest)
        if alarm:
            await answer_crisis(parts, session, turn_id, post)
        worker.work.set()
        return turn_id


async def _make_way(parts: Parts, worker: Worker, session: SessionRecord, *, alarm: bool) -> None:
    """Refuses the post, or stops the others, as the session wants it while others are open."""
    waiting = await parts.journal.open_turns(session.id)
    if waiting and not alarm:
        if session.double_texting == "reject":
            raise SessionBusyError
        if len(waiting) >= parts.settings.session_max_open:
            raise OverloadedError("This session", 5.0)
    if session.double_texting == "interrupt":
        for turn_id in waiting:
            if turn := await parts.journal.get(session.id, turn_id):
                await worker.cancel(turn)


def _same(known: TurnRecord, digest: str) -> str:
    if known.body_digest != digest:
        raise IdempotencyConflictError
    return known.id
