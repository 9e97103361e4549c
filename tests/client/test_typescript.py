"""The TypeScript client: made from today's API, and understood by a real service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from benchmarks.server import copy_project, serving

from recprism.serve.reference import document, main

SOURCE = Path(__file__).parents[2] / "clients" / "typescript"


def outline(written: str) -> dict[str, Any]:
    """Operations and the names in shapes: what clients depend on, whatever version of the web
    framework wrote the rest of the document."""
    found = json.loads(written)
    return {
        "operations": sorted(
            (path, method) for path, methods in found["paths"].items() for method in methods
        ),
        "shapes": {
            name: (sorted(shape.get("properties", ())), sorted(shape.get("required", ())))
            for name, shape in found["components"]["schemas"].items()
        },
    }


def test_it_is_made_from_the_api_of_today() -> None:
    written = (SOURCE / "openapi.json").read_text(encoding="utf-8")
    assert outline(written) == outline(document()), "run `python -m recprism.serve.reference`"


def test_a_stale_document_is_told_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "openapi.json"
    page.write_text("{}", encoding="utf-8")
    assert main(["--check", "--page", str(page)]) == 1
    assert "run `python -m recprism.serve.reference`" in capsys.readouterr().err
    assert main(["--page", str(page)]) == 0
    assert main(["--check", "--page", str(page)]) == 0


def test_every_operation_of_the_api_has_a_method() -> None:
    client = (SOURCE / "src" / "index.ts").read_text(encoding="utf-8")
    for path, method in outline(document())["operations"]:
        if path.startswith("/v1/"):
            fixed = path.split("{")[0].rstrip("/")
            assert f'method: "{method.upper()}"' in client
            assert fixed in client, path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, compiled; skipped where Node or its packages cannot be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    install = [npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=20000"]
    try:
        got = subprocess.run(install, cwd=folder, capture_output=True, check=False, timeout=180)
    except subprocess.TimeoutExpired:
        pytest.skip("npm cannot fetch the compiler in time")
    if got.returncode:
        pytest.skip("npm cannot fetch the compiler")
    made = subprocess.run(
        [npm, "run", "build"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


@pytest.mark.slow
def test_a_real_service_understands_it(built: Path, trained_shop: Path, tmp_path: Path) -> None:
    with serving(copy_project(trained_shop, tmp_path / "shop"), workers=1) as server:
        ended = subprocess.run(
            ["node", "--test"],
            cwd=built,
            env={**os.environ, "RECPRISM_URL": f"http://127.0.0.1:{server.port}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "pass 8" in ended.stdout
