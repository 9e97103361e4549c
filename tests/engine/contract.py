"""What holds for every answer, whoever asks for what."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest

from recprism.explain import ItemFacts, check
from recprism.records import Answer, RankedItem, RankedList

ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def check_answer(answer: Answer, sizes: dict[str, int]) -> None:
    """All rules of an answer that need no knowledge of the data; `sizes` are those asked for."""
    assert ULID.fullmatch(answer.request_id)
    assert answer.took_ms > 0
    assert answer.llm == "off"
    assert list(answer.lists) == list(sizes)
    for task, ranked in answer.lists.items():
        assert ranked.task == task
        check_list(ranked, sizes[task])
    check_nothing_twice(answer)
    json.dumps(answer.to_dict(), allow_nan=False)


def check_list(ranked: RankedList, size: int) -> None:
    assert len(ranked.items) <= size
    assert (ranked.short_because is not None) == (len(ranked.items) < size)
    scores = [item.score for item in ranked.items]
    assert all(math.isfinite(score) for score in scores)
    assert all(one >= next_one for one, next_one in pairwise(scores))
    for item in ranked.items:
        check_item(item, ranked)


def check_item(item: RankedItem, ranked: RankedList) -> None:
    assert item.id
    assert item.title
    assert set(item.probability) == (set() if ranked.goal is None else {ranked.goal})
    assert all(0 <= p <= 1 for p in item.probability.values())
    evidence = item.reason.evidence
    assert evidence
    assert math.fsum(e.share for e in evidence) == pytest.approx(1)
    assert [e.share for e in evidence] == sorted((e.share for e in evidence), reverse=True)
    assert len({e.signal for e in evidence}) == len(evidence)
    assert item.reason.text
    facts = ItemFacts(item.title, ranked.kind, item.labels)
    assert check(item.reason.text, evidence, facts, item.reason.language) == (), item.reason


def check_nothing_twice(answer: Answer) -> None:
    """No (kind, id) twice; in the shop an ad is its product, so no product beside its ad either."""
    shown = [(ranked.kind, item.id) for ranked in answer.lists.values() for item in ranked.items]
    assert len(shown) == len(set(shown))
    stands_for = [
        item.id
        for ranked in answer.lists.values()
        if ranked.kind in ("products", "ads")
        for item in ranked.items
    ]
    assert len(stands_for) == len(set(stands_for))


def ids(ranked: RankedList | Iterable[RankedItem]) -> list[str]:
    items = ranked.items if isinstance(ranked, RankedList) else ranked
    return [item.id for item in items]
