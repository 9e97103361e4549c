"""Values that a project file may hold, read from text, and what all of its sections share."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictFloat,
    WithJsonSchema,
    model_validator,
)

from recprism.project.expression import parse_expression

_DURATION = re.compile(r"^(\d+)\s*(s|min|h|d|w)$")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$")
MAX_DURATION = timedelta(days=3660)


def parse_duration(text: object) -> timedelta:
    """A span of time from text such as `30min`, `12h`, `7d` or `2w`, ten years at most.

    Raises ValueError for anything else.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.match(str(text).strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"`{text}` is no duration; write a number and a unit, such as `7d` or `12h`"
        )
    try:
        span = timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        span = timedelta.max
    if span > MAX_DURATION:
        raise ValueError(f"`{text}` is too long; a duration has at most ten years")
    return span


def format_duration(span: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `span`."""
    seconds = int(span.total_seconds())
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % size == 0 and not (unit == "w" and seconds == 604_800):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_moment(text: object) -> datetime:
    """A moment on the clock of the sources, from `2017-12-01` or `2017-12-01T05:00`.

    Raises ValueError for anything else, times with a zone included: sources have no zone either.
    """
    if isinstance(text, datetime) and text.tzinfo is None:
        return text
    written = str(text).strip()
    if _MOMENT.match(written) is None:
        zoned = re.match(r"\d{4}-\d\d-\d\d.*:.*(Z|[+-]\d\d:?\d\d)$", written)
        why = (
            "has a zone; write it on the clock of the sources" if zoned else "is no time; write it"
        )
        raise ValueError(f"`{text}` {why}, such as `2017-12-01` or `2017-12-01T05:00`")
    try:
        return datetime.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f"`{text}` is no time: {error}") from error


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(
            f"`{name}` is no IANA time zone; write one such as `Europe/Berlin` or `UTC`"
        )
    return name


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _values(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _moments(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _number_as_text(value: object) -> object:
    """Values to compare with are text; accept a whole number without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _expression(text: str) -> str:
    parse_expression(text)
    return text


def _on_off(value: object) -> object:
    """YAML 1.2 reads `on` as text; accept it beside true and false."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


def _one_or_many_of(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a value, or a list of such."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ *(s|min|h|d|w)$"}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "pattern": _MOMENT.pattern}),
]
Moments = Annotated[
    list[Moment],
    BeforeValidator(_moments),
    Field(min_length=1),
    WithJsonSchema(_one_or_many_of({"type": "string", "pattern": _MOMENT.pattern})),
]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
Columns = Annotated[
    list[str],
    BeforeValidator(_one_or_many),
    WithJsonSchema(_one_or_many_of({"type": "string"})),
]
Value = Annotated[
    str,
    BeforeValidator(_number_as_text),
    WithJsonSchema({"type": ["string", "integer"]}),
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Action = Annotated[str, Field(pattern=r"^\S(.{0,61}\S)?$")]
Switch = Annotated[
    bool, BeforeValidator(_on_off), WithJsonSchema({"enum": ["on", "off", True, False]})
]
Values = Annotated[
    list[Value],
    BeforeValidator(_values),
    WithJsonSchema(_one_or_many_of({"type": ["string", "integer"]})),
]
Score = Annotated[str, AfterValidator(_expression)]
LossWeight = Annotated[StrictFloat, Field(gt=0)]
MissingRule = Literal["drop", "impute", "mark"]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
        allow_inf_nan=False,
        str_min_length=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_keys(cls, values: Any) -> Any:
        """A key written without anything under it counts as absent."""
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values
