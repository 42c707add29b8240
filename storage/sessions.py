"""Sessions: created, read, kept alive, with what the person left for an emergency."""

import contextlib
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from empathy_r1.storage.crypto import KeyRing
from empathy_r1.storage.database import Database
from empathy_r1.storage.tables import SessionRow, TurnRow


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
    """Whether the person is known to be a minor."""
    disclosures: dict[str, Any] | None = None
    """Which notices were shown when."""
    contact: dict[str, Any] | None = None
    """Whom the person wants to be told in a crisis."""
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
    ) -> None:
        """Writes a new session down."""
        now = datetime.now(UTC)
        row = {
            "id": session_id,
            "tenant": tenant,
            "external_user": digest(f"{tenant}:{external_user}") if external_user else None,
            "token_digest": digest(token),
            "locale": locale,
            "region": region,
            "double_texting": double_texting,
            "metadata_sealed": self._sealed(metadata or None, f"sessions.metadata:{session_id}"),
            "crisis": None,
            "minor": minor,
            "disclosures": disclosures,
            "created": now,
            "last_active": now,
        }
        await self._db.run(lambda db: db.execute(insert(SessionRow).values(row)))

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
        there = select(SessionRow.id).where(SessionRow.id == session_id)
        if await self._db.run(lambda db: db.scalar(there), reading=True):
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
        query = select(SessionRow.__table__).where(SessionRow.id == session_id)

        def work(db: Connection) -> SessionRecord | None:
            row = db.execute(query).mappings().first()
            return record(self._ring, row) if row else None

        return await self._db.run(work, reading=True)

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
        return await self._db.run(
            lambda db: [record(self._ring, row) for row in db.execute(query).mappings()], reading=True
        )

    async def of_user(self, tenant: str, external_user: str) -> list[str]:
        """Ids of all sessions of the host's user."""
        query = select(SessionRow.id).where(SessionRow.external_user == digest(f"{tenant}:{external_user}"))
        return await self._db.run(lambda db: list(db.scalars(query)), reading=True)

    async def notices_of_user(self, tenant: str, external_user: str) -> dict[str, Any] | None:
        """The history of notices of the session in which the host's user was last."""
        query = (
            select(SessionRow.disclosures)
            .where(SessionRow.external_user == digest(f"{tenant}:{external_user}"))
            .order_by(SessionRow.last_active.desc())
            .limit(1)
        )
        return await self._db.run(lambda db: db.scalar(query), reading=True)

    async def set_contact(self, session_id: str, contact: dict[str, Any] | None) -> None:
        """Keeps, or forgets, whom the person wants to be told in a crisis."""
        values = {"contact_sealed": self._sealed(contact, f"sessions.contact:{session_id}")}
        await self._db.run(lambda db: db.execute(update(SessionRow).where(SessionRow.id == session_id).values(values)))

    def _sealed(self, data: dict[str, Any] | None, where: str) -> bytes | None:
        return None if data is None else self._ring.seal(json.dumps(data, ensure_ascii=False), where)


def record(ring: KeyRing, row: Any) -> SessionRecord:
    """The session in a row of its table."""

    def opened(column: str) -> dict[str, Any] | None:
        sealed = row[f"{column}_sealed"]
        data: dict[str, Any] | None = (
            json.loads(ring.open(sealed, f"sessions.{column}:{row['id']}")) if sealed else None
        )
        return data

    return SessionRecord(
        id=row["id"],
        tenant=row["tenant"],
        token_digest=row["token_digest"],
        locale=row["locale"],
        region=row["region"],
        double_texting=row["double_texting"],
        created=row["created"],
        last_active=row["last_active"],
        metadata=opened("metadata") or {},
        crisis=row["crisis"],
        minor=bool(row["minor"]),
        disclosures=row["disclosures"],
        contact=opened("contact"),
        turns=row.get("turns", 0),
    )
