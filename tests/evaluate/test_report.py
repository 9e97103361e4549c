"""The report is one page that needs nothing but itself."""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.evaluate.popular_engine import FitPopular, shop_project
from tests.evaluate.small_shop import day, shop

from recprism.errors import DiskFull, MissingExtra
from recprism.evaluate import charts
from recprism.evaluate.report import render_report, write_report
from recprism.evaluate.results import Evaluation, say_sharing
from recprism.evaluate.run import Settings, evaluate
from recprism.project import Project

_VOID = {"meta", "br", "img", "hr", "input", "link"}


class Page(HTMLParser):
    """Checks nesting and collects tags and every attribute that could fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "data", "action"}:
                self.fetched.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    hold_outs = {
        "products": {"until": [day(21)], "k": 3},
        "coupons": {"until": [day(20)], "at": "events", "k": 2},
        "ads": {"until": [day(21)], "k": 2},
    }
    return evaluate(shop_project(evaluate=hold_outs), shop(), FitPopular())


@pytest.fixture(scope="module")
def page(evaluation: Evaluation) -> str:
    return render_report(evaluation)


def test_the_page_is_well_formed_and_fetches_nothing(page: str) -> None:
    found = Page()
    found.feed(page)
    assert found.open == []
    assert found.fetched == []
    assert not found.tags & {"script", "link", "iframe", "object", "img"}
    assert "@import" not in page
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {f"#{name}" for name in found.ids}
    addresses = set(re.findall(r"https?://[^\"'\s<]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_of_several_charts_do_not_clash(page: str) -> None:
    found = Page()
    found.feed(page)
    assert len(found.ids) == len(set(found.ids))


def test_every_task_has_its_verdict_table_and_three_charts(
    page: str, evaluation: Evaluation
) -> None:
    assert page.count("<svg") == 9
    for task in evaluation.tasks.values():
        assert f"<h2>{task.task}</h2>" in page
        assert task.metric.upper() in page
    assert page.count('class="verdict"') == 3
    assert "signal:trend" in page


def test_sample_lists_show_escaped_reasons_and_what_came_true(page: str) -> None:
    assert "User ann, as of 2020-01-22T00:00:00" in page
    assert "Many bought &lt;this&gt; &amp; more." in page
    assert "✓ came true" in page


def test_the_page_says_whether_learning_together_helps(page: str, evaluation: Evaluation) -> None:
    assert "Does learning together help?" in page
    for task in evaluation.tasks.values():
        assert task.sharing is not None
        assert f"learning together {say_sharing(task.sharing)}</td>" in page
    alone = {
        name: replace(task, against={k: v for k, v in task.against.items() if k != "single"})
        for name, task in evaluation.tasks.items()
    }
    assert "Does learning together" not in render_report(replace(evaluation, tasks=alone))


def test_gates_are_drawn_for_every_task_and_layer(evaluation: Evaluation) -> None:
    level = {"products 1": 0.25, "shared 1": 0.75}
    gates = {"products": [level, level], "<ads>": [{"<ads> 1": 0.125, "shared 1": 0.875}] * 2}
    page = render_report(replace(evaluation, gates=gates, architecture="ple"))
    found = Page()
    found.feed(page)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert page.count("<svg") == 10
    assert "gate of `ple` gives to an expert" in page
    for text in ("products, layer 2", "&lt;ads&gt;, layer 1", "shared 1", "0.75", "0.13"):
        assert text in page
    document = replace(evaluation, gates=gates, architecture="ple").to_dict()
    assert document["gates"]["products"][0] == level
    assert document["architecture"] == "ple"


def test_machine_seeds_and_sizes_are_shown(page: str, evaluation: Evaluation) -> None:
    assert str(evaluation.machine["python"]) in page
    assert "seed: evaluate" in page
    assert "items products" in page


def test_the_opening_comment_of_the_project_file_is_quoted(tmp_path: Path) -> None:
    file = tmp_path / "recprism.yaml"
    file.write_text('# A shop.\n#\n# "Simulated" <data>.\nproject: shop\n# later\n', "utf-8")
    plain = shop_project()
    project = Project(tmp_path, file, plain.spec, plain.hash)
    found = evaluate(project, shop(), FitPopular(), Settings(tasks=["products"], single=False))
    assert found.note == 'A shop.\n\n"Simulated" <data>.'
    page = render_report(found)
    assert '<p class="note">&quot;Simulated&quot; &lt;data&gt;.</p>' in page
    assert "later" not in page


def test_tasks_that_could_not_be_measured_say_why(evaluation: Evaluation) -> None:
    page = render_report(replace(evaluation, tasks={}, samples=[], skipped={"x": "no <goal>"}))
    assert '<td>x</td><td class="number">no &lt;goal&gt;</td>' in page
    assert "sample users" not in page


def test_writing_replaces_the_page_and_leaves_nothing_beside_it(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", encoding="utf-8")
    write_report(replace(evaluation, tasks={}), target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_full_disk_leaves_the_old_page(evaluation: Evaluation, small_disk: Path) -> None:
    target = small_disk / "report.html"
    target.write_text("old", encoding="utf-8")
    room = shutil.disk_usage(small_disk).free - 16_384
    (small_disk / "filler").write_bytes(bytes(room))
    long = replace(evaluation, tasks={}, note="word " * 20_000)
    with pytest.raises(DiskFull, match=r"report\.html"):
        write_report(long, target)
    assert target.read_text(encoding="utf-8") == "old"
    assert {path.name for path in small_disk.iterdir()} == {"report.html", "filler"}


def test_without_the_chart_renderer_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, evaluation: Evaluation
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        charts, "find_spec", lambda name: None if name == "vl_convert" else find(name)
    )
    with pytest.raises(MissingExtra, match=r"`vl-convert-python`.*recprism\[train\]"):
        render_report(evaluation)
