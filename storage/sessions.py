"""Sessions: created, read, kept alive, erased."""

import contextlib
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.tables import EventRow, SessionRow, StageRow, TurnRow


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session as it is stored, opened."""

    id: str
    tenant: str
    token_digest: str
    locale: str | None
    region: str | None
    double_texting: str
    created: datetime
    last_active: datetime
    metadata: dict[str, Any] = field(default_factory=dict)
    crisis: dict[str, Any] | None = None
    minor: bool = False
    turns: int = 0

    def opens_with(self, token: str) -> bool:
        """Whether `token` is the session's, compared in constant time."""
        return hmac.compare_digest(self.token_digest, digest(token))


def digest(text: str) -> str:
    """SHA-256 in hex: what is kept of tokens, which are random and long, so that none can be read back."""
    return hashlib.sha256(text.encode()).hexdigest()


class Sessions:
    """Sessions over one database and key ring."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._db, self._ring = database, ring

    async def create(
        self,
        session_id: str,
        *,
        tenant: str,
        token: str,
        locale: str | None,
        region: str | None,
        double_texting: str,
        metadata: dict[str, Any],
        external_user: str | None,
        minor: bool = False,
        disclosures: dict[str, Any] | None = None,
    ) -> SessionRecord:
        """A new session."""
        now = datetime.now(UTC)
        sealed = self._ring.seal(json.dumps(metadata), f"sessions.metadata:{session_id}") if metadata else None
        async with self._db.write() as db:
            await db.execute(
                insert(SessionRow).values(
                    id=session_id,
                    tenant=tenant,
                    external_user=digest(f"{tenant}:{external_user}") if external_user else None,
                    token_digest=digest(token),
                    locale=locale,
                    region=region,
                    double_texting=double_texting,
                    metadata_sealed=sealed,
                    crisis=None,
                    minor=minor,
                    disclosures=disclosures,
                    created=now,
                    last_active=now,
                )
            )
        return SessionRecord(
            session_id, tenant, digest(token), locale, region, double_texting, now, now, metadata=metadata, minor=minor
        )

    async def ensure(
        self,
        session_id: str,
        *,
        tenant: str,
        token: str,
        locale: str | None,
        region: str | None,
        double_texting: str,
        external_user: str,
        minor: bool = False,
    ) -> None:
        """Makes the session unless it is there; two processes that do so at once make one."""
        async with self._db.read() as db:
            if await db.scalar(select(SessionRow.id).where(SessionRow.id == session_id)):
                return
        # The other process may have been faster: its row is as good.
        with contextlib.suppress(IntegrityError):
            await self.create(
                session_id,
                tenant=tenant,
                token=token,
                locale=locale,
                region=region,
                double_texting=double_texting,
                metadata={},
                external_user=external_user,
                minor=minor,
            )

    async def get(self, session_id: str) -> SessionRecord | None:
        """The session, or None where it was never created or is erased."""
        async with self._db.read() as db:
            row = (await db.execute(select(SessionRow.__table__).where(SessionRow.id == session_id))).mappings().first()
        return self._record(dict(row)) if row else None

    async def newest(self, limit: int) -> list[SessionRecord]:
        """The sessions that were active last, with the number of their turns."""
        count = func.count(TurnRow.id).label("turns")
        query = (
            select(SessionRow.__table__, count)
            .outerjoin(TurnRow, TurnRow.session_id == SessionRow.id)
            .group_by(SessionRow.id)
            .order_by(SessionRow.last_active.desc())
            .limit(limit)
        )
        async with self._db.read() as db:
            return [self._record(dict(row)) for row in (await db.execute(query)).mappings()]

    async def of_user(self, tenant: str, external_user: str) -> list[str]:
        """Ids of all sessions of the host's user."""
        who = digest(f"{tenant}:{external_user}")
        async with self._db.read() as db:
            return list(await db.scalars(select(SessionRow.id).where(SessionRow.external_user == who)))

    async def notices_of_user(self, tenant: str, external_user: str) -> dict[str, Any] | None:
        """The history of notices of the session in which the host's user was last."""
        query = (
            select(SessionRow.disclosures)
            .where(SessionRow.external_user == digest(f"{tenant}:{external_user}"))
            .order_by(SessionRow.last_active.desc())
            .limit(1)
        )
        async with self._db.read() as db:
            return await db.scalar(query)

    async def set_crisis(self, session_id: str, crisis: dict[str, Any] | None) -> None:
        """Keeps where the crisis dialogue stands."""
        async with self._db.write() as db:
            await db.execute(update(SessionRow).where(SessionRow.id == session_id).values(crisis=crisis))

    async def erase(self, session_ids: list[str]) -> dict[str, int]:
        """Deletes the sessions and all that hangs on them; returns table -> deleted rows.

        On SQLite deleted content is overwritten (secure_delete), and the write-ahead log, which still holds pages
        of before, is emptied.
        """
        turns = select(TurnRow.id).where(TurnRow.session_id.in_(session_ids))
        rows: dict[str, int] = {}
        async with self._db.write() as db:
            for table, of in (
                (EventRow, EventRow.turn_id.in_(turns)),
                (StageRow, StageRow.turn_id.in_(turns)),
                (TurnRow, TurnRow.session_id.in_(session_ids)),
                (SessionRow, SessionRow.id.in_(session_ids)),
            ):
                rows[table.__tablename__] = (await db.execute(delete(table).where(of))).rowcount
        if self._db.engine.dialect.name == "sqlite":
            async with self._db.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
        return rows

    def _record(self, row: dict[str, Any]) -> SessionRecord:
        sealed = row["metadata_sealed"]
        return SessionRecord(
            id=row["id"],
            tenant=row["tenant"],
            token_digest=row["token_digest"],
            locale=row["locale"],
            region=row["region"],
            double_texting=row["double_texting"],
            created=row["created"],
            last_active=row["last_active"],
            metadata=json.loads(self._ring.open(sealed, f"sessions.metadata:{row['id']}")) if sealed else {},
            crisis=row["crisis"],
            minor=bool(row["minor"]),
            turns=row.get("turns", 0),
        )
