"""Writes the OpenAPI document that the TypeScript client is generated from.

python -m recprism.serve.reference [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from recprism.serve.app import create_app
from recprism.store import MemoryStore

PAGE = Path(__file__).parents[3] / "clients" / "typescript" / "openapi.json"


def document() -> str:
    """The document as text, names in order, so that a change is one line of a diff."""
    found = create_app(None, MemoryStore()).openapi()
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or with `--check` compare it. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="recprism.serve.reference")
    parser.add_argument("--check", action="store_true", help="exit 1 when the document is stale")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the document stands")
    options = parser.parse_args(arguments)
    page: Path = options.page
    if not options.check:
        page.write_text(document(), encoding="utf-8")
        return 0
    if page.is_file() and json.loads(page.read_text(encoding="utf-8")) == json.loads(document()):
        return 0
    sys.stderr.write(f"{page} is stale; run `python -m recprism.serve.reference`.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
