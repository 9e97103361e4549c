"""The conformance kit of signals: subclass `SignalKit`, name the signal, and run pytest.

class TestMySignal(SignalKit):
    signal = MySignal

It fits the signal on the small shop (see `shops.py`) as of `CUT` and binds it to a regular
customer, somebody with a single event, and a stranger, for the goal of every task.
"""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar

import numpy as np
import pytest

from recprism.artifact import read_arrays, write_arrays
from recprism.data.dataset import DAY_US, UNKNOWN, Catalog, EventLog, FloatArray, IntArray
from recprism.data.times import to_micros
from recprism.pipeline import prepare
from recprism.profiles.state import UserState, state_from_log
from recprism.project import load_project
from recprism.signals.interface import Bound, Goal, Signal
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.snapshot import Ground, Snapshot, fit_snapshot
from recprism.testing.shops import MILK, MILK_BUYER, START, WEEKS, write_shop

CUT = to_micros(START + timedelta(weeks=WEEKS - 4))
"""Signals are fitted here; four more weeks of events follow."""
SINGLE_USER = "u07"
"""Whose past ends after the first event."""


@dataclass(frozen=True)
class SignalShop:
    """The small shop, ready for signals: `log` holds all events, also those after `CUT`.

    `prepared` is the folder that `ranker.harvest.open_ground` opens.
    """

    ground: Ground
    log: EventLog
    prepared: Path

    @property
    def catalog(self) -> Catalog:
        return self.ground.catalog

    @cached_property
    def plans(self) -> Mapping[str, TaskPlan]:
        """The compiled tasks `products`, `coupons` and `ads`."""
        return compile_tasks(self.ground.project, self.catalog)

    @cached_property
    def snapshot(self) -> Snapshot:
        """Everything fitted as of `CUT`."""
        return fit_snapshot(self.ground, self.log, CUT)

    @cached_property
    def leaked_to(self) -> Snapshot:
        """The same, with events planted at `CUT` and a day later for everyone: too late to know."""
        crowd = range(self.log.n_users)
        planted = plant_events(self.log, crowd, [0, 58, 59], 0, CUT)
        planted = plant_events(planted, crowd, [1, 2, 58], 0, CUT + DAY_US)
        return fit_snapshot(self.ground, planted, CUT)

    @cached_property
    def best_seller(self) -> int:
        """The product with the most events before `CUT`."""
        kind, known = self.catalog.kinds["products"], self.log.until(CUT)
        counts = np.bincount(known.item, minlength=kind.stop)
        return kind.start + int(counts[kind.start : kind.stop].argmax())

    def item(self, product: str) -> int:
        """The item_idx of a product."""
        kind = self.catalog.kinds["products"]
        return kind.start + kind.ids.index(product)

    def user(self, name: str) -> int:
        return self.catalog.users.ids.index(name)

    def states(self) -> Mapping[str, UserState]:
        """A regular customer, one event, a known user and a stranger without any, a viewer."""
        regular = state_from_log(self.log, self.user(MILK_BUYER), CUT)
        single = state_from_log(self.log, self.user(SINGLE_USER), CUT)
        stranger = first_events(replace(regular, user_idx=UNKNOWN), 0)
        return {
            "regular": regular,
            "single": first_events(single, 1),
            "idle": first_events(single, 0),
            "stranger": stranger,
            "viewer": replace(stranger, viewing=self.item(MILK)),
        }


@cache
def open_signal_shop() -> SignalShop:
    """The shop, loaded and encoded once per process (a few seconds); its folder goes with it."""
    folder = mkdtemp(prefix="recprism-shop-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workspace = prepare(load_project(write_shop(folder)))
    return SignalShop(workspace.ground, workspace.log, workspace.folder)


def first_events(user: UserState, n: int) -> UserState:
    """The state with the first `n` events only."""
    return replace(
        user,
        item=user.item[:n],
        action=user.action[:n],
        time=user.time[:n],
        value=user.value[:n],
        session=user.session[:n],
    )


def with_event(user: UserState, item: int, action: int) -> UserState:
    """The state with a live event that came a minute before `user.at`."""
    return replace(
        user,
        item=np.append(user.item, np.int32(item)),
        action=np.append(user.action, np.int32(action)),
        time=np.append(user.time, np.int64(user.at - 60_000_000)),
        value=np.append(user.value, np.float32(1.0)),
        session=np.append(user.session, np.int32(UNKNOWN)),
    )


def plant_events(
    log: EventLog, users: Sequence[int], items: Sequence[int], action: int, time: int
) -> EventLog:
    """The log with one more event per user and item at `time`, sorted as every log is."""
    user = np.repeat(np.array(users, np.int32), len(items))
    n = len(user)
    unknown = np.full(n, UNKNOWN, np.int32)
    all_users = np.concatenate([log.user, user])
    all_times = np.concatenate([log.time, np.full(n, time, np.int64)])
    order = np.lexsort((all_times, all_users))
    offsets = np.zeros(log.n_users + 1, np.int64)
    np.cumsum(np.bincount(all_users, minlength=log.n_users), out=offsets[1:])

    def grown(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.concatenate([old, new])[order]

    return EventLog(
        user=all_users[order],
        item=grown(log.item, np.tile(np.array(items, np.int32), len(users))),
        action=grown(log.action, np.full(n, action, np.int32)),
        time=all_times[order],
        value=grown(log.value, np.ones(n, np.float32)),
        session=grown(log.session, unknown),
        offer=grown(log.offer, unknown),
        context={name: grown(codes, unknown) for name, codes in log.context.items()},
        offsets=offsets,
    )


class SignalKit:
    """What every signal must do. Set `signal`, or override the fixture `signal_type`."""

    signal: ClassVar[type[Signal] | None] = None
    is_live: ClassVar[bool] = True
    """Whether a user's own event after training changes that user's scores."""

    @pytest.fixture
    def signal_shop(self) -> SignalShop:
        return open_signal_shop()

    @pytest.fixture
    def signal_type(self) -> type[Signal]:
        if self.signal is None:
            raise TypeError(f"{type(self).__name__} must set `signal` to the class of the signal")
        return self.signal

    @pytest.fixture
    def fitted(self, signal_type: type[Signal], signal_shop: SignalShop) -> Signal:
        return fit_signal(signal_type, signal_shop.snapshot, signal_shop.log)

    def test_names_are_sound(self, signal_type: type[Signal]) -> None:
        assert signal_type.name.isidentifier()
        assert signal_type.columns
        assert len(set(signal_type.columns)) == len(signal_type.columns)

    def test_scores_are_finite_and_have_a_row_per_item(
        self, fitted: Signal, signal_shop: SignalShop
    ) -> None:
        items = every_item(signal_shop)
        for bound in all_bound(fitted, signal_shop):
            score = bound.score(items)
            assert score.shape == (len(items), len(fitted.columns))
            assert np.isfinite(score).all()
            assert bound.score(items[:0]).shape == (0, len(fitted.columns))
            assert not fitted.sparse or (score >= 0).all()

    def test_a_score_depends_on_the_item_and_not_on_its_neighbors(
        self, fitted: Signal, signal_shop: SignalShop
    ) -> None:
        items = every_item(signal_shop)
        mixed = np.random.default_rng(0).choice(items, 50)
        for bound in all_bound(fitted, signal_shop):
            np.testing.assert_allclose(
                bound.score(mixed), bound.score(items)[mixed], rtol=1e-5, atol=1e-6
            )

    def test_asking_twice_gives_the_same(self, fitted: Signal, signal_shop: SignalShop) -> None:
        items = every_item(signal_shop)
        for bound in all_bound(fitted, signal_shop):
            before = bound.score(items).copy()
            bound.retrieve(0, len(items), 10)
            bound.clue(items[:1])
            np.testing.assert_array_equal(bound.score(items), before)

    def test_the_main_number_is_the_first_one_of_the_score(
        self, fitted: Signal, signal_shop: SignalShop
    ) -> None:
        items = every_item(signal_shop)
        for bound in all_bound(fitted, signal_shop):
            np.testing.assert_array_equal(bound.main(items), bound.score(items)[:, 0])

    @pytest.mark.parametrize("n", [0, 1, 7, 10_000])
    def test_retrieves_distinct_items_in_range_best_first(
        self, fitted: Signal, signal_shop: SignalShop, n: int
    ) -> None:
        for kind in signal_shop.catalog.kinds.values():
            for bound in all_bound(fitted, signal_shop):
                best = bound.retrieve(kind.start, kind.stop, n)
                assert len(best) <= n
                assert len(np.unique(best)) == len(best)
                assert ((best >= kind.start) & (best < kind.stop)).all()
                main = bound.main(best)
                assert (np.diff(main) <= 1e-5 * (1 + np.abs(main[1:]))).all()

    def test_a_clue_points_at_real_events_and_items(
        self, fitted: Signal, signal_shop: SignalShop
    ) -> None:
        groups = [every_item(signal_shop)[i : i + 1] for i in range(0, 121, 5)]
        groups += [every_item(signal_shop)[start : start + 9] for start in (0, 30)]
        for state in signal_shop.states().values():
            for plan in signal_shop.plans.values():
                bound = bind_signal(fitted, signal_shop.snapshot, state, plan.goal)
                for items in groups:
                    check_clue(fitted, bound, items, state)

    def test_a_stranger_gets_numbers_and_no_evidence_of_a_past(
        self, fitted: Signal, signal_shop: SignalShop
    ) -> None:
        stranger, items = signal_shop.states()["stranger"], every_item(signal_shop)
        for plan in signal_shop.plans.values():
            bound = bind_signal(fitted, signal_shop.snapshot, stranger, plan.goal)
            clues = [bound.clue(items[i : i + 1]) for i in range(len(items))]
            assert all(clue is None or clue.events == 0 for clue in clues)

    def test_arrays_survive_a_file(
        self,
        fitted: Signal,
        signal_type: type[Signal],
        signal_shop: SignalShop,
        tmp_path: Path,
    ) -> None:
        arrays = fitted.to_arrays()
        if arrays:
            write_arrays(tmp_path / "signal.safetensors", arrays)
            arrays = dict(read_arrays(tmp_path / "signal.safetensors"))
        opened = signal_type.from_arrays(arrays, signal_shop.snapshot.setting)
        items = every_item(signal_shop)
        pairs = zip(all_bound(fitted, signal_shop), all_bound(opened, signal_shop), strict=True)
        for one, two in pairs:
            np.testing.assert_array_equal(one.score(items), two.score(items))
            np.testing.assert_array_equal(
                one.retrieve(0, len(items), 9), two.retrieve(0, len(items), 9)
            )

    def test_events_after_the_snapshot_change_nothing(
        self, fitted: Signal, signal_type: type[Signal], signal_shop: SignalShop
    ) -> None:
        again = fit_signal(signal_type, signal_shop.leaked_to, signal_shop.log)
        items = every_item(signal_shop)
        pairs = zip(all_bound(fitted, signal_shop), all_bound(again, signal_shop), strict=True)
        for one, two in pairs:
            np.testing.assert_array_equal(one.score(items), two.score(items))

    def test_a_live_event_counts_if_the_signal_is_live(
        self, fitted: Signal, signal_type: type[Signal], signal_shop: SignalShop
    ) -> None:
        state, goal = signal_shop.states()["single"], signal_shop.plans["products"].goal
        later = with_event(state, signal_shop.best_seller, goal.action)
        items = every_item(signal_shop)
        before, after = (
            bind_signal(fitted, signal_shop.snapshot, user, goal, segment=0).score(items)
            for user in (state, later)
        )
        assert (not np.array_equal(before, after)) == self.counts_live_events(signal_type)

    def counts_live_events(self, signal_type: type[Signal]) -> bool:  # noqa: ARG002
        """Whether this signal is live; `is_live` unless overridden."""
        return self.is_live


def fit_signal(signal_type: type[Signal], snapshot: Snapshot, log: EventLog) -> Signal:
    """The signal fitted on what of `log` the snapshot may know."""
    return signal_type.fit(snapshot.setting, log.until(snapshot.at), snapshot.segments.of_user)


def bind_signal(
    signal: Signal, snapshot: Snapshot, user: UserState, goal: Goal, segment: int | None = None
) -> Bound:
    """The signal bound as serving binds it; `segment` replaces the user's own."""
    taste: FloatArray = snapshot.taste.fold_in(user.item, user.time, user.at)
    own = snapshot.segment_of(taste, user.user_idx) if segment is None else segment
    return signal.bind(user, goal, taste, own)


def all_bound(signal: Signal, shop: SignalShop) -> list[Bound]:
    """The signal bound to every state of the shop and the goal of every task."""
    return [
        bind_signal(signal, shop.snapshot, user, plan.goal)
        for user in shop.states().values()
        for plan in shop.plans.values()
    ]


def every_item(shop: SignalShop) -> IntArray:
    return np.arange(shop.catalog.n_items, dtype=np.int32)


def check_clue(signal: Signal, bound: Bound, items: IntArray, user: UserState) -> None:
    """Raises `AssertionError` for a clue that names what the user and the question do not know."""
    clue = bound.clue(items)
    if clue is None:
        return
    known = {*user.item.tolist(), *items.tolist(), user.viewing}
    assert clue.signal == signal.name
    assert 0 <= clue.events <= len(user.item)
    assert set(clue.items) <= known
    assert len(set(clue.items)) == len(clue.items)
    assert all(type(item) is int for item in clue.items)
    json.dumps(dict(clue.facts))
    days = [clue.facts[name] for name in ("age_days", "after_days") if name in clue.facts]
    oldest = (user.at - int(user.time.min())) // DAY_US if len(user.time) else 0
    assert all(0 <= count <= oldest for count in days)
