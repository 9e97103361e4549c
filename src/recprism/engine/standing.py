"""Who may be known: what people asked for comes before what the artifact and the store hold."""

from __future__ import annotations

from dataclasses import dataclass

from recprism.data.dataset import UNKNOWN
from recprism.model import Model
from recprism.store import Erasures, PeopleStore


@dataclass(frozen=True)
class Standing:
    """Who asks: the id that later events are looked up by (None for a stranger), the row in the
    catalog (-1 for none), and the moment before which nothing of them counts (None: all does)."""

    user: str | None
    user_idx: int = UNKNOWN
    since: int | None = None


class Standings:
    """Looks people up, anew for each request: another process may have changed what they want.

    Whoever wants no personal lists is a stranger. Whoever `erasures` know has nothing from before;
    their row in an artifact that was trained without knowing of it is not theirs any more.
    """

    def __init__(self, model: Model, store: PeopleStore, erasures: Erasures | None = None) -> None:
        self._ids, self._known = model.catalog.users.ids, model.learned.erased
        self._store, self._erasures = store, erasures

    def of(self, user: str | None) -> Standing:
        if user is None:
            return Standing(None)
        person = self._store.person(user)
        if person is not None and not person.personalize:
            return Standing(None)
        erased = None if self._erasures is None else self._erasures.of(user)
        if erased is None:
            return Standing(user, self._ids.index(user))
        digest, since = erased
        knew = self._known.get(digest) == since
        return Standing(user, self._ids.index(user) if knew else UNKNOWN, since)
