"""A real llama.cpp model of some kilobytes, and a real server with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.llm.servers import Running, start_server

from recprism.testing.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny-chat.gguf")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model: without a chat template."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "base.gguf", with_template=False)


@pytest.fixture(scope="session")
def running(tiny_chat: Path) -> Iterator[Running]:
    """A server that chats."""
    yield from start_server(tiny_chat)


@pytest.fixture(scope="session")
def embedding(tiny_chat: Path) -> Iterator[Running]:
    """A server that embeds."""
    yield from start_server(tiny_chat, embedding=True)
