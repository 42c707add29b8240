"""The way in for a post, in one transaction: who waits in the session, what the caller decides, and the new rows.

The session's row is locked meanwhile, so that two processes see each other's posts of one session.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, and_, bindparam, func, insert, or_, select, update

from empathy_r1.storage import rates
from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.made import Answer, Made, journey, last
from empathy_r1.storage.sessions import SessionRecord, record
from empathy_r1.storage.tables import SessionRow, TurnRow
from empathy_r1.storage.turns import (
    OPEN,
    EventData,
    Said,
    Status,
    TurnRecord,
    append,
    is_open,
    last_event,
    newest_said,
    opened,
    turns,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open turn of the session, without its words."""

    id: str
    status: Status
    bytes: int
    """Size of its post, and of those that were joined into it; at least as many as characters."""
    created: datetime


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision is made on."""

    session: SessionRecord
    waiting: tuple[Waiting, ...]
    """Open turns, oldest first."""
    tenant_open: int
    """Open turns of the session's tenant."""
    count: Callable[[int], float]
    """Counts this post at a rate of so many a minute; gives 0.0, or the seconds until there is room for it."""


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What is written down for a post."""

    id: str
    post: str
    body_digest: str
    events: Sequence[EventData]
    """The first of its stream."""
    disclosures: dict[str, Any] | None
    """The session's history of notices from here on."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    begin: bool = False
    """Whether this worker has room to begin at once, should the session be free."""
    not_before: datetime | None = None
    """Until when it waits for more words."""
    joins: tuple[str, ...] = ()
    """Waiting turns that it answers too."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A post that is in the journal."""

    turn: TurnRecord
    session: SessionRecord
    known: bool
    """It was there before, under the same idempotency key."""
    begun: bool = False
    """It runs under this worker's lease from now on."""
    past: tuple[Said, ...] = ()
    """What was said before, where it has begun."""
    waiting: tuple[Waiting, ...] = ()
    """The open turns beside it."""


Decide = Callable[[Scene], NewTurn]


def admit(
    db: Connection,
    ring: KeyRing,
    owner: str,
    session_id: str,
    key: str | None,
    decide: Decide,
    *,
    lease: float,
    history: int,
) -> Admitted | None:
    """Writes a post down as `decide` says; None without such a session. What `decide` raises undoes everything."""
    with journey(db):
        asked = _SESSION.send(db, {"b_session": session_id})
        # Not in the first statement: that one saw the table as it was before it had the lock.
        newest = _OPEN_AND_NEWEST.send(db, {"b_session": session_id})
        past = newest_said(db, session_id, None, history)
    row = asked.first()
    if row is None:
        return None
    session = record(ring, row)
    if key is not None:
        known = turns(db, ring, and_(TurnRow.session_id == session_id, TurnRow.idempotency_key == key))
        if known:
            return Admitted(known[0], session, known=True)
    rows = newest.rows()
    waiting = tuple(
        Waiting(r["id"], r["status"], r["bytes"] + _joined_bytes(db, session, r["id"]), r["created"])
        for r in rows
        if r["status"] in OPEN
    )
    number = rows[-1]["number"] + 1 if rows else 1
    new = decide(
        Scene(session, waiting, row["tenant_open"], lambda per_minute: rates.count(db, session.tenant, per_minute))
    )
    return _write(db, ring, owner, new, session, waiting, key, number, lease, past)


def _write(
    db: Connection,
    ring: KeyRing,
    owner: str,
    new: NewTurn,
    session: SessionRecord,
    waiting: tuple[Waiting, ...],
    key: str | None,
    number: int,
    lease: float,
    past: Answer,
) -> Admitted:
    now = datetime.now(UTC)
    begun = new.begin and not waiting
    row = dict(
        id=new.id,
        session_id=session.id,
        number=number,
        status="running" if begun else "accepted",
        idempotency_key=key,
        body_digest=new.body_digest,
        post_sealed=ring.seal(new.post, f"turns.post:{new.id}"),
        level="none",
        notices=new.notices or None,
        not_before=new.not_before,
        cancel_asked=False,
        attempts=int(begun),
        lease_owner=owner if begun else None,
        lease_until=now + timedelta(seconds=lease) if begun else None,
        created=now,
    )
    if new.joins:
        _join(db, ring, session.id, new, now)
    joined = session.double_texting == "coalesce"
    known = tuple(opened(db, ring, session.id, past, joined=joined)) if begun else ()
    with last(db):
        _INSERT.send(db, row)
        append(db, ring, new.id, new.events)
        _TOUCH.send(db, {"b_session": session.id, "b_now": now, "b_disclosures": new.disclosures})
    turn = TurnRecord(
        id=new.id,
        session_id=session.id,
        number=number,
        status="running" if begun else "accepted",
        body_digest=new.body_digest,
        post=new.post,
        reply=None,
        level="none",
        degraded=None,
        created=now,
        finished=None,
        last_event=len(new.events),
        notices=tuple(new.notices),
    )
    return Admitted(turn, session, known=False, begun=begun, past=known, waiting=waiting)


def _join(db: Connection, ring: KeyRing, session_id: str, new: NewTurn, now: datetime) -> None:
    """Ends the waiting turns as answered by the new one."""
    for turn_id in new.joins:
        ended = {"status": "committed", "finished": now, "joined_into": new.id}
        db.execute(update(TurnRow).where(TurnRow.id == turn_id).values(ended))
        mine = and_(TurnRow.session_id == session_id, TurnRow.joined_into == turn_id)
        db.execute(update(TurnRow).where(mine).values(joined_into=new.id))
        event = {"type": "committed", "seq": last_event(db, turn_id) + 1, "turn_id": turn_id}
        append(db, ring, turn_id, [event | {"reply": "", "level": "none", "joined_into": new.id}])


def _joined_bytes(db: Connection, session: SessionRecord, turn_id: str) -> int:
    if session.double_texting != "coalesce":
        return 0
    mine = and_(TurnRow.session_id == session.id, TurnRow.joined_into == turn_id)
    return db.scalar(select(func.sum(func.length(TurnRow.post_sealed))).where(mine)) or 0


# Statements of every turn are made once: to make one takes longer than to run it.
_TURNS, _SESSIONS = cast("Table", TurnRow.__table__), cast("Table", SessionRow.__table__)
_of_session = _TURNS.c.session_id == bindparam("b_session")
_tenant = select(_SESSIONS.c.tenant).where(_SESSIONS.c.id == bindparam("b_session")).scalar_subquery()
_tenant_open = (
    select(func.count())
    .select_from(_TURNS.join(_others := _SESSIONS.alias(), _others.c.id == _TURNS.c.session_id))
    .where(is_open(_TURNS), _others.c.tenant == _tenant)
    .scalar_subquery()
)
_SESSION = Made(
    select(_SESSIONS, _tenant_open.label("tenant_open"))
    .where(_SESSIONS.c.id == bindparam("b_session"))
    .with_for_update(of=_SESSIONS)
)
_newest = select(func.max(_TURNS.c.number)).where(_of_session).scalar_subquery()
_OPEN_AND_NEWEST = Made(
    select(
        _TURNS.c.id,
        _TURNS.c.status,
        func.length(_TURNS.c.post_sealed).label("bytes"),
        _TURNS.c.created,
        _TURNS.c.number,
    )
    .where(_of_session, or_(is_open(_TURNS), _TURNS.c.number == _newest))
    .order_by(_TURNS.c.number)
)
_INSERT = Made(
    insert(_TURNS),
    [
        "id",
        "session_id",
        "number",
        "status",
        "idempotency_key",
        "body_digest",
        "post_sealed",
        "level",
        "notices",
        "not_before",
        "cancel_asked",
        "attempts",
        "lease_owner",
        "lease_until",
        "created",
    ],
)
_TOUCH = Made(
    update(_SESSIONS)
    .where(_SESSIONS.c.id == bindparam("b_session"))
    .values(last_active=bindparam("b_now"), disclosures=bindparam("b_disclosures"))
)
