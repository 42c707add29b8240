"""API keys of tenants: made once, kept as digests, scoped, revocable."""

import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import insert, select, update

from empathy_r1.storage import audit
from empathy_r1.storage.database import Database
from empathy_r1.storage.errors import KeyFormError
from empathy_r1.storage.registers import ApiKeyRow
from empathy_r1.storage.sessions import digest

PREFIX = "er1_"
"""Every key begins so: callers, logs and secret scanners know one when they see it."""
Scope = Literal["chat", "read", "erase", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key, without what opens it."""

    id: str
    tenant: str
    name: str
    scopes: frozenset[str]
    created: datetime
    revoked: datetime | None


class ApiKeys:
    """The keys in one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(
        self, tenant: str, scopes: Iterable[str], *, name: str = "", actor: str = "operator"
    ) -> tuple[KeyRecord, str]:
        """A new key and what opens it, which is not stored.

        Raises:
            KeyFormError: a tenant's name or a scope that cannot be.
        """
        wanted = frozenset(scopes)
        if not _TENANT.fullmatch(tenant):
            raise KeyFormError(f"The tenant {tenant!r} cannot be: expected up to 64 of A-Z a-z 0-9 _ . -")
        if not wanted or not wanted <= set(SCOPES):
            raise KeyFormError(f"The scopes {', '.join(sorted(wanted)) or '(none)'}: expected of {', '.join(SCOPES)}.")
        key = KeyRecord(f"k_{uuid.uuid4().hex}", tenant, name[:80], wanted, datetime.now(UTC), None)
        secret = PREFIX + secrets.token_urlsafe(32)
        async with self._db.write() as db:
            await db.execute(
                insert(ApiKeyRow).values(
                    id=key.id,
                    tenant=tenant,
                    name=key.name,
                    scopes=sorted(wanted),
                    digest=digest(secret),
                    created=key.created,
                )
            )
            await audit.write(db, "key.created", [key.id], tenant=tenant, actor=actor)
        return key, secret

    async def find(self, secret: str) -> KeyRecord | None:
        """The key that `secret` opens, unless it is unknown or revoked."""
        # The secret is 256 random bits: a plain digest cannot be searched for it, and an index over digests tells
        # nothing by its timing.
        query = select(ApiKeyRow.__table__).where(ApiKeyRow.digest == digest(secret), ApiKeyRow.revoked.is_(None))
        async with self._db.read() as db:
            row = (await db.execute(query)).mappings().first()
        return _record(row) if row else None

    async def all(self, tenant: str | None = None) -> list[KeyRecord]:
        """The keys of `tenant`, or of all, oldest first; revoked ones too."""
        query = select(ApiKeyRow.__table__).order_by(ApiKeyRow.created)
        async with self._db.read() as db:
            rows = await db.execute(query.where(ApiKeyRow.tenant == tenant) if tenant else query)
            return [_record(row) for row in rows.mappings()]

    async def revoke(self, key_id: str, *, actor: str = "operator") -> bool:
        """Ends the key at once, in every process. False: it is unknown, or was revoked before."""
        mine = (ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
        async with self._db.write() as db:
            tenant = await db.scalar(select(ApiKeyRow.tenant).where(*mine))
            if tenant is None:
                return False
            await db.execute(update(ApiKeyRow).where(*mine).values(revoked=datetime.now(UTC)))
            await audit.write(db, "key.revoked", [key_id], tenant=tenant, actor=actor)
        return True


def _record(row: Any) -> KeyRecord:
    return KeyRecord(row["id"], row["tenant"], row["name"], frozenset(row["scopes"]), row["created"], row["revoked"])
