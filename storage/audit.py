"""The audit log: who did what to which id, never what was said. It is only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from empathy_r1.storage.database import Database
from empathy_r1.storage.registers import AuditRow


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry."""

    id: int
    at: datetime
    tenant: str | None
    actor: str
    """`key:<id>`, `token` (a session's), `host` (the embedding program), `operator` or `sweeper`."""
    action: str
    subject: str
    """Id of a session, a key or a receipt."""
    counts: dict[str, int] | None


async def write(
    db: AsyncConnection,
    action: str,
    subjects: Sequence[str],
    *,
    tenant: str | None,
    actor: str,
    counts: dict[str, int] | None = None,
) -> None:
    """Adds an entry for each subject, in the transaction of the deed itself."""
    now = datetime.now(UTC)
    if subjects:
        await db.execute(
            insert(AuditRow),
            [
                {"at": now, "tenant": tenant, "actor": actor, "action": action, "subject": subject, "counts": counts}
                for subject in subjects
            ],
        )


async def entries(
    database: Database,
    *,
    tenant: str | None = None,
    subject: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[AuditEntry]:
    """Entries with a greater id than `after`, oldest first; of one tenant or subject where they are named."""
    query = select(AuditRow.__table__).where(AuditRow.id > after).order_by(AuditRow.id).limit(limit)
    if tenant is not None:
        query = query.where(AuditRow.tenant == tenant)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    async with database.read() as db:
        return [AuditEntry(**row) for row in (await db.execute(query)).mappings()]
