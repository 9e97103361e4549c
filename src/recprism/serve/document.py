"""The OpenAPI document: shapes of requests, one shape of errors, keys, and examples."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from recprism.serve.shapes import REQUESTS, ErrorBody, Shape

_REF: Final = "#/components/schemas/{model}"
_ABOUT: Final = (
    "One profile in, every list out. Several explained lists per request, events that count at "
    "once. Ids in addresses are percent-encoded (`a%2Fb`)."
)
_REFUSALS: Final = {
    "400": "The body is no JSON.",
    "401": "No key, or none that opens anything.",
    "403": "The key's role is not enough.",
    "413": "The body, or the batch, is too large.",
    "415": "The body is not marked as JSON.",
    "422": "A value cannot be meant.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "No artifact, or no store, for now.",
}
_ALWAYS = ("401", "403", "422", "429", "503")
_WITH_BODY = ("400", "413", "415")


def body_of(*shapes: type[Shape], examples: dict[str, Any], many: bool = False) -> dict[str, Any]:
    """What a route says of its body; with `many` an array of them is taken as well."""
    schema: dict[str, Any] = {"$ref": _REF.format(model=shapes[0].__name__)}
    if many:
        schema = {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}
    content = {
        "schema": schema,
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def describe(app: FastAPI) -> None:
    """Give the application its document, which is written when first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=version("recprism"), description=_ABOUT, routes=app.routes
    )
    shapes = [(model, "validation") for model in (*REQUESTS, ErrorBody)]
    _, definitions = models_json_schema(shapes, ref_template=_REF)  # type: ignore[arg-type]
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name, schema in definitions["$defs"].items():
        schemas.setdefault(name, schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    """Add what all routes of `/v1` have in common."""
    operation["security"] = [{"key": []}, {}]
    codes = [*_ALWAYS, *(_WITH_BODY if "requestBody" in operation else ())]
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        operation["responses"].setdefault("404", _refusal("Nobody knows this name."))
    for code in codes:
        if code not in operation["responses"] or code == "422":
            operation["responses"][code] = _refusal(_REFUSALS[code])


def _refusal(about: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="ErrorBody")}
    return {"description": about, "content": {"application/json": {"schema": schema}}}
