"""One self-contained HTML page about an evaluation. It works offline: no scripts, nothing fetched.

In comes an `Evaluation`, out goes a file. Every text from the data or the project file is escaped.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from recprism.errors import watch_disk
from recprism.evaluate.bootstrap import Interval
from recprism.evaluate.charts import (
    draw_calibration,
    draw_gates,
    draw_history,
    draw_rules,
    to_svg,
)
from recprism.evaluate.results import Evaluation, Sample, TaskEvaluation, say_sharing
from recprism.evaluate.verdict import show

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2329; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-bottom: .4rem; }
.verdict { border-left: 4px solid #1b6e53; padding: .4rem .8rem; background: #f2f7f5; }
.note { color: #4a5158; }
table { border-collapse: collapse; font-size: .92rem; margin: .6rem 0; }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #e1e5e8;
         vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: .5rem 0; overflow-x: auto; } figcaption { font-size: .9rem; color: #4a5158; }
li small { color: #4a5158; } .true { color: #1b6e53; font-weight: 600; }
"""


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the page to `path`, replacing what was there in one step.

    Raises `MissingExtra` without vl-convert, `DiskFull` when there is no room; what was there
    before then stays.
    """
    page = render_report(evaluation)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with watch_disk(path):
            beside.write_text(page, encoding="utf-8")
            os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def render_report(evaluation: Evaluation) -> str:
    """The page as text."""
    name = escape(evaluation.project)
    parts = [
        f"<h1>{name}: evaluation</h1>",
        *(f'<p class="note">{escape(line)}</p>' for line in evaluation.note.splitlines() if line),
        *(_task(task, number) for number, task in enumerate(evaluation.tasks.values())),
        _sharing(evaluation),
        _composing(evaluation),
        _skipped(evaluation.skipped),
        _samples(evaluation.samples),
        _circumstances(evaluation),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: evaluation</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _task(task: TaskEvaluation, number: int) -> str:
    name = f"chart{number}"
    when = "on each day of an event from" if task.by_event else "at"
    times = ", ".join(time.isoformat(sep=" ") for time in task.until)
    charts = []
    if task.rules["model"].n:
        charts = [
            _figure(
                to_svg(draw_rules(task), f"{name}a"),
                f"{task.metric.upper()} with 95 % intervals, users drawn with all their lists",
            ),
            _figure(
                to_svg(draw_history(task), f"{name}b"),
                "By how many events the user had before the list",
            ),
        ]
    if task.calibration.n:
        trust = task.calibration
        caption = (
            f"Calibration: error {trust.error:.4f}, Brier score {trust.brier:.4f}, "
            f"{trust.n:,} shown items; asked were {trust.population}"
        )
        charts.append(_figure(to_svg(draw_calibration(task), f"{name}c"), caption))
    return "\n".join(
        [
            f"<h2>{escape(task.task)}</h2>",
            f'<p class="verdict">{escape(task.verdict)}</p>',
            f"<p>Trained on what was known before {times}; lists asked {when} {times}.</p>",
            _rules(task),
            _by_until(task),
            f'<div class="charts">{"".join(charts)}</div>',
            _further(task),
        ]
    )


def _rules(task: TaskEvaluation) -> str:
    rows = []
    for name, interval in task.rules.items():
        gap = task.against.get(name)
        difference = "" if gap is None else _interval(gap, signed=True)
        rows.append([escape(name), _interval(interval), difference])
    return _table(["", task.metric.upper(), "model minus this"], rows)


def _by_until(task: TaskEvaluation) -> str:
    if len(task.by_until) < 2:
        return ""
    names = list(next(iter(task.by_until.values())))
    rows = [
        [time.isoformat(sep=" "), *(_interval(found[name]) for name in names)]
        for time, found in task.by_until.items()
    ]
    return _table(["until", *map(escape, names)], rows)


def _further(task: TaskEvaluation) -> str:
    beyond, ms = task.beyond, task.ms
    rows = [
        [escape(name.replace("_", " ")), _interval(interval)]
        for name, interval in task.also.items()
    ]
    shares = {
        "coverage (share of the items that are shown at all)": beyond.coverage,
        "diversity (share of pairs in a list with different labels)": beyond.diversity,
        "popularity bias (share of places for the most popular 1 %)": beyond.popular_share,
        "Gini index of places over items": beyond.gini,
    }
    rows += [[label, _number(value)] for label, value in shares.items()]
    rows += [
        ["novelty in bits (mean self-information)", _number(beyond.novelty_bits)],
        ["empty lists, short lists", f"{beyond.empty:,}, {beyond.short:,} of {task.asked:,}"],
        [
            "milliseconds per list: mean, median, 99th percentile",
            ", ".join(_number(ms[key]) for key in ("mean", "p50", "p99")),
        ],
    ]
    return "<h3>Also</h3>" + _table(["", "value"], rows)


def _sharing(evaluation: Evaluation) -> str:
    """What learning together does to each task, and which expert serves which."""
    gaps = {
        name: (task, gap)
        for name, task in evaluation.tasks.items()
        if (gap := task.sharing) is not None
    }
    parts = []
    if gaps:
        rows = [
            [
                escape(name),
                escape(task.metric.upper()),
                *(_interval(task.rules[rule]) for rule in ("model", "single")),
                _interval(gap, signed=True),
                f"learning together {say_sharing(gap)}",
            ]
            for name, (task, gap) in gaps.items()
        ]
        head = ["task", "metric", "together", "each task alone", "difference", "so"]
        parts.append(_table(head, rows))
    if evaluation.gates:
        caption = (
            f"Which expert serves which task: mean weight that each task's gate of "
            f"`{evaluation.architecture}` gives to an expert on validation lists"
        )
        parts.append(_figure(to_svg(draw_gates(evaluation.gates), "gates"), caption))
    return "\n".join(["<h2>Does learning together help?</h2>", *parts]) if parts else ""


def _composing(evaluation: Evaluation) -> str:
    """What a language model's order does to each task, and how often it came in time."""
    rows = [
        [
            escape(name),
            escape(task.metric.upper()),
            _interval(found.own),
            _interval(found.composed),
            _interval(found.difference, signed=True),
            f"composing {found.verdict}",
            f"{found.ordered:,} of {found.own.n:,} lists",
            escape(", ".join(f"{state}: {n:,}" for state, n in found.states.items())),
            _number(found.ms),
        ]
        for name, task in evaluation.tasks.items()
        if (found := task.composition) is not None
    ]
    if not rows:
        return ""
    head = ["task", "metric", "the ranker's order", "the language model's", "difference", "so"]
    head += ["ordered by it", "asking ended", "ms per list"]
    note = (
        '<p class="note">The same lists, drawn at random among those with something to find, as '
        "they would be served: what the model did not order in time counts in the ranker's order. "
        "Nothing was chosen by these numbers.</p>"
    )
    title = "<h2>Does a language model's order help?</h2>"
    return "\n".join([title, note, _table(head, rows)])


def _skipped(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return ""
    rows = [[escape(task), escape(reason)] for task, reason in skipped.items()]
    return "<h2>Not measured</h2>" + _table(["task", "because"], rows)


def _samples(samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    return "<h2>Lists of sample users</h2>\n" + "\n".join(_sample(sample) for sample in samples)


def _sample(sample: Sample) -> str:
    lists = []
    for task, ranked in sample.answer["lists"].items():
        true = set(sample.came_true.get(task, ()))
        items = "".join(_item(item, item["id"] in true) for item in ranked["items"])
        because = ranked.get("short_because")
        remark = f'<p class="note">{escape(because)}</p>' if because else ""
        lists.append(f"<h4>{escape(task)}</h4><ol>{items}</ol>{remark}")
    at = escape(str(sample.answer["at"]))
    return f"<h3>User {escape(sample.user)}, as of {at}</h3>" + "".join(lists)


def _item(item: Mapping[str, Any], is_true: bool) -> str:
    mark = ' <span class="true">✓ came true</span>' if is_true else ""
    slot = f" · slot {escape(item['slot'])}" if item.get("slot") else ""
    reason = escape(item["reason"]["text"])
    return f"<li>{escape(item['title'])}{mark}{slot}<br><small>{reason}</small></li>"


def _circumstances(evaluation: Evaluation) -> str:
    rows = [[f"{escape(k)}", escape(str(v))] for k, v in evaluation.machine.items() if v]
    rows += [[f"seed: {escape(k)}", str(v)] for k, v in evaluation.seeds.items()]
    rows += [[escape(k.replace("_", " ")), f"{v:,}"] for k, v in evaluation.sizes.items()]
    rows += [[f"seconds: {escape(k)}", f"{v:.1f}"] for k, v in evaluation.seconds.items()]
    rows.append(["peak memory in MB", _number(evaluation.peak_mb)])
    return "<h2>Measured on</h2>" + _table(["", ""], rows)


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are ready HTML; all but the first column are numbers."""
    names = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(
        "<tr>"
        + f"<td>{first}</td>"
        + "".join(f'<td class="number">{cell}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _interval(interval: Interval, *, signed: bool = False) -> str:
    return show(interval, signed=signed) if interval.n else "–"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.3f}"
