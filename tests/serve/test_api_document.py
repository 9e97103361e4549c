"""The API document: what it says is what the service does, whatever it is sent."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from recprism.engine import Engine, open_engine
from recprism.serve.access import Caller, Gate
from recprism.serve.app import create_app
from recprism.serve.settings import Settings
from recprism.serve.shapes import ListsRequest
from recprism.store import MemoryStore

EXAMPLES = 25
"""So many requests are made up for each route."""


def document_of(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_the_document_is_complete(client: TestClient) -> None:
    document = document_of(client)
    assert document["openapi"].startswith("3.")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], path
            if not path.startswith("/v1/"):
                continue
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), path
            if method in ("post", "put", "patch"):
                content = operation["requestBody"]["content"]["application/json"]
                assert content["examples"], path
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= set(schemas)


def test_examples_of_requests_are_what_the_document_asks_for(client: TestClient) -> None:
    document = document_of(client)
    root = "urn:document"
    registry = Registry().with_resource(root, Resource.from_contents(document, DRAFT202012))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody")
            if body is None:
                continue
            pointer = f"#/paths/{path.replace('/', '~1')}/{method}/requestBody"
            schema = {"$ref": f"{root}{pointer}/content/application~1json/schema"}
            validator = Draft202012Validator(schema, registry=registry)
            for example in body["content"]["application/json"]["examples"].values():
                validator.validate(example["value"])


def test_the_shapes_of_requests_name_all_that_the_engine_takes() -> None:
    taken = set(inspect.signature(Engine.recommend).parameters) - {"self"}
    assert set(ListsRequest.model_fields) == taken


@pytest.fixture
def app(shop_copy: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """An application that takes everybody for an admin."""

    async def admit(*_: object) -> Caller:
        return Caller("", "admin")

    monkeypatch.setattr(Gate, "admit", admit)
    store = MemoryStore()
    engine = open_engine(shop_copy, store=store)
    return create_app(engine, store, Settings(directory=shop_copy))


def test_no_request_that_can_be_made_up_breaks_the_service(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    n_routes, statuses = 0, Counter[int]()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        n_routes += 1

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            response = case.call_and_validate(checks=[not_a_server_error])
            statuses[response.status_code // 100] += 1

        send()
    assert n_routes > 15
    assert min(statuses[2], statuses[4]) > n_routes
