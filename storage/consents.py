"""The consent ledger: what a person agreed to or withdrew, which version of which text, and when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from empathy_r1.storage import audit
from empathy_r1.storage.database import Database
from empathy_r1.storage.registers import ConsentRow
from empathy_r1.storage.tables import SessionRow

TRAINING = "training"
"""The purpose without which nothing of a session may be learnt from. Off until it is given."""


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One entry of the ledger."""

    purpose: str
    version: str
    given: bool
    at: datetime


class Consents:
    """The ledger in one database. A host's user decides for all of their sessions, anybody else for the one."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def record(
        self, session_id: str, purpose: str, version: str, *, given: bool, actor: str
    ) -> ConsentEntry | None:
        """Adds an entry; None where there is no such session."""
        now = datetime.now(UTC)
        session = select(SessionRow.tenant, SessionRow.external_user).where(SessionRow.id == session_id)
        async with self._db.write() as db:
            if (row := (await db.execute(session)).first()) is None:
                return None
            await db.execute(
                insert(ConsentRow).values(
                    tenant=row.tenant,
                    session_id=session_id,
                    external_user=row.external_user,
                    purpose=purpose,
                    version=version,
                    given=given,
                    at=now,
                )
            )
            action = "consent.given" if given else "consent.withdrawn"
            await audit.write(db, action, [session_id], tenant=row.tenant, actor=actor)
        return ConsentEntry(purpose, version, given, now)

    async def of_session(self, session_id: str) -> list[ConsentEntry]:
        """All that the session's person decided, oldest first; the last entry of a purpose holds."""
        query = (
            select(ConsentRow.purpose, ConsentRow.version, ConsentRow.given, ConsentRow.at)
            .join(SessionRow, _decides(ConsentRow, SessionRow))
            .where(SessionRow.id == session_id)
            .order_by(ConsentRow.id)
        )
        async with self._db.read() as db:
            return [ConsentEntry(row.purpose, row.version, row.given, row.at) for row in await db.execute(query)]

    async def sessions_with(self, purpose: str) -> list[str]:
        """Ids of the sessions whose person agrees to `purpose` as of the newest entry."""
        newest = (
            select(func.max(ConsentRow.id))
            .where(_decides(ConsentRow, SessionRow), ConsentRow.purpose == purpose)
            .correlate(SessionRow)
            .scalar_subquery()
        )
        query = select(SessionRow.id).join(ConsentRow, ConsentRow.id == newest).where(ConsentRow.given)
        async with self._db.read() as db:
            return list(await db.scalars(query.order_by(SessionRow.id)))


async def drop_orphans(db: AsyncConnection) -> int:
    """Deletes the entries of persons of whom no session is left; returns their number."""
    left = exists().where(SessionRow.tenant == ConsentRow.tenant, SessionRow.external_user == ConsentRow.external_user)
    gone = and_(ConsentRow.session_id.is_(None), or_(ConsentRow.external_user.is_(None), ~left))
    return (await db.execute(delete(ConsentRow).where(gone))).rowcount


def _decides(consent: Any, session: Any) -> Any:
    return or_(
        consent.session_id == session.id,
        and_(consent.tenant == session.tenant, consent.external_user == session.external_user),
    )
