"""Does the section `llm:` fit itself and the rest of the project?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recprism.errors import nearest
from recprism.project.document import KeyPath
from recprism.project.llm_section import HISTORY, QUERY, WORKING_ROLES
from recprism.project.messages import Mistake

if TYPE_CHECKING:
    from recprism.project.schema import ProjectFile


def llm_roles(spec: ProjectFile) -> Iterator[Mistake]:
    """Only roles that something uses can be on."""
    for role, switch in spec.llm.roles.items():
        path: KeyPath = ("llm", "roles", role)
        if role not in WORKING_ROLES and switch is not False:
            yield _clash(path, f"role `{role}` cannot be switched on in this version; write `off`.")
        elif role == "embed" and not isinstance(switch, bool):
            yield _clash(path, "the text encoder plays this role; write `on` or `off`.")


def llm_backend(spec: ProjectFile) -> Iterator[Mistake]:
    """A server needs an address and a model's name; a model in this process has no address."""
    llm = spec.llm
    if llm.backend == "openai":
        for key in ("base_url", "model"):
            if getattr(llm, key) is None:
                yield _clash(("llm", "backend"), f"`openai` needs `{key}` beside it.")
    if llm.backend == "embedded":
        for key in ("base_url", "key_env"):
            if getattr(llm, key) is not None:
                problem = "a model in this process has none."
                yield _clash(("llm", key), problem, "Remove it, or write `backend: openai`.")


def llm_fields(spec: ProjectFile) -> Iterator[Mistake]:
    """What may reach a prompt is described in the project, and is no id."""
    known, ids = known_fields(spec), _id_fields(spec)
    for n, field in enumerate(spec.llm.fields):
        if field in ids:
            problem = f"`{field}` is an id; ids never reach a prompt."
            yield _clash(("llm", "fields", n), problem, "Remove it.")
        elif field not in known:
            close = nearest(field, known)
            hint = f"Did you mean `{close}`?" if close else f"Known: {', '.join(sorted(known))}."
            problem = f"the project has no field `{field}`."
            yield _clash(("llm", "fields", n), problem, hint, ("items",), ("users",))


def llm_label(spec: ProjectFile) -> Iterator[Mistake]:
    """The role `label` may read some label and all texts of its kind, which are joined into one."""
    if spec.llm.backend == "none" or spec.llm.roles.get("label", False) is False:
        return
    needed = {
        f"{name}.{column}": {f"{name}.{text}" for text in [*kind.text, column]}
        for name, kind in spec.items.items()
        if kind.text and kind.id not in kind.text
        for column in kind.labels.values()
    }
    allowed = set(spec.llm.fields)
    if any(fields <= allowed for fields in needed.values()):
        return
    path = ("llm", "roles", "label")
    if not needed:
        problem = "no kind has a label and texts without its id."
        yield _clash(path, problem, "Write `off`.", ("items",))
        return
    lacking = min((fields - allowed for fields in needed.values()), key=lambda f: (len(f), min(f)))
    listed = ", ".join(f"`{field}`" for field in sorted(lacking))
    problem = "`llm.fields` allows no label together with all texts of its kind."
    yield _clash(path, problem, f"Add {listed} there, or write `off`.", ("items",))


def known_fields(spec: ProjectFile) -> set[str]:
    """Everything that `llm.fields` may name."""
    found = {QUERY, HISTORY}
    for name, kind in spec.items.items():
        columns = [*kind.text, *kind.labels, *kind.numbers, *([kind.title] if kind.title else [])]
        found |= {f"{name}.{column}" for column in columns}
    if spec.users:
        found |= {f"users.{column}" for column in [*spec.users.traits, *spec.users.text]}
    return found - _id_fields(spec)


def _id_fields(spec: ProjectFile) -> set[str]:
    ids = {f"{name}.{kind.id}" for name, kind in spec.items.items()}
    return ids | ({f"users.{spec.users.id}"} if spec.users else set())


def _clash(path: KeyPath, problem: str, hint: str = "", *needs: KeyPath) -> Mistake:
    return Mistake(path, problem, hint, "clash", frozenset([path[:2], *needs]))
