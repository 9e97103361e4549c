"""A real llama.cpp model of some kilobytes, and a real server with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recprism.testing.tiny_gguf import write_tiny_gguf

KEY = "a-key-of-the-test"


@dataclass(frozen=True)
class Running:
    """A server of llama.cpp on this machine."""

    base_url: str
    model: str


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny-chat.gguf")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model: without a chat template."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "base.gguf", with_template=False)


def start_server(path: Path, *, embedding: bool = False) -> Iterator[Running]:
    """llama.cpp's own server, which speaks OpenAI's protocol, locked with `KEY`."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(path), {"tiny"}
    params.n_ctx, params.n_parallel, params.kv_unified = 4096, 4, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup, params.ui, params.verbosity = False, False, -1
    if embedding:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.api_keys = [KEY]
    server = xllamacpp.Server(params)
    server.handle_completions({"prompt": "a", "n_predict": 1})
    yield Running(f"{server.listening_address}/v1", "tiny")
    del server


@pytest.fixture(scope="session")
def running(tiny_chat: Path) -> Iterator[Running]:
    """A server that chats."""
    yield from start_server(tiny_chat)


@pytest.fixture(scope="session")
def embedding(tiny_chat: Path) -> Iterator[Running]:
    """A server that embeds."""
    yield from start_server(tiny_chat, embedding=True)
