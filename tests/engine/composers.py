"""Language models that put lists in order, for tests: they read the prompt as a real one would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.engine.contract import check_list, check_nothing_twice, ids

from recprism.llm import Complete, Door, Reply, Role
from recprism.llm.backend import Backend
from recprism.records import Answer
from recprism.testing.llms import EchoLLM

SIZES = {"products": 10, "coupons": 3, "ads": 6}
FIELDS = ("products.name", "products.department", "products.family", "history", "query")
AT = "2024-05-17T08:00"
ROLE = Role(model="m", deadline_s=5.0)
Lists = Mapping[str, Sequence[Mapping[str, Any]]]
"""The candidates of each list as the model reads them: `n`, `title`, `labels`, `because`."""


class Composes(EchoLLM):
    """Answers what `answer` makes of the lists; texts go out as they are, all else as JSON."""

    def __init__(self, answer: Callable[[Lists], Any]) -> None:
        super().__init__()
        self.answer = answer

    async def complete(self, request: Complete) -> Reply[str]:
        await self._hear(request)
        found = self.answer(lists_in(request))
        text = found if isinstance(found, str) else json.dumps(found)
        return Reply(value=text, tokens_in=10, tokens_out=5)


class Hangs(EchoLLM):
    """Answers after a minute."""

    async def complete(self, request: Complete) -> Reply[str]:
        await asyncio.sleep(60)
        return await super().complete(request)


def facts_in(request: Complete) -> dict[str, Any]:
    """The data of a prompt by name."""
    data = request.prompt.user.partition("<data>\n")[2].partition("\n</data>")[0]
    pairs = (line.partition(": ") for line in data.splitlines())
    return {json.loads(name): json.loads(value) for name, _, value in pairs}


def lists_in(request: Complete) -> Lists:
    found: Lists = facts_in(request)["lists"]
    return found


def ordered(
    key: Callable[[Mapping[str, Any]], Any], why: Callable[[Mapping[str, Any]], str] = lambda _: ""
) -> Callable[[Lists], Any]:
    """An answer with each list sorted by `key`, and `why` for a reason."""

    def answer(lists: Lists) -> Any:
        return {
            task: [{"n": one["n"], "why": why(one)} for one in sorted(entries, key=key)]
            for task, entries in lists.items()
        }

    return answer


def door_to(
    backend: Backend, role: Role = ROLE, roles: Iterable[str] = ("compose",), **settings: Any
) -> Door:
    wanted = {"fields": FIELDS, **settings}
    return Door(lambda _: backend, dict.fromkeys(roles, role), name="t", **wanted)


def by_title(entry: Mapping[str, Any]) -> str:
    return str(entry["title"])


def note(entry: Mapping[str, Any]) -> str:
    """The plain reason in words that the guard accepts."""
    return f"Just so you know: {entry['because']}" if "because" in entry else ""


def lists_of(answer: Answer) -> dict[str, list[str]]:
    return {task: ids(ranked) for task, ranked in answer.lists.items()}


def check_composed(answer: Answer, sizes: dict[str, int]) -> None:
    """What holds for a composed answer as for any other."""
    assert list(answer.lists) == list(sizes)
    for task, ranked in answer.lists.items():
        check_list(ranked, sizes[task])
    check_nothing_twice(answer)
    json.dumps(answer.to_dict(), allow_nan=False)


def asked(backend: EchoLLM) -> list[Complete]:
    found = [one for one in backend.asked if isinstance(one, Complete)]
    assert len(found) == len(backend.asked)
    return found
