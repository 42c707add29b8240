"""The way in for a post, in one transaction: who waits in the session, what the caller decides, and the new rows.

The session's row is locked meanwhile, so that two processes see each other's posts of one session.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.sessions import SessionRecord, record
from empathy_r1.storage.tables import SessionRow, TurnRow
from empathy_r1.storage.turns import OPEN, EventData, Said, Status, TurnRecord, append, last_event, said, turns


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


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What is written down for a post."""

    id: str
    post: str
    body_digest: str
    events: Sequence[EventData]
    """The first of its stream."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    disclosures: dict[str, Any] | None = None
    """The session's history of notices from here on."""
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
    count = select(func.count()).select_from(TurnRow).join(SessionRow, SessionRow.id == TurnRow.session_id)
    own = select(SessionRow.tenant).where(SessionRow.id == session_id).scalar_subquery()
    tenant_open = count.where(TurnRow.status.in_(OPEN), SessionRow.tenant == own).correlate(None).scalar_subquery()
    query = select(SessionRow.__table__, tenant_open.label("tenant_open")).where(SessionRow.id == session_id)
    row = db.execute(query.with_for_update(of=SessionRow)).mappings().first()
    if row is None:
        return None
    session = record(ring, row)
    if key is not None:
        known = turns(db, ring, and_(TurnRow.session_id == session_id, TurnRow.idempotency_key == key))
        if known:
            return Admitted(known[0], session, known=True)
    size = func.length(TurnRow.post_sealed)
    open_turns = db.execute(
        select(TurnRow.id, TurnRow.status, size.label("bytes"), TurnRow.created)
        .where(TurnRow.session_id == session_id, TurnRow.status.in_(OPEN))
        .order_by(TurnRow.number)
    ).all()
    waiting = tuple(Waiting(r.id, r.status, r.bytes + _joined_bytes(db, session, r.id), r.created) for r in open_turns)
    new = decide(Scene(session, waiting, row["tenant_open"]))
    return _write(db, ring, owner, new, session, waiting, key, lease, history)


def _write(
    db: Connection,
    ring: KeyRing,
    owner: str,
    new: NewTurn,
    session: SessionRecord,
    waiting: tuple[Waiting, ...],
    key: str | None,
    lease: float,
    history: int,
) -> Admitted:
    now = datetime.now(UTC)
    number = (db.scalar(select(func.max(TurnRow.number)).where(TurnRow.session_id == session.id)) or 0) + 1
    begun = new.begin and not waiting
    db.execute(
        insert(TurnRow).values(
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
    )
    append(db, ring, new.id, new.events)
    values: dict[str, Any] = {"last_active": now}
    if new.disclosures is not None:
        values["disclosures"] = new.disclosures
    db.execute(update(SessionRow).where(SessionRow.id == session.id).values(values))
    if new.joins:
        _join(db, ring, session.id, new, now)
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
    past = tuple(said(db, ring, session.id, number, history)) if begun else ()
    return Admitted(turn, session, known=False, begun=begun, past=past, waiting=waiting)


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
