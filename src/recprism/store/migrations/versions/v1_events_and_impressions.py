"""Version 1: events and impressions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column("arrival", _number, primary_key=True),
        sa.Column("user", _id, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, unique=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("events_of", "events", ["user", "time", "arrival"])
    op.create_table(
        "impressions",
        sa.Column("arrival", _number, primary_key=True),
        sa.Column("user", _id, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("slot", sa.Text),
    )
    op.create_index("impressions_of", "impressions", ["user", "time", "arrival"])


def downgrade() -> None:
    """Never: a backup is the way back."""
    raise NotImplementedError("Go back with `recprism store restore`.")
