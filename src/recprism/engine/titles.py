"""Titles and labels of items, as people read them.

A title is the one written in the data; else it is composed from the links ("Coupon: 14 products,
mostly YOGURT"), or the title of the one thing linked to; else the id.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recprism.content.label_codes import LabelCodes
from recprism.data.dataset import UNKNOWN, Catalog, IntArray, KindTable
from recprism.explain import catalogue
from recprism.project.schema import ProjectFile

NO_OFFER = -1


class Titles:
    """Titles by global item_idx; titles composed for an offer depend on its offer row."""

    def __init__(self, catalog: Catalog, labels: LabelCodes, project: ProjectFile) -> None:
        self._catalog, self._labels, self._project = catalog, labels, project
        self._words = catalogue(project.language)
        self._composed: dict[tuple[int, int], str] = {}

    def beside(self, catalog: Catalog, labels: LabelCodes) -> Titles:
        """The same for a catalog with newcomers; what is known of the others is shared."""
        other = Titles(catalog, labels, self._project)
        other._composed = self._composed
        new = {(t.name, t.start): t.table["title"].to_list() for t in catalog.newcomers.values()}
        vars(other)["_written"] = {**self._written, **new}
        return other

    @cached_property
    def _written(self) -> dict[tuple[str, int], list[str | None]]:
        """The titles of each table, by its kind and its first number."""
        tables = self._catalog.tables
        return {(table.name, table.start): table.table["title"].to_list() for table in tables}

    def of(self, item_idx: int, offer_row: int = NO_OFFER) -> str:
        """The title of an item, for one of its offers where titles differ by offer."""
        kind = self._catalog.kind_of(item_idx)
        written = self._written[kind.name, kind.start][item_idx - kind.start]
        if written:
            return written
        key = (item_idx, offer_row)
        if key not in self._composed:
            self._composed[key] = self._compose(kind, item_idx, offer_row)
        return self._composed[key]

    def fields_of(self, item_idx: int, offer_row: int = NO_OFFER) -> frozenset[str]:
        """The fields of the project that the title of an item draws on, as `llm.fields` names them.

        For a title that is the id it is the field of the id, which never reaches a prompt.
        """
        kind = self._catalog.kind_of(item_idx)
        section = self._project.items.get(kind.name)
        written = self._written[kind.name, kind.start][item_idx - kind.start]
        if section is None:
            return frozenset([f"{kind.name}.?"])
        if written:
            column = section.title or next(iter(section.text), section.id)
            return frozenset([f"{kind.name}.{column}"])
        targets = self.targets(kind, item_idx, offer_row)
        if len(targets) == 0:
            return frozenset([f"{kind.name}.{section.id}"])
        if len(targets) == 1:
            return self.fields_of(int(targets[0]))
        target = self._catalog.kind_of(int(targets[0]))
        return frozenset(f"{target.name}.{name}" for name in target.label_names)

    def fields_of_label(self, name: str) -> frozenset[str]:
        """The fields of the project that the values of a label come from, of all kinds with it.

        All of them, since labels flow along links.
        """
        kinds = self._catalog.kinds.values()
        return frozenset(f"{kind.name}.{name}" for kind in kinds if name in kind.label_names)

    def labels_of(self, item_idx: int, offer_row: int = NO_OFFER) -> dict[str, str]:
        """The labels of an item, those that flow along links included."""
        del offer_row
        return self._labels.of(item_idx)

    def targets(self, kind: KindTable, item_idx: int, offer_row: int) -> IntArray:
        """What an item (in one offer, or in any) links to, over its first link."""
        links = next(iter(kind.links.values()), None)
        if links is None:
            return np.zeros(0, np.int32)
        if not links.by_offer:
            return links.targets.of(item_idx - kind.start)
        if offer_row >= 0:
            return links.targets.of(offer_row)
        assert kind.offers is not None
        rows = np.flatnonzero(kind.offers.item == item_idx - kind.start)
        return np.unique(links.targets.gather(rows.astype(np.int32))[0])

    def _compose(self, kind: KindTable, item_idx: int, offer_row: int) -> str:
        targets = self.targets(kind, item_idx, offer_row)
        if len(targets) == 1:
            return self.of(int(targets[0]))
        if len(targets) == 0:
            return kind.ids[item_idx - kind.start]
        target = self._catalog.kind_of(int(targets[0]))
        return self._words.composed_title(
            kind.name, target.name, len(targets), self._most_frequent_label(targets)
        )

    def _most_frequent_label(self, targets: IntArray) -> str | None:
        """The most frequent value of the finest label among `targets`."""
        name = max(self._labels.values, key=lambda n: len(self._labels.values[n]), default=None)
        if name is None:
            return None
        codes = self._labels.codes[name][targets]
        codes = codes[codes > 0]
        if len(codes) == 0:
            return None
        return self._labels.values[name][int(np.bincount(codes).argmax())]


def find_item(catalog: Catalog, text: str) -> int:
    """Global item_idx of `KIND/ID`, or of an id looked up in every kind; -1 when unknown."""
    kind_name, slash, item_id = text.partition("/")
    if slash and kind_name in catalog.kinds:
        kind = catalog.kinds[kind_name]
        number = kind.ids.index(item_id)
        return kind.start + number if number != UNKNOWN else UNKNOWN
    for kind in catalog.kinds.values():
        number = kind.ids.index(text)
        if number != UNKNOWN:
            return kind.start + number
    return UNKNOWN
