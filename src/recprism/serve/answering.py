"""Documents as responses: written once, straight to bytes."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.responses import Response

from recprism.serve.faults import JSON

NOT_KEPT: Final = {"Cache-Control": "no-store"}


def as_json(document: Any, status: int = 200) -> Response:
    """A response with a JSON document."""
    return json_bytes(orjson.dumps(document), status)


def json_bytes(body: bytes, status: int = 200) -> Response:
    """A response with a JSON document that is written already; nobody on the way may keep it."""
    return Response(body, status, NOT_KEPT, media_type=JSON)
