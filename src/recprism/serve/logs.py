"""One JSON object a line on standard error, without secrets.

The standard library's logging does all that a service needs here; another package would bring its
own ways into every process that only recommends. What looks like a key, or like the password in an
address, is masked wherever it comes from.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

_KEY = re.compile(r"rp_([0-9a-f]{1,12})_\w+")
_PASSWORD = re.compile(r"(\w://[^\s:/@]*):[^\s@]+@")
_BEARER = re.compile(r"(?i)(bearer\s+)\S+")
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def mask(text: str) -> str:
    """The text without keys and passwords."""
    return _BEARER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", _KEY.sub(r"rp_\1_***", text)))


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what came with it as `extra` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return mask(json.dumps(line, ensure_ascii=False, default=str))


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send everything that is logged in this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
