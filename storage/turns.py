"""Turns as they are stored, opened: one row each, and what was said in a session before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, insert, or_, select

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.made import Answer, Made
from empathy_r1.storage.tables import EventRow, TurnRow

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
    card: dict[str, Any] | None = None
    """The help card that was shown."""
    notices: tuple[dict[str, Any], ...] = ()
    """The disclosures that were shown with the turn."""
    joined_into: str | None = None
    """The later turn whose reply answers this post too."""
    attempts: int = 1
    """How many workers have begun it."""


Said = tuple[str, str, str]
"""An answered turn: its id, the posts that it answered as one text, and the reply."""


def turns(db: Connection, ring: KeyRing, which: ColumnElement[bool]) -> list[TurnRecord]:
    """The turns that fit, by number."""
    last = select(func.max(EventRow.seq)).where(EventRow.turn_id == TurnRow.id).scalar_subquery()
    query = select(TurnRow.__table__, last.label("last_event")).where(which).order_by(TurnRow.number)
    return [_record(ring, row) for row in db.execute(query).mappings()]


def whole_post(db: Connection, ring: KeyRing, turn: TurnRecord) -> str:
    """The turn's post, after those that were joined into it."""
    rows = db.execute(_JOINED, {"b_session": turn.session_id, "b_turns": [turn.id]}).mappings()
    return "\n".join([*(_post(ring, row) for row in rows), turn.post])


def said(
    db: Connection, ring: KeyRing, session_id: str, before: int | None, limit: int, *, joined: bool = True
) -> list[Said]:
    """The last `limit` answered turns of the session, oldest first.

    Args:
        db: where.
        ring: of the texts.
        session_id: whose.
        before: only turns before this number; None for all.
        limit: how many.
        joined: whether posts may have been joined in the session.
    """
    return opened(db, ring, session_id, newest_said(db, session_id, before, limit), joined=joined)


def newest_said(db: Connection, session_id: str, before: int | None, limit: int) -> Answer:
    """Asks for the last `limit` answered turns, to be `opened`."""
    return _SAID.send(db, {"b_session": session_id, "b_before": before or 2**31 - 1, "b_limit": limit})


def opened(db: Connection, ring: KeyRing, session_id: str, found: Answer, *, joined: bool = True) -> list[Said]:
    """The answered turns that were found, oldest first."""
    rows = found.rows()[::-1]
    before_it: dict[str, list[str]] = {}
    if rows and joined:
        given = {"b_session": session_id, "b_turns": [row["id"] for row in rows]}
        for row in db.execute(_JOINED, given).mappings():
            before_it.setdefault(row["joined_into"], []).append(_post(ring, row))
    return [
        (
            row["id"],
            "\n".join([*before_it.get(row["id"], []), _post(ring, row)]),
            _reply(ring, row["id"], row["reply_sealed"]) or "",
        )
        for row in rows
    ]


def append(db: Connection, ring: KeyRing, turn_id: str, events: Sequence[EventData]) -> None:
    """Adds events to a turn's stream."""
    if events:
        rows = [
            {
                "turn_id": turn_id,
                "seq": event["seq"],
                "data_sealed": ring.seal(to_json(event).decode(), f"events:{turn_id}:{event['seq']}"),
            }
            for event in events
        ]
        _APPEND.send_all(db, rows)


def last_event(db: Connection, turn_id: str) -> int:
    """Sequence number of the turn's last event, 0 without one."""
    row = _LAST.send(db, {"b_turn": turn_id}).first()
    return (row and row["last"]) or 0


def is_open(table: Table) -> ColumnElement[bool]:
    """Whether a turn waits or runs."""
    return or_(*(table.c.status == status for status in OPEN))


def free_at(now: datetime) -> ColumnElement[bool]:
    """Whether a waiting turn may begin: more words may come until then."""
    return or_(TurnRow.not_before.is_(None), TurnRow.not_before <= now)


# Statements of every turn are made once: to make one takes longer than to run it.
_TURNS, _EVENTS = cast("Table", TurnRow.__table__), cast("Table", EventRow.__table__)
_APPEND = Made(insert(_EVENTS), ["turn_id", "seq", "data_sealed"])
_LAST = Made(select(func.max(_EVENTS.c.seq).label("last")).where(_EVENTS.c.turn_id == bindparam("b_turn")))
_SAID = Made(
    select(_TURNS.c.id, _TURNS.c.post_sealed, _TURNS.c.reply_sealed)
    .where(
        _TURNS.c.session_id == bindparam("b_session"),
        _TURNS.c.status == "committed",
        _TURNS.c.joined_into.is_(None),
        _TURNS.c.number < bindparam("b_before"),
    )
    .order_by(_TURNS.c.number.desc())
    .limit(bindparam("b_limit"))
)
_JOINED = (
    select(_TURNS.c.id, _TURNS.c.post_sealed, _TURNS.c.joined_into)
    .where(
        _TURNS.c.session_id == bindparam("b_session"), _TURNS.c.joined_into.in_(bindparam("b_turns", expanding=True))
    )
    .order_by(_TURNS.c.number)
)


def _record(ring: KeyRing, row: Any) -> TurnRecord:
    return TurnRecord(
        id=row["id"],
        session_id=row["session_id"],
        number=row["number"],
        status=row["status"],
        body_digest=row["body_digest"],
        post=_post(ring, row),
        reply=_reply(ring, row["id"], row["reply_sealed"]),
        level=row["level"],
        degraded=row["degraded"],
        created=row["created"],
        finished=row["finished"],
        last_event=row["last_event"] or 0,
        card=row["card"],
        notices=tuple(row["notices"] or ()),
        joined_into=row["joined_into"],
        attempts=row["attempts"],
    )


def _post(ring: KeyRing, row: Any) -> str:
    return ring.open(row["post_sealed"], f"turns.post:{row['id']}")


def _reply(ring: KeyRing, turn_id: str, sealed: bytes | None) -> str | None:
    return None if sealed is None else ring.open(sealed, f"turns.reply:{turn_id}")
