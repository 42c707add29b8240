"""The schema. Texts of persons and of the model stand in encrypted columns only (`*_sealed`)."""

from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """A moment in UTC, aware on every backend: SQLite keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        """The moment with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """All tables, with constraint names that migrations can speak of."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SessionRow(Base):
    """One conversation of one person."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), index=True)
    external_user: Mapped[str | None] = mapped_column(String(64), index=True)
    """A digest of the host's own id of the person."""
    token_digest: Mapped[str] = mapped_column(String(64))
    locale: Mapped[str | None] = mapped_column(String(8))
    region: Mapped[str | None] = mapped_column(String(16))
    double_texting: Mapped[str] = mapped_column(String(16))
    metadata_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    crisis: Mapped[dict[str, object] | None] = mapped_column(JSON)
    """Where the crisis dialogue stands, without a word of the person's."""
    minor: Mapped[bool | None]
    """Whether the person is known to be a minor."""
    disclosures: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    """Which notices were shown when, and when the person was here."""
    contact_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Whom the person wants to be told in a crisis."""
    created: Mapped[datetime] = mapped_column(Utc)
    last_active: Mapped[datetime] = mapped_column(Utc, index=True)


class TurnRow(Base):
    """One post and what became of it: the journal."""

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("session_id", "number"),
        UniqueConstraint("session_id", "idempotency_key"),
        Index(
            "one_running_turn",
            "session_id",
            unique=True,
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_turns_status_lease_until", "status", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    body_digest: Mapped[str] = mapped_column(String(64))
    post_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    reply_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    level: Mapped[str] = mapped_column(String(16))
    degraded: Mapped[str | None] = mapped_column(String(16))
    card: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    """The help card that was shown, from the tables."""
    notices: Mapped[list[object] | None] = mapped_column(JSON(none_as_null=True))
    """The disclosures that were shown with the turn, from the tables."""
    joined_into: Mapped[str | None] = mapped_column(String(40))
    """The later turn of the session that answers this post together with its own."""
    not_before: Mapped[datetime | None] = mapped_column(Utc)
    """A waiting turn is left alone until then: more words may come."""
    cancel_asked: Mapped[bool]
    attempts: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(Utc)
    created: Mapped[datetime] = mapped_column(Utc)
    finished: Mapped[datetime | None] = mapped_column(Utc)


class StageRow(Base):
    """A finished hidden section of a turn, from which another process may go on."""

    __tablename__ = "stages"

    turn_id: Mapped[str] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class EventRow(Base):
    """One event of a turn's stream, as it was or will be sent."""

    __tablename__ = "events"

    turn_id: Mapped[str] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    data_sealed: Mapped[bytes] = mapped_column(LargeBinary)


class HandoverRow(Base):
    """A crisis on its way to the operator's people: the outbox."""

    __tablename__ = "handovers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    level: Mapped[str] = mapped_column(String(16))
    payload_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int]
    next_at: Mapped[datetime | None] = mapped_column(Utc, index=True)
    """When it is sent next; None: it was taken, or given up."""
    created: Mapped[datetime] = mapped_column(Utc)
    delivered: Mapped[datetime | None] = mapped_column(Utc)
    problem: Mapped[str | None] = mapped_column(String(80))
    """Why the last attempt failed: a kind, no content."""
