"""Tables beside the talks: API keys, rates, leases, the consent ledger and the audit log. None holds anybody's words.

Revisions: storage/migrations/versions/0003_keys_consents_audit.py.
"""

from datetime import datetime

from sqlalchemy import JSON, Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from empathy_r1.storage.tables import Base, Utc


class ApiKeyRow(Base):
    """A key with which a host's programs call, for one tenant."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(80))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Utc)
    revoked: Mapped[datetime | None] = mapped_column(Utc)


class RateRow(Base):
    """How far a tenant's posts are ahead of its rate."""

    __tablename__ = "rates"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    paid_until: Mapped[float] = mapped_column(Double)
    """Unix time at which the posts so far would be through, one after the other at the tenant's rate."""


class LeaseRow(Base):
    """Work that one process does for all."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    until: Mapped[datetime] = mapped_column(Utc)


class ConsentRow(Base):
    """One entry of the consent ledger: given or withdrawn. The newest of a person and purpose holds."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    external_user: Mapped[str | None] = mapped_column(String(64), index=True)
    """The digest that stands with the session: a host's user decides once for all of their sessions."""
    purpose: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(40))
    """Of the text that was agreed to."""
    given: Mapped[bool]
    at: Mapped[datetime] = mapped_column(Utc)


class AuditRow(Base):
    """Who did what to which id. The database refuses to change an entry, or to delete one of the last 30 days."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc, index=True)
    tenant: Mapped[str | None] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), index=True)
    counts: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))


class SchemaCompatRow(Base):
    """One row: the oldest revision whose code can work on the schema as it is."""

    __tablename__ = "schema_compat"

    oldest: Mapped[str] = mapped_column(String(40), primary_key=True)
