"""llama.cpp's own server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

KEY = "a-key-of-the-test"


@dataclass(frozen=True)
class Running:
    """A server of llama.cpp on this machine."""

    base_url: str
    model: str


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
