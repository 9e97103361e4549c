"""A TIME on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from recprism.errors import UsageError


def parse_time(text: str, option: str = "--at") -> datetime:
    """The moment that an ISO 8601 text names, naive, on the clock of the sources.

    Without a zone it is taken as it stands, with one it is turned into UTC. Raises `UsageError`.
    """
    try:
        time = datetime.fromisoformat(text)
        return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(
            f"`{option}`: found `{text}`, a time such as `2017-12-01` or `2017-12-01T05:00` "
            "is needed."
        ) from None
