"""Commands that ask a trained artifact, through the real application."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from recprism.artifact import MANIFEST, ArtifactShelf
from recprism.cli.app import app
from recprism.testing.shops import MILK, MILK_BUYER, MILK_COUPON, STRANGE_USER

pytestmark = pytest.mark.slow


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def document(*words: object) -> Any:
    """The one JSON document that a command writes to standard output."""
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def shelf_of(shop: Path) -> ArtifactShelf:
    return ArtifactShelf(shop / ".recprism" / "artifacts")


def test_recommend_answers_with_all_lists_and_reasons(trained_shop: Path) -> None:
    answer = document("recommend", trained_shop, "--user", MILK_BUYER)
    assert list(answer["lists"]) == ["products", "coupons", "ads"]
    assert answer["user"] == MILK_BUYER
    assert answer["artifact"] == shelf_of(trained_shop).current().name
    products = [item["id"] for item in answer["lists"]["products"]["items"]]
    assert len(products) == 10
    assert MILK in products
    assert [item["id"] for item in answer["lists"]["coupons"]["items"]][:1] == [MILK_COUPON]
    for ranked in answer["lists"].values():
        for item in ranked["items"]:
            assert item["reason"]["text"]
            assert sum(e["share"] for e in item["reason"]["evidence"]) == pytest.approx(1, abs=1e-4)


def test_recommend_shows_tables_to_people(trained_shop: Path) -> None:
    shown = run("recommend", trained_shop, "--user", MILK_BUYER).stdout
    assert f"Lists for `{MILK_BUYER}`" in shown
    assert "P(purchase)" in shown
    assert "whole milk (p01)" in shown


@pytest.mark.parametrize("user", [STRANGE_USER, "0012", "nobody-🦊", "'; DROP TABLE users; --"])
def test_any_user_id_gets_lists(trained_shop: Path, user: str) -> None:
    answer = document("recommend", trained_shop, "--user", user, "--task", "products")
    assert answer["user"] == user
    assert len(answer["lists"]["products"]["items"]) == 10


def test_nobody_in_particular_gets_the_cold_start_lists(trained_shop: Path) -> None:
    answer = document("recommend", trained_shop)
    assert (answer["user"], answer["cold"]) == (None, True)
    assert len(answer["lists"]["products"]["items"]) == 10
    assert answer["lists"]["coupons"]["items"] == []
    assert answer["lists"]["coupons"]["short_because"]


def test_options_reach_the_engine(trained_shop: Path) -> None:
    answer = document(
        *("recommend", trained_shop, "--user", MILK_BUYER, "--task", "ads", "--task", "products"),
        *("--size", 2, "--at", "2024-05-13T08:00+02:00", "--context", "store=2"),
        *("--query", "something to drink"),
    )
    assert list(answer["lists"]) == ["ads", "products"]
    assert answer["at"] == "2024-05-13T06:00:00"
    assert [len(ranked["items"]) for ranked in answer["lists"].values()] == [2, 2]


def test_many_users_come_one_document_a_line(trained_shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(
            [[MILK_BUYER, "2024-05-01"], ["nobody"], [STRANGE_USER], [MILK_BUYER]]
        )
    result = run(
        "recommend", trained_shop, "--users", file, "--task", "products", "--at", "2024-05-13"
    )
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["user"], line["at"]) for line in lines] == [
        (MILK_BUYER, "2024-05-01T00:00:00"),
        ("nobody", "2024-05-13T00:00:00"),
        (STRANGE_USER, "2024-05-13T00:00:00"),
        (MILK_BUYER, "2024-05-13T00:00:00"),
    ]
    alone = document(
        "recommend", trained_shop, "--user", MILK_BUYER, "--task", "products", "--at", "2024-05-01"
    )
    assert lines[0]["lists"] == alone["lists"]


def test_a_bad_row_stops_before_any_answer(trained_shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text(f"{MILK_BUYER}\n{MILK_BUYER},not-a-time\n")
    result = run("recommend", trained_shop, "--users", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file}:2: found the time 'not-a-time'" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--user", "mia", "--users", "x"], "one of them is needed"),
        (["--user", ""], "`--user`: an id must not be empty"),
        (["--user", "a\x00b"], "control character"),
        (["--user", "mia", "--task", "product"], "Did you mean `products`?"),
        (["--user", "mia", "--at", "tomorrow"], "`--at`: found `tomorrow`"),
        (["--user", "mia", "--context", "store"], "`--context`: found `store`"),
        (["--user", "mia", "--context", "=1"], "`--context`: found `=1`"),
        (["--user", "mia", "--context", "shop=1"], "shop"),
        (["--user", "mia", "--query", " "], "A query needs words"),
    ],
)
def test_a_mistake_is_one_sentence(trained_shop: Path, words: list[str], said: str) -> None:
    result = run("recommend", trained_shop, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_asking_leaves_no_trace(trained_shop: Path) -> None:
    before = sorted(str(path) for path in trained_shop.rglob("*"))
    document("recommend", trained_shop, "--user", MILK_BUYER)
    assert sorted(str(path) for path in trained_shop.rglob("*")) == before


def test_a_profile_is_a_document_and_a_card(trained_shop: Path) -> None:
    profile = document("profile", trained_shop, "--user", MILK_BUYER)
    assert profile["habits"]["purchase"]["gap_days"]
    card = run("profile", trained_shop, "--user", MILK_BUYER).stdout
    assert MILK_BUYER in card
    assert "purchase:" in card
    nobody = run("profile", trained_shop, "--user", "nobody", "--at", "2024-03-01")
    assert (nobody.exit_code, "2024-03-01" in nobody.stdout) == (0, True)


def test_an_explanation_says_what_would_change_it(trained_shop: Path) -> None:
    words = ["explain", trained_shop, "--user", MILK_BUYER, "--task", "products", "--item", MILK]
    explanation = document(*words)
    assert explanation["item"] == MILK
    assert explanation["rank"] >= 1
    assert explanation["changes"]
    shown = run(*words).stdout
    assert "place " in shown
    assert "without the event of" in shown


def test_an_item_off_the_list_is_explained_too(trained_shop: Path) -> None:
    words = ["explain", trained_shop, "--user", "u20", "--task", "coupons", "--item", MILK_COUPON]
    assert document(*words)["rank"] is None
    assert "not in the list" in run(*words).stdout


def test_similar_items_are_listed(trained_shop: Path) -> None:
    words = ["similar", trained_shop, "--kind", "products", "--item", MILK, "--size", 3]
    found = document(*words)
    assert (found["kind"], found["item"], len(found["items"])) == ("products", MILK, 3)
    assert MILK not in [near["id"] for near in found["items"]]
    assert found["items"][0]["title"] in run(*words).stdout


def test_a_text_is_classified(trained_shop: Path) -> None:
    words = ["classify", trained_shop, "--kind", "products", "--text", "fresh goat milk"]
    (item,) = document(*words)["items"]
    assert set(item["labels"]) == {"department", "family"}
    assert "department" in run(*words).stdout


def test_labels_are_proposed_and_doubts_listed(trained_shop: Path) -> None:
    words = ["classify", trained_shop, "--kind", "products"]
    found = document(*words, "--propose", 4)
    assert len(found["labels"]) == 4
    assert found["labels"][0]["examples"][0] in run(*words, "--propose", 4).stdout
    listed = document(*words)
    assert ("To look at:" in run(*words).stdout) == bool(listed["review"])
    both = run(*words, "--propose", 4, "--text", "milk")
    assert both.exit_code == 2
    assert "`--text` and `--propose` exclude each other" in both.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["similar", "--kind", "product", "--item", MILK], "Did you mean `products`?"),
        (["similar", "--kind", "products", "--item", "p99"], "p99"),
        (["explain", "--user", "mia", "--task", "ads", "--item", "p99"], "p99"),
        (["classify", "--kind", "nothing"], "nothing"),
    ],
)
def test_unknown_names_are_mistakes(trained_shop: Path, words: list[str], said: str) -> None:
    result = run(words[0], trained_shop, *words[1:])
    assert result.exit_code == 2
    assert said in result.stderr


def test_an_artifact_of_a_newer_version_is_refused(shop_copy: Path) -> None:
    path = shelf_of(shop_copy).current() / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    result = run("recommend", shop_copy, "--user", MILK_BUYER)
    assert result.exit_code == 2
    assert "format version 99" in result.stderr


def test_a_truncated_artifact_is_refused(shop_copy: Path) -> None:
    largest = max(shelf_of(shop_copy).current().iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    result = run("recommend", shop_copy, "--user", MILK_BUYER)
    assert result.exit_code == 2
    assert f"`{largest.name}` has" in result.stderr


def test_an_untrained_project_says_what_to_run(shop_copy: Path) -> None:
    for artifact in shelf_of(shop_copy).root.iterdir():
        artifact.rename(artifact.with_name(f".{artifact.name}"))
    result = run("recommend", shop_copy)
    assert result.exit_code == 2
    assert f"Run `recprism train {shop_copy}` first" in result.stderr


def test_a_dry_run_estimates_and_trains_nothing(shop_copy: Path) -> None:
    before = shelf_of(shop_copy).ids()
    plan = document("train", shop_copy, "--dry-run")
    assert (plan["users"], plan["llm_calls"]) == (40, 0)
    assert "seconds: train" in run("train", shop_copy, "--dry-run").stdout
    assert shelf_of(shop_copy).ids() == before


def test_a_project_without_goals_is_trained_and_evaluated(tmp_path: Path) -> None:
    wishes = tmp_path / "wishes"
    assert run("init", wishes, "--template", "text").exit_code == 0
    trained = document("train", wishes)
    assert "goal" in trained["training"]["note"]
    found = document("evaluate", wishes)
    assert (found["tasks"], list(found["skipped"])) == ({}, ["for_you"])
    assert (wishes / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "`for_you` was not measured" in run("evaluate", wishes).stdout
    shown = run("recommend", wishes)
    assert "score" in shown.stdout
    assert "P(" not in shown.stdout


def test_training_before_the_first_event_is_a_mistake(shop_copy: Path) -> None:
    result = run("train", shop_copy, "--until", "2001-01-01")
    assert result.exit_code == 2
    assert "No event lies before" in result.stderr


def train_in_a_process(shop: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "recprism", "train", str(shop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_kill_while_training_leaves_the_earlier_artifact_serving(shop_copy: Path) -> None:
    serving = shelf_of(shop_copy).current().name
    training = train_in_a_process(shop_copy)
    time.sleep(3.0)
    os.killpg(training.pid, signal.SIGKILL)
    training.communicate()
    assert shelf_of(shop_copy).current().name == serving
    assert document("recommend", shop_copy, "--user", MILK_BUYER)["artifact"] == serving


def test_a_disk_that_fills_while_training_leaves_the_earlier_artifact_serving(
    small_disk: Path,
) -> None:
    wishes = small_disk / "wishes"
    assert run("init", wishes, "--template", "text").exit_code == 0
    serving = document("train", wishes)["artifact"]
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 8192))
    result = run("train", wishes)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The disk filled" in result.stderr
    assert result.stderr.count("\n") == 1
    assert document("recommend", wishes)["artifact"] == serving
    (small_disk / "filler").unlink()
    assert document("train", wishes)["artifact"] != serving
