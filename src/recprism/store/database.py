"""What differs between SQLite and PostgreSQL: how to connect, lock, and say where the store is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy.engine import Connection, Engine

from recprism.errors import RecPrismError


class Database(Protocol):
    """A database that can hold a store. `name` is what messages call it, without a password."""

    name: str
    start: str
    """SQL for the parameter `after` as an id that orders by code points."""

    def connect(self) -> Engine:
        """A pool of connections; nothing is made and nobody is asked yet."""
        ...

    def exists(self) -> bool:
        """Whether there is anything to read; only a file may not be there yet."""
        ...

    def make(self) -> None:
        """Make the place for the first table; again is fine."""
        ...

    def turn(self) -> AbstractContextManager[object]:
        """Held by a thread that writes; the next one waits here instead of in the database."""
        ...

    def begin(self, connection: Connection, locks: Sequence[str], *, durable: bool = True) -> None:
        """Begin a transaction that writes and excludes others that name one of the same `locks`.

        One that is not `durable` survives the death of every process, and may be lost with the
        power; that spares the wait for the disk.
        """
        ...

    def version(self, connection: Connection) -> int:
        """The version of the tables, 0 where there are none."""
        ...

    def contains(self, column: str, value: str) -> str:
        """SQL for whether the text of one column contains the parameter `value`."""
        ...

    def wipe(self, engine: Engine, tables: Sequence[str], user: str | None = None) -> None:
        """After rows of `tables` were removed, remove their bytes as well.

        With `user`, an erased one, to the last copy of the id, whatever it takes.
        """
        ...

    def rewrite(self, engine: Engine) -> None:
        """Write all tables anew, so that nothing is left between their rows."""
        ...

    def translate(self, error: Exception) -> RecPrismError:
        """One sentence for a failure of the database."""
        ...
