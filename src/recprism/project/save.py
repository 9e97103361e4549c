"""From a validated spec back to YAML, as a person would write it."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from recprism.project.schema import ProjectFile

FLOW_WIDTH = 80
# The YAML library writes some texts bare that it cannot read back, such as `?a` in a list on one
# line; whatever is not plainly a word is quoted here.
_WORDS = re.compile(r"\w|\w[\w ./-]*\w")


def to_yaml(spec: ProjectFile, comment: str = "") -> str:
    """The project file that loads as `spec`; settings at their defaults are left out.

    `comment` is put above it, each of its lines behind a `#`.
    """
    data = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    out.writelines(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    for key, value in data.items():
        if out.tell() and (isinstance(value, dict | list) or key == "project"):
            out.write("\n")
        yaml.dump(CommentedMap({key: _laid_out(value)}), out)
    return out.getvalue()


def _laid_out(value: Any) -> Any:
    """The value with short lists and mappings of scalars set on one line."""
    if isinstance(value, dict):
        laid: Any = CommentedMap((_laid_out(k), _laid_out(part)) for k, part in value.items())
        parts = list(value.values())
    elif isinstance(value, list):
        laid, parts = CommentedSeq(_laid_out(part) for part in value), value
    elif isinstance(value, str) and not _WORDS.fullmatch(value):
        return DoubleQuotedScalarString(value)
    else:
        return value
    if not any(isinstance(part, dict | list) for part in parts) and len(str(value)) < FLOW_WIDTH:
        laid.fa.set_flow_style()
    return laid
