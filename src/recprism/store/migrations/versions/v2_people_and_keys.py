"""Version 2: people, erasures and keys; the artifact of an impression; arrivals are not reused."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"
branch_labels = None
depends_on = None

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the new tables and change the old ones."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    if is_sqlite:
        _give_arrivals_once()
    op.add_column("impressions", sa.Column("artifact", sa.Text))
    op.create_table(
        "people",
        sa.Column("id", _id, primary_key=True),
        sa.Column("traits", sa.Text, nullable=False),
        sa.Column("personalize", sa.Boolean, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("digest", sa.String, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("last_used", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
    )
    about = op.create_table(
        "about",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.bulk_insert(about, [{"name": "identity", "value": secrets.token_hex(16)}])
    if is_sqlite:  # by which an earlier RecPrism knows that it cannot read this
        op.execute("PRAGMA user_version = 2")


def _give_arrivals_once() -> None:
    """SQLite gives the number of the last row again after it is removed, unless told not to."""
    op.drop_index("events_of", "events")
    op.rename_table("events", "events_1")
    op.create_table(
        "events",
        sa.Column("arrival", _number, primary_key=True),
        sa.Column("user", _id, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, unique=True),
        sa.Column("content", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    columns = '"arrival", "user", "time", "key", "content"'
    op.execute(f"INSERT INTO events ({columns}) SELECT {columns} FROM events_1 ORDER BY arrival")
    op.drop_table("events_1")
    op.create_index("events_of", "events", ["user", "time", "arrival"])


def downgrade() -> None:
    """Never: a backup is the way back."""
    raise NotImplementedError("Go back with `recprism store restore`.")
