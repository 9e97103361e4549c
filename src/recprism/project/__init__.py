"""The project file: what it may say, reading it, what is wrong with it, templates."""

from recprism.project.load import Project, find_problems, load_project

__all__ = ["Project", "find_problems", "load_project"]
