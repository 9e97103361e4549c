"""The labels that a text may get: names in any language, what they mean, and what lies below them.

In comes a `Taxonomy`, out go `Meanings`: vectors, each of which speaks for one label. The decision
worth knowing: a label is known by all terms below it as well, because the name of a broad label
often says little ("DRUG GM") and the names of what it holds say it all ("SHAMPOO", "VITAMINS").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recprism.content.cache import encode_texts
from recprism.content.encoder import Encoder
from recprism.content.projection import unit
from recprism.data.dataset import FloatArray, IntArray
from recprism.errors import UnknownName, UsageError


@dataclass(frozen=True)
class Meanings:
    """`vectors` [m, size], unit vectors of terms; `owner` [m] is the label that each speaks for.

    Every one of `names` owns at least one term.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    owner: IntArray

    def of_labels(self) -> FloatArray:
        """The mean of each label's terms as a unit vector, [n_labels, size]."""
        out = np.zeros((len(self.names), self.vectors.shape[1]), np.float32)
        np.add.at(out, self.owner, self.vectors)
        return unit(out)


@dataclass(frozen=True)
class Taxonomy:
    """`names` are the labels that may be given.

    `descriptions` says more of a name. `parents` maps a term to the one above it; a term that may
    not be given itself speaks for the nearest label above it.
    """

    names: Sequence[str]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)

    def terms(self) -> dict[str, str]:
        """The terms that are encoded, each with the label that it speaks for.

        Raises `UsageError` for fewer than two names or a term that lies below itself, and
        `UnknownName` for a description of nothing.
        """
        names = list(dict.fromkeys(self.names))
        if len(names) < 2:
            raise UsageError(
                f"Found {len(names)} label name(s) {names}, at least two are needed to choose one. "
                "Name the labels that a text may get."
            )
        found = {name: name for name in names}
        for term in self.parents:
            label = self._label_above(term, found)
            if label is not None:
                found[term] = label
        for name in self.descriptions:
            if name not in found:
                raise UnknownName("label", name, list(found))
        return found

    def encode(self, encoder: Encoder, *, is_query: bool, cache: Path | None = None) -> Meanings:
        """Vectors of all terms, encoded like the texts that they are compared with."""
        terms = self.terms()
        names = tuple(dict.fromkeys(self.names))
        row = {name: number for number, name in enumerate(names)}
        said = [self._wording(term) for term in terms]
        raw = encode_texts(encoder, said, is_query=is_query, cache=cache).astype(np.float32)
        owner = np.array([row[label] for label in terms.values()], np.int32)
        return Meanings(names, raw, owner)

    def _wording(self, term: str) -> str:
        more = self.descriptions.get(term)
        return f"{term}: {more}" if more else term

    def _label_above(self, term: str, found: Mapping[str, str]) -> str | None:
        """The label that `term` speaks for; None where nothing above it may be given."""
        seen = [term]
        while seen[-1] not in found:
            above = self.parents.get(seen[-1])
            if above is None:
                return None
            if above in seen:
                raise UsageError(
                    f"Found {' > '.join([*seen, above])}, which runs in a circle. "
                    "Give every term a parent that does not lie below it."
                )
            seen.append(above)
        return found[seen[-1]]


def as_taxonomy(names: Sequence[str] | Taxonomy) -> Taxonomy:
    """Plain names as a taxonomy without descriptions."""
    return names if isinstance(names, Taxonomy) else Taxonomy(names)
