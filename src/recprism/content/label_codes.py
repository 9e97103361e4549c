"""Labels of all items as small numbers, flowing along links.

In comes a `Catalog`, out goes one code per label and item, given or guessed. An item of a kind that
has no column for a label takes the most frequent one among what it links to: a coupon's
category is the category of most products that it covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recprism.content.links import in_order, with_links
from recprism.data.dataset import Catalog, Grouped, IntArray, KindTable

NO_LABEL = 0


@dataclass(frozen=True)
class LabelCodes:
    """One code per label name and row.

    `codes[name]` [n_items], 0 where there is no label. `values[name][code]` is the label in words;
    `values[name][0]` is empty.
    """

    codes: Mapping[str, IntArray]
    values: Mapping[str, Sequence[str]]

    @classmethod
    def build(cls, catalog: Catalog) -> LabelCodes:
        """Codes of every item (global numbers) for every label that any kind has."""
        names = dict.fromkeys(n for kind in catalog.kinds.values() for n in kind.label_names)
        linked = with_links(catalog)
        codes, values = {}, {}
        for name in names:
            codes[name], values[name] = _own_labels(catalog, name)
            for _ in linked:
                for kind, targets in linked:
                    if name not in kind.label_names:
                        inherited = _most_frequent(targets, codes[name], len(values[name]))
                        codes[name][kind.start : kind.stop] = inherited
        return cls(codes, values)

    @classmethod
    def of_offers(cls, kind: KindTable) -> LabelCodes:
        """Codes of every offer group [n_groups] for the labels that offers bring; may be empty."""
        if kind.offers is None or kind.offers.labels is None:
            return cls({}, {})
        coded = {
            column.name.removeprefix("label:"): _encode(column)
            for column in kind.offers.labels.get_columns()
        }
        return cls(
            {name: codes for name, (codes, _) in coded.items()},
            {name: values for name, (_, values) in coded.items()},
        )

    def of(self, row: int) -> dict[str, str]:
        """The labels of one item in words, those it has."""
        return {
            name: self.values[name][code]
            for name, codes in self.codes.items()
            if (code := int(codes[row])) != NO_LABEL
        }


def _own_labels(catalog: Catalog, name: str) -> tuple[IntArray, list[str]]:
    column = f"label:{name}"
    parts = [
        kind.label(name).rename(column)
        if name in kind.label_names
        else pl.Series(column, [None], dtype=pl.String).new_from_index(0, len(kind))
        for kind in in_order(catalog)
    ]
    return _encode(pl.concat(parts))


def _encode(labels: pl.Series) -> tuple[IntArray, list[str]]:
    """Codes of `labels` from 1 in the order of the words, 0 for null and empty."""
    labels = labels.cast(pl.String).replace("", None)
    values = ["", *labels.drop_nulls().unique().sort().to_list()]
    codes = labels.cast(pl.Enum(values)).to_physical().cast(pl.Int32).fill_null(NO_LABEL)
    return codes.to_numpy().astype(np.int32), values


def _most_frequent(targets: Grouped, codes: IntArray, n_values: int) -> IntArray:
    """The most frequent code among each row's targets [len(targets)], ties to the smaller."""
    rows = np.repeat(np.arange(len(targets), dtype=np.int64), np.diff(targets.offsets))
    of_target = codes[targets.values]
    pairs, counts = np.unique(
        (rows * n_values + of_target)[of_target != NO_LABEL], return_counts=True
    )
    order = np.lexsort((pairs, -counts, pairs // n_values))
    row, first = np.unique(pairs[order] // n_values, return_index=True)
    out = np.zeros(len(targets), np.int32)
    out[row] = pairs[order][first] % n_values
    return out
