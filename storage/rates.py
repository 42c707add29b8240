"""Rate limits that hold across processes: one row a tenant, one statement a post, in the post's own transaction."""

import time

from sqlalchemy import Connection, case, select
from sqlalchemy.dialects import postgresql, sqlite

from empathy_r1.storage.registers import RateRow

_ROOM = 60.0
_ROUNDING = 1e-3
"""Seconds: sums of steps must not refuse the last post that there is room for."""


def count(db: Connection, tenant: str, per_minute: int, *, now: float | None = None) -> float:
    """Counts one post of the tenant, if it has one left (the generic cell rate algorithm, ITU-T I.371).

    Args:
        db: the post's transaction.
        tenant: whose.
        per_minute: posts that may come in a minute, all at once if they like.
        now: Unix time; None: the clock's.

    Returns:
        0.0 where it was counted, else the seconds until there is one left.
    """
    now = time.time() if now is None else now
    step = 60.0 / per_minute
    started = case((RateRow.paid_until > now, RateRow.paid_until), else_=now) + step
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    counted = insert(RateRow).values({"tenant": tenant, "paid_until": now + step})
    counted = counted.on_conflict_do_update(
        index_elements=["tenant"], set_={"paid_until": started}, where=started <= now + _ROOM + _ROUNDING
    )
    if db.scalar(counted.returning(RateRow.paid_until)) is not None:
        return 0.0
    paid = db.scalar(select(RateRow.paid_until).where(RateRow.tenant == tenant))
    return max(0.001, (paid or now) + step - _ROOM - now)
