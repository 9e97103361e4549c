"""Projects with signals that train a transformer: what is kept of it, and data that is odd."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.data.small_project import write_project
from tests.engine.contract import check_answer

from recprism.cli.output import write
from recprism.cli.views.training import training_view
from recprism.engine import open_engine
from recprism.pipeline import Artifact, train
from recprism.store import MemoryStore

pytestmark = pytest.mark.slow

START = datetime(2024, 1, 1, 9)
ITEMS = "sku,name,shelf\nmilk,Milk 1 l,dairy\nbread,,bakery\ntea,Green tea,drinks\nnew,Black tea,\n"
GOODS = ("milk", "bread", "tea")
SMALL = {"use": True, "size": 8, "epochs": 2, "batch_size": 64}
Row = tuple[str, str, datetime]


def trained(folder: Path, rows: list[Row], items: str = ITEMS, **told: Any) -> Artifact:
    """A project with both transformers on, over a log of `rows`."""
    lines = [f"{user},{item},{time.isoformat()},1" for user, item, time in rows]
    project = write_project(
        folder,
        {"items.csv": items, "events.csv": "\n".join(["user,item,when,paid", *lines, ""])},
        signals={"sequence": SMALL, "text": SMALL},
        ranker={"hidden": [4], "epochs": 1, "embedding_size": 2},
    )
    return train(project, **told)


def weekly(n_users: int, weeks: int) -> list[Row]:
    return [
        (f"u{n}", GOODS[(n + week) % 3], START + timedelta(weeks=week, hours=n))
        for week in range(weeks)
        for n in range(n_users)
    ]


def test_training_tells_of_both_signals_and_keeps_their_accounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    artifact = trained(tmp_path, weekly(8, 8), progress=lambda stage, _: told.append(stage))
    assert {"train sequence", "train text"} <= set(told)
    accounts = artifact.training["signals"]
    assert set(accounts) == {"sequence", "text"}
    for account in accounts.values():
        assert len(account["ndcg@10"]) == 3
        assert account["positions"] > 0
    write(*training_view(artifact.training, []))
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("sequence", "text", "best pass"))
    engine = open_engine(tmp_path, store=MemoryStore())
    assert engine.model.training["signals"] == accounts
    for user in ("u0", "nobody", None):
        check_answer(engine.recommend(user), {"goods": 10})


TWO = "sku,name,shelf\nmilk,Milk 1 l,dairy\nbread,Bread,bakery\n"


@pytest.mark.parametrize(
    ("rows", "items"),
    [
        pytest.param([("ann", "milk", START)], ITEMS, id="a user with one event"),
        pytest.param([(f"u{n}", "milk", START) for n in range(6)], ITEMS, id="one event each"),
        pytest.param(
            [(f"u{n}", item, START) for n in range(6) for item in GOODS],
            ITEMS,
            id="all at one time",
        ),
        pytest.param(
            [(f"u{n}", ("milk", "bread")[n % 2], START + timedelta(days=n)) for n in range(60)],
            TWO,
            id="two items",
        ),
        pytest.param(
            [("ann", GOODS[n % 3], START + timedelta(hours=n)) for n in range(10_000)],
            ITEMS,
            id="ten thousand events of one user",
        ),
        pytest.param(
            weekly(4, 6), "sku,name,shelf\nmilk,,\nbread,,\ntea,,\nnew,,\n", id="no item has a text"
        ),
    ],
)
def test_little_or_odd_data_is_enough_for_an_answer(
    tmp_path: Path, rows: list[Row], items: str
) -> None:
    artifact = trained(tmp_path, rows, items)
    assert set(artifact.training["signals"]) == {"sequence", "text"}
    engine = open_engine(tmp_path, store=MemoryStore())
    for user in (rows[0][0], "nobody", None):
        answer = engine.recommend(user)
        check_answer(answer, {"goods": 10})
        check_answer(engine.recommend(user, context={"viewing": "goods/bread"}), {"goods": 10})
