"""Version 3: items that were put or deleted online."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table of items."""
    op.create_table(
        "items",
        sa.Column("arrival", _number, primary_key=True),
        sa.Column("kind", _id, nullable=False),
        sa.Column("item", _id, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("items_of", "items", ["kind", "item"], unique=True)
    if op.get_context().dialect.name == "sqlite":
        op.execute("PRAGMA user_version = 3")


def downgrade() -> None:
    """Never: a backup is the way back."""
    raise NotImplementedError("Go back with `recprism store restore`.")
