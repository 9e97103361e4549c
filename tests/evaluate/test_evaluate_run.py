"""A whole evaluation of a real, simple recommender on the small shop."""

from __future__ import annotations

import json
from datetime import datetime
from math import log2

import pytest
from tests.evaluate.popular_engine import TASKS, FitPopular, shop_project
from tests.evaluate.small_shop import ROWS, Row, day, micros, shop

from recprism.errors import UnknownName
from recprism.evaluate.protocol import HoldOut
from recprism.evaluate.results import Evaluation
from recprism.evaluate.run import Settings, evaluate

HOLD_OUTS = {
    "products": {"until": [day(21)], "k": 3},
    "coupons": {"until": [day(20)], "at": "events", "k": 2},
    "ads": {"until": [day(21), day(22)], "k": 2},
}


def run(fit: FitPopular | None = None, settings: Settings | None = None) -> Evaluation:
    project = shop_project(evaluate=HOLD_OUTS)
    return evaluate(project, shop(), fit or FitPopular(), settings)


def test_one_artifact_serves_all_tasks_held_out_at_its_time_and_single_likewise() -> None:
    fit = FitPopular()
    run(fit)
    moments = [day(20), day(21), day(22)]
    assert fit.trained == [(at, how) for at in moments for how in (None, "single")]


def test_the_model_that_is_the_popular_rule_scores_like_it() -> None:
    found = run().tasks["products"]
    # milk 3, tea 3, bread 1: ann finds milk first, bob tea second, dot's eggs are fourth.
    ann, bob = 1 / (1 + 1 / log2(3)), 1 / log2(3)
    assert found.rules["model"].value == pytest.approx((ann + bob + 0) / 3)
    assert found.metric == "ndcg@3"
    # The rule's ties count as random order: milk and tea share ranks 1 and 2.
    mean = (1 + 1 / log2(3)) / 2
    tied = (mean / (1 + 1 / log2(3)) + mean) / 3
    assert found.rules["popular"].value == pytest.approx(tied)
    assert found.rules["signal:trend"].value == found.rules["model"].value
    assert found.best_signal == "repeat"


def test_weeks_count_alike_and_sessions_are_pooled() -> None:
    found = run()
    ads, coupons = found.tasks["ads"], found.tasks["coupons"]
    assert ads.until == [day(21), day(22)]
    assert (coupons.by_event, coupons.rules["model"].n) == (True, 2)
    assert {time: rows["model"].n for time, rows in ads.by_until.items()} == {
        day(21): 2,
        day(22): 2,
    }
    # Day 21: ann (milk, ham) and bob (tea) both perfect; day 22 the same.
    assert ads.rules["model"].value == pytest.approx(1.0)


def test_users_without_a_hit_are_asked_for_calibration_only() -> None:
    found = run().tasks["products"]
    assert found.asked == 4
    assert found.rules["model"].n == 3
    assert found.calibration.n == 4 * 3
    assert found.calibration.population == "all users seen before, at 1 moment"


def test_probabilities_of_tasks_by_event_are_judged_at_moments_that_no_event_chose() -> None:
    found = run().tasks["coupons"].calibration
    # Only ann and bob can be shown anything on day 20, two coupons each; they redeem none then.
    assert found.n == 4
    assert found.population == "all users seen before, at 1 moment"
    assert [b.observed for b in found.bins] == [0.0] * len(found.bins)


def test_history_groups_hold_the_users_of_that_many_events() -> None:
    groups = run().tasks["products"].by_history
    assert {name: rows["model"].n for name, rows in groups.items()} == {
        "0": 1,
        "1-3": 1,
        "4-10": 1,
        "11+": 0,
    }


def test_lists_are_described_beyond_accuracy() -> None:
    found = run().tasks["products"].beyond
    assert found.coverage == pytest.approx(3 / 5)
    assert found.diversity == pytest.approx(1.0)
    assert found.popular_share == pytest.approx(1 / 3)
    assert (found.empty, found.short) == (0, 0)
    ads = run().tasks["ads"].beyond
    assert ads.short == 2


def test_paired_differences_are_model_minus_rule() -> None:
    found = run().tasks["products"]
    expected = found.rules["model"].value - found.rules["personal"].value
    assert found.against["personal"].value == pytest.approx(expected)
    assert set(found.against) == {
        "single",
        "random",
        "popular",
        "personal",
        "signal:trend",
        "signal:repeat",
    }


def test_the_result_is_json_with_the_agreed_keys() -> None:
    found = json.loads(json.dumps(run().to_dict(), allow_nan=False))
    task = found["tasks"]["products"]
    assert list(task)[:7] == ["kind", "metric", "until", "at", "asked", "model", "single"]
    assert set(task["model"]) == {"value", "low", "high", "n", "users"}
    assert set(task["baselines"]) == {"random", "popular", "personal"}
    assert set(task["signals"]) == {"trend", "repeat"}
    assert found["sizes"] == {
        "users": 4,
        "items_products": 5,
        "items_coupons": 2,
        "items_ads": 3,
        "events": 15,
    }
    assert found["seeds"]["draws"] == 1000
    assert set(found["seconds"]) >= {"total", "train", "ask", "baselines"}
    assert found["peak_mb"] > 1
    assert found["machine"]["python"]


def test_samples_are_users_with_hits_and_say_what_came_true() -> None:
    samples = run().samples
    assert [sample.user for sample in samples] == ["ann", "bob"]
    assert samples[0].came_true["ads"] == ["ham", "milk"]
    assert samples[0].answer["lists"]["ads"]["items"][0]["reason"]["text"]


def test_only_the_chosen_tasks_are_evaluated_and_single_can_be_left_out() -> None:
    fit = FitPopular()
    found = run(fit, Settings(tasks=["products"], single=False))
    assert list(found.tasks) == ["products"]
    assert fit.trained == [(day(21), None)]
    assert "single" not in found.tasks["products"].rules


def test_a_given_hold_out_replaces_the_written_one() -> None:
    other = HoldOut("products", (micros(23),), False, 1)
    found = run(None, Settings(tasks=["products"], hold_outs={"products": other}))
    assert found.tasks["products"].until == [day(23)]
    assert found.tasks["products"].k == 1


def test_tasks_without_goal_or_without_hits_are_skipped_with_the_reason() -> None:
    tasks = TASKS | {"alike": {"recommend": "products"}}
    rows: list[Row] = [row for row in ROWS if row[1] == "products"]
    found = evaluate(shop_project(tasks=tasks), shop(rows), FitPopular())
    assert set(found.tasks) == {"products", "ads"}
    assert found.skipped["alike"] == "it has no goal, so there is nothing to find"
    assert "no event reaches its goal" in found.skipped["coupons"]


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UnknownName, match="no task `poducts`"):
        run(None, Settings(tasks=["poducts"]))


def test_progress_tells_what_is_done_and_how_much_is_left() -> None:
    told: list[tuple[str, float]] = []
    evaluate(
        shop_project(evaluate=HOLD_OUTS),
        shop(),
        FitPopular(),
        Settings(tasks=["products"], single=False),
        progress=lambda what, part: told.append((what, part)),
    )
    assert told[0] == (f"training `shared-bottom` until {datetime(2020, 1, 22).isoformat()}", 0.0)
    assert told[-1] == ("asking `products`", 1.0)


def test_a_lone_task_has_no_single_yardstick() -> None:
    fit = FitPopular()
    evaluate(shop_project(tasks={"products": TASKS["products"]}), shop(), fit)
    assert [how for _, how in fit.trained] == [None]


def test_a_hold_out_that_nobody_reaches_says_so() -> None:
    late = HoldOut("coupons", (micros(39),), True, 2)
    found = run(None, Settings(tasks=["coupons"], hold_outs={"coupons": late}))
    assert "no hit to find" in found.tasks["coupons"].verdict
    json.dumps(found.to_dict(), allow_nan=False)
