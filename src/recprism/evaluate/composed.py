"""What a language model's order of lists is worth: beside the ranker's own, on the same lists.

In come a recommender whose answers a model composes, and the occasions that the ranker answered
before; out go lists, and from those of all rounds a `Composition`. The one decision worth knowing:
what is measured is what would be served. A list that the model gave no order in time for counts in
the ranker's own, so that no choice of lists flatters the model. Nothing is chosen by the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from recprism.data.times import from_micros
from recprism.evaluate import metrics
from recprism.evaluate.ask import Progress, Question, Recommender, user_id
from recprism.evaluate.bootstrap import mean_with_interval, paired_difference
from recprism.evaluate.metrics import standing_in_list
from recprism.evaluate.results import Composition

COMPOSED_LISTS = 100
"""Most lists of a task that a model is asked for, drawn at random: at the usual deadline of two
seconds that is three minutes, and with a hosted model some hundred thousand tokens."""
MOST_IN_A_ROW = 5
"""After so many lists in a row without an answer of the model, no more are asked for."""

Compose = Callable[[Recommender], Recommender]
"""Opens a recommender once more, with the language model that composes its answers."""


@dataclass(frozen=True)
class ComposedLists:
    """The answers to some occasions of one round, those with a hit to find.

    `user` [n] are user_idx, `stratum` [n] what counts alike (the time, or 0 where pooled). `own`
    and `composed` [n] hold NDCG@k by the ranker's order and as served with the model, `states`
    how asking it ended, `ordered` [n] whether the list came in its order, `ms` [n] the time.
    """

    user: NDArray[np.int64]
    stratum: NDArray[np.int64]
    own: NDArray[np.float64]
    composed: NDArray[np.float64]
    states: Sequence[str]
    ordered: NDArray[np.bool_]
    ms: NDArray[np.float64]


def ask_composed(
    question: Question,
    own: Sequence[Sequence[str]],
    most: int,
    seed: int,
    *,
    progress: Progress | None = None,
) -> ComposedLists:
    """At most `most` of the occasions of `question`, asked once more with the language model.

    `own[row]` is the ranker's list for each occasion. One task is asked per request, with reasons,
    as is the composed answer of a user who asks for one list.
    """
    occasions, kind = question.occasions, question.goal.kind
    open_to = np.flatnonzero(occasions.has_truth)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(open_to, min(most, len(open_to)), replace=False)
    scores: list[tuple[float, float]] = []
    states, ordered, ms = list[str](), list[bool](), list[float]()
    for done, row in enumerate(drawn.tolist(), 1):
        start = perf_counter()
        answer = question.recommender.recommend(
            user=user_id(question, row),
            tasks=[occasions.task],
            size=occasions.k,
            at=from_micros(int(occasions.at[row])),
        )
        ms.append((perf_counter() - start) * 1000.0)
        found, truth = answer.lists[occasions.task], occasions.truth_ids(row, kind)
        lists = (own[row], [item.id for item in found.items])
        first, second = (metrics.ndcg(standing_in_list(x, truth), occasions.k) for x in lists)
        scores.append((first, second))
        states.append(answer.llm)
        ordered.append(found.composed)
        if progress is not None:
            progress(question.what, done / len(drawn))
        if len(states) >= MOST_IN_A_ROW and "used" not in states[-MOST_IN_A_ROW:]:
            break
    asked = drawn[: len(states)]
    both = np.array(scores, np.float64).reshape(-1, 2)
    return ComposedLists(
        user=occasions.user[asked].astype(np.int64),
        stratum=np.full(len(asked), 0 if occasions.by_event else occasions.until, np.int64),
        own=both[:, 0],
        composed=both[:, 1],
        states=states,
        ordered=np.array(ordered, np.bool_),
        ms=np.array(ms, np.float64),
    )


def compare(parts: Sequence[ComposedLists], seed: int) -> Composition | None:
    """The model's order against the ranker's over all rounds; None where nothing was asked."""
    if not parts:
        return None
    own = np.concatenate([part.own for part in parts])
    composed = np.concatenate([part.composed for part in parts])
    user = np.concatenate([part.user for part in parts])
    stratum = np.concatenate([part.stratum for part in parts])
    ms = np.concatenate([part.ms for part in parts])
    return Composition(
        own=mean_with_interval(own, user, stratum, seed=seed),
        composed=mean_with_interval(composed, user, stratum, seed=seed),
        difference=paired_difference(composed, own, user, stratum, seed=seed),
        ordered=int(sum(part.ordered.sum() for part in parts)),
        states=dict(Counter(state for part in parts for state in part.states)),
        ms=float(ms.mean()) if len(ms) else float("nan"),
    )
