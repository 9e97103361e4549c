"""Items that were put or deleted since training, as every request sees them.

In come the changes of items in the store, out goes a `View`: a model with newcomers beside its
items, and which items are hidden. The one decision worth knowing: each request asks the store for
the changes after the last number that it saw, so that no worker answers from an old catalog; a view
is made anew only when there are any. Vectors were made when an item was put.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recprism.content.label_codes import NO_LABEL, LabelCodes
from recprism.data.dataset import (
    UNKNOWN,
    BoolArray,
    Catalog,
    FloatArray,
    Grouped,
    Ids,
    IntArray,
    KindTable,
    Links,
)
from recprism.engine.composing import Composer
from recprism.engine.states import States
from recprism.engine.titles import Titles
from recprism.engine.wishing import Wishing
from recprism.errors import StoreError, UnknownItem, UnknownName
from recprism.llm import Door
from recprism.model import Model, with_newcomers
from recprism.signals.newcomers import NEAR, Newcomers
from recprism.signals.plan import TaskPlan
from recprism.signals.plan import with_newcomers as plan_with_newcomers
from recprism.signals.taste import top
from recprism.store import PEOPLE, ItemStore, StoredItem

_PAGE = 1_000
_PAUSE_S = 1.0
_log = logging.getLogger(__name__)

Items = Mapping[tuple[str, str], StoredItem]
"""The last word on each item that was put or deleted, by kind and id."""


@dataclass(frozen=True)
class View:
    """What one request is answered from: `hidden` [n_items] are deleted items, None for none."""

    model: Model
    plans: Mapping[str, TaskPlan]
    titles: Titles
    composer: Composer
    wishing: Wishing
    hidden: BoolArray | None = None

    @property
    def catalog(self) -> Catalog:
        return self.model.catalog

    def plans_of(self, tasks: Sequence[str] | None) -> list[TaskPlan]:
        """The plans of `tasks`, None for all. Raises `UnknownName`."""
        for name in tasks or ():
            if name not in self.plans:
                raise UnknownName("task", name, self.plans)
        return [self.plans[name] for name in dict.fromkeys(tasks or self.plans)]

    def item(self, kind: KindTable, item: str) -> int:
        """The global item_idx of an id. Raises `UnknownItem`."""
        number = self.catalog.index(kind.name, item)
        if number == UNKNOWN:
            raise UnknownItem(kind.name, item, len(kind))
        return number

    def is_hidden(self, item_idx: int) -> bool:
        """Whether an item was deleted since training."""
        return self.hidden is not None and bool(self.hidden[item_idx])


class ItemLog:
    """The changes of items in a store, read up to the last one; shared by threads."""

    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._last, self._ask_from = 0, 0.0
        self.items: Items = {}

    def refresh(self) -> Items:
        """The last word on each item; the same object as before where nothing changed.

        A store that cannot be reached has no news: lists that need nothing else of it go on, and
        it is asked again after a moment.
        """
        if time.monotonic() < self._ask_from:
            return self.items
        try:
            if self._store.items_after(self._last, 1):
                with self._turn:
                    self._read()
        except StoreError as error:
            _log.warning("changes of items are not known: %s", error)
            self._ask_from = time.monotonic() + _PAUSE_S
        return self.items

    def _read(self) -> None:
        """Read up to the last change; another thread may have done so meanwhile."""
        changed: dict[tuple[str, str], StoredItem] = {}
        last = self._last
        while page := self._store.items_after(last, _PAGE):
            last = page[-1][0]
            changed |= {(item.kind, item.id): item for _, item in page}
        known = self.items
        if any(item.is_deleted and item.kind == PEOPLE for item in changed.values()):
            # Items may have gone with an erased person, without a trace of their own.
            known, changed = {}, self._all(last)
        if changed:
            left = {key: one for key, one in known.items() if key not in changed}
            self.items = left | changed  # what changed last comes last
        self._last = last

    def _all(self, last: int) -> dict[tuple[str, str], StoredItem]:
        """Everything up to a change; later ones come with the next request."""
        found: dict[tuple[str, str], StoredItem] = {}
        at = 0
        while at < last and (page := self._store.items_after(at, _PAGE)):
            at = page[-1][0]
            found |= {(item.kind, item.id): item for _, item in page}
        return found


class Views:
    """Makes the view of one model, for as long as nothing changes."""

    def __init__(self, model: Model, log: ItemLog, states: States, door: Door | None) -> None:
        self._model, self._log, self._states, self._door = model, log, states, door
        self._titles = Titles(model.catalog, model.labels, model.project)
        self._made: tuple[Items, View] | None = None
        self._near: dict[bytes, IntArray] = {}

    def of(self, model: Model) -> Views:
        """The views of a model with other tasks."""
        other = Views(model, self._log, self._states, self._door)
        other._titles, other._near = self._titles, self._near
        return other

    def last(self) -> View:
        """The view of the last request."""
        return self.now() if self._made is None else self._made[1]

    def now(self) -> View:
        """The view of this moment."""
        items, made = self._log.refresh(), self._made
        if made is None or made[0] is not items:
            made = self._made = (items, self._view(items))
        return made[1]

    def _view(self, items: Items) -> View:
        model = self._model
        fresh: dict[str, list[StoredItem]] = {}
        gone = []
        for (kind, item), said in items.items():
            table = model.catalog.kinds.get(kind)
            number = UNKNOWN if table is None else table.ids.index(item)
            if table is None:
                continue
            if said.is_deleted and number != UNKNOWN:
                gone.append(table.start + number)
            elif not said.is_deleted and number == UNKNOWN and takes_newcomers(table):
                fresh.setdefault(kind, []).append(said)
        plans: Mapping[str, TaskPlan] = model.plans
        titles = self._titles
        if fresh:
            model = self._with_newcomers(fresh)
            tables = model.catalog.newcomers
            plans = {
                name: plan_with_newcomers(plan, tables[plan.kind.name])
                if plan.kind.name in tables
                else plan
                for name, plan in plans.items()
            }
            titles = titles.beside(model.catalog, model.labels)
        hidden = None
        if gone:
            hidden = np.zeros(model.catalog.n_items, bool)
            hidden[gone] = True
        composer = Composer(model, titles, self._door)
        return View(model, plans, titles, composer, Wishing(model, self._states.encode), hidden)

    def _with_newcomers(self, fresh: Mapping[str, Sequence[StoredItem]]) -> Model:
        model, start = self._model, self._model.catalog.n_items
        tables: dict[str, KindTable] = {}
        for kind, some in fresh.items():
            begin = start + sum(map(len, tables.values()))
            tables[kind] = _table(model.catalog.kinds[kind], some, begin)
        flat = [item for some in fresh.values() for item in some]
        short, wide = model.content.place(self._vectors(flat))
        near = [self._nearest(item, row) for item, row in zip(flat, short, strict=True)]
        supplied = ~model.content.short.basis.any(axis=0)
        shown, codes = _labels(model.labels, flat)
        newcomers = Newcomers(
            start,
            short,
            wide,
            np.concatenate([wide, short[:, supplied]], axis=1),
            codes,
            np.stack(near),
        )
        return with_newcomers(model, tables, newcomers, shown)

    def _vectors(self, items: Sequence[StoredItem]) -> FloatArray:
        """Raw vectors of the items, [k, encoder size]; zeros where there are none."""
        size = self._model.content.wide.shape[1]
        name = self._model.project.content.encoder
        out = np.zeros((len(items), size), np.float32)
        others = []
        for row, item in enumerate(items):
            found = np.frombuffer(item.vector, np.float16)
            if item.encoder == name and len(found) == size:
                out[row] = found
            elif size and item.text and name != "none":
                others.append(row)
        if others:  # the project changed its encoder since they were put
            out[others] = self._states.encode_items([items[row].text or "" for row in others])
        return out

    def _nearest(self, item: StoredItem, short: FloatArray) -> IntArray:
        """The trained items of its kind that are nearest to an item, [NEAR], -1 for none."""
        key = item.kind.encode() + b"/" + short.tobytes()
        if key not in self._near:
            kind, near = self._model.catalog.kinds[item.kind], np.full(NEAR, UNKNOWN, np.int32)
            if short.any() and len(kind):
                likeness = self._model.content.item[kind.start : kind.stop] @ short
                best = top(likeness, NEAR)
                best = best[likeness[best] > 0]
                near[: len(best)] = kind.start + best
            self._near[key] = near
        return self._near[key]


def takes_newcomers(kind: KindTable) -> bool:
    """Whether new items of a kind may be shown before the next training.

    Where offers say when, where and to whom an item may be shown, one without offers may not.
    """
    return kind.offers is None


def _table(kind: KindTable, items: Sequence[StoredItem], start: int) -> KindTable:
    """The table of newcomers, with the columns of their kind; guesses stand where labels lack."""
    shown = [labels_of(item) for item in items]
    columns = {
        "title": [item.title or item.text for item in items],
        "text": [item.text for item in items],
        **{f"label:{name}": [one.get(name) for one in shown] for name in kind.label_names},
    }
    table = pl.DataFrame(columns, dict.fromkeys(columns, pl.String))
    numbers = [
        pl.Series(f"number:{name}", [item.numbers.get(name) for item in items], pl.Float64)
        for name in kind.number_names
    ]
    nothing = Grouped(np.zeros(len(items) + 1, np.int64), np.zeros(0, np.int32))
    return KindTable(
        name=kind.name,
        ids=Ids(pl.Series([item.id for item in items], dtype=pl.String)),
        start=start,
        table=table.with_columns(numbers),
        links={name: Links(name, one.kind, nothing) for name, one in kind.links.items()},
    )


def labels_of(item: StoredItem) -> dict[str, str]:
    """The labels of an item in words, given or guessed."""
    return {**{name: value for name, (value, _) in item.guesses.items()}, **item.labels}


def _labels(
    trained: LabelCodes, items: Sequence[StoredItem]
) -> tuple[LabelCodes, dict[str, IntArray]]:
    """Labels of all items as people read them, and those of newcomers as training numbered them."""
    codes, values, known = {}, {}, {}
    words = [labels_of(item) for item in items]
    for name, vocabulary in trained.values.items():
        said = [one.get(name, "") for one in words]
        n_trained = len(vocabulary)
        every = list(dict.fromkeys([*vocabulary, *said]))
        number = {value: code for code, value in enumerate(every)}
        own = np.array([number[value] for value in said], np.int32)
        codes[name] = np.concatenate([trained.codes[name], own])
        values[name] = every
        known[name] = np.where(own < n_trained, own, np.int32(NO_LABEL))
    return LabelCodes(codes, values), known
