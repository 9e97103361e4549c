"""`recprism schema`"""

from __future__ import annotations

from recprism.cli.options import AsJson
from recprism.cli.output import write_json


def schema(as_json: AsJson = True) -> None:  # noqa: ARG001
    """Print the JSON Schema of `recprism.yaml`, for editors. It is JSON with or without --json."""
    from recprism.project.reference import json_schema

    write_json(json_schema())
