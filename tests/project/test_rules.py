"""Sections that are valid one by one but do not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from recprism.errors import ProjectError
from recprism.project import find_problems, load_project
from recprism.project.rules import RULES, labels_of, links_of

SHOP = """\
project: shop
items:
  things:
    source: things.csv
    id: thing
    text: name
    labels: {brand: maker}
  coupons:
    source: coupons.csv
    id: coupon
    rows: links
    offer: campaign
    links: {covers: {kind: things, column: thing}}
    audience: {source: mailed.csv, user: who, offer: campaign, window: {until: end}}
  ads:
    source: ads.csv
    id: thing
    rows: offers
    links: {promotes: {kind: things, column: thing}}
    available: {store: shop, period: {column: week, first: 2017-01-02, every: 7d}}
    placement: [place]
events:
  - {source: buys.csv, user: who, kind: things, item: thing, action: buy, time: day}
  - {source: used.csv, user: who, kind: coupons, item: coupon, action: use, time: day}
links:
  beside: {source: pairs.csv, from: {kind: ads, column: ad}, to: {kind: coupons, column: coupon}}
tasks:
  things: {recommend: things, goal: buy, diversity: 0.3}
  coupons: {recommend: coupons, goal: use, exclude: {brand: [x]}}
  ads: {recommend: ads, goal: buy, via: promotes, slots: {top: {when: {place: ["1"]}}}}
evaluate:
  things: {until: 2017-12-01}
"""


def test_a_shop_whose_parts_fit_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "recprism.yaml").write_text(SHOP)
    assert find_problems(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("{recommend: things,", "{recommend: thing,", 28, "no kind `thing` under `items`. Did you"),
        (
            "kind: things, column: thing}}\n    aud",
            "kind: x, column: thing}}\n    aud",
            13,
            "no kin",
        ),
        (
            "kind: things, item",
            "kind: wings, item",
            23,
            "`events[0].kind`: there is no kind `wings`",
        ),
        ("from: {kind: ads", "from: {kind: adds", 26, "`links.beside.from.kind`: there is no kind"),
        ("to: {kind: coupons", "to: {kind: coupon", 26, "`links.beside.to.kind`: there is no kind"),
        ("beside:", "promotes:", 26, "`items.ads.links` has a link `promotes` too"),
        (
            "via: promotes",
            "via: promote",
            30,
            "`ads` has no link `promote`. Did you mean `promotes",
        ),
        (
            "goal: buy, diversity",
            "goal: buy, score: by * 2, diversity",
            28,
            "`tasks.things.score`: there is no action and no number `by`. Did you mean `buy`?",
        ),
        (
            "goal: buy, diversity",
            "goal: buy, score: buy * price, diversity",
            28,
            "there is no action and no number `price`. Known names: `buy`.",
        ),
        (
            "goal: buy, diversity",
            "score: buy, diversity",
            28,
            "without a `goal` there is no probability to compute with",
        ),
        (
            "goal: use",
            "goal: use, score: 'use ** use[0]'",
            29,
            "`use[0]` is not allowed in a score",
        ),
        ("goal: buy, via: promotes", "via: promotes", 30, "without a `goal`, `via` means nothing"),
        (
            "goal: use",
            "goal: redeem",
            29,
            "records the action `redeem` on `coupons`. Known actions",
        ),
        ("goal: buy, via: promotes", "goal: buy", 30, "records the action `buy` on `ads`. Add an"),
        ('{place: ["1"]}', '{plaice: ["1"]}', 30, "`plaice` is no placement of `ads`. Did you"),
        ("exclude: {brand: [x]}", "exclude: {brnd: [x]}", 29, "`coupons` has no label `brnd`. Did"),
        (
            "diversity: 0.3",
            "diversity_by: color",
            28,
            "has no label `color`. Known labels: `brand`",
        ),
        ("    labels: {brand: maker}\n", "", 27, "`things` has no label to be diverse in"),
        (
            "evaluate:\n  things",
            "evaluate:\n  thing",
            32,
            "no task `thing`. Did you mean `things`?",
        ),
        (
            "things, goal: buy, div",
            "things, div",
            32,
            "the task `things` has no `goal` to judge by",
        ),
        ("    rows: links\n", "    rows: offers\n", None, ""),
        ("    links: {covers: {kind: things, column: thing}}\n", "", 11, "the kind has no `links`"),
        ("    offer: campaign\n", "", 13, "an audience belongs to an `offer`"),
        ("    rows: offers\n", "", 19, "only a kind with `rows: offers` has `available`"),
        ("    rows: offers\n", "", 20, "only a kind with `rows: offers` has `placement`"),
        (
            "window: {until: end}",
            "window: {inclusive: true}",
            14,
            "needs `from` or `until`, or both",
        ),
        (
            "{until: end}",
            "{source: c.csv, until: end}",
            14,
            "`c.csv` needs an `offer` column to be",
        ),
        ("text: name", "window: {source: w.csv, offer: o, from: f}", 6, "but the kind has none"),
        (
            "item: thing, act",
            "item: thing, offer: c, act",
            23,
            "`things` has no `offer` that these",
        ),
        ("things.csv", "sqlite:///shop.db", 4, "a database needs a `query`. Add `query: SELECT"),
        ("source: things.csv", "{0}", 5, "`items.things.query`: `things.csv` is a file, which has"),
        ("things.csv", "mysql://x/y", 4, "`mysql://` is no kind of source"),
        ("mailed.csv", "postgresql://x", 14, "this table must be a file"),
        (
            "text: name",
            "missing: {nam: drop, maker: drop}",
            6,
            "reads the column `nam`. Remove the",
        ),
        (
            "text: name",
            "missing: {makr: drop}",
            6,
            "reads the column `makr`. Did you mean `maker`?",
        ),
    ],
)
def test_each_clash_has_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    assert old in SHOP
    new = new.replace("{0}", "source: things.csv\n    query: SELECT 1")
    (tmp_path / "recprism.yaml").write_text(SHOP.replace(old, new, 1))
    found = find_problems(tmp_path)
    if line is None:
        assert found == []
        return
    assert any(p.line == line and message in str(p) for p in found), [str(p) for p in found]
    with pytest.raises(ProjectError, match=rf"recprism\.yaml:{found[0].line}: "):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("funnel", "place", "message"),
    [
        ("[vew, cart]", "[0]", "records the action `vew` on `things`. Did you mean `view`?"),
        ("[view, buy]", "[1]", "`buy` is the goal, to which the funnel leads. Remove it"),
        ("[view, cart, view]", "[2]", "`view` is in the funnel already. Remove one."),
    ],
)
def test_a_funnel_names_each_recorded_action_once(
    tmp_path: Path, funnel: str, place: str, message: str
) -> None:
    (tmp_path / "recprism.yaml").write_text(with_funnel(funnel))
    (problem,) = find_problems(tmp_path)
    assert message in str(problem)
    assert f"`tasks.things.funnel{place}`" in str(problem)


def test_a_funnel_of_recorded_actions_leads_to_the_goal(tmp_path: Path) -> None:
    (tmp_path / "recprism.yaml").write_text(with_funnel("[view, cart]"))
    assert find_problems(tmp_path) == []
    text = with_funnel("[view]").replace("goal: buy, funnel", "funnel")
    (tmp_path / "recprism.yaml").write_text(
        text.replace("evaluate:\n  things: {until: 2017-12-01}", "")
    )
    (problem,) = find_problems(tmp_path)
    assert "without a `goal`, there is nothing that a funnel leads to. Add `goal`" in str(problem)


def with_funnel(funnel: str) -> str:
    """The shop with views and carts of things, and a funnel to buying them."""
    buys = "  - {source: buys.csv, user: who, kind: things, item: thing, action: buy, time: day}\n"
    more = [buys.replace("action: buy", f"action: {action}") for action in ("view", "cart")]
    text = SHOP.replace(buys, buys + "".join(more))
    return text.replace("things, goal: buy,", f"things, goal: buy, funnel: {funnel},")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("{things: 2, ads: 0.5}", None),
        ("equal", None),
        ("uncertainty", None),
        ("{thing: 2}", "there is no task `thing`. Did you mean `things`?"),
        ("equl", "expected `equal` or `uncertainty` or a mapping, found `equl`"),
        ("{things: 0}", "`ranker.loss_weights.things`: expected a number above 0, found `0`"),
    ],
)
def test_loss_weights_name_tasks(tmp_path: Path, weights: str, message: str | None) -> None:
    text = SHOP + f"ranker: {{loss_weights: {weights}}}\n"
    (tmp_path / "recprism.yaml").write_text(text)
    found = [str(problem) for problem in find_problems(tmp_path)]
    assert [message in problem for problem in found if message] == [True] * bool(message)


def test_a_task_that_learns_nothing_has_no_loss_to_weigh(tmp_path: Path) -> None:
    text = SHOP.replace("goal: use, exclude", "exclude") + "ranker: {loss_weights: {coupons: 2}}\n"
    (tmp_path / "recprism.yaml").write_text(text)
    (problem,) = find_problems(tmp_path)
    assert "the task `coupons` has no `goal`, so nothing is learned for it" in str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "but neither `things` nor what it links to has `text`. Add a `goal`"),
        ("content: {encoder: none}\n", "`content.encoder` is `none`. Add a `goal`."),
    ],
)
def test_a_task_without_goal_needs_content(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "recprism.yaml").write_text(
        f"project: a\n{text}items:\n  things: {{source: a.csv, id: a}}\n"
        "tasks:\n  list: {recommend: things}\n"
    )
    (found,) = find_problems(tmp_path)
    assert message in str(found)


def test_text_of_a_linked_kind_is_content_enough(tmp_path: Path) -> None:
    (tmp_path / "recprism.yaml").write_text(
        "project: a\nitems:\n"
        "  things: {source: a.csv, id: a, text: name}\n"
        "  ads: {source: b.csv, id: b, links: {of: {kind: things, column: a}}}\n"
        "tasks:\n  list: {recommend: ads}\n"
    )
    assert find_problems(tmp_path) == []


def test_a_goal_is_not_questioned_when_actions_come_from_a_column(tmp_path: Path) -> None:
    text = SHOP.replace("action: use", "action_column: what").replace("goal: use", "goal: anything")
    (tmp_path / "recprism.yaml").write_text(text)
    assert find_problems(tmp_path) == []


def test_links_and_labels_of_a_kind_include_those_that_flow_to_it(tmp_path: Path) -> None:
    (tmp_path / "recprism.yaml").write_text(SHOP)
    spec = load_project(tmp_path).spec
    assert links_of(spec, "ads") == {"promotes": "things", "beside": "coupons"}
    assert labels_of(spec, "ads") == ["place", "brand"]


def test_links_in_a_circle_end() -> None:
    spec = load_project(Path(__file__).parents[2] / "src/recprism/project/templates/grocery").spec
    kinds = {
        kind: section.model_copy(
            update={"links": {"of": spec.items["coupons"].links["covers"]}, "labels": {}}
        )
        for kind, section in spec.items.items()
    }
    circle = spec.model_copy(update={"items": kinds})
    assert labels_of(circle, "products") == []
    assert all(list(rule(circle)) is not None for rule in RULES)


def test_a_score_may_use_numbers_of_the_kind_and_of_what_via_leads_to(tmp_path: Path) -> None:
    text = SHOP.replace("labels: {brand: maker}", "numbers: {margin: eur, buy: eur}")
    text = text.replace("diversity: 0.3", "score: buy * margin").replace(
        "exclude: {brand: [x]}", "score: use * margin"
    )
    text = text.replace("via: promotes", 'via: promotes, score: "buy * max(margin, 0)"')
    (tmp_path / "recprism.yaml").write_text(text)
    both = "`buy` is an action of the task and a number of its items. Give the number another name."
    assert [str(problem).split("score`: ")[1] for problem in find_problems(tmp_path)] == [
        both,
        "there is no action and no number `margin`. Known names: `use`.",
        both,
    ]
