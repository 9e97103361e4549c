"""Version 4: with which probability an item was shown, in which arm of which experiment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; until now nothing was left to chance."""
    chance = sa.Column("propensity", sa.Float, nullable=False, server_default="1")
    op.add_column("impressions", chance)
    op.add_column("impressions", sa.Column("experiment", sa.Text))
    op.add_column("impressions", sa.Column("arm", sa.Text))
    if op.get_context().dialect.name == "sqlite":
        op.execute("PRAGMA user_version = 4")


def downgrade() -> None:
    """Never: a backup is the way back."""
    raise NotImplementedError("Go back with `recprism store restore`.")
