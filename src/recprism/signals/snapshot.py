"""All signals, fitted on what was known before one moment.

Training fits a snapshot for each week of the grid and one at `until`; serving opens the latter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recprism.content.label_codes import LabelCodes
from recprism.content.vectors import Content
from recprism.data.dataset import UNKNOWN, Catalog, EventLog, FloatArray, Links
from recprism.profiles.segments import Segments, label_shares
from recprism.profiles.taste import Taste
from recprism.project.schema import ProjectFile
from recprism.signals.interface import Arrays, HasAccount, Progress, Setting, Signal
from recprism.signals.linked import LinkNumbers
from recprism.signals.newcomers import Newcomers
from recprism.signals.registry import active_signals
from recprism.signals.teacher import Teacher


@dataclass(frozen=True)
class Snapshot:
    """Fitted signals, item factors and segments as of `setting.at`.

    `newcomers` are items that came after, of which signals know nothing but their content.
    """

    setting: Setting
    signals: Mapping[str, Signal]
    segments: Segments
    newcomers: Newcomers | None = None

    @property
    def at(self) -> int:
        return self.setting.at

    @property
    def taste(self) -> Taste:
        return self.setting.taste

    @property
    def quota(self) -> dict[str, int]:
        """How many candidates each signal may put on the shortlist."""
        return {name: getattr(self.setting.config, name).candidates for name in self.signals}

    @property
    def columns(self) -> list[str]:
        """Names `signal.number` of the columns of all signals."""
        return [f"{name}.{c}" for name, signal in self.signals.items() for c in signal.columns]

    @property
    def accounts(self) -> dict[str, Mapping[str, Any]]:
        """How the training of each signal that keeps account of it went."""
        signals = self.signals.items()
        return {name: s.account for name, s in signals if isinstance(s, HasAccount)}

    def link_numbers(self, links: Links, signal: str) -> LinkNumbers:
        """What the rows of `links` borrow from a signal; made once, and the links kept with it."""
        key = (id(links.targets), signal)
        if key not in self._link_numbers:
            self._link_numbers[key] = LinkNumbers(links.targets, self.signals[signal])
        return self._link_numbers[key]

    @cached_property
    def _link_numbers(self) -> dict[tuple[int, str], LinkNumbers]:
        return {}

    @cached_property
    def column_index(self) -> dict[str, int]:
        """Where each column stands."""
        return {name: i for i, name in enumerate(self.columns)}

    def beside(self, content: Content, newcomers: Newcomers) -> Snapshot:
        """This snapshot with items that came after, `content` being that of all items."""
        setting = replace(self.setting, content=content)
        other = replace(self, setting=setting, newcomers=newcomers)
        # Links of newcomers there are none, and what is kept of the others takes long to make.
        vars(other)["_link_numbers"] = self._link_numbers
        return other

    def segment_of(self, taste: FloatArray, user_idx: int) -> int:
        """Segment of a taste vector; of a known user without any taste, the one fitted."""
        if taste.any():
            return self.segments.assign(taste)
        return int(self.segments.of_user[user_idx]) if user_idx >= 0 else -1

    def to_arrays(self) -> Arrays:
        """All fitted arrays by name; the segments' names travel beside them."""
        out: Arrays = {"at": np.array([self.at])}
        parts: dict[str, Arrays] = {
            "svd": self.taste.to_arrays(),
            "segments": dict(self.segments.to_arrays()),
            **{name: signal.to_arrays() for name, signal in self.signals.items()},
        }
        for name, arrays in parts.items():
            out |= {f"{name}/{key}": array for key, array in arrays.items()}
        return out

    @staticmethod
    def from_arrays(
        arrays: Mapping[str, NDArray[Any]],
        segment_names: Sequence[str],
        ground: Ground,
    ) -> Snapshot:
        """What `to_arrays` and the segments' names gave, without copying."""

        def part(name: str) -> Arrays:
            start = f"{name}/"
            return {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}

        segments = Segments.from_arrays(part("segments"), segment_names)
        taste, at = Taste.from_arrays(part("svd")), int(arrays["at"][0])
        setting = ground.setting(taste, len(segments), at)
        active = active_signals(ground.project)
        signals = {n: s.from_arrays(part(n), setting) for n, s in active.items()}
        return Snapshot(setting, signals, segments)


@dataclass(frozen=True)
class Ground:
    """What does not change from snapshot to snapshot; `wishes` as in `Setting`."""

    catalog: Catalog
    content: Content
    labels: LabelCodes
    project: ProjectFile
    wishes: FloatArray | None = None

    def setting(self, taste: Taste, segments: int, at: int) -> Setting:
        """What the signals of one snapshot share."""
        return Setting(
            self.catalog,
            self.content,
            self.labels,
            taste,
            segments,
            at,
            self.project.signals,
            self.project.ranker.seed,
            self.wishes,
        )


def fit_snapshot(
    ground: Ground,
    log: EventLog,
    at: int,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> Snapshot:
    """Fit everything on the events of `log` before `at`; later ones are not looked at.

    `teacher` asks the language model, where there is one.
    """
    known, project, catalog = log.until(at), ground.project, ground.catalog
    taste = Taste.fit(known, catalog.n_items, at, project.profiles, project.ranker.seed)
    segments = _fit_segments(ground, known, taste, at)
    setting = ground.setting(taste, len(segments), at)
    active = active_signals(project)
    told = replace(setting, progress=progress, teacher=teacher)
    signals = {n: s.fit(told, known, segments.of_user) for n, s in active.items()}
    return Snapshot(setting, signals, segments)


def _fit_segments(ground: Ground, known: EventLog, taste: Taste, at: int) -> Segments:
    """Segments of those of whom something is known at `at`: a past or a trait.

    All others are in no segment (-1): that somebody comes later must not move a centroid.
    """
    project, traits = ground.project, ground.catalog.users.traits
    people = np.diff(known.offsets) > 0
    if traits.width:
        has_trait = traits.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        people |= has_trait.to_numpy()
        traits = traits.filter(pl.Series(people))
    share, names = _label_shares(known, ground.labels)
    fitted = Segments.fit(
        fold_in_all(taste, known, at)[people],
        traits,
        n=project.profiles.segments,
        seed=project.ranker.seed,
        label_share=share[people],
        label_names=names,
        language=project.language,
        least=project.privacy.min_segment,
    )
    of_user = np.full(len(people), UNKNOWN, np.int32)
    of_user[people] = fitted.of_user
    return replace(fitted, of_user=of_user)


def fold_in_all(taste: Taste, log: EventLog, at: int) -> FloatArray:
    """Taste vectors of all users of the log, shape [n_users, size]."""
    vectors = np.zeros((log.n_users, taste.size), np.float32)
    for user_idx in range(log.n_users):
        span = log.span(user_idx)
        vectors[user_idx] = taste.fold_in(log.item[span], log.time[span], at)
    return vectors


def naming_label(labels: LabelCodes) -> str | None:
    """The coarsest label: the one that names segments best; None without labels."""
    return min(labels.values, key=lambda name: len(labels.values[name]), default=None)


def _label_shares(log: EventLog, labels: LabelCodes) -> tuple[FloatArray, list[str]]:
    """Share of each user's events per value of the naming label [n_users, n_values], and values."""
    name = naming_label(labels)
    if name is None:
        return np.zeros((log.n_users, 0), np.float32), []
    values = list(labels.values[name])
    codes = labels.codes[name][log.item]
    return label_shares(log.user, codes, log.n_users, len(values)), values[1:]
