"""Sessions, turns, stages and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the four tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("external_user", sa.String(64), index=True),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(8)),
        sa.Column("region", sa.String(16)),
        sa.Column("double_texting", sa.String(16), nullable=False),
        sa.Column("metadata_sealed", sa.LargeBinary),
        sa.Column("crisis", sa.JSON),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("last_active", _MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session_id", sa.String(40), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(200)),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("post_sealed", sa.LargeBinary, nullable=False),
        sa.Column("reply_sealed", sa.LargeBinary),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("degraded", sa.String(16)),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.String(40)),
        sa.Column("lease_until", _MOMENT),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("finished", _MOMENT),
        sa.UniqueConstraint("session_id", "number"),
        sa.UniqueConstraint("session_id", "idempotency_key"),
    )
    running = sa.text("status = 'running'")
    op.create_index(
        "one_running_turn", "turns", ["session_id"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_index("ix_turns_status_lease_until", "turns", ["status", "lease_until"])
    op.create_table(
        "stages",
        sa.Column("turn_id", sa.String(40), sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("text_sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("turn_id", sa.String(40), sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data_sealed", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drops them."""
    for table in ("events", "stages", "turns", "sessions"):
        op.drop_table(table)
