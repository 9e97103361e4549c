"""Bringing the tables of an older version up to date, with Alembic.

Each migration is a file in `migrations/versions`; all that are missing run in one transaction, so
that a store is either of the old version or of the new one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import insert, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from recprism.store.database import Database
from recprism.store.sql import check_version
from recprism.store.tables import SCHEMA_VERSION, make_version_table, schema_version

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def migrate(database: Database) -> tuple[int, int]:
    """Bring a store to the newest version; returns the version found and the one there is now.

    A store that does not exist yet is left alone: the first write makes it (0, 0). Raises
    `StoreError` for a store of a newer version, or one that cannot be used.
    """
    if not database.exists():
        return 0, 0
    engine = database.connect()
    try:
        with database.turn(), engine.connect() as connection:
            database.begin(connection, ["tables"])
            found = database.version(connection)
            if found == 0:
                return 0, 0
            if found > SCHEMA_VERSION:
                check_version(database.name, found)
            if found < SCHEMA_VERSION:
                _upgrade(connection, found)
            connection.commit()
        if found < SCHEMA_VERSION:
            # What the old version removed may still lie in pages that it did not overwrite.
            database.rewrite(engine)
        return found, SCHEMA_VERSION
    except (SQLAlchemyError, OSError) as error:
        raise database.translate(error) from error
    finally:
        engine.dispose()


def run_migrations(connection: Connection, to: int) -> None:
    """Run the migrations up to one version in the transaction of `connection`."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, str(to))


def _upgrade(connection: Connection, found: int) -> None:
    if not inspect(connection).has_table(schema_version.name):  # older than migrations
        make_version_table(connection)
        connection.execute(insert(schema_version).values(version_num=str(found)))
    run_migrations(connection, SCHEMA_VERSION)
