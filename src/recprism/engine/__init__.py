"""Online: an artifact and its store become lists, in milliseconds. Never imports torch."""

from recprism.engine.engine import Engine, new_request_id
from recprism.engine.explanation import Explanation
from recprism.engine.later import FromLog, FromSources, FromStore, LaterEvents
from recprism.engine.newcomers import labels_of
from recprism.engine.opening import edited, open_engine
from recprism.engine.putting import ItemSaid
from recprism.engine.watch import Watch

__all__ = [
    "Engine",
    "Explanation",
    "FromLog",
    "FromSources",
    "FromStore",
    "ItemSaid",
    "LaterEvents",
    "Watch",
    "edited",
    "labels_of",
    "new_request_id",
    "open_engine",
]
