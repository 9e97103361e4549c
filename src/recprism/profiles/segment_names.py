"""Readable, distinct names for segments, from the labels that set each one apart.

A label speaks for a segment when its share there is well above the usual one (its lift); of those,
the best is the one with the largest share x log(lift): frequent enough to matter and rare enough
elsewhere to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from recprism.data.dataset import FloatArray
from recprism.profiles.words import Words

APART = 1.2
"""A label names a segment when its share there is at least so many times the usual one."""
CANDIDATES = 6
"""So many labels of a segment are tried in pairs until its name is new."""
LEAST_SHARE = 0.002
"""Labels rarer than this in a segment are chance."""


def name_segments(
    share: FloatArray, usual: FloatArray, labels: Sequence[str], words: Words
) -> tuple[str, ...]:
    """One distinct name per segment.

    `share` [k, n_labels] is the mean share of each label in each segment, `usual` [n_labels] among
    everybody. A segment with two labels that set it apart is "A and b", with one "A", with none
    the word for mixed; names that are taken get a number.
    """
    names: list[str] = []
    for row in share:
        found = [_readable(labels[label]) for label in _telling(row, usual)]
        names.append(next(n for n in _proposals(found, words) if n not in names))
    return tuple(names)


def _telling(share: FloatArray, usual: FloatArray) -> list[int]:
    """The labels that set a segment apart, the best first."""
    lift = (share + 1e-6) / (usual + 1e-6)
    score = np.where((lift >= APART) & (share >= LEAST_SHARE), share * np.log(lift), 0.0)
    best = np.argsort(-score, kind="stable")[:CANDIDATES]
    return [int(label) for label in best if score[label] > 0]


def _proposals(found: Sequence[str], words: Words) -> Iterator[str]:
    """Names from the most telling to the merely distinct; never ends."""
    yield from (f"{a}{words.and_}{_inside(b)}" for a, b in combinations(found, 2) if a != b)
    first = found[0] if found else words.mixed
    yield first
    number = 2
    while True:
        yield f"{first} {number}"
        number += 1


def _readable(label: str) -> str:
    """SHOUTED labels in sentence case, others as they are written."""
    return label.capitalize() if label.isupper() else label


def _inside(label: str) -> str:
    """A label in the middle of a name: `Baby food` becomes `baby food`, `iPhone` stays."""
    return label[:1].lower() + label[1:] if label[1:].islower() else label
