"""Whole answers from real llama.cpp, in process and behind a server, by a model that knows nothing.

The weights are random, so the order is chance; what must hold is that it parses and keeps the
rules.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.llm.servers import KEY, Running

from recprism.engine import open_engine
from recprism.store import MemoryStore

SIZE = 2


def compose(shop: Path, llm: str) -> None:
    """Lists of the right length, nothing twice, whatever the model writes."""
    more = "  roles: {compose: {deadline: 2min}}\n  fields: [products.name, history]\n"
    with (shop / "recprism.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nllm:\n{llm}{more}")
    with open_engine(shop, store=MemoryStore()) as engine:
        plain = engine.recommend("mia", ["products"], size=3 * SIZE, explain=False)
        answer = engine.recommend("mia", ["products"], size=SIZE, explain=False)
    assert answer.llm == "used"
    ranked = answer.lists["products"]
    assert ranked.composed
    found = [item.id for item in ranked.items]
    assert len(found) == len(set(found)) == SIZE
    assert set(found) <= {item.id for item in plain.lists["products"].items}


def test_the_embedded_model_orders_a_list(shop_copy: Path, tiny_chat: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    compose(shop_copy, f"  backend: embedded\n  model: {tiny_chat}\n")


def test_a_server_orders_a_list(
    shop_copy: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai", reason="needs the extra `llm`")
    monkeypatch.setenv("MY_KEY", KEY)
    address = f"  base_url: {running.base_url}\n  key_env: MY_KEY\n"
    compose(shop_copy, f"  backend: openai\n  model: {running.model}\n{address}")
