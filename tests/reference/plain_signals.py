"""Slow, plain twins of the fast paths in `recprism.signals` and `recprism.profiles.taste`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import exp, inf, log, log1p, sqrt
from typing import NamedTuple

import numpy as np

from recprism.data.dataset import DAY_US, EventLog
from recprism.profiles.state import UserState
from recprism.profiles.taste import Taste
from recprism.project.schema import Follow as FollowConfig
from recprism.signals.follow_choice import PRIOR as FOLLOW_PRIOR
from recprism.signals.interface import Goal
from recprism.signals.transitions import MEMORY_DAYS, SAME_VISIT
from recprism.signals.trend import PRIOR, WINDOW_DAYS


def repeat_numbers(user: UserState, goal: Goal, decay_days: float, item: int) -> list[float]:
    """The numbers of `repeat` for one item, from a walk over the user's events."""
    ages, days, other = [], [], 0.0
    for past, action, time in zip(user.item, user.action, user.time, strict=True):
        if past != item:
            continue
        age = (user.at - int(time)) / DAY_US
        if goal.start <= item < goal.stop and action != goal.action:
            other += exp(-age / decay_days)
        else:
            ages.append(age)
            days.append(int(time) // DAY_US)
    if not ages:
        return [0.0] * 7 + [other]
    last, visited = min(ages), sorted(set(days))
    gap = (visited[-1] - visited[0]) / (len(visited) - 1) if len(visited) > 1 else inf
    recency = exp(-last / decay_days)
    return [
        len(ages) * recency,
        len(ages),
        sum(exp(-age / (decay_days / 4)) for age in ages),
        sum(exp(-age / (decay_days * 3)) for age in ages),
        recency,
        0.0 if gap == inf else exp(-(log((1 + last) / (1 + gap)) ** 2)),
        len(visited),
        other,
    ]


class Visit(NamedTuple):
    """What one user touched at one visit; `time` is that of its first event."""

    time: int
    items: set[int]


def visits_of(events: EventLog) -> dict[int, list[Visit]]:
    """The visits of each user in the order of time: a session of a day, or a day without one.

    Visits that begin at once are in the order of their session codes.
    """
    found: dict[tuple[int, int, int], Visit] = {}
    rows = zip(events.user, events.item, events.time, events.session, strict=True)
    for user, item, time, session in rows:
        key = (int(user), int(time) // DAY_US, int(session))
        visit = found.get(key, Visit(int(time), set()))
        found[key] = Visit(min(visit.time, int(time)), visit.items | {int(item)})
    users: dict[int, list[Visit]] = defaultdict(list)
    for (user, _, _), visit in sorted(found.items(), key=lambda pair: (pair[1].time, pair[0])):
        users[user].append(visit)
    return users


def transitions(
    events: EventLog, at: int, config: FollowConfig, source_damping: float
) -> dict[tuple[int, int], float]:
    """The weight of every transition (i, j), before the strongest are kept."""
    users = visits_of(events)
    touched: dict[int, set[int]] = defaultdict(set)
    popularity: Counter[int] = Counter()
    for user, visits in users.items():
        for visit in visits:
            popularity.update(visit.items)
            for item in visit.items:
                touched[item].add(user)
    supported = {item for item, by in touched.items() if len(by) >= config.min_users}
    weight: dict[tuple[int, int], float] = defaultdict(float)
    for visits in users.values():
        for place, visit in enumerate(visits):
            for step, later in enumerate(visits[place : place + 1 + config.span]):
                gap = (later.time - visit.time) / DAY_US
                fresh = exp(-((at - later.time) / DAY_US) / MEMORY_DAYS)
                for i in visit.items & supported:
                    for j in later.items & supported - {i}:
                        if step == 0:
                            weight[i, j] += SAME_VISIT * fresh
                            continue
                        worth = step**-config.distance_power * exp(-gap / config.decay_days)
                        weight[i, j] += worth * fresh
                        weight[j, i] += config.backward * worth * fresh
    return {
        (i, j): worth
        * popularity[j] ** -config.damping
        * (popularity[i] + FOLLOW_PRIOR) ** -source_damping
        for (i, j), worth in weight.items()
        if worth > 0
    }


def follow_numbers(
    kept: Mapping[tuple[int, int], float], user: UserState, config: FollowConfig, recency: float
) -> dict[int, tuple[float, float]]:
    """(sum, largest) of what the user's last distinct items push each item by."""
    last: dict[int, tuple[int, int]] = {}
    visit, ago = None, -1
    rows = zip(user.item[::-1], user.time[::-1], user.session[::-1], strict=True)
    for item, time, session in rows:
        if (int(time) // DAY_US, int(session)) != visit:
            visit, ago = (int(time) // DAY_US, int(session)), ago + 1
        last.setdefault(int(item), (int(time), ago))
    sources = list(last.items())[: config.history]
    pushes: dict[int, list[float]] = defaultdict(list)
    for source, (time, ago) in sources:
        weight = recency**ago * exp(-((user.at - time) / DAY_US) / config.decay_days)
        for (i, j), worth in kept.items():
            if i == source:
                pushes[j].append(worth * weight)
    return {item: (sum(found), max(found)) for item, found in pushes.items()}


def gather_links(spans: Sequence[np.ndarray], n_columns: int) -> np.ndarray:
    """Largest, mean of the top three, sum / sqrt(count) of each span [n, c], one by one."""
    out = np.zeros((3, len(spans), n_columns))
    for place, span in enumerate(spans):
        for column in range(n_columns):
            values = sorted(map(float, span[:, column]), reverse=True)
            if values:
                out[0, place, column] = values[0]
                out[1, place, column] = sum(values[:3]) / len(values[:3])
                out[2, place, column] = sum(values) / sqrt(len(values))
    return out


def taste_row(taste: Taste, user: UserState) -> np.ndarray:
    """The user's row of the damped matrix, dense [n_rows]."""
    row = np.zeros(len(taste.item))
    for place, item in enumerate(taste.item):
        ages = (user.at - user.time[user.item == item]) / DAY_US
        total = float((0.5 ** (ages / taste.half_life_days)).sum())
        row[place] = log1p(total) * float(taste.scale[place])
    return row


def ridge_regression(factors: np.ndarray, row: np.ndarray, ridge: float) -> np.ndarray:
    """The t that minimizes |row - factors t|^2 + ridge |t|^2, by least squares on stacked rows."""
    size = factors.shape[1]
    stacked = np.concatenate([factors, sqrt(ridge) * np.eye(size)])
    wanted = np.concatenate([row, np.zeros(size)])
    return np.asarray(np.linalg.lstsq(stacked, wanted, rcond=None)[0])


def nearest_past(
    events: Sequence[int], vectors: np.ndarray, asked: np.ndarray, span: range, but: Sequence[int]
) -> tuple[list[int], int]:
    """The three past items in `span` nearest to `asked` but for some, and events on them."""
    left = [item for item in set(events) - set(but) if item in span]
    found = sorted(left, key=lambda item: -float(vectors[item] @ asked))[:3]
    return found, sum(item in found for item in events)


def trend_numbers(
    events: EventLog, of_user: Sequence[int], segment: int, item: int, at: int, decay_days: float
) -> list[float]:
    """The numbers of `trend` for one item, as a segment sees it; `of_user` as segments are."""
    ages = (at - events.time) / DAY_US
    worth = np.exp(-ages / decay_days)
    mine = events.item == item
    inside = np.array([of_user[user] == segment for user in events.user], bool)
    observed = float(worth[mine & inside].sum())
    expected = float(worth[inside].sum() * worth[mine].sum() / worth.sum())
    late = {int(user) for user in events.user[mine & (ages < WINDOW_DAYS)]}
    return [
        log1p(float(worth[mine].sum())),
        log1p(int(mine.sum())),
        log((observed + PRIOR) / (expected + PRIOR)) if segment >= 0 else 0.0,
        log1p(len(late)),
    ]


def take_turns(found: Sequence[Sequence[int]], limit: int) -> list[int]:
    """Distinct numbers, everybody's first, then everybody's second, and so on."""
    out: list[int] = []
    for turn in range(max(map(len, found), default=0)):
        for best in found:
            if turn < len(best) and best[turn] not in out:
                out.append(best[turn])
    return out[:limit]
