"""Live events, impressions, people and keys: all that changes between two trainings."""

from recprism.store.erased import Erasures
from recprism.store.memory import MemoryStore
from recprism.store.mentions import PEOPLE
from recprism.store.opening import open_project_store, open_store, project_database
from recprism.store.records import (
    AddResult,
    ApiKey,
    Impression,
    Limit,
    Mark,
    Person,
    Rejection,
    Role,
    StoredItem,
    find_event_fault,
    find_id_fault,
    find_item_fault,
    find_person_fault,
)
from recprism.store.sql import SqlStore
from recprism.store.sqlite import SqliteFile
from recprism.store.store import EventStore, ItemStore, KeyStore, PeopleStore, ShowStore, Store

__all__ = [
    "PEOPLE",
    "AddResult",
    "ApiKey",
    "Erasures",
    "EventStore",
    "Impression",
    "ItemStore",
    "KeyStore",
    "Limit",
    "Mark",
    "MemoryStore",
    "PeopleStore",
    "Person",
    "Rejection",
    "Role",
    "ShowStore",
    "SqlStore",
    "SqliteFile",
    "Store",
    "StoredItem",
    "find_event_fault",
    "find_id_fault",
    "find_item_fault",
    "find_person_fault",
    "open_project_store",
    "open_store",
    "project_database",
]
