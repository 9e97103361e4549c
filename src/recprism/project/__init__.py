"""The project file: what it may say, reading it, what is wrong with it, templates."""

from recprism.project.document import FILE_NAME
from recprism.project.load import Project, find_problems, hash_spec, load_project
from recprism.project.save import to_yaml
from recprism.project.schema import ProjectFile
from recprism.project.templates import Template, list_templates, refuse_occupied, write_template

__all__ = [
    "FILE_NAME",
    "Project",
    "ProjectFile",
    "Template",
    "find_problems",
    "hash_spec",
    "list_templates",
    "load_project",
    "refuse_occupied",
    "to_yaml",
    "write_template",
]
