"""What the summary of `make bench` shows: where a number stands in a result, and what to compare.

Nothing reached is written here: those numbers come from the results of the parts. A `Known` number
says where it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.table import METRICS as PEER_METRICS

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """A number to compare with: its value, a name short enough for a table, where it is from."""

    value: float
    name: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "name": self.name, "source": self.source}


Bar = Callable[[Result], Known | None]


@dataclass(frozen=True)
class Measure:
    """One row of the summary: `path` leads to a number, or `{value, low, high}`, in the result of
    `part`. `bar` is what to reach, `beside` the best known: in print, or where there is no print,
    what another method reached by the same protocol."""

    part: str
    name: str
    path: tuple[str, ...]
    bar: Known | Bar | None = None
    beside: Known | None = None
    digits: int = 4

    def bar_in(self, result: Result) -> Known | None:
        """The bar, which another row of the same result may be."""
        return self.bar(result) if callable(self.bar) else self.bar


def find(result: Result, path: Sequence[str]) -> Any:
    """What stands under `path`, None when there is nothing."""
    node: Any = result
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def value_of(found: Any) -> float | None:
    """The number itself of a number or an interval."""
    if isinstance(found, Mapping):
        found = found.get("value")
    return None if found is None else float(found)


def of_run(name: str, *path: str) -> Bar:
    """A rule that the same run measured."""

    def bar(result: Result) -> Known | None:
        value = value_of(find(result, path))
        return None if value is None else Known(value, name, "measured in the same run")

    return bar


def best_peer(metric: str) -> Bar:
    """The best row of the peers that is not ours."""

    def bar(result: Result) -> Known | None:
        values = {
            name: value
            for name, row in result["peers"].items()
            if name != "recprism" and (value := value_of(find(row, ("test", metric)))) is not None
        }
        if not values:
            return None
        best = max(values, key=values.__getitem__)
        return Known(values[best], best, "measured in the same run")

    return bar


_LAMBDAMART = "17 features, 4 windows, by the protocol of docs/concepts/evaluation.md, measured"
_SMALL = "the better of SASRec with sampled softmax and eSASRec, as printed"
_AIM = "what this version set out to reach, before it was measured"
_NOTHING = Known(0.0, "no lead", "the paired difference to the personal rule")


def _aim(value: float) -> Known:
    return Known(value, "aim", _AIM)


def _boosted(value: float) -> Known:
    return Known(value, "LightGBM LambdaMART", _LAMBDAMART)


def _personal(task: str) -> Bar:
    return of_run("personal rule", "tasks", task, "baselines", "personal")


def _grocery(
    task: str,
    metric: str,
    bar: Known | Bar,
    beside: Known | None = None,
    part: str = "grocery",
) -> list[Measure]:
    """A task's metric and its paired lead over the personal rule."""
    title = f"{task}, by month" if part == "rolling" else task
    place = ("tasks", task)
    return [
        Measure(part, f"{title}: {metric}", (*place, "model"), bar, beside),
        Measure(
            part, f"{title}: lead over the rule", (*place, "model_minus", "personal"), _NOTHING
        ),
    ]


def _sequences(
    part: str, title: str, bars: Mapping[str, Known], beside: Mapping[str, Known]
) -> list[Measure]:
    names = {"recall@10": "recall@10", "ndcg@10": "NDCG@10"}
    return [
        Measure(
            part,
            f"{title}: {name}",
            ("intervals", "test", key),
            bars.get(key),
            beside.get(key),
        )
        for key, name in names.items()
    ]


def _small(recall: float, ndcg: float) -> dict[str, Known]:
    """The bar for small models on the Amazon sets, all of it from print."""
    return {
        "recall@10": Known(recall, "small models", _SMALL),
        "ndcg@10": Known(ndcg, "small models", _SMALL),
    }


def _taobao() -> list[Measure]:
    known = {
        "hr@10": (_aim(0.40), Known(0.1918, "MuLe", "as printed")),
        "ndcg@10": (_aim(0.21), Known(0.1103, "MuLe", "as printed")),
    }
    rows = []
    for key, (bar, beside) in known.items():
        name = key.upper()
        rows += [
            Measure("taobao", f"Taobao: {name}", ("test", "model", key), bar, beside),
            Measure(
                "taobao",
                f"Taobao, never touched: {name}",
                ("clean", "model", key),
                of_run("popular", "clean", "popular", key),
            ),
        ]
    return rows


_LABELLED = {
    "grocery_departments": "grocery departments",
    "grocery_categories": "grocery categories",
    "captions_zh": "Chinese captions",
    "film_genres": "film genres",
    "drug_conditions": "drug reviews",
}

MEASURES: tuple[Measure, ...] = (
    *_grocery("products", "NDCG@10", _aim(0.320), _boosted(0.316)),
    *_grocery("coupons", "NDCG@5", _personal("coupons"), _boosted(0.291)),
    *_grocery("ads", "NDCG@10", _aim(0.335)),
    Measure("grocery", "three lists, median ms", ("recommend_ms", "p50"), digits=1),
    Measure("grocery", "three lists, 99th percentile ms", ("recommend_ms", "p99"), digits=1),
    Measure("grocery", "training, seconds", ("train_s",), digits=0),
    Measure("grocery", "training, peak MB", ("peak_mb",), digits=0),
    Measure("grocery", "`make demo`, seconds", ("demo_s",), digits=0),
    *_grocery("coupons", "NDCG@5", _personal("coupons"), part="rolling"),
    *_sequences(
        "beauty",
        "Beauty",
        {"recall@10": _aim(0.1130), "ndcg@10": _aim(0.0660)},
        {
            "recall@10": Known(0.0994, "Align3GR", "7 B parameters, as printed"),
            "ndcg@10": Known(0.0565, "EnsRec", "id and frozen-text model added, as printed"),
        },
    ),
    Measure("beauty", "Beauty: training, seconds", ("train_s",), digits=0),
    *_sequences("sports", "Sports", _small(0.0569, 0.0323), _small(0.0569, 0.0323)),
    *_sequences("toys", "Toys", _small(0.0970, 0.0580), _small(0.0970, 0.0580)),
    *_sequences("movielens", "MovieLens-100K", {}, {}),
    *_taobao(),
    *(
        Measure(
            "labels",
            f"Labels, {title}: {known.replace('_', ' ')}",
            ("labels", name, known, "encoder", "accuracy"),
        )
        for name, title in _LABELLED.items()
        for known in ("zero_shot", "8_shot", "full")
    ),
    Measure("serving", "three lists a second", ("three_lists", "rps"), _aim(120.0), digits=0),
    Measure("serving", "three lists, p99 ms", ("three_lists", "p99_ms"), _aim(60.0), digits=0),
    Measure("serving", "one list a second", ("one_list", "rps"), _aim(250.0), digits=0),
    Measure("serving", "events a second", ("events", "acknowledged_per_s"), _aim(3000.0), digits=0),
    Measure("serving", "event to list, p99 ms", ("freshness_ms", "p99"), _aim(20.0), digits=1),
    Measure("serving", "one worker, MB", ("rss_mb",), _aim(800.0), digits=0),
    Measure("serving", "events lost by kill -9", ("kill9", "lost"), digits=0),
    *(
        Measure(
            "peers",
            f"MovieLens-100K beside peers: {metric.replace('ndcg', 'NDCG')}",
            ("peers", "recprism", "test", metric),
            best_peer(metric),
        )
        for metric in PEER_METRICS
    ),
)
