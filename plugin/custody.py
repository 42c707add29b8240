"""What the house answers for: consent, and the log of who did what to whose data."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from empathy_r1.plugin._parts import Parts, session_of, stored
from empathy_r1.plugin.errors import SessionNotFoundError
from empathy_r1.storage import Consents
from empathy_r1.storage.audit import entries


class ConsentView(BaseModel):
    """One entry of the consent ledger; the newest of a purpose holds."""

    model_config = ConfigDict(frozen=True)

    purpose: str
    version: str
    """Of the text that was agreed to."""
    given: bool
    at: datetime


class AuditView(BaseModel):
    """One entry of the audit log: who did what to which id, without any content."""

    model_config = ConfigDict(frozen=True)

    id: int
    at: datetime
    tenant: str | None
    actor: str
    action: str
    subject: str
    counts: dict[str, int] | None = None


class Custody:
    """Consents and the audit log of one engine."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._consents = Consents(parts.database)

    async def consent(
        self,
        session_id: str,
        purpose: str,
        version: str,
        *,
        given: bool,
        tenant: str | None = None,
        actor: str = "host",
    ) -> ConsentView:
        """Writes down that the session's person agrees to a purpose, or does no longer.

        Raises:
            SessionNotFoundError: no such session for this tenant.
            StorageUnavailableError: the database does not answer.
        """
        await session_of(self._parts, session_id, tenant)
        with stored():
            entry = await self._consents.record(session_id, purpose, version, given=given, actor=actor)
        if entry is None:
            raise SessionNotFoundError(session_id)
        return ConsentView(purpose=entry.purpose, version=entry.version, given=entry.given, at=entry.at)

    async def consents(self, session_id: str, *, tenant: str | None = None) -> list[ConsentView]:
        """All that the session's person decided, oldest first.

        Raises:
            SessionNotFoundError: no such session for this tenant.
            StorageUnavailableError: the database does not answer.
        """
        await session_of(self._parts, session_id, tenant)
        with stored():
            found = await self._consents.of_session(session_id)
        return [ConsentView(purpose=e.purpose, version=e.version, given=e.given, at=e.at) for e in found]

    async def agreed(self, purpose: str) -> list[str]:
        """Ids of the sessions whose person agrees to `purpose`; whoever learns from talks asks here first.

        Raises:
            StorageUnavailableError: the database does not answer.
        """
        with stored():
            return await self._consents.sessions_with(purpose)

    async def audit(
        self, *, tenant: str | None = None, subject: str | None = None, after: int = 0, limit: int = 100
    ) -> list[AuditView]:
        """Entries of the audit log with a greater id than `after`, oldest first.

        Raises:
            StorageUnavailableError: the database does not answer.
        """
        with stored():
            found = await entries(self._parts.database, tenant=tenant, subject=subject, after=after, limit=limit)
        return [
            AuditView(
                id=e.id, at=e.at, tenant=e.tenant, actor=e.actor, action=e.action, subject=e.subject, counts=e.counts
            )
            for e in found
        ]
