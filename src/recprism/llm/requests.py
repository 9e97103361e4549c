"""What may be asked of a language model, and what comes back: frozen records.

A request knows which method of a backend answers it, its texts (so that they can be redacted and
counted) and how its value is read back from the cache.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

from recprism.errors import UsageError

if TYPE_CHECKING:
    from recprism.llm.backend import Backend

T = TypeVar("T")
State = Literal["used", "off", "deadline", "budget", "unavailable"]
STATES: tuple[State, ...] = ("unavailable", "deadline", "budget", "used", "off")
"""Most telling first: what went wrong, and most of all what a person must mend, before what went
well."""
BYTES_PER_TOKEN = 3
"""A cautious guess for estimates; English text has about four bytes per token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model reads. `fields` names the fields of the data inside, for the audit log."""

    user: str
    system: str = ""
    fields: tuple[str, ...] = ()

    def map(self, change: Callable[[str], str]) -> Prompt:
        """The prompt with `change` applied to what did not come from us."""
        return replace(self, user=change(self.user))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[T]):
    """A backend's answer: its value, the tokens read and written, and the time it took."""

    value: T
    tokens_in: int = 0
    tokens_out: int = 0
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """How asking ended. `value` is there exactly when `state` is `used`; `why` explains the rest.

    `state` is what an answer's `llm` says. `cached` means that no model was asked.
    """

    state: State
    value: T | None = None
    why: str = ""
    cached: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    took_ms: float = 0.0
    cost: float = 0.0


def most_telling(states: Iterable[State]) -> State:
    """What one answer says of all that was asked for it: the first of `STATES` among `states`.

    So `used` means that every call was answered, and `off` that none was made.
    """
    return min(states, key=STATES.index, default="off")


class Request(ABC, Generic[T]):
    """Something to ask; `T` is the type of its value."""

    __slots__ = ()

    @abstractmethod
    async def send(self, backend: Backend) -> Reply[T]:
        """The backend's answer."""

    @abstractmethod
    def map(self, change: Callable[[str], str]) -> Self:
        """The request with `change` applied to every text that comes from data."""

    @abstractmethod
    def read(self, value: Any) -> T:
        """The value from what `json` gives back of it."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the data in it."""
        return ()

    @property
    def tokens_out(self) -> int:
        """The most tokens that the answer may have."""
        return 0

    def estimate(self) -> tuple[int, int]:
        """About how many tokens will be read, and at most how many written."""
        text = json.dumps(content_of(self), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return math.ceil(len(text) / BYTES_PER_TOKEN), self.tokens_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete(Request[str]):
    """Text that follows the prompt; with a `schema` it is one JSON document.

    The JSON is well formed; whether its content makes sense is for the caller to check.
    """

    prompt: Prompt
    max_tokens: int = 128
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.0
    stop: tuple[str, ...] = ()

    async def send(self, backend: Backend) -> Reply[str]:
        return await backend.complete(self)

    def map(self, change: Callable[[str], str]) -> Complete:
        return replace(
            self, prompt=self.prompt.map(change), schema=_change_texts(self.schema, change)
        )

    def read(self, value: Any) -> str:
        return str(value)

    @property
    def fields(self) -> tuple[str, ...]:
        return self.prompt.fields

    @property
    def tokens_out(self) -> int:
        return self.max_tokens


def _change_texts(node: Any, change: Callable[[str], str]) -> Any:
    """A JSON document with `change` applied to every text in it: options may come from data."""
    if isinstance(node, str):
        return change(node)
    if isinstance(node, Mapping):
        return {name: _change_texts(value, change) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [_change_texts(value, change) for value in node]
    return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The option taken, by its place, and the options' probabilities where the backend has them.

    Probabilities sum to one over the options; they are not calibrated.
    """

    index: int
    probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Request[Choice]):
    """One of the options, never anything else. Raises `UsageError` for fewer than two.

    `neutral` is the same question about nothing. A backend with likelihoods takes off what an
    option has there, so that common words do not win by being common (domain-conditional PMI,
    Holtzman et al. 2021, "Surface Form Competition"); others do not read it.
    """

    prompt: Prompt
    options: tuple[str, ...]
    neutral: Prompt | None = None

    def __post_init__(self) -> None:
        if len(self.options) < 2 or "" in self.options:
            raise UsageError(f"A choice needs two options with text, found {len(self.options)}.")

    async def send(self, backend: Backend) -> Reply[Choice]:
        return await backend.choose(self)

    def map(self, change: Callable[[str], str]) -> Choose:
        options = tuple(map(change, self.options))
        neutral = None if self.neutral is None else self.neutral.map(change)
        return replace(self, prompt=self.prompt.map(change), options=options, neutral=neutral)

    def read(self, value: Any) -> Choice:
        found = value["probabilities"]
        return Choice(
            index=value["index"], probabilities=None if found is None else tuple(map(float, found))
        )

    @property
    def fields(self) -> tuple[str, ...]:
        return self.prompt.fields

    @property
    def tokens_out(self) -> int:
        return sum(len(option.encode()) for option in self.options) // BYTES_PER_TOKEN + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Request[tuple[float, ...]]):
    """The log-likelihood (natural, summed over tokens) of each continuation of the prompt."""

    prompt: Prompt
    continuations: tuple[str, ...]

    async def send(self, backend: Backend) -> Reply[tuple[float, ...]]:
        return await backend.score(self)

    def map(self, change: Callable[[str], str]) -> Score:
        texts = tuple(map(change, self.continuations))
        return replace(self, prompt=self.prompt.map(change), continuations=texts)

    def read(self, value: Any) -> tuple[float, ...]:
        return tuple(map(float, value))

    @property
    def fields(self) -> tuple[str, ...]:
        return self.prompt.fields

    @property
    def tokens_out(self) -> int:
        return sum(len(text.encode()) for text in self.continuations) // BYTES_PER_TOKEN + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed(Request[tuple[tuple[float, ...], ...]]):
    """One vector per text, all of one length."""

    texts: tuple[str, ...]
    of: tuple[str, ...] = field(default=())
    """The fields that the texts came from, for the audit log."""

    async def send(self, backend: Backend) -> Reply[tuple[tuple[float, ...], ...]]:
        return await backend.embed(self)

    def map(self, change: Callable[[str], str]) -> Embed:
        return replace(self, texts=tuple(map(change, self.texts)))

    def read(self, value: Any) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(map(float, row)) for row in value)

    @property
    def fields(self) -> tuple[str, ...]:
        return self.of


def content_of(request: Request[Any]) -> dict[str, Any]:
    """Everything that decides the answer, as JSON values."""
    return {"kind": type(request).__name__.lower(), **asdict(request)}  # type: ignore[call-overload]


def hash_text(*parts: object) -> str:
    """SHA-256 of the parts as JSON, in hexadecimal digits."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return sha256(text.encode()).hexdigest()
