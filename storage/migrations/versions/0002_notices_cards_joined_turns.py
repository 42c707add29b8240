"""Notices and help cards of a turn, posts answered together, emergency contacts, and the outbox of handovers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds columns that may be empty, and a table: code of revision 0001 goes on working."""
    op.add_column("sessions", sa.Column("minor", sa.Boolean))
    op.add_column("sessions", sa.Column("disclosures", sa.JSON))
    op.add_column("sessions", sa.Column("contact_sealed", sa.LargeBinary))
    op.add_column("turns", sa.Column("card", sa.JSON))
    op.add_column("turns", sa.Column("notices", sa.JSON))
    op.add_column("turns", sa.Column("joined_into", sa.String(40)))
    op.add_column("turns", sa.Column("not_before", _MOMENT))
    op.create_table(
        "handovers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "session_id", sa.String(40), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("payload_sealed", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", _MOMENT, index=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("delivered", _MOMENT),
        sa.Column("problem", sa.String(80)),
    )


def downgrade() -> None:
    """Drops them; contacts and handovers are lost."""
    op.drop_table("handovers")
    for table, columns in (
        ("turns", ("not_before", "joined_into", "notices", "card")),
        ("sessions", ("contact_sealed", "disclosures", "minor")),
    ):
        for column in columns:
            op.drop_column(table, column)
