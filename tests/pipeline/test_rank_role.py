"""Projects with the role `rank`: what training asks, what it costs, and what happens without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.contract import check_answer

from recprism.artifact import read_arrays
from recprism.cli.output import write
from recprism.cli.views.training import training_view
from recprism.engine import open_engine
from recprism.llm.ledger import Ledger
from recprism.llm.opening import LEDGER
from recprism.pipeline import Artifact, plan, train
from recprism.project import load_project
from recprism.store import MemoryStore
from recprism.testing.tiny_gguf import write_tiny_gguf

pytestmark = pytest.mark.slow
LLM = """
llm:
  backend: embedded
  model: tiny.gguf
  fields: [products.name]
  prices: {tiny.gguf: {input: 2.0, output: 4.0}}
  roles: {rank: ROLE}
"""


def with_role(folder: Path, role: str = "on", users: int = 14) -> Path:
    file = folder / "recprism.yaml"
    text = file.read_text(encoding="utf-8").partition("\nllm:")[0]
    text = text.replace("\nranker:", f"\nsignals: {{llm: {{users: {users}, items: 4}}}}\n\nranker:")
    file.write_text(text + LLM.replace("ROLE", role), encoding="utf-8")
    return folder


def calls(folder: Path) -> list[dict[str, Any]]:
    ledger = Ledger(folder / LEDGER)
    found = ledger.calls()
    ledger.close()
    return found


def snapshot_of(artifact: Artifact) -> dict[str, Any]:
    return dict(read_arrays(artifact.path / "snapshot.safetensors"))


def check_lists(folder: Path) -> None:
    engine = open_engine(folder, store=MemoryStore())
    for user in ("mia", "nobody", None):
        answer = engine.recommend(user)
        assert answer.to_dict()["llm"] == "off"
        check_answer(answer, {"products": 10, "coupons": 3, "ads": 6})


def test_a_model_is_asked_in_training_and_never_for_a_list(
    shop_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    write_tiny_gguf(shop_copy / "tiny.gguf")
    project = load_project(with_role(shop_copy))
    reckoned = plan(project)
    artifact = train(project)
    account = artifact.training["signals"]["llm"]
    assert account["asked"] == account["wanted"] > 0
    assert account["why"] == ""
    asked = [call for call in calls(shop_copy) if call["state"] == "used"]
    assert {call["role"] for call in asked} == {"rank"}
    assert {tuple(call["fields"]) for call in asked} == {("products.name",)}
    assert len(asked) <= reckoned["llm_calls"]
    assert sum(c["tokens_in"] + c["tokens_out"] for c in asked) <= 3 * reckoned["llm_tokens"]
    assert reckoned["llm_cost"] > 0
    write(*training_view(artifact.training, []))
    assert "The language model was asked about" in capsys.readouterr().out
    check_lists(shop_copy)
    before = [call for call in calls(shop_copy) if call["state"] == "used"]
    shutil.rmtree(shop_copy / ".recprism" / "cache")
    again = train(load_project(shop_copy))
    assert [call for call in calls(shop_copy) if call["state"] == "used"] == before
    one, two = snapshot_of(artifact), snapshot_of(again)
    for name in one:
        if name.startswith("llm/") and not name.endswith("account"):
            np.testing.assert_array_equal(one[name], two[name])


def test_without_weights_lists_are_as_before_and_the_reason_is_told(shop_copy: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    artifact = train(load_project(with_role(shop_copy)))
    account = artifact.training["signals"]["llm"]
    assert account["asked"] == 0
    assert "There are no weights at" in account["why"]
    check_lists(shop_copy)
    write_tiny_gguf(shop_copy / "tiny.gguf")
    later = train(load_project(shop_copy))
    assert later.training["signals"]["llm"]["asked"] > 0


def test_a_budget_is_kept_and_reckoned_with(shop_copy: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    write_tiny_gguf(shop_copy / "tiny.gguf")
    project = load_project(with_role(shop_copy, "{budget: {calls: 20}, deadline: 10s}"))
    assert plan(project)["llm_calls"] == 20
    artifact = train(project)
    assert len(calls(shop_copy)) <= 20 + sum(c["state"] == "cached" for c in calls(shop_copy))
    assert "budget of the role `rank` is spent" in artifact.training["signals"]["llm"]["why"]
    check_lists(shop_copy)


def test_with_the_role_off_nothing_is_asked_or_reckoned(shop_copy: Path) -> None:
    project = load_project(with_role(shop_copy, "off"))
    assert plan(project)["llm_calls"] == 0
    assert "llm" not in json.dumps(train(project).training.get("signals", {}))
    assert not (shop_copy / LEDGER).exists()
