"""`/v1/tasks`: the lists of the project, and changes of them that need no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import Response

from recprism.engine import Engine
from recprism.project.edits import EDITABLE, apply_edits, edit_task, read_edits
from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.faults import Refused, refusal_of_values
from recprism.serve.reading import id_in_path, read_json
from recprism.serve.service import Service, service_of
from recprism.serve.shapes import TaskOut, TasksOut

router = APIRouter(tags=["tasks"])
CHANGES = {
    "description": f"Changed settings, of {', '.join(f'`{name}`' for name in EDITABLE)}; null is "
    "a setting's own default. `reset` names settings that are the project file's again.",
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "object"},
            "examples": {
                "shorter": {"value": {"size": 5}},
                "rules": {"value": {"cap": {"shows": 2, "per": "day"}, "repeat": "never"}},
                "as before": {"value": {"reset": ["size", "cap", "repeat"]}},
            },
        }
    },
}


@router.get(
    "/v1/tasks", dependencies=[Depends(needs("reader"))], responses={200: {"model": TasksOut}}
)
async def tasks(request: Request) -> Response:
    """The tasks as they are served, and what was changed over the project file."""
    service = service_of(request)
    return as_json(await service.keep(_all_tasks, service.engine, service.settings.directory))


@router.patch(
    "/v1/tasks/{name}",
    dependencies=[Depends(needs("admin"))],
    responses={200: {"model": TaskOut}},
    openapi_extra={"requestBody": CHANGES},
)
async def change_task(request: Request, name: str) -> Response:
    """Change size, cap, rules, diversity, exploration, score or slots of a task, for all workers,
    without training. Other workers follow within a second."""
    service = service_of(request)
    task = id_in_path(request, "name", name)
    changes = await read_json(request)
    if not isinstance(changes, dict):
        raise Refused(422, "invalid", "The body must be an object of settings.")
    reset = changes.pop("reset", [])
    if not isinstance(reset, list) or not all(isinstance(one, str) for one in reset):
        raise Refused(422, "invalid", "It must be a list of settings.", field="reset")
    try:
        await service.keep(_change, service, task, changes, reset)
    except ValidationError as error:
        raise refusal_of_values(error, set(EDITABLE)) from None
    found = _all_tasks(service.engine, service.settings.directory)["tasks"]
    return as_json(next(one for one in found if one["name"] == task))


def _change(service: Service, task: str, changes: dict[str, Any], reset: list[str]) -> None:
    """Check a change against the artifact, keep it, and serve by it."""
    directory, engine = service.settings.directory, service.engine
    if directory is None:
        raise Refused(422, "no-project", "This server has no project to keep changes in.")
    spec = engine.trained_project
    kept = {} if task not in spec.tasks else read_edits(directory).get(task, {})
    own = {key: value for key, value in {**kept, **changes}.items() if key not in reset}
    if set(own) <= set(EDITABLE):
        engine.with_tasks(apply_edits(spec, {task: own}))
    edits = edit_task(directory, spec, task, changes, reset)
    service.adopt(engine.with_tasks(apply_edits(spec, edits)))


def _all_tasks(engine: Engine, directory: Path | None) -> dict[str, Any]:
    edits = {} if directory is None else read_edits(directory)
    return {
        "tasks": [
            {
                "name": name,
                "settings": task.model_dump(mode="json", by_alias=True),
                "changed": sorted(edits.get(name, {})),
            }
            for name, task in engine.model.project.tasks.items()
        ]
    }
