"""The turn journal: accepted before anything else happens, running under a lease, ended exactly once."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.errors import DuplicateKeyError
from empathy_r1.storage.tables import EventRow, SessionRow, StageRow, TurnRow

Status = Literal["accepted", "running", "committed", "failed", "cancelled"]
OPEN = ("accepted", "running")
EventData = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn as it is stored, opened."""

    id: str
    session_id: str
    number: int
    status: Status
    body_digest: str
    post: str
    reply: str | None
    level: str
    degraded: str | None
    created: datetime
    finished: datetime | None
    last_event: int


class Journal:
    """Turns over one database and key ring, for the worker named `owner`."""

    def __init__(self, database: Database, ring: KeyRing, owner: str) -> None:
        self._db, self._ring, self._owner = database, ring, owner

    async def accept(
        self,
        turn_id: str,
        session_id: str,
        post: str,
        *,
        body_digest: str,
        idempotency_key: str | None,
        level: str,
        first: EventData,
    ) -> None:
        """Writes the turn down: from here on it will be answered.

        Raises:
            DuplicateKeyError: the session has a turn under this idempotency key.
        """
        now = datetime.now(UTC)
        number = select(func.coalesce(func.max(TurnRow.number), 0) + 1).where(TurnRow.session_id == session_id)
        try:
            async with self._db.write() as db:
                # Two processes that number turns of one session wait for each other at this row.
                await db.execute(update(SessionRow).where(SessionRow.id == session_id).values(last_active=now))
                await db.execute(
                    insert(TurnRow).values(
                        id=turn_id,
                        session_id=session_id,
                        number=number.scalar_subquery(),
                        status="accepted",
                        idempotency_key=idempotency_key,
                        body_digest=body_digest,
                        post_sealed=self._ring.seal(post, f"turns.post:{turn_id}"),
                        level=level,
                        cancel_asked=False,
                        attempts=0,
                        created=now,
                    )
                )
                await self._append(db, turn_id, [first])
        except IntegrityError as error:
            raise DuplicateKeyError from error

    async def by_key(self, session_id: str, idempotency_key: str) -> TurnRecord | None:
        """The session's turn under this idempotency key."""
        found = await self._turns(and_(TurnRow.session_id == session_id, TurnRow.idempotency_key == idempotency_key))
        return found[0] if found else None

    async def get(self, session_id: str, turn_id: str) -> TurnRecord | None:
        """The turn, or None where the session has none of this id."""
        found = await self._turns(and_(TurnRow.session_id == session_id, TurnRow.id == turn_id))
        return found[0] if found else None

    async def of_session(self, session_id: str) -> list[TurnRecord]:
        """The session's turns, oldest first."""
        return await self._turns(TurnRow.session_id == session_id)

    async def open_turns(self, session_id: str) -> list[str]:
        """Ids of the session's turns that wait or run, oldest first."""
        query = select(TurnRow.id).where(TurnRow.session_id == session_id, TurnRow.status.in_(OPEN))
        async with self._db.read() as db:
            return list(await db.scalars(query.order_by(TurnRow.number)))

    async def claim(self, lease: float, running: Collection[str] = ()) -> tuple[str, str] | None:
        """Takes the oldest turn that nobody works on, under a lease.

        A turn that waits is free while its session has none running; one that runs, when its lease has ended.

        Args:
            lease: seconds until the turn is free again, unless it is renewed.
            running: turns that this worker still works on, however late its heartbeat is.

        Returns:
            The session's and the turn's id, or None where nothing is free.
        """
        now = datetime.now(UTC)
        other = aliased(TurnRow)
        busy = exists().where(other.session_id == TurnRow.session_id, other.status == "running")
        earlier = exists().where(
            other.session_id == TurnRow.session_id, other.status == "accepted", other.number < TurnRow.number
        )
        free = or_(
            and_(TurnRow.status == "running", TurnRow.lease_until < now),
            and_(TurnRow.status == "accepted", ~busy, ~earlier),
        )
        if running:
            free = and_(free, TurnRow.id.not_in(running))
        pick = select(TurnRow.id, TurnRow.session_id).where(free).order_by(TurnRow.created).limit(1)
        if self._db.engine.dialect.name == "postgresql":
            pick = pick.with_for_update(skip_locked=True, of=TurnRow)
        try:
            async with self._db.write() as db:
                row = (await db.execute(pick)).first()
                if row is None:
                    return None
                await db.execute(
                    update(TurnRow)
                    .where(TurnRow.id == row.id)
                    .values(
                        status="running",
                        lease_owner=self._owner,
                        lease_until=now + timedelta(seconds=lease),
                        attempts=TurnRow.attempts + 1,
                    )
                )
        except IntegrityError:  # another process began a turn of this session first
            return None
        return row.session_id, row.id

    async def renew(self, turn_ids: Sequence[str], lease: float) -> tuple[list[str], list[str]]:
        """The heartbeat: prolongs the leases that are still ours.

        Returns:
            Turns that were lost to another worker, and turns that somebody asked to cancel.
        """
        mine = and_(TurnRow.id.in_(turn_ids), TurnRow.lease_owner == self._owner, TurnRow.status == "running")
        async with self._db.write() as db:
            until = datetime.now(UTC) + timedelta(seconds=lease)
            await db.execute(update(TurnRow).where(mine).values(lease_until=until))
            kept = {
                row.id: row.cancel_asked
                for row in await db.execute(select(TurnRow.id, TurnRow.cancel_asked).where(mine))
            }
        return [t for t in turn_ids if t not in kept], [t for t, asked in kept.items() if asked]

    async def release(self, turn_id: str) -> None:
        """Hands a running turn back, so that any worker may go on with it at once."""
        async with self._db.write() as db:
            await db.execute(
                update(TurnRow)
                .where(TurnRow.id == turn_id, TurnRow.lease_owner == self._owner, TurnRow.status == "running")
                .values(status="accepted", lease_owner=None, lease_until=None)
            )

    async def ask_cancel(self, turn_id: str, event: EventData) -> Status | None:
        """Cancels a waiting turn at once, and asks the worker of a running one to; None where it has ended."""
        async with self._db.write() as db:
            done = await db.execute(
                update(TurnRow)
                .where(TurnRow.id == turn_id, TurnRow.status == "accepted")
                .values(status="cancelled", finished=datetime.now(UTC))
            )
            if done.rowcount:
                await self._append(db, turn_id, [event])
                return "cancelled"
            asked = await db.execute(
                update(TurnRow).where(TurnRow.id == turn_id, TurnRow.status == "running").values(cancel_asked=True)
            )
            return "running" if asked.rowcount else None

    async def stages(self, turn_id: str) -> dict[str, str]:
        """The finished sections of a turn, by name."""
        async with self._db.read() as db:
            rows = await db.execute(select(StageRow.name, StageRow.text_sealed).where(StageRow.turn_id == turn_id))
            return {row.name: self._ring.open(row.text_sealed, f"stages.{row.name}:{turn_id}") for row in rows}

    async def write(self, turn_id: str, events: Sequence[EventData], stages: dict[str, str] | None = None) -> bool:
        """Appends events and finished sections of a turn that is ours; False where it is ours no more."""
        async with self._db.write() as db:
            if not await self._ours(db, turn_id):
                return False
            for name, text in (stages or {}).items():
                sealed = self._ring.seal(text, f"stages.{name}:{turn_id}")
                await db.execute(insert(StageRow).values(turn_id=turn_id, name=name, text_sealed=sealed))
            await self._append(db, turn_id, events)
            return True

    async def finish(
        self,
        turn_id: str,
        status: Literal["committed", "failed", "cancelled"],
        events: Sequence[EventData],
        *,
        reply: str | None = None,
        level: str | None = None,
        degraded: str | None = None,
        crisis: tuple[dict[str, Any] | None] | None = None,
        owned: bool = True,
    ) -> bool:
        """Ends the turn in one transaction: status, reply, last events, and the crisis dialogue's state.

        `crisis` is a one-tuple with the new state, or None to leave it. `owned` says whether the turn must still be
        under this worker's lease; a crisis answer is under nobody's.

        Returns:
            False where the turn has ended, or is another worker's by now: then nothing was written.
        """
        values: dict[str, Any] = {
            "status": status,
            "finished": datetime.now(UTC),
            "lease_owner": None,
            "degraded": degraded,
        }
        if reply is not None:
            values["reply_sealed"] = self._ring.seal(reply, f"turns.reply:{turn_id}")
        if level is not None:
            values["level"] = level
        mine = and_(TurnRow.id == turn_id, TurnRow.status.in_(OPEN))
        if owned:
            mine = and_(mine, TurnRow.lease_owner == self._owner)
        async with self._db.write() as db:
            if not (await db.execute(update(TurnRow).where(mine).values(**values))).rowcount:
                return False
            await self._append(db, turn_id, events)
            if crisis is not None:
                session = select(TurnRow.session_id).where(TurnRow.id == turn_id).scalar_subquery()
                await db.execute(update(SessionRow).where(SessionRow.id == session).values(crisis=crisis[0]))
        return True

    async def events(self, turn_id: str, after: int) -> list[EventData]:
        """The turn's events with a greater sequence number than `after`, in order."""
        query = select(EventRow.seq, EventRow.data_sealed).where(EventRow.turn_id == turn_id, EventRow.seq > after)
        async with self._db.read() as db:
            rows = await db.execute(query.order_by(EventRow.seq))
            return [json.loads(self._ring.open(row.data_sealed, f"events:{turn_id}:{row.seq}")) for row in rows]

    async def last_event(self, turn_id: str) -> int:
        """Sequence number of the last event: where a turn that is taken over goes on."""
        async with self._db.read() as db:
            return await db.scalar(select(func.max(EventRow.seq)).where(EventRow.turn_id == turn_id)) or 0

    async def _ours(self, db: AsyncConnection, turn_id: str) -> bool:
        query = select(TurnRow.id).where(
            TurnRow.id == turn_id, TurnRow.lease_owner == self._owner, TurnRow.status == "running"
        )
        return (await db.execute(query)).first() is not None

    async def _append(self, db: AsyncConnection, turn_id: str, events: Sequence[EventData]) -> None:
        if events:
            await db.execute(
                insert(EventRow),
                [
                    {
                        "turn_id": turn_id,
                        "seq": event["seq"],
                        "data_sealed": self._ring.seal(
                            json.dumps(event, ensure_ascii=False), f"events:{turn_id}:{event['seq']}"
                        ),
                    }
                    for event in events
                ],
            )

    async def _turns(self, which: Any) -> list[TurnRecord]:
        last = select(func.max(EventRow.seq)).where(EventRow.turn_id == TurnRow.id).scalar_subquery()
        query = select(TurnRow.__table__, last.label("last_event")).where(which).order_by(TurnRow.number)
        async with self._db.read() as db:
            return [self._record(row) for row in (await db.execute(query)).mappings()]

    def _record(self, row: Any) -> TurnRecord:
        reply = row["reply_sealed"]
        return TurnRecord(
            id=row["id"],
            session_id=row["session_id"],
            number=row["number"],
            status=row["status"],
            body_digest=row["body_digest"],
            post=self._ring.open(row["post_sealed"], f"turns.post:{row['id']}"),
            reply=None if reply is None else self._ring.open(reply, f"turns.reply:{row['id']}"),
            level=row["level"],
            degraded=row["degraded"],
            created=row["created"],
            finished=row["finished"],
            last_event=row["last_event"] or 0,
        )
