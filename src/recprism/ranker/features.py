"""What the network sees of each candidate: numbers and codes.

In come a shortlist and the user's state, out go two arrays. The network gets scores, ranks, counts,
labels and projected content, but no raw taste coordinates: a refit rotates those, and the ranker's
weights outlive the refit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recprism.content.label_codes import LabelCodes
from recprism.data.dataset import DAY_US, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.interface import Signal
from recprism.signals.plan import TaskPlan
from recprism.signals.registry import active_signals
from recprism.signals.shortlist import Binder, Shortlist
from recprism.signals.snapshot import Ground

VIEWS = ("own", "max", "top3", "sum")
RELATIVE_VIEWS = (1, 3)
"""The views whose main numbers are also given relative to the rest of the list."""
USER = ("events", "items", "goals", "recent", "idle_days", "days")
OFFER = ("links", "days_left", "days_open", "choices")
CONTENT = 16
"""How many leading numbers of the projected content vector the network sees."""
FAR_DAYS = 365.0
RECENT_DAYS = 28


@dataclass(frozen=True)
class Features:
    """`numbers` [n, f] float32 and `codes` [n, k] int32, in the order of a `FeatureSpec`."""

    numbers: FloatArray
    codes: IntArray


@dataclass(frozen=True)
class FeatureSpec:
    """Names and layout of the features of one catalog; the same for all tasks and snapshots.

    `signals` are those of the project, `labels` the item labels, `offer_labels` those of each
    kind's offers, `placements` the number of values of each kind's placement columns.
    """

    signals: Mapping[str, type[Signal]]
    labels: LabelCodes
    offer_labels: Mapping[str, LabelCodes]
    placements: Mapping[str, Mapping[str, int]]
    content_size: int

    @staticmethod
    def build(ground: Ground) -> FeatureSpec:
        """The layout that a project's signals and catalog give."""
        catalog = ground.catalog
        placements = {
            kind.name: {n: len(v) for n, v in kind.offers.placement_values.items()}
            for kind in catalog.kinds.values()
            if kind.offers is not None
        }
        offer_labels = {kind.name: LabelCodes.of_offers(kind) for kind in catalog.kinds.values()}
        return FeatureSpec(
            active_signals(ground.project),
            ground.labels,
            offer_labels,
            placements,
            min(CONTENT, ground.content.size),
        )

    @cached_property
    def numbers(self) -> list[str]:
        """Names of the columns of `Features.numbers`."""
        columns = [f"{s.name}.{column}" for s in self.signals.values() for column in s.columns]
        main = [f"{s.name}.{s.columns[0]}" for s in self.signals.values()]
        return [
            *(f"{view}:{column}" for view in VIEWS for column in columns),
            *(
                f"{what}_{VIEWS[view]}:{column}"
                for view in RELATIVE_VIEWS
                for what in ("part", "rank")
                for column in main
            ),
            *(f"user:{name}" for name in USER),
            *(f"offer:{name}" for name in OFFER),
            *(f"content:{i}" for i in range(self.content_size)),
        ]

    @cached_property
    def codes(self) -> dict[str, int]:
        """Names of the columns of `Features.codes`, and how many values each has."""
        sizes = {name: len(values) for name, values in self.labels.values.items()}
        for kind, labels in self.offer_labels.items():
            sizes |= {f"{kind}/{name}": len(values) for name, values in labels.values.items()}
        for kind, columns in self.placements.items():
            sizes |= {f"{kind}/{name}": size + 1 for name, size in columns.items()}
        return sizes

    @cached_property
    def signal_of(self) -> IntArray:
        """For each number the position of its signal in `signals`, -1 for none, shape [f]."""
        index = {name: i for i, name in enumerate(self.signals)}
        part = [name.split(":")[1].split(".")[0] for name in self.numbers]
        return np.array([index.get(name, -1) for name in part], np.int32)


def make_features(
    spec: FeatureSpec, binder: Binder, shortlist: Shortlist, plan: TaskPlan
) -> Features:
    """Features of all candidates of a shortlist; all numbers are finite."""
    n, user, content = len(shortlist), binder.user, binder.snapshot.setting.content
    main = _main_columns(binder.snapshot.signals.values())
    numbers = np.concatenate(
        [
            shortlist.columns.reshape(n, 4 * shortlist.columns.shape[2]),
            *(_relative(shortlist.columns[:, view, main]) for view in RELATIVE_VIEWS),
            np.broadcast_to(_of_user(user, plan), (n, len(USER))),
            _of_offers(shortlist, user, plan),
            content.item[shortlist.candidates.item, : spec.content_size],
        ],
        axis=1,
        dtype=np.float32,
    )
    return Features(numbers, _codes(spec, shortlist, plan))


def _main_columns(signals: Iterable[Signal]) -> list[int]:
    """Where each signal's main number stands among all columns."""
    sizes = [len(signal.columns) for signal in signals]
    return [sum(sizes[:i]) for i in range(len(sizes))]


def _relative(values: FloatArray) -> FloatArray:
    """Share of the list's largest, and 1 / log2(2 + rank), for each column: [n, 2 c]."""
    n = len(values)
    if n == 0:
        return np.zeros((0, 2 * values.shape[1]), np.float32)
    part = values / np.maximum(np.abs(values).max(axis=0), 1e-9)
    order = np.argsort(-values, axis=0, kind="stable")
    discount = np.empty_like(part)
    discount[order, np.arange(values.shape[1])] = (1.0 / np.log2(2.0 + np.arange(n)))[:, None]
    return np.concatenate([part, np.where(values != 0, discount, 0.0)], axis=1)


def _of_user(user: UserState, plan: TaskPlan) -> FloatArray:
    """Counts of the user's past, log(1 + x), in the order of `USER`."""
    if user.is_cold:
        return np.zeros(len(USER), np.float32)
    age = (user.at - user.time) / DAY_US
    goals = (user.action == plan.goal.action) & (user.item >= plan.goal.start)
    goals &= user.item < plan.goal.stop
    counts = [
        len(user.item),
        len(user.distinct[0]),
        int(goals.sum()),
        int((age < RECENT_DAYS).sum()),
        float(age[-1]),
        user.n_days,
    ]
    return np.log1p(np.array(counts, np.float32))


def _of_offers(shortlist: Shortlist, user: UserState, plan: TaskPlan) -> FloatArray:
    """Numbers of each candidate's links and offer, in the order of `OFFER`, [n, 4]."""
    out = np.zeros((len(shortlist), len(OFFER)), np.float32)
    candidates, offers = shortlist.candidates, plan.kind.offers
    if plan.links is not None:
        linked = plan.is_trained(candidates.item)
        rows = plan.link_rows(candidates if linked.all() else candidates.take(linked))
        out[linked, 0] = np.log1p(plan.links.targets.counts(rows))
    if offers is not None:
        left = (offers.ends[candidates.group].astype(np.float64) - user.at) / DAY_US
        # As floats: an offer without a first day starts at the smallest integer.
        opened = (user.at - offers.starts[candidates.group].astype(np.float64)) / DAY_US
        out[:, 1] = np.log1p(np.clip(left, 0, FAR_DAYS))
        out[:, 2] = np.log1p(np.clip(opened, 0, FAR_DAYS))
    n_open = len(plan.kind) if shortlist.eligible is None else len(shortlist.eligible)
    out[:, 3] = np.log1p(n_open)
    return out


def _codes(spec: FeatureSpec, shortlist: Shortlist, plan: TaskPlan) -> IntArray:
    """Label and placement codes [n, k]; 0 for what a candidate does not have."""
    out = np.zeros((len(shortlist), len(spec.codes)), np.int32)
    column = {name: i for i, name in enumerate(spec.codes)}
    candidates, kind = shortlist.candidates, plan.kind
    for name, codes in spec.labels.codes.items():
        out[:, column[name]] = codes[candidates.item]
    if kind.offers is None:
        return out
    for name, codes in spec.offer_labels[kind.name].codes.items():
        out[:, column[f"{kind.name}/{name}"]] = codes[candidates.group]
    if kind.offers.placement is not None:
        placed = kind.offers.placement[candidates.offer_row]
        for i, name in enumerate(kind.offers.placement_values):
            out[:, column[f"{kind.name}/{name}"]] = 1 + placed[:, i].astype(np.int32)
    return out
