"""Turns that wait, or that a worker left: who may take them, and under what lease."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, and_, exists, or_, select, update
from sqlalchemy.orm import aliased

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.sessions import SessionRecord, record
from empathy_r1.storage.tables import SessionRow, TurnRow
from empathy_r1.storage.turns import Said, TurnRecord, free_at, said, turns

Work = tuple[TurnRecord, SessionRecord, list[Said]]
"""A claimed turn with the whole of its posts, its session, and what was said before."""


def claim(
    db: Connection, ring: KeyRing, owner: str, lease: float, running: Collection[str], most: int, history: int
) -> list[Work]:
    """Takes the oldest turns that nobody works on; `running` are those that `owner` has already.

    Raises:
        IntegrityError: another process took one of them at the same moment.
    """
    now = datetime.now(UTC)
    other = aliased(TurnRow)
    busy = exists().where(other.session_id == TurnRow.session_id, other.status == "running")
    earlier = exists().where(
        other.session_id == TurnRow.session_id, other.status == "accepted", other.number < TurnRow.number
    )
    free = or_(
        and_(TurnRow.status == "running", TurnRow.lease_until < now),
        and_(TurnRow.status == "accepted", free_at(now), ~busy, ~earlier),
    )
    if running:
        free = and_(free, TurnRow.id.not_in(running))
    pick = select(TurnRow.id).where(free).order_by(TurnRow.created).limit(most)
    ids = list(db.scalars(pick.with_for_update(skip_locked=True, of=TurnRow)))
    if not ids:
        return []
    until = now + timedelta(seconds=lease)
    values = {"status": "running", "lease_owner": owner, "lease_until": until}
    db.execute(update(TurnRow).where(TurnRow.id.in_(ids)).values(values | {"attempts": TurnRow.attempts + 1}))
    claimed = turns(db, ring, TurnRow.id.in_(ids))
    in_sessions = SessionRow.id.in_([turn.session_id for turn in claimed])
    rows = db.execute(select(SessionRow.__table__).where(in_sessions)).mappings()
    sessions = {row["id"]: record(ring, row) for row in rows}
    return [
        (turn, sessions[turn.session_id], said(db, ring, turn.session_id, turn.number, history)) for turn in claimed
    ]
