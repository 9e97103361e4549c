"""Live events and impressions: the only thing that changes between two trainings."""

from recprism.store.memory import MemoryStore
from recprism.store.opening import open_store
from recprism.store.records import AddResult, Impression, Rejection, find_event_fault, find_id_fault
from recprism.store.sqlite import SqliteStore
from recprism.store.store import Store

__all__ = [
    "AddResult",
    "Impression",
    "MemoryStore",
    "Rejection",
    "SqliteStore",
    "Store",
    "find_event_fault",
    "find_id_fault",
    "open_store",
]
