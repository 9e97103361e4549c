"""A disk that fills or is taken away: an honest status, and everything acknowledged stays."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from tests.serve.conftest import Make, error_of

from recprism.engine import open_engine
from recprism.serve import recorder as recorder_module
from recprism.serve.metrics import Metrics
from recprism.serve.recorder import Recorder
from recprism.store import MemoryStore, open_store
from recprism.testing.shops import MILK, MILK_BUYER

NOW = datetime(2026, 1, 1)
EVENT = {"user": "u05", "kind": "products", "item": MILK, "action": "purchase"}


def test_a_full_disk_refuses_events_and_goes_on_when_there_is_room(
    make_client: Make, small_disk: Path
) -> None:
    store = open_store(None, small_disk / "store.sqlite")
    client = make_client(kept_in=store)
    acknowledged = 0
    filler = small_disk / "filler"
    assert client.post("/v1/events", json=EVENT).status_code == 202
    free = os.statvfs(small_disk)
    filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    for _ in range(200):
        response = client.post("/v1/events", json=[EVENT] * 50)
        if response.status_code != 202:
            break
        acknowledged += 50
    assert response.status_code == 503
    assert error_of(response)["code"] == "disk-full"
    assert response.headers["retry-after"] == "1"
    assert client.post("/v1/lists", json={"user": MILK_BUYER}).status_code == 200
    filler.unlink()
    assert client.post("/v1/events", json=EVENT).status_code == 202
    assert len(store.events_of("u05")) == acknowledged + 2


def test_what_a_full_disk_cannot_record_is_recorded_when_there_is_room(
    trained_shop: Path, small_disk: Path
) -> None:
    store = open_store(None, small_disk / "store.sqlite")
    answer = open_engine(trained_shop, store=MemoryStore()).recommend("u05")
    recorder = Recorder(store, Metrics())
    free = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    recorder.put(answer, NOW)
    recorder.flush()
    (small_disk / "filler").unlink()
    recorder.flush()
    shown = sum(len(ranked.items) for ranked in answer.lists.values())
    assert len(store.impressions_of("u05", NOW)) == shown
    recorder.flush()
    assert len(store.impressions_of("u05", NOW)) == shown


def test_a_store_that_takes_nothing_does_not_fill_the_memory(
    trained_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MOST", 40)
    answer = open_engine(trained_shop, store=MemoryStore()).recommend("u05", ["products"])
    store, metrics = MemoryStore(), Metrics()
    recorder = Recorder(store, metrics)
    for _ in range(6):
        recorder.put(answer, NOW)
    assert b"recprism_impressions_lost_total 20.0" in metrics.page()
    recorder.flush()
    assert len(store.impressions_of("u05", NOW)) == 40
