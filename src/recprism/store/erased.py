"""Who was erased, as the store remembers it and as the key of the project reads it.

The store knows digests and times, the project folder the key; only both together tell whether an id
was erased.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from recprism.data.forgotten import KEY_VARIABLE, NOBODY, Forgotten, digest_of, erasure_key
from recprism.data.times import to_micros
from recprism.errors import StoreError
from recprism.store.store import PeopleStore


class Erasures:
    """The erasures of one project; `folder` is its directory."""

    def __init__(self, folder: Path, store: PeopleStore) -> None:
        self._folder, self._store = folder, store
        self._key = b""

    def of(self, user: str) -> tuple[str, int] | None:
        """(digest, when) of somebody who was erased, in microseconds on the clock of the sources;
        None for everybody else."""
        # Another process may make the key, with the first erasure, at any moment.
        self._key = self._key or erasure_key(self._folder)
        if not self._key:
            return None
        digest = digest_of(self._key, user)
        erased = self._store.erased_at(digest)
        return None if erased is None else (digest, to_micros(erased))

    def erase(self, user: str, now: datetime) -> dict[str, int]:
        """Erase somebody from the store; `now` is on the clock of the sources. Rows by table."""
        self._key = self._key or erasure_key(self._folder, make=True)
        return self._store.erase(user, digest_of(self._key, user), now)

    def everyone(self) -> Forgotten:
        """All erasures, for those who read sources.

        Raises `StoreError` when there are some and the key is gone: all of them would come back.
        """
        moments = {digest: to_micros(at) for digest, at in self._store.erasures().items()}
        if not moments:
            return NOBODY
        key = erasure_key(self._folder)
        if not key:
            raise StoreError(
                f"The store remembers {len(moments)} erased people, and the key that tells who "
                f"they are is gone from `{self._folder}`. Restore `.recprism/erasure.key` from a "
                f"backup, or set `{KEY_VARIABLE}`; without it they would be learned again."
            )
        return Forgotten(key, moments)
