"""The turn journal: accepted before anything else happens, running under a lease, ended exactly once."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, Table, and_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from empathy_r1.storage import outbox
from empathy_r1.storage.admission import Admitted, Decide, admit
from empathy_r1.storage.claims import Work, claim
from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.made import Made, journey, last
from empathy_r1.storage.tables import EventRow, SessionRow, StageRow, TurnRow
from empathy_r1.storage.turns import (
    OPEN,
    EventData,
    Said,
    Status,
    TurnRecord,
    append,
    is_open,
    last_event,
    said,
    turns,
    whole_post,
)

__all__ = ["Journal", "TurnRecord", "Work"]


class Journal:
    """Turns over one database and key ring, for the worker named `owner`."""

    def __init__(self, database: Database, ring: KeyRing, owner: str) -> None:
        self._db, self._ring, self._owner = database, ring, owner

    async def admit(
        self, session_id: str, key: str | None, decide: Decide, *, lease: float, history: int
    ) -> Admitted | None:
        """Writes a post down: from here on it will be answered.

        Args:
            session_id: whose post it is.
            key: the idempotency key; a turn under it is returned as it is, whatever `decide` would say.
            decide: makes the turn, given the session and what waits in it; runs in a thread, and may refuse by raising.
            lease: seconds, for a turn that begins at once.
            history: answered turns that come with a turn that begins at once.

        Returns:
            None where there is no such session.
        """
        return await self._db.run(
            lambda db: admit(db, self._ring, self._owner, session_id, key, decide, lease=lease, history=history)
        )

    async def get(self, session_id: str, turn_id: str) -> TurnRecord | None:
        """The turn, or None where the session has none of this id."""
        found = await self._turns(and_(TurnRow.session_id == session_id, TurnRow.id == turn_id))
        return found[0] if found else None

    async def of_session(self, session_id: str) -> list[TurnRecord]:
        """The session's turns, oldest first."""
        return await self._turns(TurnRow.session_id == session_id)

    async def said(self, session_id: str, before: int | None, limit: int) -> list[Said]:
        """The last `limit` answered turns of the session, oldest first; only those before number `before`."""
        return await self._db.run(lambda db: said(db, self._ring, session_id, before, limit), reading=True)

    async def open_turns(self, session_id: str) -> list[str]:
        """Ids of the session's turns that wait or run, oldest first."""
        query = select(TurnRow.id).where(TurnRow.session_id == session_id, TurnRow.status.in_(OPEN))
        return await self._db.run(lambda db: list(db.scalars(query.order_by(TurnRow.number))), reading=True)

    async def claim(
        self, lease: float, running: Collection[str] = (), *, most: int = 1, history: int = 0
    ) -> list[Work] | None:
        """Takes the oldest turns that nobody works on, under a lease.

        A turn that waits is free while its session has none running; one that runs, when its lease has ended.

        Args:
            lease: seconds until a turn is free again, unless it is renewed.
            running: turns that this worker still works on, however late its heartbeat is.
            most: at most so many.
            history: answered turns that come with each.

        Returns:
            The turns; None where another process took one of them at the same moment: try again.
        """
        try:
            return await self._db.run(lambda db: claim(db, self._ring, self._owner, lease, running, most, history))
        except IntegrityError:
            return None

    async def renew(self, turn_ids: Sequence[str], lease: float) -> tuple[list[str], list[str]]:
        """The heartbeat: prolongs the leases that are still ours.

        Returns:
            Turns that were lost to another worker, and turns that somebody asked to cancel.
        """
        mine = and_(TurnRow.id.in_(turn_ids), TurnRow.lease_owner == self._owner, TurnRow.status == "running")

        def work(db: Connection) -> dict[str, bool]:
            until = datetime.now(UTC) + timedelta(seconds=lease)
            db.execute(update(TurnRow).where(mine).values(lease_until=until))
            return {
                row.id: row.cancel_asked for row in db.execute(select(TurnRow.id, TurnRow.cancel_asked).where(mine))
            }

        kept = await self._db.run(work)
        return [t for t in turn_ids if t not in kept], [t for t, asked in kept.items() if asked]

    async def release(self, turn_id: str) -> None:
        """Hands a running turn back, so that any worker may go on with it at once."""
        mine = and_(TurnRow.id == turn_id, TurnRow.lease_owner == self._owner, TurnRow.status == "running")
        values = {"status": "accepted", "lease_owner": None, "lease_until": None}
        await self._db.run(lambda db: db.execute(update(TurnRow).where(mine).values(values)))

    async def still_open(self, turn_ids: Collection[str]) -> set[str]:
        """Those of the turns that still wait for a worker."""
        query = select(TurnRow.id).where(TurnRow.id.in_(turn_ids), TurnRow.status == "accepted")
        return await self._db.run(lambda db: set(db.scalars(query)), reading=True)

    async def ask_cancel(self, turn_id: str) -> Status | None:
        """Cancels a waiting turn at once, and asks the worker of a running one to; None where it has ended."""
        waits = and_(TurnRow.id == turn_id, TurnRow.status == "accepted")
        runs = and_(TurnRow.id == turn_id, TurnRow.status == "running")

        def work(db: Connection) -> Status | None:
            ended = {"status": "cancelled", "finished": datetime.now(UTC)}
            if db.execute(update(TurnRow).where(waits).values(ended)).rowcount:
                append(db, self._ring, turn_id, [_cancelled(db, turn_id)])
                return "cancelled"
            return "running" if db.execute(update(TurnRow).where(runs).values(cancel_asked=True)).rowcount else None

        return await self._db.run(work)

    async def end_cancelled(self, turn_id: str) -> int | None:
        """Ends a running turn, whoever runs it, as cancelled; returns the last event's number, None if it had ended."""
        mine = and_(TurnRow.id == turn_id, TurnRow.status.in_(OPEN))
        values = {"status": "cancelled", "finished": datetime.now(UTC), "lease_owner": None}

        def work(db: Connection) -> int | None:
            if not db.execute(update(TurnRow).where(mine).values(values)).rowcount:
                return None
            event = _cancelled(db, turn_id)
            append(db, self._ring, turn_id, [event])
            return int(event["seq"])

        return await self._db.run(work)

    async def whole_post(self, turn: TurnRecord) -> str:
        """The turn's post, after those that were joined into it."""
        return await self._db.run(lambda db: whole_post(db, self._ring, turn), reading=True)

    async def stages(self, turn_id: str) -> dict[str, str]:
        """The finished sections of a turn, by name."""
        query = select(StageRow.name, StageRow.text_sealed).where(StageRow.turn_id == turn_id)

        def work(db: Connection) -> dict[str, str]:
            rows = db.execute(query)
            return {row.name: self._ring.open(row.text_sealed, f"stages.{row.name}:{turn_id}") for row in rows}

        return await self._db.run(work, reading=True)

    async def write(
        self, turn_id: str, events: Sequence[EventData], stages: dict[str, str] | None = None, *, again: bool = False
    ) -> bool:
        """Appends events and finished sections of a turn that is ours; False where it is ours no more.

        `again` says that the same was tried before, and that nobody knows whether it was written.
        """

        def work(db: Connection) -> bool:
            if not self._ours(db, turn_id):
                return False
            if again and events and last_event(db, turn_id) >= events[-1]["seq"]:
                return True
            with last(db):
                self._keep(db, turn_id, events, stages or {})
            return True

        return await self._db.run(work)

    async def finish(
        self,
        turn_id: str,
        status: Literal["committed", "failed", "cancelled"],
        events: Sequence[EventData],
        *,
        stages: dict[str, str] | None = None,
        reply: str | None = None,
        level: str | None = None,
        degraded: str | None = None,
        card: dict[str, Any] | None = None,
        crisis: tuple[dict[str, Any] | None] | None = None,
        handover: outbox.NewHandover | None = None,
        owned: bool = True,
    ) -> bool:
        """Ends the turn in one transaction: status, reply, last events and sections, the crisis dialogue's state.

        Args:
            turn_id: the turn.
            status: how it ends.
            events: the last of its stream.
            stages: sections that are not written yet.
            reply: what the person is told.
            level: what the screen saw.
            degraded: how far down the ladder the reply came from.
            card: the help card that is shown.
            crisis: a one-tuple with the dialogue's new state, or None to leave it.
            handover: what the operator's people are to be told.
            owned: whether the turn must still be under this worker's lease; a crisis answer is under nobody's.

        Returns:
            False where the turn has ended, or is another worker's by now: then nothing was written.
        """
        values = {
            "b_turn": turn_id,
            "b_owner": self._owner,
            "b_status": status,
            "b_now": datetime.now(UTC),
            "b_degraded": degraded,
            "b_card": card,
            "b_reply": None if reply is None else self._ring.seal(reply, f"turns.reply:{turn_id}"),
            "b_level": level,
        }

        def work(db: Connection) -> bool:
            with journey(db):
                done = (_FINISH_OWN if owned else _FINISH_ANY).send(db, values)
            if not done.changed:
                return False
            if handover is not None:
                outbox.put(db, self._ring, handover)
            with last(db):
                self._keep(db, turn_id, events, stages or {})
                if crisis is not None:
                    _CRISIS.send(db, {"b_turn": turn_id, "b_crisis": crisis[0]})
            return True

        return await self._db.run(work)

    async def events(self, turn_id: str, after: int) -> list[EventData]:
        """The turn's events with a greater sequence number than `after`, in order."""
        query = select(EventRow.seq, EventRow.data_sealed).where(EventRow.turn_id == turn_id, EventRow.seq > after)

        def work(db: Connection) -> list[EventData]:
            rows = db.execute(query.order_by(EventRow.seq))
            return [json.loads(self._ring.open(row.data_sealed, f"events:{turn_id}:{row.seq}")) for row in rows]

        return await self._db.run(work, reading=True)

    async def last_event(self, turn_id: str) -> int:
        """Sequence number of the last event: where a turn that is taken over goes on."""
        return await self._db.run(lambda db: last_event(db, turn_id), reading=True)

    def _keep(self, db: Connection, turn_id: str, events: Sequence[EventData], stages: dict[str, str]) -> None:
        rows = [
            {"turn_id": turn_id, "name": name, "text_sealed": self._ring.seal(text, f"stages.{name}:{turn_id}")}
            for name, text in stages.items()
        ]
        if rows:
            _STAGE[db.dialect.name].send_all(db, rows)
        append(db, self._ring, turn_id, events)

    def _ours(self, db: Connection, turn_id: str) -> bool:
        # Locked, so that no other worker takes the turn over between this look and the writing.
        with journey(db):
            found = _OURS.send(db, {"b_turn": turn_id, "b_owner": self._owner})
        return found.first() is not None

    async def _turns(self, which: Any) -> list[TurnRecord]:
        return await self._db.run(lambda db: turns(db, self._ring, which), reading=True)


def _cancelled(db: Connection, turn_id: str) -> EventData:
    return {"type": "cancelled", "seq": last_event(db, turn_id) + 1, "turn_id": turn_id}


# Statements of every turn are made once: to make one takes longer than to run it.
_TURNS, _SESSIONS = cast("Table", TurnRow.__table__), cast("Table", SessionRow.__table__)
_this = _TURNS.c.id == bindparam("b_turn")
_mine = _TURNS.c.lease_owner == bindparam("b_owner")
# The section on which a worker died is written again by the one that took over.
_STAGE = {
    dialect.name: Made(
        insert.on_conflict_do_update(
            index_elements=["turn_id", "name"], set_={"text_sealed": insert.excluded.text_sealed}
        ),
        ["turn_id", "name", "text_sealed"],
    )
    for dialect, insert in (
        (sqlite.dialect, sqlite.insert(cast("Table", StageRow.__table__))),
        (postgresql.dialect, postgresql.insert(cast("Table", StageRow.__table__))),
    )
}
_OURS = Made(select(_TURNS.c.id).where(_this, _mine, _TURNS.c.status == "running").with_for_update())
_finish = (
    update(_TURNS)
    .where(_this, is_open(_TURNS))
    .values(
        status=bindparam("b_status"),
        finished=bindparam("b_now"),
        lease_owner=None,
        degraded=bindparam("b_degraded"),
        card=bindparam("b_card"),
        reply_sealed=bindparam("b_reply"),
        level=func.coalesce(bindparam("b_level"), _TURNS.c.level),
    )
)
_FINISH_ANY, _FINISH_OWN = Made(_finish), Made(_finish.where(_mine))
_CRISIS = Made(
    update(_SESSIONS)
    .where(_SESSIONS.c.id == select(_TURNS.c.session_id).where(_this).scalar_subquery())
    .values(crisis=bindparam("b_crisis"))
)
