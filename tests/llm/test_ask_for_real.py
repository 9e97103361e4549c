"""The smallest project asked for a book, with real llama.cpp in process and behind a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.llm.servers import KEY, Running

from recprism.engine import open_engine
from recprism.pipeline import train
from recprism.project import load_project
from recprism.project.templates import write_template
from recprism.store import MemoryStore

WISH = "我想买一本关于机器学习的书"
ROLES = "  roles: {ask: {deadline: 60s}}\n  fields: [query]\n"


@pytest.fixture
def wishes(tmp_path: Path) -> Path:
    folder = tmp_path / "wishes"
    write_template("text", folder)
    train(load_project(folder))
    return folder


def books(folder: Path, llm: str) -> None:
    """Whatever the model says (it knows no language), the books come first."""
    with (folder / "recprism.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nllm:\n{llm}{ROLES}")
    with open_engine(folder, store=MemoryStore()) as engine:
        answer = engine.recommend(None, query=WISH)
    assert answer.llm in ("used", "unavailable")
    found = [item.title for item in answer.lists["for_you"].items]
    assert found[0] in ("深度学习实战", "Python编程入门到实践")


def test_the_embedded_model_reads_a_wish(wishes: Path, tiny_chat: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    books(wishes, f"  backend: embedded\n  model: {tiny_chat}\n")


def test_a_server_reads_a_wish(
    wishes: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai", reason="needs the extra `llm`")
    monkeypatch.setenv("MY_KEY", KEY)
    address = f"  base_url: {running.base_url}\n  key_env: MY_KEY\n"
    books(wishes, f"  backend: openai\n  model: {running.model}\n{address}")
