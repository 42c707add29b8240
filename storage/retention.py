"""Retention: what nobody has used for so long is erased."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select

from empathy_r1.storage.consents import drop_orphans
from empathy_r1.storage.database import Database
from empathy_r1.storage.erasure import empty_log, erase
from empathy_r1.storage.registers import AuditRow, LeaseRow, RateRow
from empathy_r1.storage.tables import SessionRow, TurnRow

BATCH = 50
AUDIT_DAYS = 30
"""The database itself refuses to delete younger entries of the audit log."""


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    sessions: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    """Table -> deleted rows."""
    receipts: list[str] = field(default_factory=list)


async def sweep(
    database: Database, *, days: float | None, audit_days: float | None, actor: str = "sweeper", batch: int = BATCH
) -> Swept:
    """Erases in small batches, so that posts go on in between.

    Args:
        database: where.
        days: sessions that nobody used for so long go, unless one of their turns still waits or runs; None keeps them.
        audit_days: entries of the audit log that are older go, 30 at the least; None keeps them.
        actor: named in the audit log.
        batch: sessions to a transaction.
    """
    now = datetime.now(UTC)
    swept = Swept()
    if days is not None:
        since = now - timedelta(days=days)
        open_turn = exists().where(TurnRow.session_id == SessionRow.id, TurnRow.status.in_(("accepted", "running")))
        old = (
            select(SessionRow.tenant, SessionRow.id)
            .where(SessionRow.last_active < since, ~open_turn)
            .order_by(SessionRow.tenant, SessionRow.last_active)
            .limit(batch)
        )
        while True:
            async with database.read() as db:
                found = (await db.execute(old)).all()
            if not found:
                break
            ids = [row.id for row in found if row.tenant == found[0].tenant]
            erased = await erase(database, ids, tenant=found[0].tenant, actor=actor, unused_since=since)
            swept.sessions += erased.sessions
            swept.receipts.append(erased.receipt_id)
            _add(swept, erased.rows)
    async with database.write() as db:
        rows = {"consents": await drop_orphans(db)}
        old_rates = delete(RateRow).where(RateRow.paid_until < now.timestamp() - 3600)
        rows["rates"] = (await db.execute(old_rates)).rowcount
        rows["leases"] = (await db.execute(delete(LeaseRow).where(LeaseRow.until < now))).rowcount
        if audit_days is not None:
            before = now - timedelta(days=max(audit_days, AUDIT_DAYS), minutes=1)
            rows["audit"] = (await db.execute(delete(AuditRow).where(AuditRow.at < before))).rowcount
    _add(swept, rows)
    await empty_log(database)
    return swept


def _add(swept: Swept, rows: dict[str, int]) -> None:
    for table, count in rows.items():
        if count:
            swept.rows[table] = swept.rows.get(table, 0) + count
