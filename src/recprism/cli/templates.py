"""`recprism templates`"""

from __future__ import annotations

from recprism.cli.options import AsJson
from recprism.cli.output import table, write, write_json


def templates(as_json: AsJson = False) -> None:
    """List the templates that `init --template` knows."""
    from recprism.project import list_templates

    found = [(t.name, t.description) for t in list_templates()]
    if as_json:
        write_json([{"name": name, "description": text} for name, text in found])
    else:
        write(table(["template", "what it is"], found))
