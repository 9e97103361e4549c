"""The account of cleaning: which rule met how many rows, with examples, so that nothing vanishes.

In comes one call per rule and source, out go JSON-able rows. The one decision worth knowing: rows
read, rows dropped and rows kept are counted apart from one another, so `balance` can catch a row
that disappeared without a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

RULES: dict[str, str] = {
    "rows-read": "rows read from the source",
    "rows-kept": "rows that reached the data set",
    "missing-id": "rows without an id: dropped",
    "invalid-id": "ids over 512 bytes or with control characters: rows dropped",
    "exact-duplicate": "rows that repeat another row exactly: dropped",
    "near-duplicate": "items equal to an earlier one in every column but the id: kept",
    "repeated-event": "events equal to an earlier one in every named column: kept, each counts",
    "missing-time": "rows without a time: dropped",
    "unparsable-time": "times that cannot be read: rows dropped",
    "future-time": "times more than 5 minutes ahead of now: rows dropped",
    "missing-dropped": "rows without a value in a column whose rule is `drop`: dropped",
    "missing-imputed": "missing values replaced by the most frequent one",
    "missing-marked": "missing values kept as unknown",
    "missing-action": "rows without an action: dropped",
    "missing-offer": "rows that name no offer: dropped",
    "missing-context": "rows that do not say where they apply: dropped",
    "unreadable-period": "rows whose period is no whole number: dropped",
    "unreadable-window": "bounds of a window that cannot be read: the offer is never shown",
    "offer-without-window": "offers that the window table does not know: never shown",
    "unknown-kind": "events on kinds that the project does not have: dropped",
    "not-learned": "events whose action says the contrary of interest: dropped",
    "left-out": "rows of people who were erased or want no personal lists: dropped",
    "unknown-offer": "rows that name an offer nothing belongs to: dropped or left without offer",
    "never-shown": "items that name no offer: kept, never shown",
    "missing-link": "rows that name nothing to link to: the link is dropped",
    "unknown-link": "links to ids that no table or event knows: dropped",
    "unknown-end": "edges with an end that no table or event knows: dropped",
    "only-in-events": "ids seen only in events: full rows without traits or text",
    "only-in-audience": "ids seen only in an audience: full rows without traits or text",
    "put-online": "items that were put online: what was said of them counts",
    "constant-column": "columns that hold one value throughout: kept",
    "label-guessed": "items without the label whose text says which: guessed",
    "label-unknown": "items without the label whose text fits none well enough: kept without",
    "text-normalized": "texts changed by normalization (NFKC, whitespace, markup)",
}
"""What each rule means, in words for a person."""

DROPPING = frozenset(
    {
        "left-out",
        "missing-id",
        "invalid-id",
        "exact-duplicate",
        "missing-time",
        "unparsable-time",
        "future-time",
        "missing-dropped",
        "missing-action",
        "missing-offer",
        "missing-context",
        "unreadable-period",
        "unknown-end",
        "unknown-kind",
        "not-learned",
    }
)
"""Rules that take whole rows away from a source."""


class CleaningReport:
    """Counts by rule and source, in the order they were found.

    A source is named like the section that reads it, `items.products: products.parquet`, because
    two sections may read one file.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._read: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def read(self, source: str, count: int) -> None:
        """Note that `count` rows came from `source`; shares are of this number."""
        self._read[source] = count
        self._rows.append(self._row("rows-read", source, count, 1.0, ()))

    def kept(self, source: str, count: int) -> None:
        """Note that `count` rows of `source` reached the data set."""
        share = count / max(self._read[source], 1)
        self._rows.append(self._row("rows-kept", source, count, share, ()))

    def add(
        self,
        rule: str,
        source: str,
        count: int,
        examples: Iterable[object] = (),
        *,
        column: str | None = None,
        of: int | None = None,
    ) -> None:
        """Note that `rule` met `count` rows or values; nothing is noted for a count of 0.

        `of` is what the share is taken of: the rows of the source when absent. At most three
        examples are kept, each cut to 80 characters.
        """
        if count == 0:
            return
        if rule in DROPPING:
            self._dropped[source] = self._dropped.get(source, 0) + count
        whole = self._read.get(source, count) if of is None else of
        place = source if column is None else f"{source}:{column}"
        self._rows.append(self._row(rule, place, count, count / max(whole, 1), examples))

    def dropped(self, source: str) -> int:
        """How many rows of `source` the dropping rules took away so far."""
        return self._dropped.get(source, 0)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per rule and source: rule, source, count, share (0 to 1), examples (up to 3)."""
        return [dict(row) for row in self._rows]

    @staticmethod
    def _row(
        rule: str, source: str, count: int, share: float, examples: Iterable[object]
    ) -> dict[str, Any]:
        shown = [str(example)[:80] for example in list(examples)[:3]]
        return {
            "rule": rule,
            "source": source,
            "count": int(count),
            "share": round(float(share), 6),
            "examples": shown,
        }


def balance(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Rows read minus rows kept minus rows dropped, per source; 0 everywhere in a true report."""
    left: dict[str, int] = {}
    for row in rows:
        if row["rule"] == "rows-read":
            left[row["source"]] = left.get(row["source"], 0) + row["count"]
        elif row["rule"] == "rows-kept" or row["rule"] in DROPPING:
            place = row["source"]
            source = place if place in left else place.rpartition(":")[0]
            left[source] -= row["count"]
    return left
