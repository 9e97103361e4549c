"""The pictures of the report: Altair charts turned into SVG, so that the page needs no script.

Rendering happens here, while the report is written, with vl-convert (of the `train` extra): the
reader's browser shows plain SVG and fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from io import StringIO
from typing import Any

import altair as alt
import polars as pl

from recprism.errors import MissingExtra
from recprism.evaluate.results import TaskEvaluation

_WIDTH = 560
_COLORS = {
    "model": "#1b6e53",
    "single": "#7a9e3c",
    "personal": "#c2762b",
    "popular": "#8a8f98",
    "random": "#c5c9cf",
    "signal": "#6b8fb5",
}


def to_svg(chart: Any, name: str) -> str:
    """The chart as one `<svg>` element whose ids begin with `name`.

    The prefix keeps clip paths of several charts on one page apart. Raises `MissingExtra` without
    vl-convert.
    """
    if find_spec("vl_convert") is None:
        raise MissingExtra("train", "vl-convert-python", "Drawing the charts of the report")
    out = StringIO()
    chart.save(out, format="svg")
    svg = re.sub(r'\bid="', f'id="{name}-', out.getvalue())
    return re.sub(r"url\(#", f"url(#{name}-", svg)


def draw_rules(task: TaskEvaluation) -> Any:
    """The metric of the model, the yardstick, the baselines and each signal, with intervals."""
    rows = [
        {
            "rule": name.replace("signal:", "only "),
            "group": "signal" if name.startswith("signal:") else name,
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
        }
        for name, interval in task.rules.items()
        if interval.n
    ]
    order = [row["rule"] for row in rows]
    base = alt.Chart(_frame(rows)).encode(
        y=alt.Y("rule:N", sort=order, title=None),
        color=alt.Color("group:N", scale=_scale(list(_COLORS)), legend=None),
    )
    title = task.metric.upper()
    bars = base.mark_rule(strokeWidth=3).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=True)), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=80, opacity=1).encode(x="value:Q")
    return (bars + points).properties(width=_WIDTH, height=alt.Step(24))


def draw_calibration(task: TaskEvaluation) -> Any:
    """Observed rate against predicted probability, one point per bin of equal mass."""
    rows = [
        {"predicted": b.predicted, "observed": b.observed, "n": b.n} for b in task.calibration.bins
    ]
    most = max([0.01, *(max(b.predicted, b.observed) for b in task.calibration.bins)])
    scale, green = alt.Scale(domain=[0, most], nice=True), _COLORS["model"]
    ideal = (
        alt.Chart(_frame([{"at": 0.0}, {"at": most}]))
        .mark_line(strokeDash=[4, 4], color="#8a8f98")
        .encode(x=alt.X("at:Q", scale=scale), y=alt.Y("at:Q", scale=scale))
    )
    curve = (
        alt.Chart(_frame(rows))
        .mark_line(point=alt.OverlayMarkDef(size=50, color=green), color=green)
        .encode(
            x=alt.X("predicted:Q", title="predicted probability", scale=scale),
            y=alt.Y("observed:Q", title="came true", scale=scale),
        )
    )
    return (ideal + curve).properties(width=300, height=300)


def draw_history(task: TaskEvaluation) -> Any:
    """The metric by number of earlier events of the user, for the model and the simple rules."""
    rows = [
        {
            "history": f"{group} events",
            "rule": name,
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
        }
        for group, found in task.by_history.items()
        for name, interval in found.items()
        if interval.n
    ]
    groups = [f"{group} events" for group in task.by_history]
    shown = [name for name in _COLORS if any(row["rule"] == name for row in rows)]
    base = alt.Chart(_frame(rows)).encode(
        x=alt.X("history:N", sort=groups, title=None, axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("rule:N", sort=shown),
        color=alt.Color("rule:N", scale=_scale(shown), sort=shown, title=None),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=alt.Y("value:Q", title=task.metric.upper(), scale=alt.Scale(zero=True))
    )
    bars = base.mark_rule(strokeWidth=2).encode(y="low:Q", y2="high:Q")
    return (bars + points).properties(width=360, height=240)


def draw_gates(gates: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """The mean weight of each expert (columns, shared ones first) for each task and level."""
    rows = [
        {
            "task": task if len(levels) == 1 else f"{task}, layer {number}",
            "expert": expert,
            "weight": weight,
        }
        for task, levels in gates.items()
        for number, level in enumerate(levels, start=1)
        for expert, weight in level.items()
    ]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    experts = dict.fromkeys(str(row["expert"]) for row in rows)
    order = sorted(experts, key=lambda name: not name.startswith("shared "))
    base = alt.Chart(_frame(rows)).encode(
        x=alt.X("expert:N", sort=order, title=None, axis=alt.Axis(labelAngle=-40, orient="top")),
        y=alt.Y("task:N", sort=tasks, title=None),
    )
    scale = alt.Scale(domain=[0, 1], range=["#f2f7f5", _COLORS["model"]])
    cells = base.mark_rect().encode(color=alt.Color("weight:Q", scale=scale, legend=None))
    numbers = base.mark_text(fontSize=10).encode(
        text=alt.Text("weight:Q", format=".2f"),
        color=alt.condition("datum.weight > 0.5", alt.value("white"), alt.value("#1d2329")),
    )
    return (cells + numbers).properties(width=alt.Step(44), height=alt.Step(28))


def _frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows))


def _scale(names: Sequence[str]) -> Any:
    return alt.Scale(domain=list(names), range=[_COLORS[name] for name in names])
