"""The generated reference: complete, up to date, and usable by editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from recprism.project import load_project
from recprism.project.document import read_document
from recprism.project.reference import json_schema, main, reference_page
from recprism.project.schema import Section, Source, Transformer

ROOT = Path(__file__).parents[2]


def test_the_page_on_disk_is_up_to_date() -> None:
    assert main(["--check", "--page", str(ROOT / "docs/reference/project-file.md")]) == 0


def test_a_stale_or_missing_page_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.md"
    assert main(["--check", "--page", str(page)]) == 1
    assert "page.md is stale; run `python -m recprism.project.reference`" in capsys.readouterr().err
    assert main(["--page", str(page)]) == 0
    assert main(["--check", "--page", str(page)]) == 0


def test_the_page_names_every_section_and_key() -> None:
    page = reference_page()
    bases = (Section, Source, Transformer)
    for section in [section for base in bases for section in base.__subclasses__()]:
        if section.__name__ not in ("ProjectFile", "Source", "Transformer"):
            assert f"## {section.__name__}\n" in page
        for name, field in section.model_fields.items():
            assert f"| `{field.alias or name}` |" in page


@pytest.mark.parametrize("name", ["grocery", "text"])
def test_the_schema_accepts_the_templates_as_written(name: str) -> None:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    file = load_project(ROOT / "src/recprism/project/templates" / name).file
    jsonschema.validate(read_document(file).data, schema)


@pytest.mark.parametrize(
    "change",
    [{"projekt": 1}, {"clock": "moon"}, {"evaluate": {"a": {"until": "soon"}}}, {"tasks": {}}],
)
def test_the_schema_refuses_what_the_loader_refuses(change: dict[str, object]) -> None:
    file = load_project(ROOT / "src/recprism/project/templates/text").file
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read_document(file).data | change, json_schema())
