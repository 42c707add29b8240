"""Erasing: everything held about sessions goes, in one transaction, with a receipt that holds no content.

What becomes of the bytes in the database's files: docs/privacy.md.
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select

from empathy_r1.storage import audit
from empathy_r1.storage.consents import drop_orphans
from empathy_r1.storage.database import Database
from empathy_r1.storage.registers import ConsentRow
from empathy_r1.storage.tables import EventRow, HandoverRow, SessionRow, StageRow, TurnRow

_TRIES, _PAUSE = 20, 0.1


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did."""

    receipt_id: str
    at: datetime
    sessions: int
    rows: dict[str, int]
    """Table -> deleted rows."""


async def erase(
    database: Database,
    session_ids: Sequence[str],
    *,
    tenant: str | None,
    actor: str,
    unused_since: datetime | None = None,
) -> Erased:
    """Deletes the sessions and all that hangs on them, and writes the audit log: an entry a session, and the receipt.

    Args:
        database: where.
        session_ids: whose owner the caller has checked; ids that are gone already count as nothing.
        tenant: named in the audit log.
        actor: named in the audit log.
        unused_since: leaves out sessions that somebody used since then; None leaves none out.
    """
    receipt, now = f"r_{uuid.uuid4().hex}", datetime.now(UTC)
    rows: dict[str, int] = {}
    async with database.write() as db:
        # Locked first, so that no post comes in between.
        query = select(SessionRow.id).where(SessionRow.id.in_(session_ids)).with_for_update()
        if unused_since is not None:
            query = query.where(SessionRow.last_active < unused_since)
        there = list(await db.scalars(query))
        turns = select(TurnRow.id).where(TurnRow.session_id.in_(there))
        for table, of in (
            (EventRow, EventRow.turn_id.in_(turns)),
            (StageRow, StageRow.turn_id.in_(turns)),
            (TurnRow, TurnRow.session_id.in_(there)),
            (HandoverRow, HandoverRow.session_id.in_(there)),
            (SessionRow, SessionRow.id.in_(there)),
        ):
            rows[table.__tablename__] = (await db.execute(delete(table).where(of))).rowcount
        rows["consents"] = await drop_orphans(db)
        await audit.write(db, "session.erased", there, tenant=tenant, actor=actor)
        await audit.write(db, "erasure.receipt", [receipt], tenant=tenant, actor=actor, counts=rows)
    await empty_log(database)
    return Erased(receipt, now, len(there), rows)


async def empty_log(database: Database) -> bool:
    """Empties SQLite's write-ahead log, which holds pages of before; nothing to do elsewhere.

    Returns:
        False where readers kept it open for 2 s: the next erasure or sweep empties it.
    """
    if database.engine.dialect.name != "sqlite":
        return True
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute("PRAGMA busy_timeout=0")
        try:
            for _ in range(_TRIES):
                busy, *_ = await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).fetchone()
                if not busy:
                    return True
                await asyncio.sleep(_PAUSE)
        finally:
            await driver.execute("PRAGMA busy_timeout=30000")
    return False


async def compact(database: Database) -> None:
    """Writes the tables anew, so that no file of theirs holds anything erased. Posts wait meanwhile.

    On PostgreSQL this is `VACUUM FULL`: its plain VACUUM frees the space of erased rows and leaves the bytes there.
    """
    async with database.engine.connect() as connection:
        if database.engine.dialect.name == "sqlite":
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.execute("VACUUM")
        else:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in (EventRow, StageRow, TurnRow, HandoverRow, ConsentRow, SessionRow):
                await alone.exec_driver_sql(f"VACUUM FULL {table.__tablename__}")
    await empty_log(database)
