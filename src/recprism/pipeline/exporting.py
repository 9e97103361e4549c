"""Everything that a project holds about one person, to hand over."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from recprism.data.held import rows_about
from recprism.engine import Engine
from recprism.errors import UsageError
from recprism.project import Project
from recprism.records import Event
from recprism.store import Impression, find_id_fault

EARLIEST = datetime(1970, 1, 1)


def export_person(project: Project, engine: Engine, user: str) -> dict[str, Any]:
    """All data about `user` as a JSON-able document.

    `sources` has the rows of the project's tables as they are, `person` what was said online,
    `events` and `impressions` what the store holds, `profile` what was derived. Somebody unknown
    has empty parts. Raises `UsageError` for what cannot be an id, `DataError` for a source that
    cannot be read.
    """
    fault = find_id_fault(user)
    if fault is not None:
        raise UsageError(f"Nobody can have this id: {fault}.")
    person = engine.store.person(user)
    return {
        "user": user,
        "sources": [
            {
                "section": held.section,
                "source": held.source,
                "rows": json.loads(held.rows.write_json()),
            }
            for held in rows_about(project, user)
        ],
        "person": None
        if person is None
        else {
            "traits": dict(person.traits),
            "personalize": person.personalize,
            "changed": person.changed.isoformat(),
        },
        "events": [_event(event) for event in engine.store.events_of(user)],
        "impressions": [_impression(one) for one in engine.store.impressions_of(user, EARLIEST)],
        "profile": engine.profile(user).to_dict(),
    }


def _event(event: Event) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in Event.__dataclass_fields__}
    fields["time"] = None if event.time is None else event.time.isoformat()
    fields["context"] = dict(event.context)
    return {name: value for name, value in fields.items() if value not in (None, {})}


def _impression(shown: Impression) -> dict[str, Any]:
    fields = {name: getattr(shown, name) for name in Impression.__dataclass_fields__}
    return {**fields, "time": shown.time.isoformat()}
