"""The conformance kit of stores: subclass `StoreKit`, say how to make one, and run pytest.

class TestMyStore(StoreKit):
    def make(self, folder: Path) -> Store:
        return MyStore(folder / "live")
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recprism.records import Answer, Event, Evidence, RankedItem, RankedList, Reason
from recprism.store import Store

NOW = datetime(2017, 12, 1, 12, 0)


def an_event(user: str = "u1", item: str = "milk", **others: Any) -> Event:
    """A sound event; `others` are fields of `Event`."""
    fields = {"kind": "products", "action": "purchase", "user": user, "item": item, **others}
    return Event(**fields)


def an_answer(user: str | None, items: list[str]) -> Answer:
    """An answer with one list, `products`, of `items`."""
    reason = Reason(text="Popular.", language="en", evidence=(Evidence(signal="trend", share=1.0),))
    ranked = tuple(
        RankedItem(id=i, title=i, labels={}, score=0.5, probability={}, reason=reason, slot="front")
        for i in items
    )
    return Answer(
        request_id="r1",
        user=user,
        at=NOW,
        cold=False,
        artifact="a1",
        took_ms=1.0,
        lists={"shop": RankedList(task="shop", kind="products", goal=None, items=ranked)},
    )


class StoreKit:
    """What every store must do. `make` gives an empty one; what it needs lies under `folder`."""

    def make(self, folder: Path) -> Store:
        """A store without events."""
        raise TypeError(f"{type(self).__name__} must define `make(folder)`; got {folder}")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = self.make(tmp_path)
        yield store
        store.close()

    def test_an_unknown_user_has_no_events(self, store: Store) -> None:
        assert store.events_of("nobody") == []

    def test_an_event_comes_back_as_it_went_in(self, store: Store) -> None:
        event = an_event(
            user='Zoë "the 🦊" O\'Hara',
            time=NOW - timedelta(days=3, microseconds=7),
            value=2.5,
            session="s1",
            context={"store": "367", "aisle": "b"},
            offer="18",
            request_id="r1",
            slot="front",
            idempotency_key="k1",
        )
        assert store.add_events([event], NOW).accepted == 1
        assert store.events_of(event.user) == [event]

    def test_an_event_without_time_happened_now(self, store: Store) -> None:
        store.add_events([an_event()], NOW)
        assert [e.time for e in store.events_of("u1")] == [NOW]

    def test_events_come_by_time_and_ties_by_arrival(self, store: Store) -> None:
        hours = [3, 1, 2, 1]
        store.add_events(
            [an_event(item=f"i{n}", time=NOW - timedelta(hours=h)) for n, h in enumerate(hours)],
            NOW,
        )
        assert [e.item for e in store.events_of("u1")] == ["i0", "i2", "i1", "i3"]

    def test_users_do_not_see_each_other(self, store: Store) -> None:
        store.add_events([an_event("u1"), an_event("u2", "bread")], NOW)
        assert [e.item for e in store.events_of("u2")] == ["bread"]

    def test_the_same_event_twice_counts_twice_without_a_key(self, store: Store) -> None:
        assert store.add_events([an_event(), an_event()], NOW).accepted == 2
        assert len(store.events_of("u1")) == 2

    def test_a_repeated_key_counts_once_also_later(self, store: Store) -> None:
        event = an_event(idempotency_key="k1")
        first = store.add_events([event, event], NOW)
        later = store.add_events([event], NOW + timedelta(hours=1))
        assert (first.accepted, first.duplicates, later.duplicates) == (1, 1, 1)
        assert [e.time for e in store.events_of("u1")] == [NOW]

    def test_a_repeated_key_with_other_content_is_rejected(self, store: Store) -> None:
        store.add_events([an_event(idempotency_key="k1")], NOW)
        result = store.add_events(
            [an_event(item="bread"), an_event(item="eggs", idempotency_key="k1")], NOW
        )
        assert result.accepted == 1
        assert [(r.index, "`k1` was used before" in r.error) for r in result.rejected] == [
            (1, True)
        ]
        assert [e.item for e in store.events_of("u1")] == ["milk", "bread"]

    def test_a_faulty_event_does_not_take_the_batch_with_it(self, store: Store) -> None:
        batch = [an_event(user=""), an_event(), an_event(time=NOW + timedelta(minutes=6))]
        result = store.add_events(batch, NOW)
        assert result.accepted == 1
        assert [r.index for r in result.rejected] == [0, 2]

    def test_an_event_slightly_ahead_of_now_is_kept(self, store: Store) -> None:
        ahead = an_event(time=NOW + timedelta(minutes=4))
        assert store.add_events([ahead], NOW).accepted == 1

    def test_impressions_are_remembered_in_order(self, store: Store) -> None:
        store.record_impressions(an_answer("u1", ["milk", "bread"]), NOW)
        shown = store.impressions_of("u1", NOW)
        assert [(i.task, i.kind, i.item, i.position, i.slot) for i in shown] == [
            ("shop", "products", "milk", 0, "front"),
            ("shop", "products", "bread", 1, "front"),
        ]
        assert store.impressions_of("u1", NOW + timedelta(seconds=1)) == []

    def test_an_answer_without_user_leaves_no_impression(self, store: Store) -> None:
        store.record_impressions(an_answer(None, ["milk"]), NOW)
        assert store.impressions_of("", datetime(1970, 1, 1)) == []

    def test_threads_lose_nothing(self, store: Store) -> None:
        def write(name: str) -> None:
            for number in range(20):
                store.add_events([an_event(name, f"i{number}")], NOW)

        threads = [threading.Thread(target=write, args=(f"t{n % 2}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(store.events_of(user)) for user in ("t0", "t1")] == [40, 40]

    def test_closing_twice_is_fine(self, store: Store) -> None:
        store.close()
        store.close()
