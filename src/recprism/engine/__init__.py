"""Online: an artifact and its store become lists, in milliseconds. Never imports torch."""

from recprism.engine.engine import Engine, open_engine
from recprism.engine.explanation import Explanation
from recprism.engine.later import FromLog, FromSources, FromStore, LaterEvents

__all__ = [
    "Engine",
    "Explanation",
    "FromLog",
    "FromSources",
    "FromStore",
    "LaterEvents",
    "open_engine",
]
