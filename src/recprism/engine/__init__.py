"""Online: an artifact and its store become lists, in milliseconds. Never imports torch."""

from recprism.engine.engine import Engine, edited, new_request_id, open_engine
from recprism.engine.explanation import Explanation
from recprism.engine.later import FromLog, FromSources, FromStore, LaterEvents
from recprism.engine.watch import Watch

__all__ = [
    "Engine",
    "Explanation",
    "FromLog",
    "FromSources",
    "FromStore",
    "LaterEvents",
    "Watch",
    "edited",
    "new_request_id",
    "open_engine",
]
