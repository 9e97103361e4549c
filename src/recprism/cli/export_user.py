"""`recprism export-user`"""

from __future__ import annotations

from pathlib import Path

from recprism.cli.options import AsJson, Directory, User
from recprism.cli.output import write_json


def export_user(*, directory: Directory = Path(), user: User, as_json: AsJson = True) -> None:
    """Write all data about a person as JSON: sources, store, profile."""
    del as_json  # There is one form; the option is there so that scripts can always name it.
    from recprism.engine import open_engine
    from recprism.pipeline import export_person
    from recprism.project import load_project

    project = load_project(directory)
    with open_engine(directory) as engine:
        write_json(export_person(project, engine, user))
