"""The tables of a store, the same in SQLite and PostgreSQL, and how records become rows.

Moments are whole microseconds since 1970, naive as in the records. Ids are compared and ordered by
code points in both. `arrival` is never given twice (`AUTOINCREMENT`), because a training remembers
up to which one it learned. Whoever changes a table raises `SCHEMA_VERSION` and writes a migration.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    insert,
)
from sqlalchemy.engine import Connection

from recprism.records import Event
from recprism.store.records import (
    ApiKey,
    Impression,
    Person,
    StoredItem,
    read_event,
    read_item,
    write_item,
)
from recprism.store.store import Sound

SCHEMA_VERSION: Final = 4
IDENTITY: Final = "identity"
"""The row of `about` that tells a store from every other."""

_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)

metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_id = Text().with_variant(Text(collation="C"), "postgresql")

events = Table(
    "events",
    metadata,
    Column("arrival", _number, primary_key=True),
    Column("user", _id, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("key", Text, unique=True),
    Column("content", Text, nullable=False),
    Index("events_of", "user", "time", "arrival"),
    sqlite_autoincrement=True,
)
impressions = Table(
    "impressions",
    metadata,
    Column("arrival", _number, primary_key=True),
    Column("user", _id, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("slot", Text),
    Column("artifact", Text),
    Column("propensity", Float, nullable=False, server_default="1"),
    Column("experiment", Text),
    Column("arm", Text),
    Index("impressions_of", "user", "time", "arrival"),
)
people = Table(
    "people",
    metadata,
    Column("id", _id, primary_key=True),
    Column("traits", Text, nullable=False),
    Column("personalize", Boolean, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
items = Table(
    "items",
    metadata,
    Column("arrival", _number, primary_key=True),
    Column("kind", _id, nullable=False),
    Column("item", _id, nullable=False),
    Column("content", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Index("items_of", "kind", "item", unique=True),
    sqlite_autoincrement=True,
)
erasures = Table(
    "erasures",
    metadata,
    Column("digest", String, primary_key=True),
    Column("time", BigInteger, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("last_used", BigInteger),
    Column("revoked", BigInteger),
)
about = Table(
    "about",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)
schema_version = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)
"""Where Alembic keeps the number of the last migration."""


def make_tables(connection: Connection) -> None:
    """The tables of the newest version in an empty database; fails where one has such a name."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(about).values(name=IDENTITY, value=secrets.token_hex(16)))
    make_version_table(connection)
    connection.execute(insert(schema_version).values(version_num=str(SCHEMA_VERSION)))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def make_version_table(connection: Connection) -> None:
    """Alembic's table, empty."""
    schema_version.create(connection, checkfirst=False)


def to_us(moment: datetime) -> int:
    """A naive moment in microseconds."""
    return (moment - _EPOCH) // _US


def from_us(us: int) -> datetime:
    """The moment of some microseconds, naive."""
    return _EPOCH + us * _US


def event_row(one: Sound) -> dict[str, Any]:
    """A sound event as a row."""
    return {
        "user": one.event.user,
        "time": to_us(one.time),
        "key": one.event.idempotency_key,
        "content": one.content,
    }


def event_of(row: Row[Any]) -> Event:
    """The event of a row with `content`, `time` and `key`."""
    return read_event(row.content, from_us(row.time), row.key)


_SHOWN = (
    "user",
    "request_id",
    "task",
    "kind",
    "item",
    "position",
    "slot",
    "artifact",
    "propensity",
    "experiment",
    "arm",
)


def impression_row(shown: Impression) -> dict[str, Any]:
    """An impression as a row."""
    return {"time": to_us(shown.time), **{name: getattr(shown, name) for name in _SHOWN}}


def impression_of(row: Row[Any]) -> Impression:
    """The impression of a whole row, by place: asking a row by name takes five times as long."""
    _, user, time, request_id, task, kind, item, position, slot, artifact, *chance = tuple(row)
    propensity, experiment, arm = chance
    return Impression(
        user=user,
        time=from_us(time),
        request_id=request_id,
        task=task,
        kind=kind,
        item=item,
        position=position,
        slot=slot,
        artifact=artifact,
        propensity=propensity,
        experiment=experiment,
        arm=arm,
    )


def person_row(person: Person) -> dict[str, Any]:
    """A person as a row."""
    return {
        "id": person.id,
        "traits": json.dumps(dict(person.traits), ensure_ascii=False),
        "personalize": person.personalize,
        "changed": to_us(person.changed),
    }


def person_of(row: Row[Any]) -> Person:
    """The person of a row."""
    return Person(
        id=row.id,
        traits=json.loads(row.traits),
        personalize=bool(row.personalize),
        changed=from_us(row.changed),
    )


def item_row(item: StoredItem) -> dict[str, Any]:
    """An item as a row."""
    return {
        "kind": item.kind,
        "item": item.id,
        "content": write_item(item),
        "vector": item.vector,
        "changed": to_us(item.changed),
        "is_deleted": item.is_deleted,
    }


def item_of(row: Row[Any]) -> StoredItem:
    """The item of a row."""
    return read_item(
        row.content,
        kind=row.kind,
        id=row.item,
        vector=bytes(row.vector),
        changed=from_us(row.changed),
        is_deleted=bool(row.is_deleted),
    )


_KEY_MOMENTS = ("created", "last_used", "revoked")


def key_row(key: ApiKey) -> dict[str, Any]:
    """A key as a row."""
    moments = {name: getattr(key, name) for name in _KEY_MOMENTS}
    return {
        **{name: getattr(key, name) for name in ("id", "role", "digest", "name")},
        **{name: None if moment is None else to_us(moment) for name, moment in moments.items()},
    }


def key_of(row: Row[Any]) -> ApiKey:
    """The key of a row."""
    fields = dict(row._mapping)
    moments = {name: fields[name] for name in _KEY_MOMENTS}
    read = {name: None if us is None else from_us(us) for name, us in moments.items()}
    return ApiKey(**{**fields, **read})
