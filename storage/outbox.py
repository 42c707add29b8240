"""The outbox of handovers: written in the transaction of the turn that calls for one, kept until somebody took it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.tables import HandoverRow, SessionRow

GRAVITY = ("none", "concern", "high", "imminent")


@dataclass(frozen=True, slots=True)
class NewHandover:
    """What the operator's people are told of a crisis."""

    id: str
    session_id: str
    level: str
    payload: dict[str, Any]
    quiet: timedelta = timedelta(0)
    """For how long the session's next crisis of no graver level is not told again."""


@dataclass(frozen=True, slots=True)
class Handover:
    """A handover that is due."""

    id: str
    payload: dict[str, Any]
    contact: dict[str, Any] | None
    """Whom the person wants to be told, as of this moment."""
    attempts: int
    """With this one."""
    created: datetime


def put(db: Connection, ring: KeyRing, new: NewHandover) -> bool:
    """Adds a handover; False where the session's last one says as much already."""
    now = datetime.now(UTC)
    grave = GRAVITY[GRAVITY.index(new.level) :]
    told = select(HandoverRow.id).where(
        HandoverRow.session_id == new.session_id, HandoverRow.level.in_(grave), HandoverRow.created > now - new.quiet
    )
    if db.execute(told.limit(1)).first() is not None:
        return False
    sealed = ring.seal(json.dumps(new.payload, ensure_ascii=False), f"handovers.payload:{new.id}")
    row = {"id": new.id, "session_id": new.session_id, "level": new.level, "payload_sealed": sealed}
    db.execute(insert(HandoverRow).values(row | {"attempts": 0, "created": now, "next_at": now}))
    return True


class Outbox:
    """Handovers over one database and key ring."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._db, self._ring = database, ring

    async def take(self, seconds: float) -> Handover | None:
        """A handover that is due, or None; nobody else takes it for so many seconds."""
        return await self._db.run(lambda db: self._take(db, seconds))

    def _take(self, db: Connection, seconds: float) -> Handover | None:
        now = datetime.now(UTC)
        due = select(HandoverRow.id).where(HandoverRow.next_at <= now).order_by(HandoverRow.next_at).limit(1)
        found = db.scalar(due.with_for_update(skip_locked=True))
        if found is None:
            return None
        values = {"attempts": HandoverRow.attempts + 1, "next_at": now + timedelta(seconds=seconds)}
        db.execute(update(HandoverRow).where(HandoverRow.id == found).values(values))
        columns = (HandoverRow.payload_sealed, HandoverRow.attempts, HandoverRow.created, HandoverRow.session_id)
        row = db.execute(
            select(*columns, SessionRow.contact_sealed)
            .join(SessionRow, SessionRow.id == HandoverRow.session_id)
            .where(HandoverRow.id == found)
        ).one()
        sealed = row.contact_sealed
        contact = json.loads(self._ring.open(sealed, f"sessions.contact:{row.session_id}")) if sealed else None
        payload = json.loads(self._ring.open(row.payload_sealed, f"handovers.payload:{found}"))
        return Handover(found, payload, contact, row.attempts, row.created)

    async def of_session(self, session_id: str) -> list[dict[str, Any]]:
        """What was or will be told of the session, oldest first."""
        query = select(HandoverRow.__table__).where(HandoverRow.session_id == session_id).order_by(HandoverRow.created)

        def work(db: Connection) -> list[dict[str, Any]]:
            return [
                {
                    "id": row["id"],
                    "level": row["level"],
                    "created": row["created"],
                    "delivered": row["delivered"],
                    "told": json.loads(self._ring.open(row["payload_sealed"], f"handovers.payload:{row['id']}")),
                }
                for row in db.execute(query).mappings()
            ]

        return await self._db.run(work, reading=True)

    async def delivered(self, handover_id: str) -> None:
        """Somebody took it."""
        values = {"delivered": datetime.now(UTC), "next_at": None, "problem": None}
        await self._db.run(
            lambda db: db.execute(update(HandoverRow).where(HandoverRow.id == handover_id).values(values))
        )

    async def failed(self, handover_id: str, problem: str, again: timedelta | None) -> None:
        """Nobody took it: it is sent again after a while, or, with None, given up."""
        values = {"problem": problem[:80], "next_at": None if again is None else datetime.now(UTC) + again}
        await self._db.run(
            lambda db: db.execute(update(HandoverRow).where(HandoverRow.id == handover_id).values(values))
        )

    async def counts(self) -> dict[str, int]:
        """How many are delivered, wait, or were given up."""
        given_up = func.count().filter(HandoverRow.next_at.is_(None), HandoverRow.delivered.is_(None))
        query = select(func.count(HandoverRow.delivered), func.count(HandoverRow.next_at), given_up)
        found = await self._db.run(lambda db: db.execute(query.select_from(HandoverRow)).one(), reading=True)
        return dict(zip(("delivered", "waiting", "given_up"), found, strict=True))
