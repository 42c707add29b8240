"""Rate limits that hold across processes: one row a tenant, one statement a post."""

import time

from sqlalchemy import case, select
from sqlalchemy.dialects import postgresql, sqlite

from empathy_r1.storage.database import Database
from empathy_r1.storage.registers import RateRow

_ROUNDING = 1e-3
"""Seconds: sums of steps must not refuse the last post that there is room for."""


class Rates:
    """What tenants have used of their rates (the generic cell rate algorithm, ITU-T I.371)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def take(self, tenant: str, per_minute: int, *, now: float | None = None) -> float:
        """Counts one post, if the tenant has one left; up to `per_minute` may come at once.

        Returns:
            0.0 where it was counted, else the seconds until there is one left.
        """
        now = time.time() if now is None else now
        step, room = 60.0 / per_minute, 60.0
        started = case((RateRow.paid_until > now, RateRow.paid_until), else_=now) + step
        values = {"tenant": tenant, "paid_until": now + step}
        insert = postgresql.insert if self._db.engine.dialect.name == "postgresql" else sqlite.insert
        query = insert(RateRow).values(values)
        counted = query.on_conflict_do_update(
            index_elements=["tenant"], set_={"paid_until": started}, where=started <= now + room + _ROUNDING
        ).returning(RateRow.paid_until)
        async with self._db.write() as db:
            if await db.scalar(counted) is not None:
                return 0.0
            paid = await db.scalar(select(RateRow.paid_until).where(RateRow.tenant == tenant))
        return max(0.001, (paid or now) + step - room - now)
